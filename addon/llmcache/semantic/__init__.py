"""Whether the answer to one question may answer another: candidates -> gate -> policy (DESIGN.md, section 7).

Nothing here knows stores, indexes, dialects or the proxy: questions, similarities and answers are all it is told.
One idea a file; the engine's part that asks them in order is `llmcache.nearby`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored question near the one that was asked."""

    key: str
    """Of the entry that answers it."""
    similarity: float
    """Cosine, in [-1, 1]."""
    question: str


Judge = Callable[[Candidate], str | None]
"""The gate, bound to the question that was asked: why a candidate may never answer it, or None. Under 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a decision was made of; `learn` wants it back, for by then the policy may know more than it did."""

    features: tuple[float, ...] = field(repr=False)
    key: str
    """Of the candidate that was served, or would have been."""
    passed: bool = True
    """Whether it was at all to be served: the gate let it pass, and the policy had no objection to the candidate."""


@dataclass(frozen=True, slots=True)
class Serve:
    """The answer of *candidate* may be served: the gate and the policy agree."""

    candidate: Candidate
    explore: bool = False
    """Ask upstream all the same, in the background or instead, to learn whether it would have been right."""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """None of the candidates may be served."""

    reason: str
    """A short slug with its numbers, such as `similarity 0.912 <= 0.950`."""
    evidence: Evidence | None = None


Decision = Serve | Forward


def admit(candidate: Candidate) -> str | None:  # noqa: ARG001 - a `Judge`
    """Let every candidate pass: for those that were judged before."""
    return None


class Policy(Protocol):
    """Which candidate is certain enough. Called on the event loop: takes far less than a millisecond, never raises."""

    @property
    def neighbors(self) -> int:
        """How many candidates it wants to see; `vector.topK` where that is more."""

    def decide(self, candidates: Sequence[Candidate], judge: Judge = admit, asked: str = "") -> Decision:
        """Choose among the stored questions nearest to *asked*, nearest first; there may be none.

        All neighbors are given, those that the gate refuses as well: they say how crowded the place is.
        The policy asks *judge* only about those that it would serve, so most are never judged.
        """

    def learn(
        self, decision: Decision, candidates: Sequence[Candidate], *, equal: Sequence[bool | None], key: str
    ) -> None:
        """Take what an upstream call taught: whether the answer of each candidate equals the one that came.

        *decision* is what `decide` returned for the same candidates. None stands for an answer that is no more to be
        had. *key* is that of the entry now stored for this call; it belongs with those whose answer is equal.
        """


@runtime_checkable
class Learner(Policy, Protocol):
    """A policy that learns, and shares what it learned with other processes through a store."""

    @property
    def due(self) -> bool:
        """Whether enough was learned since the last `refit`."""

    def refit(self) -> None:
        """Draw the conclusions. Takes up to a second: call it on a thread, one call at a time."""

    def fresh(self) -> bytes:
        """Return what was learned here since the last call, to be appended to what others learned; may be empty."""

    def absorb(self, evidence: bytes) -> int:
        """Take what `fresh` returned elsewhere or earlier, or several of those joined; return how many lines were bad.

        Never raises: lines that are damaged or of another version are skipped, so the worst is a fresh start.
        """
