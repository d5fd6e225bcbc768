"""Whether two answers are equal: who got the one would have been served as well by the other.

It suits labels, numbers, JSON and text, and is strict where it is not sure: a wrong "equal" lets wrong hits through, a
wrong "not equal" only costs some. It knows no questions. Entry point: `equal`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson

from .listing import listed

Similar = Callable[[str, str], float]
"""Two long texts -> how alike they are, 1 for the same; an embedder's cosine can be put here."""

SHORT = 8
"""Words up to which a text is a label, and must be the same."""
ALIKE = 0.85
LONGEST = 20_000
"""Characters beyond which texts are equal only when they are the same."""


def equal(one: str, other: str, similar: Similar | None = None, alike: float = ALIKE) -> bool:
    """Whether two answers say the same; *similar* judges long texts, which are equal from *alike* on."""
    if one == other:
        return True
    left, right = _json(one), _json(other)
    if left is not None or right is not None:
        return left is not None and right is not None and _same(left[0], right[0])
    if max(len(one), len(other)) > LONGEST:
        return False
    mine, theirs = _words(one), _words(other)
    if mine == theirs:
        return bool(mine) or one.strip() == other.strip()
    if min(len(mine), len(theirs)) <= SHORT:
        return False
    if Counter(filter(_decides, mine)) != Counter(filter(_decides, theirs)):
        return False
    return (similar or overlap)(one, other) >= alike


def overlap(one: str, other: str) -> float:
    """Return how many words and pairs of words two texts share: 2 * shared / all (Dice)."""
    mine, theirs = _grams(_words(one)), _grams(_words(other))
    total = mine.total() + theirs.total()
    return 2 * (mine & theirs).total() / total if total else 1.0


def _grams(words: list[str]) -> Counter[str]:
    return Counter(words) + Counter(f"{first} {second}" for first, second in pairwise(words))


def _json(text: str) -> tuple[Any] | None:
    """Return the value of a text that is JSON, also within a code fence; None for other texts."""
    fenced = FENCE.fullmatch(text.strip())
    try:
        return (orjson.loads(fenced[1] if fenced else text.strip()),)
    except ValueError:
        return None


def _same(one: Any, other: Any) -> bool:
    """Compare by structure: the order of keys and 1 or 1.0 do not matter, everything else does."""
    match one, other:
        case (dict(), dict()):
            return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
        case (list(), list()):
            return len(one) == len(other) and all(map(_same, one, other))
        case (str(), str()):
            return one == other
        case (bool(), _) | (_, bool()) | (None, _) | (_, None):
            return one is other
        case _:
            return bool(one == other)


def _words(text: str) -> list[str]:
    """Return the words and the signs that carry meaning; case, white space and a sentence's marks do not."""
    return WORD.findall(unicodedata.normalize("NFC", text).casefold())


def _decides(word: str) -> bool:
    """Whether a word turns an answer around by itself: a number, a sign or a negation."""
    return any(letter.isdigit() for letter in word) or not word[0].isalnum() or word in NEGATIONS or "n't" in word


FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n```", re.DOTALL)
WORD = re.compile(r"[-+]?\d[\d.,:/-]*\d|[-+]?\d|\w+(?:['\u2019]\w+)*|[^\w\s.,;:!?\"'\u2019()*`_#-]")
NEGATIONS = frozenset(
    listed("no not never none nothing neither nor without false cannot nein nicht kein non pas 不 没 无 否")
)
