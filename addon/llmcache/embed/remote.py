"""Providers of embeddings that are asked over HTTP: texts in batches, one deadline, vectors checked.

What a provider is sent is a row of `formats`; how it is reached, and what its faults are called, is `httpclient`.
Entry point: `RemoteEmbedder`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..chat import BackendError
from ..embedding import Embedding
from ..httpclient import BUSY, HttpClient, Manners, place, reading
from . import Vectors, check, unit
from .formats import FORMATS, url
from .windows import window

THREADS = 4
"""Requests under way at once."""
TRIES = 4
"""How often a text is sent: the pauses between are 0.2, 0.4 and 0.8 s, unless the provider says, within `timeout`."""
AGAIN = BUSY | {408, 500, 529}
"""Statuses after which a text is sent again: a provider's own fault is often gone in a moment."""


class RemoteEmbedder:
    """Asks the provider that *embedding* names; `embedding.timeout` bounds a call with all its batches and tries."""

    def __init__(self, embedding: Embedding) -> None:
        self.name = _name(embedding)
        self.window = embedding.window or window(embedding.type, embedding.model)
        self._embedding, self._format = embedding, FORMATS[embedding.type]
        self._url = url(embedding)
        self._dim: int | None = embedding.textin_matryoshka_dim or None
        self._client = HttpClient(
            f"the embedding provider {embedding.type}",
            self._url,
            self._format.headers(embedding),
            embedding.timeout / 1000,
            remedies=REMEDIES,
            threads=THREADS,
            verify=embedding.tls_ca or True,
            manners=Manners(TRIES, AGAIN, embedding.proxy),
        )

    def __repr__(self) -> str:
        return f"<RemoteEmbedder {self.name} at {self._client!r}>"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector for each text. Raises `BackendError`."""
        check(texts)
        if not texts:
            return np.empty((0, self._dim or 0), np.float32)
        try:
            async with asyncio.timeout(self._embedding.timeout / 1000):
                return np.concatenate([await self._ask(batch) for batch in self._batches(texts)])
        except TimeoutError:
            raise BackendError(f"{self.name} did not embed {len(texts)} texts in time") from None

    async def _ask(self, texts: Sequence[str]) -> Vectors:
        body = self._format.body(self._embedding, texts)
        answer = await self._client.ask("POST", self._format.sign(self._embedding, self._url), body)
        if len(texts) > 1:  # many numbers are a while's work
            return await asyncio.to_thread(self._read, answer.body, len(texts))
        return self._read(answer.body, 1)

    def _read(self, answer: Any, rows: int) -> Vectors:
        try:
            with reading(f"the embedding provider {self._embedding.type}"):
                values = self._format.vectors(answer)
            vectors = unit(values, rows, self._dim)
        except BackendError as error:
            raise BackendError(f"{self.name}: {error}") from None
        self._dim = vectors.shape[1]
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        """Cut *texts* into what the provider takes in one request."""
        batch: list[str] = []
        for text in texts:
            full = len(batch) == self._format.batch(self._embedding.model)
            if batch and (full or sum(map(len, batch)) + len(text) > self._format.characters):
                yield batch
                batch = []
            batch.append(text)
        yield batch

    async def close(self) -> None:
        """Let go of threads and connections. May be called twice."""
        await self._client.close()


def _name(embedding: Embedding) -> str:
    """Return provider and model, and the place where it is not the provider's own: there, a name may mean another."""
    model = embedding.model or "default"
    if embedding.textin_matryoshka_dim:
        model = f"acge:{embedding.textin_matryoshka_dim}"
    home = not embedding.url and embedding.service_host == embedding.home
    return f"{embedding.type}/{model}" if home else f"{embedding.type}/{model}@{place(url(embedding))}"


REMEDIES = {
    400: "check `embedding.model`, or the text is too long for it (`embedding.window`)",
    401: "check `embedding.apiKey`",
    403: "`embedding.apiKey` may not use this model",
    404: "check `embedding.url` (or serviceHost and path) and `embedding.model`",
    422: "check `embedding.model`, or the text is too long for it (`embedding.window`)",
}
"""What to do about a status, in words that follow a colon."""
