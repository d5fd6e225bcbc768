"""Entries that were read a moment ago, served again without a hop to the database's thread.

They count only while nobody, in this process or another, has written to the database: every commit in WAL mode changes
the modification time of the `-wal` file (sqlite.org/walformat.html), and looking at that costs one `stat`.
Used on one thread only. It knows no SQL. Entry points: `stamp`, `keep`, `get`.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict

from ..chat import Entry

ENTRIES = 1024
BYTES = 32_000_000
"""Bytes of replies and requests that are kept at the most."""
TICK_NS = 20_000_000
"""A file's times move in steps of up to 10 ms: what was written later than this ago could be written again unseen."""

Stamp = tuple[int, int, int] | None
"""Which log, when it was last written, and its size; None while there is none or it is too fresh to tell."""


class Hot:
    """The entries of one database file, bounded, least recently used first out."""

    def __init__(self, path: str) -> None:
        self._log = f"{path}-wal"
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._stamp: Stamp = None

    def __repr__(self) -> str:
        return f"<Hot {len(self._entries)} entries, {self._bytes} bytes>"

    def stamp(self) -> Stamp:
        """Return the state of the database now. To be taken before an entry is read."""
        try:
            status = os.stat(self._log)  # noqa: PTH116  on the way of every hit, and Path.stat takes twice as long
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def keep(self, entry: Entry, stamp: Stamp) -> None:
        """Keep *entry*, which was read when the database had the state *stamp*."""
        if stamp is None or abs(time.time_ns() - stamp[1]) < TICK_NS:
            return
        if stamp != self._stamp:
            self._forget()
            self._stamp = stamp
        self._drop(entry.key)
        self._entries[entry.key] = entry
        self._bytes += _size(entry)
        while self._bytes > BYTES or len(self._entries) > ENTRIES:
            self._drop(next(iter(self._entries)))

    def get(self, key: str) -> Entry | None:
        """Return the entry if it is kept and the database is as it was."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self.stamp() != self._stamp:
            self._forget()
            return None
        self._entries.move_to_end(key)
        return entry

    def _drop(self, key: str) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= _size(entry)

    def _forget(self) -> None:
        self._entries.clear()
        self._bytes, self._stamp = 0, None


def _size(entry: Entry) -> int:
    return len(entry.reply.body) + len(entry.request) + 16 * len(entry.reply.chunks)
