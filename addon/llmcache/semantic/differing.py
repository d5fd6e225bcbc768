"""What two questions do not share: the terms without counterpart, and how to say it.

It knows no category of the gate. Entry points: `unmatched`, `slips`, `unequal`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .features import Features, meaning
from .names import KINDS
from .stems import slip


def unmatched(asked: Features, stored: Features) -> tuple[frozenset[str], frozenset[str]]:
    """Return the terms of each side without counterpart."""
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    if not mine or not theirs or max(len(mine), len(theirs)) > MANY:
        return mine, theirs
    pairs = slips(asked, stored)
    return mine - pairs.keys(), theirs - set(pairs.values())


def slips(asked: Features, stored: Features) -> dict[str, str]:
    """Return which terms of the two are one word, misspelled on either side."""
    mine, theirs = sorted(asked.words - stored.words), sorted(stored.words - asked.words)
    found = [(one, other) for one in mine for other in theirs if one[0] == other[0] and slip(one, other)]
    ones, others = Counter(one for one, _ in found), Counter(other for _, other in found)
    return {
        meaning(one): meaning(other)
        for one, other in found
        if ones[one] == others[other] == 1 and one not in KINDS and other not in KINDS
    }


def unequal(mine: Iterable[str], theirs: Iterable[str]) -> str:
    """Say how two collections differ, without what they share; nothing when they do not."""
    mine, theirs = list(mine), list(theirs)
    if mine == theirs:
        return ""
    only, left = list[str](), list(theirs)
    for item in mine:
        if item in left:
            left.remove(item)
        else:
            only.append(item)
    return f"{_shown(only)} ≠ {_shown(left)}" if only or left else f"{_shown(mine)} ≠ {_shown(theirs)}"


def _shown(items: list[str]) -> str:
    return " ".join(items)[:_WIDTH] or "nothing"


MANY = 12
"""Differences beyond which no counterpart is looked for: such questions are far from each other."""
_WIDTH = 60
