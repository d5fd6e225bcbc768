"""Entries in this process's memory: the fastest store, gone with the process.

It knows no disk; sizes are those that the records would have, so that limits mean the same in every store.
Entry point: `MemoryStore`.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from ..chat import BackendError, Entry
from . import EVICTION, is_over
from .record import Row, meets, size

BATCH = 64
"""Expired entries that a put removes at most."""


class _Order(Protocol):
    """Which key goes first."""

    def add(self, key: str) -> None: ...
    def touch(self, key: str) -> None: ...
    def drop(self, key: str) -> None: ...
    def first(self) -> str: ...


class _Queue:
    """First in, first out; with *renewed* a touched key goes to the end, which makes it least recently used."""

    def __init__(self, *, renewed: bool) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._renewed = renewed

    def add(self, key: str) -> None:
        self._keys[key] = None

    def touch(self, key: str) -> None:
        if self._renewed:
            self._keys.move_to_end(key)

    def drop(self, key: str) -> None:
        del self._keys[key]

    def first(self) -> str:
        return next(iter(self._keys))


class _Frequency:
    """Least frequently used, then least recently: one queue for each number of hits.

    The constant-time structure of Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache" (2010).
    """

    def __init__(self) -> None:
        self._hits: dict[str, int] = {}
        self._queues: defaultdict[int, OrderedDict[str, None]] = defaultdict(OrderedDict)
        self._least = 0

    def add(self, key: str) -> None:
        self._enter(key, 0)
        self._least = 0

    def touch(self, key: str) -> None:
        hits = self._leave(key)
        self._enter(key, hits + 1)
        if hits == self._least and hits not in self._queues:
            self._least = hits + 1

    def drop(self, key: str) -> None:
        self._leave(key)

    def first(self) -> str:
        if self._least not in self._queues:  # only after a removal; the next key added makes it 0 again
            self._least = min(self._queues)
        return next(iter(self._queues[self._least]))

    def _enter(self, key: str, hits: int) -> None:
        self._hits[key] = hits
        self._queues[hits][key] = None

    def _leave(self, key: str) -> int:
        hits = self._hits.pop(key)
        queue = self._queues[hits]
        del queue[key]
        if not queue:
            del self._queues[hits]
        return hits


_ORDERS: dict[str, Callable[[], _Order]] = {
    "lru": lambda: _Queue(renewed=True),
    "lfu": _Frequency,
    "fifo": lambda: _Queue(renewed=False),
}


@dataclass(slots=True)
class _Held:
    """An entry with what changes about it."""

    entry: Entry
    size: int
    used: float
    hits: int = 0

    def row(self) -> Row:
        entry = self.entry
        return Row(
            key=entry.key,
            dialect=entry.dialect,
            host=entry.host,
            path=entry.path,
            model=entry.model,
            created=entry.created,
            expires=entry.expires,
            used=self.used,
            hits=self.hits,
            size=self.size,
        )


class MemoryStore:
    """A store of at most *max_entries* and *max_bytes*; *eviction* is one of `EVICTION`."""

    def __init__(self, max_entries: int, max_bytes: int, eviction: str, clock: Callable[[], float] = time.time) -> None:
        if eviction not in EVICTION:
            raise ValueError(f"eviction must be one of {', '.join(EVICTION)}, not {eviction!r}")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._bytes = 0
        self._order = _ORDERS[eviction]()
        self._deadlines: list[tuple[float, str]] = []
        """A heap of (expires, key); what was replaced or removed stays in it until its time or the next cleaning."""
        self._closed = False

    def __repr__(self) -> str:
        return f"<MemoryStore: {len(self._held)} entries, {self._bytes} bytes>"

    @property
    def away(self) -> bool:
        """Never: it is this process."""
        return False

    def excludes(self, key: str) -> bool:
        """Whether the key is unknown: in memory that is known at once."""
        return key not in self._held and not self._closed

    def peek(self, key: str) -> Entry | None:
        """Return the entry: in memory everything is at hand."""
        held = self._held.get(key)
        now = self._clock()
        if held is None or is_over(held.entry, now):
            return None
        held.used = now
        held.hits += 1
        self._order.touch(key)
        return held.entry

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown or expired."""
        self._check_open()
        return self.peek(key)

    async def put(self, entry: Entry) -> None:
        """Keep the entry, replacing one of the same key. Raises `BackendError` for one larger than the whole store."""
        self._check_open()
        try:
            needed = size(entry)
        except ValueError as error:
            raise BackendError(f"memory store: {error}") from error
        if needed > self._max_bytes:
            raise BackendError(f"too large for the store: {needed} bytes of {self._max_bytes}")
        now = self._clock()
        self._drop(entry.key)
        self._drop_expired(now)
        while len(self._held) >= self._max_entries or self._bytes + needed > self._max_bytes:
            self._drop(self._order.first())
        self._held[entry.key] = _Held(entry, needed, used=now)
        self._bytes += needed
        self._order.add(entry.key)
        if entry.expires is not None:
            heapq.heappush(self._deadlines, (entry.expires, entry.key))

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""
        self._check_open()
        held = self._drop(key)
        return held is not None and not is_over(held.entry, self._clock())

    async def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first; entries that come meanwhile are not seen."""
        self._check_open()
        for held in self._newest_first():
            if self._held.get(held.entry.key) is held and not is_over(held.entry, self._clock()):
                yield held.entry

    async def close(self) -> None:
        """Let go of every entry. May be called twice."""
        self._closed = True
        self._held.clear()
        self._deadlines.clear()
        self._bytes = 0

    async def rows(
        self,
        limit: int | None = None,
        *,
        key: str = "",
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
    ) -> list[Row]:
        """Return what is known of the live entries, newest first.

        *key*: the beginning of a key; *model*, *host*: exactly; *older_than*: seconds since the recording.
        """
        self._check_open()
        now = self._clock()
        chosen = (
            held.row()
            for held in self._newest_first()
            if not is_over(held.entry, now)
            and held.entry.key.startswith(key)
            and meets(held.entry, model, host, older_than, now)
        )
        return list(chosen)[:limit]

    async def purge(
        self,
        *,
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
        expired: bool = False,
    ) -> int:
        """Remove the entries that meet every condition given, all without one, and return how many went.

        *older_than*: seconds since the recording; *expired*: only what is not served any more.
        """
        self._check_open()
        now = self._clock()
        chosen = [
            held.entry.key
            for held in self._held.values()
            if meets(held.entry, model, host, older_than, now) and (not expired or is_over(held.entry, now))
        ]
        for key in chosen:
            self._drop(key)
        return len(chosen)

    async def totals(self) -> tuple[int, int]:
        """Return how many entries are held and their bytes as records, expired ones not yet removed included."""
        self._check_open()
        return len(self._held), self._bytes

    def _check_open(self) -> None:
        if self._closed:
            raise BackendError("memory store: is closed")

    def _newest_first(self) -> list[_Held]:
        # Reversed, then sorted, which is stable: of two that were recorded at once, the later put is the newer.
        newest = list(reversed(self._held.values()))
        newest.sort(key=lambda held: held.entry.created, reverse=True)
        return newest

    def _drop(self, key: str) -> _Held | None:
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= held.size
            self._order.drop(key)
        return held

    def _drop_expired(self, now: float) -> None:
        for _ in range(BATCH):
            if not self._deadlines or self._deadlines[0][0] > now:
                break
            _, key = heapq.heappop(self._deadlines)
            held = self._held.get(key)
            if held is not None and is_over(held.entry, now):
                self._drop(key)
        if len(self._deadlines) > 2 * len(self._held) + BATCH:
            self._deadlines = [(h.entry.expires, k) for k, h in self._held.items() if h.entry.expires is not None]
            heapq.heapify(self._deadlines)
