"""Sums of products of one vector with many, in float32, and which points these leave as possibly the nearest.

Of a large partition, what a search costs is reading it from memory. So the first numbers of all points are read, which
say most, and then only the points that can still be among the nearest: what the other numbers add is at most the
product of their lengths (Cauchy and Schwarz). That leaves out no point that belongs to the nearest, only work:
100,000 points of 256 numbers take 2.0 ms of 4.0.
It knows no keys and ranks nothing. Entry points: `nearest`, `steps`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .door import Vector
from .pages import Pages

LARGE = 1 << 23
"""Numbers of a partition, 32 MiB, that are read at once: a processor's cache holds them, and half saves nothing."""
GATHER = 32
"""How many times longer one number takes that is read by itself, and not along its row."""
BLOCK = 64
"""Columns whose best sum stands for all of them while the bound is searched."""
GUESSED = 4
"""Points, times those wanted, that are summed up first, for a bound that is near the final one."""
ROUNDING = 2.0**-23
"""Twice float32's unit of rounding; times the dimension it bounds the error of a sum of products of unit vectors."""


def steps(dim: int) -> tuple[int, ...]:
    """Return how many numbers are read before it is asked who is still needed; measured on four kinds of questions."""
    return (dim * 3 // 8, dim * 5 // 8)


def nearest(pages: Pages, vector: Vector, count: int, large: int = LARGE) -> NDArray[np.intp]:
    """Return the slots that may belong to the *count* nearest, rounding allowed for: few more than these.

    *count* is at least 1, and no more than there are points.
    """
    sums, slack = _Sums(pages, vector), 2 * vector.size * ROUNDING
    if vector.size * pages.used > large:
        for number, step in enumerate(pages.steps):
            sums.read(step)
            if (slots := sums.left(count, number)) is not None:
                return slots[_highest(sums.whole(slots), count, slack)]
    sums.read(vector.size)
    return _highest(sums.values, count, slack)


class _Sums:
    """The sums of all slots, of as many of the first numbers as were read; minus infinity for a free slot."""

    def __init__(self, pages: Pages, vector: Vector) -> None:
        self._pages, self._vector = pages, vector
        self._read = 0
        self.values: NDArray[np.float32] = np.empty(pages.used, np.float32)

    def read(self, upto: int) -> None:
        """Go on to the number *upto*."""
        part = self._vector[self._read : upto]
        for at, used, page in self._pages:
            here, numbers = self.values[at : at + used], page.vectors[self._read : upto, :used]
            if self._read:
                here += np.matmul(part, numbers)
            else:
                np.matmul(part, numbers, out=here)
                here += page.absent[:used]
        self._read = upto

    def left(self, count: int, step: int) -> NDArray[np.intp] | None:
        """Return who may still be among the nearest, or None where that is too many to be read one by one."""
        most = self.values.size // GATHER
        guessed = _highest(self.values, GUESSED * count, 0.0) if GUESSED * count <= most else None
        if guessed is None or guessed.size > most:  # the latter where very many are equally near
            return None
        # Each of the sums that are compared here may be wrong by so much, and so may the lengths.
        slack = 4 * (self._vector.size + 8) * ROUNDING
        least = _at(self.whole(guessed), count) - slack
        length = np.sqrt(np.square(self._vector[self._read :]).sum())
        found: list[NDArray[np.intp]] = []
        for at, used, page in self._pages:
            bounds = page.rests[step, :used] * length
            bounds += self.values[at : at + used]
            found.append(np.flatnonzero(bounds >= least) + at)
            most -= found[-1].size
            if most < 0:
                return None
        return np.concatenate(found)

    def whole(self, slots: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the whole sums of *slots*, which ascend."""
        found, rest = self.values[slots], self._vector[self._read :]
        for at, used, page in self._pages:
            first, end = np.searchsorted(slots, (at, at + used))
            if first < end:
                columns = np.take(page.vectors[self._read :], slots[first:end] - at, axis=1)
                found[first:end] += np.matmul(rest, columns)
        return found


def _highest(sums: NDArray[np.float32], count: int, slack: float) -> NDArray[np.intp]:
    """Return where the *count* highest of *sums* are, and those lower by no more than *slack*; no free slot."""
    least, filled = -np.inf, sums.size // BLOCK * BLOCK
    if filled >= 4 * BLOCK * count:  # the bests of blocks bound the bests of all, and are many fewer
        least = _at(sums[:filled].reshape(-1, BLOCK).max(axis=1), count)
    slots = np.flatnonzero(sums >= least - slack if np.isfinite(least) else np.isfinite(sums))
    near = sums[slots]  # more than wanted where near ones came one after the other, and share a block
    return slots[near >= _at(near, min(count, near.size)) - slack]


def _at(sums: NDArray[np.float32], count: int) -> float:
    """Return the *count*-th largest of *sums*."""
    return float(np.partition(sums, sums.size - count)[sums.size - count])
