"""What needs no stream: pairs, prompts that are all different, and follow-ups in another conversation.

Each is judged as a stored question and a new one in the same context, by the gate and the cosine.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import Pair
from .replay import Gate
from .vectors import vectors

NEIGHBORS = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair, its cosine, and what the gate says of it."""

    pair: Pair
    similarity: float
    refused: str | None

    @property
    def score(self) -> float:
        """The cosine; -1 where the gate refuses, which no threshold admits."""
        return self.similarity if self.refused is None else -1.0


def judged(pairs: Sequence[Pair], gate: Gate) -> list[Judged]:
    """Judge pairs both ways: each of the two may be the one that is stored."""
    left, right = vectors([pair.a for pair in pairs]), vectors([pair.b for pair in pairs])
    cosines = np.sum(left * right, axis=1).tolist()
    return [
        Judged(pair, cosine, gate(asked, stored))
        for pair, cosine in zip(pairs, cosines, strict=True)
        for asked, stored in ((pair.a, pair.b), (pair.b, pair.a))
    ]


def safest(found: Sequence[Judged]) -> float:
    """Return the lowest cosine above every false hit, in steps of 0.01; 0 where the gate stops all of them."""
    false = max((one.score for one in found if not one.pair.same), default=-1.0)
    return max(0.0, float(np.floor(false * 100 + 1) / 100))


def recall(found: Sequence[Judged], threshold: float) -> float:
    """Return the share of the pairs that ask the same which hit at *threshold*."""
    same = [one.score >= threshold for one in found if one.pair.same]
    return sum(same) / max(1, len(same))


def false_hits(found: Sequence[Judged], threshold: float) -> Counter[str]:
    """Return the false hits at *threshold*, by category."""
    return Counter(one.pair.category or "all" for one in found if not one.pair.same and one.score >= threshold)


def by_category(found: Sequence[Judged], threshold: float) -> list[tuple[str, bool, int, int]]:
    """Return (category, same, hits, pairs) of each category, in the order of the file."""
    counts: dict[tuple[str, bool], list[int]] = defaultdict(lambda: [0, 0])
    for one in found:
        count = counts[one.pair.category or "all", one.pair.same]
        count[0] += one.score >= threshold
        count[1] += 1
    return [(category, same, hits, total) for (category, same), (hits, total) in counts.items()]


def alone(prompts: Sequence[str], gate: Gate, threshold: float, contexts: Sequence[str] | None = None) -> int:
    """Return how many prompts would be answered by another one that came before, in the same context."""
    found = vectors(prompts)
    return sum(
        any(
            found[number] @ found[other] >= threshold and gate(prompts[number], prompts[other]) is None
            for other in before(found, number, None if contexts is None else contexts)
        )
        for number in range(1, len(prompts))
    )


def before(found: NDArray[np.float32], number: int, contexts: Sequence[str] | None) -> list[int]:
    """Return the earlier prompts nearest to one, of its own context only."""
    earlier = [n for n in range(number) if contexts is None or contexts[n] == contexts[number]]
    scores = found[earlier] @ found[number]
    return [earlier[n] for n in np.argsort(-scores, kind="stable")[:NEIGHBORS]]


def follow_ups(dialogs: Sequence[Sequence[dict[str, str]]]) -> tuple[list[str], list[str]]:
    """Return the last turn of each dialog, and a digest of all the turns before it: the partition."""
    questions = [turns[-1]["content"] for turns in dialogs]
    return questions, [hashlib.sha256(json.dumps(turns[:-1]).encode()).hexdigest() for turns in dialogs]
