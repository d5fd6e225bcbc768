"""The same text is never embedded twice: a bounded memory of vectors, and one request for all who ask at once.

It is an `Embedder` around another, and knows neither provider nor network.
A caller that gives up waiting does not end the request: its vector is there for who asks next.
Entry point: `Memo`.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from ..chat import BackendError
from . import AtOnce, Embedder, Vector, Vectors, check

ENTRIES = 4096
"""Vectors that are kept: 4 MiB of WordLlama's, 24 MiB where a vector has 1536 numbers."""

Rows = dict[bytes, Vector]


class Memo:
    """Asks *inner* for what it does not remember. The texts themselves are not kept, only their digests."""

    def __init__(self, inner: Embedder, entries: int = ENTRIES) -> None:
        self.name, self.window = inner.name, inner.window
        self._inner, self._entries = inner, entries
        self._at_once = inner.at_once if isinstance(inner, AtOnce) else lambda _: None
        self._known: OrderedDict[bytes, Vector] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[Rows]] = {}

    def __repr__(self) -> str:
        return f"<Memo of {self.name}, {len(self._known)} known, {len(self._flights)} on their way>"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector for each text. Raises what *inner* raises; a failure is not remembered."""
        check(texts)
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        rows = self._recall(keys)
        wanted = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        if wanted and (vectors := self._at_once(list(wanted.values()))) is not None:
            rows |= self._keep(wanted, vectors)
        else:
            for flight in self._board(wanted):
                rows |= await self._await(flight)
        return np.array([rows[key] for key in keys]) if keys else np.empty((0, 0), np.float32)

    async def _await(self, flight: asyncio.Task[Rows]) -> Rows:
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled():
                raise BackendError(f"{self.name} is closed") from None
            raise

    def _recall(self, keys: Sequence[bytes]) -> Rows:
        rows = {key: self._known[key] for key in keys if key in self._known}
        for key in rows:
            self._known.move_to_end(key)
        return rows

    def _board(self, wanted: dict[bytes, str]) -> set[asyncio.Task[Rows]]:
        """Return the requests that bring what is *wanted*: those under way, and one more for the rest."""
        fresh = {key: text for key, text in wanted.items() if key not in self._flights}
        if fresh:
            flight = asyncio.get_running_loop().create_task(self._fetch(fresh))
            self._flights |= dict.fromkeys(fresh, flight)
            # Not at the task's own end: mitmproxy 12 runs tasks eagerly, and this one may be over by now.
            flight.add_done_callback(functools.partial(self._landed, list(fresh)))
        return {self._flights[key] for key in wanted}

    def _landed(self, keys: Sequence[bytes], flight: asyncio.Task[Rows]) -> None:
        for key in keys:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # all who waited may be gone

    async def _fetch(self, fresh: dict[bytes, str]) -> Rows:
        return self._keep(fresh, await self._inner.embed(list(fresh.values())))

    def _keep(self, fresh: dict[bytes, str], vectors: Vectors) -> Rows:
        rows = dict(zip(fresh, map(np.copy, vectors), strict=True))
        self._known |= rows
        while len(self._known) > self._entries:
            self._known.popitem(last=False)
        return rows

    async def close(self) -> None:
        """End what is under way, and close the embedder inside."""
        flights = set(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._inner.close()
