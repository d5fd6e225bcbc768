"""The vectors of one partition in memory, and the exact nearest of them.

A matrix with one column a point: read along its rows, float32 products of 100,000 columns cost half of what they cost
with one row a point (measured: 4.1 against 9.7 ms at 256 dimensions, one thread).
Those `sums` decide who is looked at closer; the score itself is summed in float64, so it is the same wherever the point
lies, and equal vectors tie. It knows no file, no thread and no clock. Entry points: `Matrices`, `Matrix`, `calm`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import sums
from .door import Vector
from .pages import Kept, Pages, Rows

CREDIBLE = 1e-3
"""By how much the square of a length may differ from 1 in what was read: more is damage."""


@dataclass(frozen=True, slots=True)
class Near:
    """A point and its cosine."""

    similarity: float
    kept: Kept


class Matrix:
    """Points of *dim* numbers each. The caller holds `lock` around everything.

    Of a partition of more than *large* numbers not all are read for a search; what is found is the same.
    """

    def __init__(self, dim: int, large: int = sums.LARGE) -> None:
        self.dim, self._large = dim, large
        self.lock = threading.Lock()
        self._pages = Pages(dim, "C", sums.steps(dim))

    def __len__(self) -> int:
        return len(self._pages)

    def __repr__(self) -> str:
        return f"<Matrix {len(self)} points of {self.dim} numbers>"

    @property
    def work(self) -> int:
        """How many numbers a search reads."""
        return self.dim * self._pages.used

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""
        return self._pages.bytes

    def put(self, rows: Rows) -> None:
        """Keep points in place of those with their keys; what is no unit vector of this dimension is left out."""
        if rows.vectors.shape[1] == self.dim:
            self._pages.put(rows, whole(rows.vectors))

    def settle(self) -> None:
        """Know that all of the partition was put."""

    def remove(self, key: str) -> None:
        """Forget the point of *key*, if it is here."""
        self._pages.remove(key)

    def clear(self) -> Iterator[None]:
        """Forget everything, a little at each step."""
        return self._pages.clear()

    def nearest(self, vector: Vector, count: int, now: float) -> list[Near]:
        """Return the *count* nearest that live at *now*, nearest first, equally near ones by their keys."""
        self._pages.expire(now)
        if not self._pages or count < 1:
            return []
        slots = sums.nearest(self._pages, vector, min(count, len(self._pages)), self._large)
        return ranked(self._pages, vector, slots.tolist(), count)


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


def ranked(pages: Pages, vector: Vector, slots: Sequence[int], count: int) -> list[Near]:
    """Return the *count* nearest of *slots*, nearest first, equally near ones by their keys."""
    if not slots:
        return []
    places = [pages.at(slot) for slot in slots]
    rows = np.array([page.vectors[:, at] for page, at in places], np.float64)
    # Not a matrix product, whose last bits depend on the row's place.
    scores = np.einsum("ij,j->i", rows, vector.astype(np.float64)).clip(-1.0, 1.0)
    least = np.sort(scores)[-count:][0]
    nearest = [(score, slot) for score, slot in zip(scores.tolist(), slots, strict=True) if score >= least]
    found = [Near(score, pages.told(slot)) for score, slot in nearest]
    return sorted(found, key=lambda near: (-near.similarity, near.kept.key))[:count]


def whole(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return which of *vectors* are unit vectors: those that are not were damaged."""
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    return np.flatnonzero(np.abs(lengths - 1) < CREDIBLE)
