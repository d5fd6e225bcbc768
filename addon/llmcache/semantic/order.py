"""The same words in another order: a rewording (`In Excel, how do I ...`), or another question (swapped names).

A rewording moves one block past another; who swaps two words around a third turns the question around.
It knows terms, and nothing of what they are. Entry points: `turned`, `turned_sides`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from .ideographs import SIDES
from .phrases import LINKS


def turned(one: Sequence[str], other: Sequence[str], *, free: bool = False) -> tuple[str, str] | None:
    """Return what differs when *other* is not *one* with at most one block moved; None when it is.

    The block has to begin with a link, such as `in Excel`, or to be part of a date; with *free*, any block may move.
    Terms that the other side has not, or not as often, are left out first.
    """
    if one == other:
        return None
    mine, theirs = Counter(one), Counter(other)
    shared = {term for term, count in mine.items() if theirs[term] == count}
    first, second = [term for term in one if term in shared], [term for term in other if term in shared]
    if first == second:
        return None
    begin = next(place for place, term in enumerate(first) if second[place] != term)
    while first[-1] == second[-1]:
        first.pop()
        second.pop()
    first, second = first[begin:], second[begin:]
    moved = _SEAM + _SEAM.join(second) + _SEAM in _SEAM + _SEAM.join(first + first) + _SEAM
    if moved and (free or first[0] in LINKS or second[0] in LINKS or all(map(_dated, first))):
        return None
    return " ".join(first[:_SHOWN]), " ".join(second[:_SHOWN])


def turned_sides(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Compare two languages or currencies that stand side by side in Chinese, where other words may move."""
    here, there = (
        {pair for pair in pairwise(terms) if pair[0] in SIDES and pair[1] in SIDES} for terms in (mine, theirs)
    )
    return next((f"{one} {other} ≠ {other} {one}" for one, other in here if (other, one) in there - here), "")


def _dated(term: str) -> bool:
    return term[0] == "#" or (term[:5] == "month" and term[5:].isdigit())


_SEAM = "\0"
_SHOWN = 6
