"""Vector -> nearest questions, behind one small protocol.

An index knows nothing of calls, gates or policies. It keeps points in partitions, and never looks across them.
Scores are cosines in [-1, 1], higher is nearer: each driver converts its own at its door.
Drivers are imported by `build_similar.open_index`, inside the arm that chose them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Point:
    """A question that has an answer, and where it lies."""

    key: str
    """Of the entry that answers it: hexadecimal, a deterministic id. A later point of the same key replaces it."""
    vector: NDArray[np.float32] = field(repr=False)
    """Shape (dim,), unit length."""
    question: str
    answer: str = ""
    """The entry's record as text, where no store keeps entries (`vector` without `cache`); else empty."""
    created: float = 0.0
    """Unix seconds."""
    expires: float | None = None
    """When it stops being found, Unix seconds; None for never."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A point that was found near."""

    key: str
    similarity: float
    """The cosine, in [-1, 1]."""
    question: str
    answer: str = ""
    created: float = 0.0


class Index(Protocol):
    """Points in partitions. Every method may raise `BackendError`, and nothing else.

    A partition is a short string of hexadecimal digits: the digest of all that two questions must have in common.
    """

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points; done when they can be found. Raises `BackendError` for another dimension than there is."""

    async def nearest(self, partition: str, vector: NDArray[np.float32], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points of the partition, nearest first. Never blocks the loop."""

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries; those that are not there are no error."""

    async def close(self) -> None:
        """Finish what was accepted and let go of every resource. May be called twice."""
