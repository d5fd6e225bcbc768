"""Entries go into the database: replaced, with room made for them, in as few statements as can be.

Plain functions inside a transaction that `sqlite` has begun. Around each statement Python hands its lock to other
threads and waits to have it back, so many rows in one statement cost far less than one row in each of many.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from ..chat import Entry
from .migrations import Damaged

BATCH = 64
"""Rows that a put evicts or finds expired at a time."""

_EXPIRED = "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE expires <= ? ORDER BY expires LIMIT ?)"
_THERE = "SELECT key, created FROM entry WHERE (expires IS NULL OR expires > ?) AND key IN ({})"
_VICTIMS = {
    "lru": "SELECT id, size FROM entry ORDER BY used, id LIMIT ?",
    "lfu": "SELECT id, size FROM entry ORDER BY hits, used, id LIMIT ?",
    "fifo": "SELECT id, size FROM entry ORDER BY id LIMIT ?",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a store holds, and what goes first."""

    entries: int
    bytes: int
    eviction: str

    def fit(self, count: int, size: int) -> bool:
        """Whether *count* entries of *size* bytes in all are allowed."""
        return count <= self.entries and size <= self.bytes


def replace(connection: sqlite3.Connection, packed: list[tuple[Entry, bytes]], limits: Limits, now: float) -> None:
    """Put entries, each with its record, in the place of those of the same keys; what is in their way goes."""
    connection.execute(_EXPIRED, (now, BATCH))
    if not packed:
        return
    marks = ", ".join("?" * len(packed))
    connection.execute(f"DELETE FROM entry WHERE key IN ({marks})", [entry.key for entry, _ in packed])
    _make_room(connection, limits, len(packed), sum(len(data) for _, data in packed))
    _insert(connection, packed, now)


def outdone(connection: sqlite3.Connection, entries: list[Entry], now: float) -> set[str]:
    """Return the keys of the copies among *entries* that are late: a younger answer to that very call is there.

    Another process may have stored it while the copy waited to be written.
    """
    copies = {entry.key: entry.created for entry in entries if entry.origin}
    marks = ", ".join("?" * len(copies))
    there = connection.execute(_THERE.format(marks), (now, *copies)) if copies else ()
    return {key for key, created in there if created > copies[key]}


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many entries there are and the bytes of their records, as the triggers have counted them."""
    row = connection.execute("SELECT count, bytes FROM totals").fetchone()
    match row:
        case (int(count), int(size)):
            return count, size
    raise Damaged("totals are missing")


def _make_room(connection: sqlite3.Connection, limits: Limits, entries: int, needed: int) -> None:
    while True:
        count, size = totals(connection)
        if limits.fit(count + entries, size + needed):
            return
        victims = []
        for number, freed in connection.execute(_VICTIMS[limits.eviction], (BATCH,)):
            victims.append((number,))
            count, size = count - 1, size - freed
            if limits.fit(count + entries, size + needed):
                break
        if not victims:
            raise Damaged("totals do not fit the entries")
        connection.executemany("DELETE FROM entry WHERE id = ?", victims)


def _insert(connection: sqlite3.Connection, packed: list[tuple[Entry, bytes]], now: float) -> None:
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM entry").fetchone()[0]
    rows: list[Any] = []
    records: list[Any] = []
    for number, (entry, data) in enumerate(packed, first):
        names = map(_clean, (entry.dialect, entry.host, entry.path, entry.model))
        rows += (number, entry.key, *names, entry.created, entry.expires, now, len(data))
        records += (number, data)
    columns = "id, key, dialect, host, path, model, created, expires, used, size"
    values = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(packed))
    connection.execute(f"INSERT INTO entry ({columns}) VALUES {values}", rows)
    values = ", ".join(["(?, ?)"] * len(packed))
    connection.execute(f"INSERT OR REPLACE INTO record (id, data) VALUES {values}", records)


def _clean(text: str) -> str:
    """Return *text* as SQLite can hold it, for listings: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
