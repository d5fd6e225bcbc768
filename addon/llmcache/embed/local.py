"""Models on this machine: loaded once, in the background from the start on, and computed beside the event loop.

Loading holds up everything for some tenths of a second (imports, a vocabulary): that is better spent before the first
question than on it. What takes less than a hop to a thread is worth is computed on the loop itself.
Which model, and how it is loaded, is told by what makes one: `wordllama`, `models`.
Entry point: `LocalEmbedder`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from ..chat import BackendError
from . import Vectors, check, unit

Encode = Callable[[Sequence[str]], ArrayLike]
"""Texts -> an array of shape (n, dim), whatever the lengths of its rows."""


class LocalEmbedder:
    """Embeds with what *load* returns; *load* may take minutes, and is called once, on a thread of its own."""

    def __init__(self, name: str, window: int, load: Callable[[], Encode], inline: int = 0) -> None:
        self.name, self.window = name, window
        self._load, self._inline = load, inline
        self._encode: Encode | None = None
        self._loading: Future[None] | None = None
        self._dim: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aicache-embed")
        self._closed = False

    def __repr__(self) -> str:
        return f"<LocalEmbedder {self.name}, {'loaded' if self._encode else 'not loaded yet'}>"

    def start(self) -> Future[None]:
        """Begin to load the model, unless that was done; a load that failed is tried again."""
        if self._loading is None or (self._loading.done() and self._encode is None):
            self._loading = Future()
            self._loading.set_running_or_notify_cancel()
            # No thread of a pool: the process must be able to end while a package fetches its model.
            threading.Thread(target=self._prepare, args=(self._loading,), name="aicache-load", daemon=True).start()
        return self._loading

    def _prepare(self, loading: Future[None]) -> None:
        try:
            self._encode = self._load()
        except Exception as error:  # noqa: BLE001 - whatever a package raises, the model is not there
            loading.set_exception(BackendError(f"{self.name} failed: {type(error).__name__}: {error}"))
        else:
            gc.freeze()  # what a model brings along stays, and a collection of garbage need not visit it each time
            loading.set_result(None)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector for each text. Raises `BackendError` when the model cannot be loaded or fails."""
        check(texts)
        if self._closed:
            raise BackendError(f"{self.name} is closed")
        if not texts:
            return np.empty((0, self._dim or 0), np.float32)
        if self._encode is None:
            await asyncio.wrap_future(self.start())
        if (found := self.at_once(texts)) is not None:
            return found
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, texts)

    def at_once(self, texts: Sequence[str]) -> Vectors | None:
        """Return the vectors where they take less than a hop to a thread; None where not, or with nothing loaded.

        The texts have been checked. Raises `BackendError`.
        """
        short = self._encode is not None and not self._closed and sum(map(len, texts)) <= self._inline
        return self._compute(texts) if short else None

    def _compute(self, texts: Sequence[str]) -> Vectors:
        assert self._encode is not None
        try:
            values = self._encode(texts)
        except Exception as error:  # noqa: BLE001 - as above; its words may be those of the text
            raise BackendError(f"{self.name} failed on a text: {type(error).__name__}") from None
        vectors = unit(values, len(texts), self._dim)
        self._dim = vectors.shape[1]
        return vectors

    async def close(self) -> None:
        """Let go of the thread; a text that is being embedded is finished first. May be called twice."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)


def need(module: str, package: str) -> None:
    """Raise `BackendError` when *module* is not installed; the message says how to get it."""
    if importlib.util.find_spec(module) is None:
        raise BackendError(f"the embedder needs a package that is not installed here: pip install {package}")
