"""Models on this machine: they are loaded once, on first use, and computed on one thread beside the event loop.

Which model, and how it is loaded, is told by what makes one: `wordllama`, `fastembed`, `sentence_transformers`.
What takes less than a hop to a thread is worth is computed on the loop itself.
Entry point: `LocalEmbedder`.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from ..chat import BackendError
from . import Vectors, check, unit

Encode = Callable[[Sequence[str]], ArrayLike]
"""Texts -> an array of shape (n, dim), whatever the lengths of its rows."""


class LocalEmbedder:
    """Embeds with what *load* returns; *load* may take seconds and is called once, on the thread."""

    def __init__(self, name: str, window: int, load: Callable[[], Encode], inline: int = 0) -> None:
        self.name, self.window = name, window
        self._load, self._inline = load, inline
        self._encode: Encode | None = None
        self._dim: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aicache-embed")

    def __repr__(self) -> str:
        return f"<LocalEmbedder {self.name}, {'loaded' if self._encode else 'not loaded yet'}>"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector for each text. Raises `BackendError` when the model cannot be loaded or fails."""
        check(texts)
        if not texts:
            return np.empty((0, self._dim or 0), np.float32)
        if self._encode and sum(map(len, texts)) <= self._inline:
            return self._compute(texts)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, texts)
        except RuntimeError as error:  # the thread takes no more work once it is shut down
            raise BackendError(f"{self.name} is closed") from error

    def _compute(self, texts: Sequence[str]) -> Vectors:
        try:
            if self._encode is None:
                self._encode = self._load()
            values = self._encode(texts)
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        vectors = unit(values, len(texts), self._dim)
        self._dim = vectors.shape[1]
        return vectors

    async def close(self) -> None:
        """Let go of the model and its thread; a text that is being embedded is finished first."""
        await asyncio.to_thread(self._thread.shutdown)
        self._encode = None


def need(module: str, package: str) -> None:
    """Raise `BackendError` when *module* is not installed; the message says how to get it."""
    if importlib.util.find_spec(module) is None:
        raise BackendError(f"the embedder needs a package that is not installed here: pip install {package}")
