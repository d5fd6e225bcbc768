"""Whether the words of a question are at home among those of a group of answers.

A word that none of the group's questions has may be the one that the answer hangs on: a new name, another thing.
Before a policy that learns the gate refuses for facts alone; what it says of words is one number more to learn from.
It knows no vectors and no budget. Entry point: `likeness`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .features import features
from .gate import compare

COUNT = 4
"""Of the numbers that `likeness` returns."""


def likeness(asked: str, members: Sequence[str], chosen: str) -> tuple[float, float, float, float]:
    """Return the shares of asked words that no member has, of most members' words not asked, and of words shared.

    *members* are the questions of the group that are near, nearest first, at least one; the last share is taken with
    the first of them. The fourth number is 1 where the strict gate admits *chosen*.
    """
    mine = features(asked)
    theirs = [features(member).content for member in members]
    counts = Counter(word for content in theirs for word in content)
    core = [word for word, count in counts.items() if 2 * count > len(theirs)]
    new = sum(word not in counts for word in mine.content)
    missing = sum(word not in mine.content for word in core)
    union = len(mine.content | theirs[0])
    return (
        new / max(1, len(mine.content)),
        missing / max(1, len(core)),
        len(mine.content & theirs[0]) / union if union else 1.0,
        float(compare(mine, features(chosen), strict=True) is None),
    )
