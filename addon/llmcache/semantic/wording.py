"""Whether the words of a question are at home among those of a group of answers.

A word that none of the group's questions has may be the one that the answer hangs on: a new name, another thing.
What the gate refuses for its words alone may be overruled by evidence; everything else that it refuses may not.
It knows no vectors and no budget. Entry points: `soft`, `likeness`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .features import features
from .gate import CATEGORIES

COUNT = 3
"""Of the numbers that `likeness` returns."""
SOFT = frozenset({"word", "kind"})
"""Categories of the gate that say "other words" rather than "another thing"."""


def soft(asked: str, stored: str) -> bool:
    """Whether the gate refuses for nothing but the words, and how the question is put."""
    mine, theirs = features(asked), features(stored)
    return not any(differs(mine, theirs) for category, differs in CATEGORIES.items() if category not in SOFT)


def likeness(asked: str, members: Sequence[str]) -> tuple[float, float, float]:
    """Return the shares of asked words that no member has, of most members' words not asked, of words shared.

    *members* are the questions of the group that are near, nearest first, at least one;
    the last share is taken with the first of them.
    """
    words = features(asked).content
    theirs = [features(member).content for member in members]
    counts = Counter(word for content in theirs for word in content)
    core = [word for word, count in counts.items() if 2 * count > len(theirs)]
    new = sum(word not in counts for word in words)
    missing = sum(word not in words for word in core)
    union = len(words | theirs[0])
    return (
        new / max(1, len(words)),
        missing / max(1, len(core)),
        len(words & theirs[0]) / union if union else 1.0,
    )
