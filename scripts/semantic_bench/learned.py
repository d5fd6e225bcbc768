"""What `errorBudget` does beside the best threshold that hindsight could have chosen, and on pairs after it learned.

Entry points: `compared`, `hindsight`, `strangers`.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from llmcache.semantic import Candidate, Policy, Serve
from llmcache.semantic.budget import ErrorBudget
from llmcache.semantic.threshold import Threshold

from .data import Pair
from .replay import Gate, Tally, Track
from .vectors import vectors

SWEEP = tuple(number / 100 for number in range(62, 100, 3))
SEED = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """A budget on several orders of a stream."""

    budget: float
    tallies: tuple[Tally, ...]
    static: tuple[Tally, ...]
    """The best threshold of each order at no more wrong hits than the budget."""

    def middle(self, value: Callable[[Tally], float]) -> float:
        """Return the median over the orders."""
        return statistics.median(map(value, self.tallies))

    @property
    def worst(self) -> float:
        """The highest wrong / hits of an order."""
        return max(tally.wrong_rate for tally in self.tallies)

    @property
    def best_static(self) -> float:
        """The median hit rate of the best thresholds."""
        return statistics.median(tally.hit_rate for tally in self.static)


def learning(budget: float, seed: int = SEED) -> ErrorBudget:
    """Return a policy that knows nothing yet, and behaves the same each time."""
    return ErrorBudget(budget, seed=seed, now=itertools.count().__next__)


def compared(tracks: Sequence[Track], gates: Sequence[Gate], budgets: Sequence[float]) -> list[Compared]:
    """Replay each track with each budget, and with every threshold behind each of *gates*."""
    static = [[tally for gate in gates for tally in swept(replace(track, gate=gate, verdicts={}))] for track in tracks]
    return [
        Compared(
            budget,
            tuple(track.replay(learning(budget)) for track in tracks),
            tuple(hindsight(tallies, budget) for tallies in static),
        )
        for budget in budgets
    ]


def swept(track: Track) -> list[Tally]:
    """Replay with every threshold of the sweep."""
    return [track.replay(Threshold(value)) for value in SWEEP]


def hindsight(tallies: Sequence[Tally], budget: float) -> Tally:
    """Return the tally with the most hits among those that kept the budget; one without hits if none did."""
    kept = [tally for tally in tallies if tally.wrong_rate <= budget]
    return max(kept, key=lambda tally: tally.hit_rate, default=Tally())


def strangers(policy: Policy, pairs: Sequence[Pair], gate: Gate) -> tuple[int, int]:
    """Ask a policy that learned elsewhere one question of each pair; return its false and its true hits.

    Stored is the other question, once alone and once among those of all pairs.
    """
    asked, stored = vectors([pair.a for pair in pairs]), vectors([pair.b for pair in pairs])
    false = true = 0
    for number, pair in enumerate(pairs):
        scores = stored @ asked[number]
        for near in ([number], np.argsort(-scores, kind="stable")[: policy.neighbors].tolist()):
            candidates = [Candidate(f"pair {one}", float(scores[one]), pairs[one].b) for one in near]
            decision = policy.decide(candidates, lambda one, pair=pair: gate(pair.a, one.question), pair.a)  # type: ignore[misc]
            if isinstance(decision, Serve):
                right = pair.same and decision.candidate.key == f"pair {number}"
                true, false = true + right, false + (not right)
    return false, true


def seconds(policy: Policy, track: Track, gate: Gate) -> list[float]:
    """Return how long decisions take, the gate included, with all texts seen before."""
    texts, found = track.stream.texts, []
    stored = np.ones(len(texts), np.bool_)
    for number in range(len(texts) - 500, len(texts)):
        near, scores = track.ranking.nearest(number, stored, policy.neighbors)
        candidates = [Candidate(str(one), score, texts[one]) for one, score in zip(near, scores, strict=True)]
        for _ in range(2):
            began = time.perf_counter()
            policy.decide(candidates, lambda one, asked=texts[number]: gate(asked, one.question), texts[number])  # type: ignore[misc]
            passed = time.perf_counter() - began
        found.append(passed)
    return found
