"""Text -> vector, behind one small protocol: which model says what a question means.

An embedder knows nothing of calls, partitions or thresholds.
Its vectors have unit length and are float32, whatever the provider sent: `unit` is the one door.
Drivers are imported by `build_similar.open_embedder`, inside the arm that chose them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..chat import BackendError

Vectors = NDArray[np.float32]
"""Shape (n, dim); each row has unit length."""
Vector = NDArray[np.float32]
"""Shape (dim,), unit length."""


class TextError(BackendError):
    """This text cannot be embedded, and it is no fault of the embedder: others still can."""


class Embedder(Protocol):
    """Text -> vector. `embed` may raise `BackendError`, and nothing else."""

    name: str
    """Provider and model, such as `openai/text-embedding-3-small`; vectors of different names are never compared."""
    window: int
    """Characters of a text that the model surely reads whole; longer questions are exact only."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in order. Never blocks the loop."""

    async def close(self) -> None:
        """Let go of every resource. May be called twice."""


@runtime_checkable
class AtOnce(Embedder, Protocol):
    """An embedder that computes short texts in less time than a task takes to begin."""

    def at_once(self, texts: Sequence[str]) -> Vectors | None:
        """Do what `embed` does here and now, for texts that passed `check`; None where that would take longer."""


def check(texts: Sequence[str]) -> None:
    """Raise `TextError` for a text that has nothing to compare, or that is no Unicode (half of a surrogate pair)."""
    for text in texts:
        if not text.strip():
            raise TextError("a question without text has no meaning to compare")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TextError("a question that is no Unicode text has no meaning to compare") from error


def unit(values: ArrayLike, rows: int, dim: int | None = None) -> Vectors:
    """Return *values* as *rows* unit vectors. Raises `BackendError` for what is no vector to compare by.

    Those are values of another shape, of another dimension than *dim* (None: any), not finite, or of length zero.
    """
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            found: NDArray[Any] = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise BackendError("the embedding provider sent something else than lists of numbers") from error
    if found.ndim != 2 or found.shape[0] != rows or not found.shape[1]:  # noqa: PLR2004 - rows and columns
        raise BackendError(f"the embedding provider sent an array of shape {found.shape} for {rows} texts")
    if dim is not None and found.shape[1] != dim:
        raise BackendError(f"the embedding provider sent vectors of {found.shape[1]} numbers, and {dim} are expected")
    lengths = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise BackendError("the embedding provider sent a vector that is not finite or has no length")
    return np.asarray(found / lengths[:, None], dtype=np.float32)
