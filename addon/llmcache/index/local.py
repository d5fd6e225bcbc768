"""The index of a single machine, its points in one file beside the store: exact in numpy, or a graph for a million.

The file is the truth, and several processes may share it; a partition is read into memory when it is first asked for,
and brought up to date after every change of ours, and once a second for those of others.
A search of a small partition is done on the spot, one of a large partition on a thread of its own.
`matrix` or `graph` finds the nearest, `pointfile` keeps the points. Entry point: `LocalIndex`.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..chat import BackendError
from ..stores.database import explain
from ..stores.lane import Lane
from ..stores.migrations import ForeignError
from . import Neighbor, Point
from .door import Vector, fit, sound, sound_points
from .matrix import Matrices, Near, calm
from .pages import Rows
from .pointfile import Gone, PointFile, Version

T = TypeVar("T")

INLINE = 1 << 22
"""Numbers that a search may read on the event loop, those of 16,384 questions of WordLlama: 0.2 ms, or 0.7 ms where
none of them is in the processor's cache any more. A hop to a thread and back costs 0.03 to 0.2 ms."""
FRESH = 1.0
"""Seconds after which a search looks for what other processes have changed."""
PARTITIONS, RESIDENT = 1000, 1 << 30
"""Partitions, and bytes of their vectors, that are kept in memory; the one unused for longest goes first."""
BREATH = 0.0005
"""Seconds that reading a partition pauses after each batch, so that the event loop gets its turn meanwhile."""
MANY = 1000
"""Points whose memory is freed a little at a time."""
FAILURES = (sqlite3.Error, OSError, ForeignError, ValueError, OverflowError)
"""What can go wrong with a file; whoever asked is told by a `BackendError`."""


class Memory(Protocol):
    """The vectors of one partition in memory: a `Matrix` or a `Graph`, whose docstrings say more."""

    lock: threading.Lock
    dim: int

    @property
    def work(self) -> int:
        """How many numbers a search reads."""

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""

    def __len__(self) -> int: ...
    def put(self, rows: Rows) -> None:
        """Keep points in place of those with their keys."""

    def settle(self) -> None:
        """Know that all of the partition was put."""

    def remove(self, key: str) -> None:
        """Forget a point."""

    def clear(self) -> Iterator[None]:
        """Forget all points, a little at each step."""

    def nearest(self, vector: Vector, count: int, now: float) -> list[Near]:
        """Return the *count* nearest that live at *now*."""


class Memories(Protocol):
    """Where the memories of partitions come from, and what becomes of them."""

    def open(self, store: str, partition: str, dim: int) -> Any:
        """Return the `Memory` of *partition* of the file *store*, to which all its points are put next."""

    def keep(self, store: str, partition: str, memory: Any) -> None:
        """Save it, if that is of use."""


class LocalIndex:
    """The index in the file *path* (None: in memory only), of at most *most* points. The constructor opens nothing."""

    def __init__(
        self,
        path: Path | None,
        most: int = 1_000_000,
        clock: Callable[[], float] = time.time,
        fresh: float = FRESH,
        inline: int = INLINE,
        memories: Memories | None = None,
    ) -> None:
        calm()
        self._file = PointFile(path, most)
        self._clock, self._fresh, self._inline = clock, fresh, inline
        self._memories = memories or Matrices()
        self._writing, self._searching = Lane("aicache-points"), Lane("aicache-nearest")
        self._loaded: dict[str, Memory] = {}
        self._used: dict[str, float] = {}
        self._seen: Version | None = None
        self._checked = float("-inf")
        self._closed = False

    def __repr__(self) -> str:
        return f"<LocalIndex {self._file.path or 'in memory'}, {len(self._loaded)} partitions loaded>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points, all or none; done when they can be found, also by other processes."""
        await self._do(self._add, partition, list(points))

    async def nearest(self, partition: str, vector: NDArray[np.float32], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first; equally near ones in the order of their keys."""
        vector = sound(vector)
        memory = self._at_hand(partition)
        if memory is None:
            memory = await self._do(self._current, partition)
        if memory is None:
            return []
        fit(vector, memory.dim)
        if memory.work <= self._inline and memory.lock.acquire(blocking=False):
            try:
                found = memory.nearest(vector, count, self._clock())
            finally:
                memory.lock.release()
        else:
            found = await self._searching.run(self._search, memory, vector, count)
        return await self._told(partition, found)

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        await self._do(self._remove, partition, list(keys))

    async def close(self) -> None:
        """Finish what was accepted and close the file. May be called twice."""
        if not self._closed:
            self._closed = True
            await self._writing.run(self._finish)
            self._writing.stop()
            self._searching.stop()

    def _at_hand(self, partition: str) -> Memory | None:
        """Return what is loaded and was compared with the file a moment ago."""
        now = time.monotonic()
        if self._closed or now - self._checked > self._fresh or (memory := self._loaded.get(partition)) is None:
            return None
        self._used[partition] = now
        return memory

    def _search(self, memory: Memory, vector: Vector, count: int) -> list[Near]:
        with memory.lock:
            return memory.nearest(vector, count, self._clock())

    async def _told(self, partition: str, found: list[Near]) -> list[Neighbor]:
        """Return what is told of the points found; answers are large, so they stay in the file until asked for."""
        wanted = [near.kept.key for near in found if near.kept.has_answer]
        answers = await self._do(self._file.answers, partition, wanted) if wanted else {}
        return [
            Neighbor(kept.key, near.similarity, kept.question, answers.get(kept.key, ""), kept.created)
            for near in found
            if not (kept := near.kept).has_answer or kept.key in answers
        ]

    # Below, everything runs on the thread that owns the file.

    async def _do(self, work: Callable[..., T], *args: Any) -> T:
        if self._closed:
            raise BackendError(f"{self._file.name}: is closed")
        try:
            return await self._writing.run(self._attempt, work, *args)
        except FAILURES as error:
            raise BackendError(f"{self._file.name}: {explain(error)}") from error

    def _attempt(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return work(*args)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not self._file.recover(error):
                raise
        return work(*args)

    @property
    def _store(self) -> str:
        return self._seen.store if self._seen else ""

    def _finish(self) -> None:
        self._file.close()
        for partition, memory in self._loaded.items():
            with memory.lock:
                self._memories.keep(self._store, partition, memory)
        self._drop(self._loaded.values())  # a change of settings closes an index while the proxy goes on

    def _add(self, partition: str, points: list[Point]) -> None:
        checked = sound_points(points, self._file.dim(partition))
        self._follow(self._file.put(partition, checked, self._clock()))

    def _remove(self, partition: str, keys: list[str]) -> None:
        self._follow(self._file.remove(partition, keys))

    def _current(self, partition: str) -> Memory | None:
        self._follow([])
        if partition not in self._loaded and (memory := self._read(partition)) is not None:
            self._loaded[partition] = memory  # whole, for the loop looks there meanwhile
        self._used[partition] = time.monotonic()
        self._shed()
        return self._loaded.get(partition)

    def _read(self, partition: str) -> Memory | None:
        memory: Memory | None = None
        for rows in self._file.load(partition):
            if memory is None:
                memory = self._memories.open(self._store, partition, rows.vectors.shape[1])
            memory.put(rows)
            time.sleep(BREATH)
        if memory is not None:
            memory.settle()
        return memory

    def _follow(self, ours: list[Gone]) -> None:
        """Bring what is loaded up to the file; *ours* is what we have just removed from it."""
        version, seen = self._file.version(), self._seen
        if seen is None or (version.opening, version.removals) != (seen.opening, seen.removals + bool(ours)):
            stale, self._loaded, self._used = self._loaded, {}, {}
            self._drop(stale.values())  # somebody else removed something, or the file is another one
        else:
            self._forget(ours)
            if version.seq != seen.seq:
                for partition, rows in self._file.since(seen.seq):
                    self._keep(partition, rows)
        self._seen, self._checked = version, time.monotonic()

    def _keep(self, partition: str, rows: Rows) -> None:
        if (memory := self._loaded.get(partition)) is None:
            return
        if not memory:  # all went, and what comes may be of another dimension
            memory = self._loaded[partition] = self._memories.open("", partition, rows.vectors.shape[1])
        with memory.lock:
            memory.put(rows)

    def _forget(self, gone: list[Gone]) -> None:
        for partition, key in gone:
            if (memory := self._loaded.get(partition)) is not None:
                with memory.lock:
                    memory.remove(key)

    def _shed(self) -> None:
        """Keep in memory what there is room for."""
        size = sum(memory.bytes for memory in self._loaded.values())
        while len(self._loaded) > 1 and (size > RESIDENT or len(self._loaded) > PARTITIONS):
            oldest = min(self._loaded, key=lambda partition: self._used.get(partition, 0.0))
            size -= self._loaded[oldest].bytes
            memory = self._loaded.pop(oldest)
            self._memories.keep(self._store, oldest, memory)
            self._drop([memory])
            self._used.pop(oldest, None)

    def _drop(self, memories: Iterable[Memory]) -> None:
        """Free *memories* after this work, not at once, which would stall the loop; a search in them is a miss."""
        for memory in memories:
            if len(memory) > MANY:
                self._writing.later(functools.partial(_empty, memory))


def _empty(memory: Memory) -> None:
    with memory.lock:
        for _ in memory.clear():
            time.sleep(BREATH)
