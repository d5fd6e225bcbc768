"""The policy of Higress: the nearest candidate is served when it is on the right side of one number.

It learns nothing. `gt` and `gte` read the number as a similarity (the cosine), `lt` and `lte` as a distance
(1 - cosine); each is strict at the border exactly as it is named. `safe` is what stands for a threshold that nobody
chose: there is none with which any neighbor would do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt

from . import Candidate, Decision, Forward, Judge, Serve, admit

NEIGHBORS = 5
DIGITS = 6
"""Cosines of float32 vectors are noise beyond: both sides are rounded, so that 0.8 is 0.8 whoever computed it."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Serve the nearest candidate that compares well with *value*. Raises `ValueError` for an unknown relation."""

    value: float
    relation: str = "gte"
    """One of `RELATIONS`."""

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f"thresholdRelation: {self.relation!r} is none of {', '.join(RELATIONS)}")
        if not math.isfinite(self.value):
            raise ValueError(f"threshold: {self.value} is no number to compare with")

    @property
    def neighbors(self) -> int:
        """A few, for the nearest may be one that the gate refuses."""
        return NEIGHBORS

    def decide(self, candidates: Sequence[Candidate], judge: Judge = admit, asked: str = "") -> Decision:  # noqa: ARG002 - a `Policy`
        """Serve the nearest that passes the gate, or say what the nearest lacks."""
        reason = ""
        for candidate in candidates:
            if not self.passes(candidate.similarity):
                return Forward(reason or self.lack(candidate.similarity))
            if (refused := judge(candidate)) is None:
                return Serve(candidate)
            reason = reason or refused
        return Forward(reason or "no candidate")

    def learn(
        self, decision: Decision, candidates: Sequence[Candidate], *, equal: Sequence[bool | None], key: str
    ) -> None:
        """Learn nothing: the number stands."""

    def lack(self, similarity: float) -> str:
        """Return why a candidate of this cosine is not near enough."""
        name, score = self.measured(similarity)
        return f"{name} {score:.3f} not {self.relation} {self.value:g}"

    def passes(self, similarity: float) -> bool:
        """Whether a candidate of this cosine may be served; never for a score that is no number."""
        score = self.measured(similarity)[1]
        return math.isfinite(score) and RELATIONS[self.relation](round(score, DIGITS), round(self.value, DIGITS))

    def measured(self, similarity: float) -> tuple[str, float]:
        """Return what is compared, its name and its value."""
        return ("distance", 1 - similarity) if self.relation in DISTANCES else ("similarity", similarity)


def safe(embedder: str) -> Threshold:
    """Return the default of an embedder, named as `Embedder.name` is: `provider/model`, or the provider alone."""
    provider = embedder.partition("/")[0]
    return Threshold(SAFE.get(embedder, SAFE.get(provider, UNKNOWN)))


RELATIONS: dict[str, Callable[[float, float], bool]] = {"lt": lt, "lte": le, "gt": gt, "gte": ge}
DISTANCES = frozenset({"lt", "lte"})
UNKNOWN = 0.97
"""For models that were not measured here: few rewordings reach it, and it is meant to be replaced by a measured one."""
SAFE = {"wordllama": 0.82}
"""Behind the strict gate no false hit (`scripts/bench_semantic.py`), with room for what the gate may let through."""
