"""The vectors of many texts by the bundled model, computed once, and who is near whom among those that came before.

The vectors are kept in the temporary folder, under a digest of the model and the texts.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EARLIER = 200
"""How many earlier questions are ranked for each; those that a policy did not store are skipped."""
BLOCK = 500


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one unit vector a text, shape (n, 256)."""
    digest = hashlib.sha256("\0".join([version("wordllama"), *texts]).encode()).hexdigest()[:24]
    file = Path(tempfile.gettempdir()) / f"aicache-bench-{digest}.npy"
    if not file.exists():
        import wordllama  # noqa: PLC0415 - slow to load, and not needed when the vectors are there

        model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
        np.save(file, np.asarray(model.embed(list(texts), norm=True), dtype=np.float32))
    found: NDArray[np.float32] = np.load(file)
    return found


@dataclass(frozen=True, slots=True)
class Ranking:
    """For each question the earlier ones, nearest first."""

    vectors: NDArray[np.float32]
    order: NDArray[np.int32]
    """Shape (n, EARLIER); -1 where there are not so many."""
    scores: NDArray[np.float32]

    def nearest(self, number: int, stored: NDArray[np.bool_], count: int) -> tuple[list[int], list[float]]:
        """Return the *count* nearest among those stored before, and their cosines."""
        order = self.order[number]
        kept = np.flatnonzero((order >= 0) & stored[order])[:count]
        if len(kept) < count and number > EARLIER:
            there = np.flatnonzero(stored[:number])
            scores = self.vectors[there] @ self.vectors[number]
            best = np.argsort(-scores, kind="stable")[:count]
            return there[best].tolist(), scores[best].tolist()
        return order[kept].tolist(), self.scores[number][kept].tolist()


def ranked(found: NDArray[np.float32]) -> Ranking:
    """Rank the earlier questions of each."""
    count = len(found)
    order = np.full((count, EARLIER), -1, np.int32)
    scores = np.full((count, EARLIER), -2, np.float32)
    for first in range(0, count, BLOCK):
        block = found[first : first + BLOCK] @ found[: first + BLOCK].T
        for number in range(first, min(first + BLOCK, count)):
            row = block[number - first, :number]
            size = min(EARLIER, number)
            if size:
                some = np.argpartition(-row, size - 1)[:size]
                some = some[np.argsort(-row[some], kind="stable")]
                order[number, :size], scores[number, :size] = some, row[some]
    return Ranking(found, order, scores)
