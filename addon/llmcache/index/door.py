"""What every index checks on the way in, and how what it found is ordered on the way out.

A vector that cannot be compared is refused before anything is stored; scores become cosines in [-1, 1].
It knows no index. Entry points: `sound`, `fit`, `sound_points`, `ordered`, `live`, `blob`, `of_unit_interval`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..chat import BackendError
from . import Neighbor, Point

Vector = NDArray[np.float32]
"""Shape (dim,), unit length."""

EXACT = 6
"""Decimals of a cosine that float32 arithmetic gives surely; below, two points are equally near."""
SLACK = 1e-6
"""By how much the length of a unit vector may differ from 1, by rounding."""


def sound(vector: NDArray[np.float32], dim: int | None = None) -> Vector:
    """Return *vector* with unit length, as contiguous float32. Raises `BackendError` for what cannot be compared.

    That is another shape than (dim,), a value that is not finite, or a length of zero.
    """
    found = np.ascontiguousarray(vector, dtype=np.float32)
    if found.ndim != 1 or not found.size:
        raise BackendError(f"a vector has one dimension and some numbers; this one has the shape {found.shape}")
    if dim is not None:
        fit(found, dim)
    wide = found.astype(np.float64)
    length = float(np.sqrt(wide @ wide))
    if not (np.isfinite(length) and length > 0):
        raise BackendError("the vector is not finite or has no length")
    return found if abs(length - 1) <= SLACK else np.asarray(wide / length, dtype=np.float32)


def fit(vector: Vector, dim: int) -> None:
    """Raise `BackendError` for a vector of another dimension than *dim*."""
    if vector.size != dim:
        raise BackendError(
            f"the vector has {vector.size} numbers, and those in the index have {dim}: "
            "another embedding model needs another collection"
        )


def sound_points(points: Sequence[Point], dim: int | None = None) -> list[Point]:
    """Return *points* with sound vectors, all of one dimension; of two with one key the later.

    Raises `BackendError`.
    """
    kept: dict[str, Point] = {}
    for point in points:
        vector = sound(point.vector, dim)
        dim = vector.size
        kept.pop(point.key, None)
        question, answer = _storable(point.question), _storable(point.answer)
        kept[point.key] = replace(point, vector=vector, question=question, answer=answer)
    return list(kept.values())


def _storable(text: str) -> str:
    """Return *text* as every backend can hold it: half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def live(points: Sequence[Point], now: float) -> list[Point]:
    """Return those of *points* that can still be found at *now*, Unix seconds."""
    return [point for point in points if point.expires is None or point.expires > now]


def ordered(found: Iterable[Neighbor], count: int) -> list[Neighbor]:
    """Return the *count* nearest, nearest first; those equally near in the order of their keys."""
    return sorted(found, key=lambda one: (-round(one.similarity, EXACT), one.key))[:count]


def blob(vector: Vector) -> bytes:
    """Return the numbers of *vector* as a Redis reads them: float32, the low byte first."""
    return vector.astype("<f4", copy=False).tobytes()


def of_unit_interval(score: float) -> float:
    """Return the cosine of a *score* in [0, 1] that is (1 + cosine) / 2."""
    return clipped(2.0 * score - 1.0)


def clipped(cosine: float) -> float:
    """Return *cosine* without what rounding has put beyond its range."""
    return max(-1.0, min(1.0, cosine))
