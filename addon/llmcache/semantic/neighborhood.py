"""What the place of a question looks like: which group of answers its neighbors vote for, and how clearly.

It knows no gate and no budget; it turns nearest questions into a few numbers. Entry point: `describe`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from . import Candidate
from .groups import Groups

NEIGHBORS = 20
"""Measured on both streams: 10 vote less surely, 50 no better."""
WIDTH = 0.06
"""Of the kernel, in cosine: a neighbor this much farther than the nearest has a vote of 1/e."""
COUNT = 7
"""Of the features."""


@dataclass(frozen=True, slots=True)
class Place:
    """The group that the neighbors vote for."""

    features: tuple[float, ...]
    """Of `COUNT` numbers, each finite."""
    members: tuple[Candidate, ...]
    """The neighbors that belong to it, nearest first; at least one."""


def describe(candidates: Sequence[Candidate], groups: Groups) -> Place:
    """Describe the place of a question by its neighbors, nearest first; there is at least one."""
    nearest, farthest = candidates[0].similarity, candidates[-1].similarity
    votes: dict[str, float] = {}
    names = [groups.of(candidate.key) for candidate in candidates]
    for name, candidate in zip(names, candidates, strict=True):
        votes[name] = votes.get(name, 0.0) + math.exp((candidate.similarity - nearest) / WIDTH)
    winner = max(votes, key=votes.__getitem__)
    members = tuple(one for one, name in zip(candidates, names, strict=True) if name == winner)
    best = members[0].similarity
    rival = next((one.similarity for one, name in zip(candidates, names, strict=True) if name != winner), farthest)
    return Place(
        (
            best,
            best - rival,
            votes[winner] / sum(votes.values()),
            math.log1p(len(members)),
            math.log(groups.size(winner)),
            float(names[0] == winner),
            farthest,
        ),
        members,
    )
