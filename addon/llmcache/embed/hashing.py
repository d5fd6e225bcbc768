"""A deterministic embedder for tests: texts that share words are near. No model, no network, no state.

It knows nothing of meaning: an answer must never be served because of it, and no configuration chooses it.
Entry point: `HashEmbedder`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from . import Vector, Vectors, check, unit


class HashEmbedder:
    """The sum of one pseudo-random vector a word; the same on every machine and in every version."""

    def __init__(self, dim: int = 64, window: int = 2000) -> None:
        self.name = f"hash/{dim}"
        self.window = window
        self.asked: list[str] = []
        """Every text that was embedded, in order, for a test to count."""
        self._dim = dim

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector for each text. Raises `TextError` for a text without a word."""
        check(texts)
        self.asked += texts
        if not texts:
            return np.empty((0, self._dim), np.float32)
        return unit([np.sum([self._word(word) for word in text.lower().split()], axis=0) for text in texts], len(texts))

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _word(self, word: str) -> Vector:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return np.random.default_rng(seed).standard_normal(self._dim, dtype=np.float32)
