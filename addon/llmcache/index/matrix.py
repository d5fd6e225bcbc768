"""The vectors of one partition in memory, and the exact nearest of them.

A matrix with one column a point: read along its rows, float32 products of 100,000 columns cost half of what they cost
with one row a point (measured: 4.1 against 9.7 ms at 256 dimensions, one thread).
Those sums decide who is looked at closer; the score itself is summed in float64, so it is the same wherever the point
lies, and equal vectors tie. It knows no file, no thread and no clock. Entry points: `Matrices`, `Matrix`, `calm`.
"""

from __future__ import annotations

import functools
import heapq
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .door import Vector, clipped

FIRST = 4
"""Columns of a new matrix: most partitions hold one question."""
BLOCK = 64
"""Columns whose best sum stands for all of them while the bound is searched."""
CREDIBLE = 1e-3
"""By how much the square of a length may differ from 1 in what was read: more is damage."""
ROUNDING = 2.0**-23
"""Twice float32's unit of rounding; times the dimension it bounds the error of a sum of products of unit vectors."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a point besides its vector."""

    key: str
    question: str
    created: float
    has_answer: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A point as it goes in."""

    seq: int
    """Its number in the file, which no other point ever has, nor this one with another vector."""
    kept: Kept
    vector: Vector
    expires: float | None


@dataclass(frozen=True, slots=True)
class Near:
    """A point and its cosine."""

    similarity: float
    kept: Kept


class Matrix:
    """Points of *dim* numbers each. The caller holds `lock` around everything."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.lock = threading.Lock()
        self._columns: NDArray[np.float32] = np.zeros((dim, FIRST), np.float32)
        self._absent: NDArray[np.float32] = np.full(FIRST, -np.inf, np.float32)
        """Added to the sums: 0 for a column in use, minus infinity for a free one."""
        self._expires: NDArray[np.float64] = np.full(FIRST, np.inf)
        self._soonest = np.inf
        self._kept: list[Kept | None] = []
        self._slots: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    def __repr__(self) -> str:
        return f"<Matrix {len(self)} points of {self.dim} numbers, room for {self._absent.size}>"

    @property
    def work(self) -> int:
        """How many numbers a search reads."""
        return self.dim * len(self._kept)

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""
        return self._columns.nbytes

    def put(self, rows: Sequence[Row]) -> None:
        """Keep points in place of those with their keys; what is no unit vector of this dimension is left out."""
        fitting = [row for row in rows if row.vector.size == self.dim]
        if not fitting:
            return
        vectors = np.stack([row.vector for row in fitting])
        lengths = np.einsum("ij,ij->i", vectors, vectors)
        chosen = np.flatnonzero(np.abs(lengths - 1) < CREDIBLE)
        slots = [self._claim(fitting[number]) for number in chosen.tolist()]
        self._columns[:, slots] = vectors[chosen].T
        self._absent[slots] = 0

    def remove(self, key: str) -> None:
        """Forget the point of *key*, if it is here."""
        if (slot := self._slots.pop(key, None)) is not None:
            self._absent[slot] = -np.inf
            self._expires[slot] = np.inf
            self._kept[slot] = None
            self._free.append(slot)

    def nearest(self, vector: Vector, count: int, now: float) -> list[Near]:
        """Return the *count* nearest that live at *now*, nearest first, equally near ones by their keys."""
        if now >= self._soonest:
            self._expire(now)
        if not self._slots or count < 1:
            return []
        used = len(self._kept)
        sums = vector @ self._columns[:, :used]
        sums += self._absent[:used]
        slots = np.flatnonzero(sums >= self._bound(sums, min(count, len(self._slots))))
        return heapq.nsmallest(count, self._rescored(vector, slots), key=lambda near: (-near.similarity, near.kept.key))

    def settle(self) -> None:
        """Know that all of the partition was put."""

    def _bound(self, sums: NDArray[np.float32], count: int) -> float:
        """Return what the sum of each of the *count* nearest reaches, rounding allowed for."""
        whole = sums.size // BLOCK * BLOCK
        least = -np.inf
        if whole >= 4 * BLOCK * count:  # the bests of blocks bound the bests of all, and are many fewer
            least = _at(sums[:whole].reshape(-1, BLOCK).max(axis=1), count)
        if least == -np.inf:
            least = _at(sums, count)
        return least - 2 * self.dim * ROUNDING

    def _rescored(self, vector: Vector, slots: NDArray[np.intp]) -> Iterator[Near]:
        wide = vector.astype(np.float64)
        rows = np.ascontiguousarray(self._columns[:, slots].T, dtype=np.float64)
        # Not a matrix product, whose last bits depend on the row's place.
        scores = np.einsum("ij,j->i", rows, wide)
        for slot, score in zip(slots.tolist(), scores.tolist(), strict=True):
            if (kept := self._kept[slot]) is not None:
                yield Near(clipped(score), kept)

    def _expire(self, now: float) -> None:
        for slot in np.flatnonzero(self._expires <= now).tolist():
            if (kept := self._kept[slot]) is not None:
                self.remove(kept.key)
        self._soonest = float(self._expires.min())

    def _claim(self, row: Row) -> int:
        """Return the column of a point, whose vector is written next."""
        slot = self._slots.get(row.kept.key)
        if slot is None:
            slot = self._slots[row.kept.key] = self._room()
        self._kept[slot] = row.kept
        self._expires[slot] = np.inf if row.expires is None else row.expires
        self._soonest = min(self._soonest, float(self._expires[slot]))
        return slot

    def _room(self) -> int:
        """Return a free column, after doubling their number where there is none."""
        if self._free:
            return self._free.pop()
        slot, size = len(self._kept), self._absent.size
        if slot == size:
            columns = np.zeros((self.dim, 2 * size), np.float32)
            columns[:, :size] = self._columns
            self._columns = columns
            self._absent = np.concatenate([self._absent, np.full(size, -np.inf, np.float32)])
            self._expires = np.concatenate([self._expires, np.full(size, np.inf)])
        self._kept.append(None)
        return slot


class Matrices:
    """A matrix is made anew from the points each time."""

    def open(self, store: str, partition: str, dim: int) -> Matrix:  # noqa: ARG002 - the protocol
        """Return an empty matrix."""
        return Matrix(dim)

    def keep(self, store: str, partition: str, memory: object) -> None:
        """Save nothing."""


@functools.cache
def calm() -> None:
    """Let numpy multiply on one thread, in this whole process.

    With several, each product waits until all of them have had a turn on a processor: where others were busy, that made
    8 ms of 0.08 (measured with two processors, at 10,000 points of 256 numbers). One reads 100,000 points in 4 ms.
    """
    import threadpoolctl  # noqa: PLC0415 - only an index in memory needs it

    threadpoolctl.threadpool_limits(1, user_api="blas")


def _at(sums: NDArray[np.float32], count: int) -> float:
    """Return the *count*-th largest of *sums*."""
    return float(np.partition(sums, sums.size - count)[sums.size - count])
