"""Whether the answer to one question may answer another: candidates -> gate -> policy (DESIGN.md, section 7).

Nothing here knows stores, indexes, dialects or the proxy: questions, similarities and answers are all it is told.
One idea a file; the engine's part that asks them in order is `llmcache.nearby`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored question near the one that was asked, and that passed the gate."""

    key: str
    """Of the entry that answers it."""
    similarity: float
    """Cosine, in [-1, 1]."""
    question: str


@dataclass(frozen=True, slots=True)
class Serve:
    """The answer of *candidate* may be served."""

    candidate: Candidate
    explore: bool = False
    """Ask upstream all the same, to learn whether it would have been right."""


@dataclass(frozen=True, slots=True)
class Forward:
    """None of the candidates may be served."""

    reason: str
    """A short slug with its numbers, such as `similarity 0.912 <= 0.950`."""


Decision = Serve | Forward


class Policy(Protocol):
    """Which candidate is certain enough. Called on the event loop: takes far less than a millisecond, never raises."""

    def decide(self, candidates: Sequence[Candidate]) -> Decision:
        """Choose among the candidates that passed the gate, nearest first; there may be none."""

    def learn(self, candidates: Sequence[Candidate], *, equal: Sequence[bool], key: str) -> None:
        """Take what a forwarded call taught: whether the answer of each candidate equals the one that came.

        *key* is that of the entry now stored for the forwarded call; it belongs with those whose answer is equal.
        """
