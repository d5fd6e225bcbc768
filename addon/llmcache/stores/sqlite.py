"""Entries in one SQLite file that several processes may use at once; the store of a single machine.

Everything runs on one thread of its own, in order, so the event loop never waits for a disk.
The file is made on first use; a damaged one is set aside and replaced, a deleted one is made again.
`record` knows the bytes of an entry, `database` the file, `migrations` the tables. Entry point: `SqliteStore`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..chat import BackendError, Entry
from . import EVICTION, is_over, listing, writing
from .database import BUSY_SECONDS, Opened, explain, identity, is_damage, open_private, set_aside, transaction
from .gathering import Gathering, Outcomes
from .hot import Hot, Stamp
from .known import Known
from .lane import Lane
from .migrations import ForeignError
from .record import Row, pack
from .writing import Limits

P = ParamSpec("P")
T = TypeVar("T")

TOUCHES = 128
"""Hits that are written together; a write for each would cost more than the hit."""
LEARN_SHARE = 50
"""Reading all keys anew may take one part in so many of the lane's time."""
HOT_SECONDS = 5.0
"""How long hits that needed no read wait to be counted: counting is a write, after which all is read anew."""
TOUCH_PATIENCE_MS = 50
"""How long writing them may wait for another process: reads queue behind it, and only eviction gets less exact."""

_GET = "SELECT data FROM record WHERE id = (SELECT id FROM entry WHERE key = ?)"
_TOUCH = "UPDATE entry SET used = max(used, ?), hits = hits + ? WHERE key = ?"
FAILURES = (sqlite3.Error, OSError, ForeignError, ValueError, OverflowError)
"""What can go wrong with a file; whoever asked is told by a `BackendError`."""

log = logging.getLogger("aicache.store")


class SqliteStore:
    """A store in the file *path*, bounded by *max_entries* and *max_bytes* (of records; the file is a little larger).

    *eviction* is one of `EVICTION`. The constructor touches no file.
    """

    away = False  # a file that fails may work the next moment

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_entries: int,
        max_bytes: int,
        eviction: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if eviction not in EVICTION:
            raise ValueError(f"eviction must be one of {', '.join(EVICTION)}, not {eviction!r}")
        # The real path: what is renamed must be the database, never a link to it.
        self._path = os.path.realpath(path)
        self._limits = Limits(max_entries, max_bytes, eviction)
        self._clock = clock
        self._lane = Lane("aicache-sqlite")
        self._closed = False
        self._fresh = Gathering(self._write, self._failed)
        self._hot = Hot(self._path)
        self._hot_touched: dict[str, tuple[float, int]] = {}
        self._handed_over = clock()
        # From here on only the lane's thread reads and writes.
        self._opened: Opened | None = None
        self._known: Known | None = None
        """What a miss may ask on any thread; None while others write too."""
        self._learn_after = 0.0
        self._touched: dict[str, tuple[float, int]] = {}
        self._touches = 0

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not opened yet"
        return f"<SqliteStore {self._path}: {state}>"

    async def open(self) -> None:
        """Open the file now rather than on first use. Raises `BackendError`."""
        await self._run(lambda _: None)

    def peek(self, key: str) -> Entry | None:
        """Return the entry if it is being written, or was read a moment ago and nobody has written since."""
        entry = self._fresh.get(key) or self._hot.get(key)
        if entry is None or self._closed:
            return None
        now = self._clock()
        if is_over(entry, now):
            return None
        self._hot_touched[key] = (now, self._hot_touched.get(key, (now, 0))[1] + 1)
        if abs(now - self._handed_over) >= HOT_SECONDS:
            self._hand_over()
        return entry

    def excludes(self, key: str) -> bool:
        """Whether the key is surely unknown: nobody else has written since its absence was noted."""
        known = self._known
        if known is None or key in self._fresh or self._closed or not known.excludes(key):
            return False
        return known.stamp is not None and known.stamp == self._hot.stamp()

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown, expired or unreadable. Never blocks the loop."""
        if (fresh := self._fresh.get(key)) is not None:
            return None if is_over(fresh, self._clock()) else fresh
        if self.excludes(key):
            return None
        entry, stamp = await self._do(self._get, key)
        if entry is not None:
            self._hot.keep(entry, stamp)
        return entry

    def put(self, entry: Entry) -> asyncio.Future[None]:
        """Store the entry durably, replacing one of the same key. The future ends when it can be read back.

        What must go for it goes in the same transaction; puts made at once share one, and copies of answers wait for
        more. Until then `get` and `peek` have the entry from memory. The future fails with `BackendError`, having
        changed nothing.
        """
        if not self._closed:
            return self._fresh.put(entry)
        written = asyncio.get_running_loop().create_future()
        written.set_exception(self._is_closed())
        return written

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""
        return await self._run(self._delete, key)

    async def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first; entries that come meanwhile are not seen."""
        after: tuple[float, int] | None = listing.START
        while after is not None:
            entries, after = await self._run(listing.page, after, self._clock())
            for entry in entries:
                yield entry

    async def close(self) -> None:
        """Finish what was accepted and let go of every resource. May be called twice."""
        if self._closed:
            return
        self._fresh.flush()
        self._hand_over()
        self._closed = True
        finished = self._lane.run(self._finish)
        self._lane.stop()
        await finished

    async def rows(
        self,
        limit: int | None = None,
        *,
        key: str = "",
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
    ) -> list[Row]:
        """Return what is known of the live entries without reading them, newest first.

        *key*: the beginning of a key; *model*, *host*: exactly; *older_than*: seconds since the recording.
        """
        self._hand_over()
        now = self._clock()
        wanted = {
            "now": now,
            "key": key,
            "model": model,
            "host": host,
            "before": None if older_than is None else now - older_than,
            "limit": -1 if limit is None else limit,
        }
        return await self._run(self._rows, wanted)

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
        Works in batches between which others get their turn; a file left mostly empty is then made small.
        """
        now = self._clock()
        wanted = {
            "expired": now if expired else None,
            "model": model,
            "host": host,
            "before": None if older_than is None else now - older_than,
        }
        removed, after = 0, 0
        while batch := await self._run(listing.purge, {**wanted, "after": after}):
            removed, after = removed + len(batch), max(batch)
        # A disk too full to rewrite the file is no reason to deny that the entries are gone.
        with contextlib.suppress(BackendError):
            await self._run(listing.shrink)
        return removed

    async def totals(self) -> tuple[int, int]:
        """Return how many entries are stored and the bytes of their records, expired ones not yet removed included."""
        return await self._run(writing.totals)

    # The door: everything below runs on the lane, and no error leaves but as `BackendError`.

    async def _run(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do *work* after everything that was asked for before, puts that wait included."""
        self._fresh.flush()
        return await self._do(work, *args, **kwargs)

    async def _do(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        try:
            return await self._lane.run(self._attempt, work, *args, **kwargs)
        except FAILURES as error:
            raise self._failed(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise self._is_closed()

    def _is_closed(self) -> BackendError:
        return BackendError(f"sqlite store {self._path}: is closed")

    def _failed(self, error: Exception) -> BackendError:
        return BackendError(f"sqlite store {self._path}: {explain(error)}")

    def _write(self, entries: list[Entry]) -> asyncio.Future[Outcomes]:
        self._hand_over()
        return self._lane.run(self._put_all, entries)

    def _attempt(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return work(self._connected(), *args)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if self._opened is None or not is_damage(error):
                raise
            set_aside(self._path, self._opened.identity, self._stamp(), error)
            self._disconnect()
        return work(self._connected(), *args)

    def _connected(self) -> sqlite3.Connection:
        # One `stat` an operation notices that the file was deleted, or set aside by another process.
        if self._opened is not None and identity(self._path) == self._opened.identity:
            return self._opened.connection
        self._disconnect()
        self._opened = open_private(self._path, self._stamp())
        return self._opened.connection

    def _disconnect(self) -> None:
        if self._opened is not None:
            opened, self._opened, self._known, self._learn_after = self._opened, None, None, 0.0
            opened.connection.close()

    def _stamp(self) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))

    def _finish(self) -> None:
        self._flush()
        self._disconnect()

    # Reading.

    def _get(self, connection: sqlite3.Connection, key: str) -> tuple[Entry | None, Stamp]:
        stamp = self._hot.stamp()
        row = connection.execute(_GET, (key,)).fetchone()
        entry = None if row is None else listing.read(row[0], key)
        now = self._clock()
        if entry is None or is_over(entry, now):
            return None, stamp
        self._touch(key, now)
        return entry, stamp

    def _rows(self, connection: sqlite3.Connection, wanted: dict[str, Any]) -> list[Row]:
        self._flush()
        return listing.rows(connection, wanted)

    # Writing.

    def _put_all(self, entries: list[Entry]) -> Outcomes:
        """Write *entries* in one transaction, or each in its own when that fails: one must not cost the others."""
        try:
            self._attempt(self._put, entries)
        except (*FAILURES, BackendError) as error:
            return [error] if len(entries) == 1 else [self._put_all([entry])[0] for entry in entries]
        return [None] * len(entries)

    def _put(self, connection: sqlite3.Connection, entries: list[Entry]) -> None:
        packed = {entry.key: (entry, pack(entry)) for entry in entries}  # of two for one key the later one counts
        needed = sum(len(data) for _, data in packed.values())
        if needed > self._limits.bytes or len(packed) > self._limits.entries:
            raise BackendError(f"too large for the store: {needed} bytes of {self._limits.bytes}")
        now = self._clock()
        with transaction(connection):
            self._write_touches(connection)
            late = writing.outdone(connection, [entry for entry, _ in packed.values()], now)
            writing.replace(connection, [packed[key] for key in packed if key not in late], self._limits, now)
        self._forget_touches()
        self._learn(connection, packed)

    def _learn(self, connection: sqlite3.Connection, keys: Iterable[str] = ()) -> None:
        """Note what is in the database after a write of ours; where others have written too, read it anew."""
        # In this order: what others write after the stamp was taken makes it a stamp of the past.
        stamp, version = self._hot.stamp(), connection.execute("PRAGMA data_version").fetchone()[0]
        started = time.monotonic()
        if self._known is not None and self._known.version == version:
            for key in keys:
                self._known.add(key)
            self._known.stamp = stamp
        elif started < self._learn_after:
            self._known = None
        else:
            self._known = Known((key for (key,) in connection.execute("SELECT key FROM entry")), stamp, version)
            self._learn_after = started + LEARN_SHARE * (time.monotonic() - started)

    def _delete(self, connection: sqlite3.Connection, key: str) -> bool:
        removed = connection.execute("DELETE FROM entry WHERE key = ? RETURNING expires", (key,)).fetchall()
        now = self._clock()
        return any(expires is None or expires > now for (expires,) in removed)

    # Touches: who was served, kept here until it is worth a write.

    def _touch(self, key: str, now: float, hits: int = 1) -> None:
        self._touched[key] = (now, self._touched.get(key, (now, 0))[1] + hits)
        self._touches += 1
        if self._touches == TOUCHES:
            self._lane.later(self._flush)

    def _hand_over(self) -> None:
        """Give the lane the touches of entries that were served without it. Called on the loop's thread."""
        if self._hot_touched and not self._closed:
            touched, self._hot_touched, self._handed_over = self._hot_touched, {}, self._clock()
            self._lane.later(lambda: self._absorb(touched))

    def _absorb(self, touched: dict[str, tuple[float, int]]) -> None:
        for key, (used, hits) in touched.items():
            self._touch(key, used, hits)

    def _write_touches(self, connection: sqlite3.Connection) -> None:
        if self._touched:
            connection.executemany(_TOUCH, [(used, hits, key) for key, (used, hits) in self._touched.items()])

    def _flush(self) -> None:
        """Write the touches; drop them where that fails, because they only make eviction exact."""
        if self._touched and self._opened is not None:
            connection = self._opened.connection
            try:
                connection.execute(f"PRAGMA busy_timeout = {TOUCH_PATIENCE_MS}")
                with transaction(connection):
                    self._write_touches(connection)
                self._learn(connection)
            except sqlite3.Error as error:
                log.debug("touches of %s are dropped: %s", self._path, error)
            finally:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        self._forget_touches()

    def _forget_touches(self) -> None:
        self._touched.clear()
        self._touches = 0
