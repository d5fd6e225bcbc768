"""Entries that were read from a shared store a moment ago, served again without asking it.

Kept for a few seconds at the most, and only while we hear of every change that another process makes: each put, delete
and purge is told to all. When the line is down, nothing is kept, and the shared store is asked each time.
It knows what to say, not what entries are. Entry point: `NearStore`, a store before a `RedisStore`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ..addresses import Address
from ..chat import BackendError, Entry
from . import is_over
from .record import Row
from .redis import RedisStore
from .redis_client import FAILURES, subscriber
from .redis_records import encoded

log = logging.getLogger("aicache.store")

PAUSE = 1.0
"""Seconds before the line is tried again."""
BYTES = 64_000_000
"""Bytes of replies and requests that are kept at the most."""
EVERYTHING = b""
"""The key in a message that means all of them."""


class NearStore:
    """At most *entries* of *far*, each for at most *seconds*; changes are told on *channel* at *address*."""

    def __init__(
        self,
        far: RedisStore,
        address: Address,
        channel: bytes,
        entries: int,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.far = far
        """The store that all share."""
        self._far, self._address, self._channel, self._clock = far, address, channel, clock
        self._most, self._seconds = entries, seconds
        self._kept: OrderedDict[str, tuple[float, Entry]] = OrderedDict()
        self._until = 0.0
        """When the last of them is over, on the monotonic clock."""
        self._bytes = 0
        self._changes = 0
        """Counts what we heard: what was read before a change must not be kept after it."""
        self._me = secrets.token_hex(8).encode()
        self.listening = asyncio.Event()
        """Set while every change is heard of."""
        self._listener: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<NearStore {len(self._kept)} entries before {self._far!r}>"

    @property
    def away(self) -> bool:
        """Whether the far store is, and what was kept of it is over."""
        return self._far.away and time.monotonic() >= self._until

    def peek(self, key: str) -> Entry | None:
        """Return the entry if it was read a moment ago and nobody has changed it since."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        until, entry = kept
        now = time.monotonic()
        if now >= until or is_over(entry, self._clock()):
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return entry

    def excludes(self, key: str) -> bool:
        """What the far store says: what is near is only a part of it."""
        return self._far.excludes(key)

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown, expired or unreadable."""
        if (near := self.peek(key)) is not None:
            return near
        self._listen()
        changes = self._changes
        entry = await self._far.get(key)
        if entry is not None and changes == self._changes:
            self._keep(key, entry)
        return entry

    async def put(self, entry: Entry) -> None:
        """Store the entry, replacing one of the same key everywhere."""
        with self._changing(encoded(entry.key)):
            await self._far.put(entry)
        await self._tell(encoded(entry.key))

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""
        with self._changing(encoded(key)):
            there = await self._far.delete(key)
        await self._tell(encoded(key))
        return there

    def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first."""
        return self._far.scan()

    async def rows(self, limit: int | None = None, **wanted: Any) -> list[Row]:
        """Return what is known of the live entries, as the far store does."""
        return await self._far.rows(limit, **wanted)

    async def purge(self, **wanted: Any) -> int:
        """Remove the entries that meet every condition given, as the far store does, and tell everybody."""
        with self._changing(EVERYTHING):
            removed = await self._far.purge(**wanted)
        await self._tell(EVERYTHING)
        return removed

    async def totals(self) -> tuple[int, int]:
        """Return how many entries there are and the bytes of their records."""
        return await self._far.totals()

    async def close(self) -> None:
        """Stop listening and close the far store. May be called twice."""
        listener, self._listener = self._listener, None
        if listener is not None:
            while not listener.done():  # in the middle of connecting, the driver swallows the first
                listener.cancel()
                await asyncio.wait({listener}, timeout=0.2)
        self._forget(EVERYTHING)
        await self._far.close()

    def _keep(self, key: str, entry: Entry) -> None:
        if not self.listening.is_set():
            return
        self._drop(key)
        self._until = time.monotonic() + self._seconds
        self._kept[key] = (self._until, entry)
        self._bytes += _size(entry)
        while len(self._kept) > self._most or self._bytes > BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= _size(kept[1])

    @contextlib.contextmanager
    def _changing(self, key: bytes) -> Iterator[None]:
        """Let go of what a change of ours concerns, and again of what somebody read while it was on its way."""
        self._forget(key)
        try:
            yield
        finally:
            self._forget(key)

    def _forget(self, key: bytes) -> None:
        """Let go of what a change concerns."""
        self._changes += 1
        if key == EVERYTHING:
            self._kept.clear()
            self._bytes = 0
        else:
            self._drop(key.decode("utf-8", "surrogatepass"))

    async def _tell(self, key: bytes) -> None:
        """Tell the others; where that fails they serve the old entry until its seconds are over."""
        with contextlib.suppress(BackendError):
            await self._far.publish(self._channel, self._me + key)

    # The line. It has a connection of its own, on which a Redis speaks when it likes.

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = asyncio.get_running_loop().create_task(self._stay())

    async def _stay(self) -> None:
        while True:
            try:
                await self._hear()
            except FAILURES as error:
                log.debug("the near cache is empty until changes are heard of again: %s", error)
            finally:
                self.listening.clear()
                self._forget(EVERYTHING)
            await asyncio.sleep(PAUSE)

    async def _hear(self) -> None:
        client = subscriber(self._address)
        line = client.pubsub()
        try:
            await line.subscribe(self._channel)
            while True:
                # Without a timeout of its own the connection's would end the line in every quiet time.
                self._heard(await line.get_message(timeout=None))
        finally:
            with contextlib.suppress(*FAILURES):
                await line.aclose()
                await client.aclose()

    def _heard(self, message: dict[str, Any] | None) -> None:
        match message:
            case {"type": "subscribe"}:
                self._forget(EVERYTHING)
                self.listening.set()
            case {"type": "message", "data": bytes(data)} if not data.startswith(self._me):
                self._forget(data[len(self._me) :])
            case _:
                pass


def _size(entry: Entry) -> int:
    return len(entry.reply.body) + len(entry.request) + 16 * len(entry.reply.chunks)
