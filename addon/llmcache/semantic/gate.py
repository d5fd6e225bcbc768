"""The gate: whether everything that an answer can hang on agrees between two questions.

Near in meaning is not enough: `18 + 24` and `18 + 42` are neighbours in any embedding.
It knows two texts and no model, similarity or policy. Entry points: `judge`, and `compare` of read `Features`.
A refusal begins with the name of its category; the rest holds words of the questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .features import Features, features
from .kinds import compatible
from .listing import listed
from .names import KINDS
from .opposites import HAN_OPPOSITES, OPPOSITES
from .order import turned
from .stems import slip


def judge(asked: str, stored: str) -> str | None:
    """Return None when the answer to *stored* may answer *asked*; else why not, such as `number 10 ≠ 12`.

    Who may refuse does so both ways round: the same texts swapped are refused too.
    """
    return compare(features(asked), features(stored))


def compare(asked: Features, stored: Features) -> str | None:
    """Do what `judge` does, for questions that were read already."""
    if asked.exact == stored.exact and asked.folded == stored.folded and asked.quotes == stored.quotes:
        return None
    for category, differs in CATEGORIES.items():
        if what := differs(asked, stored):
            return f"{category} {what}"
    return None


def _quoted(asked: Features, stored: Features) -> str:
    if len(asked.quotes) == len(stored.quotes):
        return _unequal(asked.quotes, stored.quotes)
    return ""


def _code(asked: Features, stored: Features) -> str:
    return _unequal(sorted(asked.exact), sorted(stored.exact))


def _number(asked: Features, stored: Features) -> str:
    return _unequal([number[1:] for number in asked.numbers], [number[1:] for number in stored.numbers])


def _negation(asked: Features, stored: Features) -> str:
    if asked.negations == stored.negations:
        return ""
    return f"{asked.negations} ≠ {stored.negations}"


def _kind(asked: Features, stored: Features) -> str:
    return "" if compatible(asked.kind, stored.kind) else f"{asked.kind} ≠ {stored.kind}"


def _opposite(asked: Features, stored: Features) -> str:
    mine, theirs = asked.words - stored.words, stored.words - asked.words
    if len(mine) > _MANY or len(theirs) > _MANY:
        return ""
    for one in sorted(mine):
        for other in sorted(theirs):
            pair = frozenset((one, other))
            if pair in OPPOSITES or pair in HAN_OPPOSITES:
                return f"{one} ≠ {other}"
    return ""


def _quantity(asked: Features, stored: Features) -> str:
    return _unequal(sorted(asked.words & BOUNDS), sorted(stored.words & BOUNDS))


def _person(asked: Features, stored: Features) -> str:
    if asked.owners and stored.owners and asked.owners != stored.owners:
        return _unequal(sorted(asked.owners), sorted(stored.owners))
    if _THIRD.isdisjoint(asked.people) and _THIRD.isdisjoint(stored.people):
        return ""
    return _unequal(asked.people, stored.people)


def _tense(asked: Features, stored: Features) -> str:
    different = asked.tense and stored.tense and asked.tense != stored.tense
    return f"{asked.tense} ≠ {stored.tense}" if different else ""


def _modal(asked: Features, stored: Features) -> str:
    if asked.kind not in _PLAIN or not (asked.modal and stored.modal):
        return ""
    return "" if asked.modal == stored.modal else f"{asked.modal} ≠ {stored.modal}"


def _word(asked: Features, stored: Features) -> str:
    """Compare what carries meaning: each term needs its counterpart on the other side."""
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    if not mine and not theirs:
        return ""
    if abs(len(mine) - len(theirs)) <= _MANY and max(len(mine), len(theirs)) <= _MANY:
        pairs = slips(mine, theirs)
        mine, theirs = mine - pairs.keys(), theirs - set(pairs.values())
    return _unequal(sorted(mine), sorted(theirs))


def slips(mine: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Return which of two sides' terms are one word, misspelled on either side."""
    return {one: other for one in sorted(mine) for other in sorted(theirs) if one not in KINDS and slip(one, other)}


def _order(asked: Features, stored: Features) -> str:
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    terms = asked.terms
    if mine and theirs:
        pairs = slips(mine, theirs)
        terms = tuple(pairs.get(term, term) for term in terms)
    found = turned(terms, stored.terms)
    return f"{found[0]} ≠ {found[1]}" if found else ""


def _unequal(mine: Iterable[str], theirs: Iterable[str]) -> str:
    """Say how two collections differ, without what they share; nothing when they do not."""
    mine, theirs = list(mine), list(theirs)
    if mine == theirs:
        return ""
    left = list(theirs)
    only = [item for item in mine if item not in left or left.remove(item)]  # type: ignore[func-returns-value]
    return f"{_shown(only)} ≠ {_shown(left)}" if only or left else f"{_shown(mine)} ≠ {_shown(theirs)}"


def _shown(items: list[str]) -> str:
    return " ".join(items)[:_WIDTH] or "nothing"


_MANY = 12
"""Differences beyond which no counterpart is looked for: such questions are far from each other."""
_WIDTH = 60
_THIRD = frozenset(("he", "she", "they"))
_PLAIN = frozenset(("yes", "open", "when", "where", "who"))
BOUNDS = frozenset(
    listed(
        "all every each only most least at_least at_most or either neither both over under above "
        "below before after during "
        "against between beyond except despite until since almost nearly"
    )
)
"""Small words that both questions need: they bound or choose."""

CATEGORIES: dict[str, Callable[[Features, Features], str]] = {
    "quoted": _quoted,
    "code": _code,
    "number": _number,
    "negation": _negation,
    "opposite": _opposite,
    "kind": _kind,
    "quantity": _quantity,
    "person": _person,
    "tense": _tense,
    "modality": _modal,
    "word": _word,
    "order": _order,
}
"""The first that differs is the reason of the refusal."""
