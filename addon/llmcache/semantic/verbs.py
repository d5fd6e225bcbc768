"""What a question says of time and of duty: past, present or future, whether one can, should or must; and by whom.

It reads words that `phrases` has made plain. Entry points: `tense`, `modal`, `passive`, `active`, `WAS`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .phrases import LINKS
from .stems import PARTICIPLES, PAST


def tense(words: Sequence[str]) -> str:
    """Return `past`, `present` (of `is` and its like), `habit` (of `does`), `perfect`, `future`, or nothing."""
    if not _FUTURE.isdisjoint(words) and "not" not in words:
        return "future"
    if not WAS.isdisjoint(words):
        return "past"
    if _perfect(words):
        return "perfect"
    if _HELPERS.isdisjoint(words):
        return "" if PAST.isdisjoint(words) else "past"
    return "present" if not _IS.isdisjoint(words) else "" if _DOES.isdisjoint(words) else "habit"


def _perfect(words: Sequence[str]) -> bool:
    """Whether it has been done: `have` with a participle close behind."""
    for at, word in enumerate(words):
        if word in _HAS:
            close = words[at + 1 : at + 4]
            return any((each in PARTICIPLES and each != "left") or each[-2:] == "ed" for each in close)
    return False


def modal(words: Sequence[str]) -> str:
    """Return `can`, `should`, `must` or nothing; nothing for several at once."""
    found = [name for name, said in _MODALS.items() if not said.isdisjoint(words)]
    return found[0] if len(found) == 1 else ""


def passive(words: Sequence[str]) -> bool:
    """Whether *words* say by whom or what something is done."""
    return "by" in words and not _BE.isdisjoint(words)


def active(terms: Sequence[str]) -> tuple[str, ...]:
    """Return the terms of a passive in the order of an active: `honey make by bee` as `bee make honey`."""
    if "by" not in terms:
        return tuple(terms)
    at = terms.index("by")
    end = next((place for place in range(at + 1, len(terms)) if terms[place] in LINKS), len(terms))
    return (*terms[at + 1 : end], *terms[max(at - 1, 0) : at], *terms[: max(at - 1, 0)], *terms[end:])


_BE = frozenset(("is", "are", "was", "were", "be", "been", "being"))
_FUTURE = frozenset(("will", "shall", "@will", "tomorrow"))
_IS = frozenset(("is", "are", "am"))
_HAS = frozenset(("have", "has"))
_DOES = frozenset(("do", "does"))
WAS = frozenset(("did", "was", "were", "had"))
"""Auxiliaries that are past."""
_HELPERS = frozenset(
    ("do", "does", "is", "are", "am", "be", "been", "being", "have", "has", "get", "gets", "can", "@can")
)
_MODALS = {
    "can": frozenset(("can", "could", "@can", "may", "might")),
    "should": frozenset(("should", "shall", "ought")),
    "must": frozenset(("must", "@must", "need", "needs")),
}
