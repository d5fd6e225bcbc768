"""Many entries of a database at once: read them page by page, list them unread, remove many, make the file small.

Plain functions on an open connection. Used by `sqlite` alone.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any, NamedTuple

from ..chat import Entry
from . import is_over
from .record import Row, unpack

SCAN_BYTES = 1 << 20
"""Bytes of records that a scan reads ahead."""
PURGE_BATCH = 500
"""Rows that a purge removes before others get their turn."""

_PAGE = """
    SELECT created, id, key, data FROM entry JOIN record USING (id)
    WHERE (created, id) < (?, ?) ORDER BY created DESC, id DESC
"""
_ROWS = """
    SELECT key, dialect, host, path, model, created, expires, used, hits, size FROM entry
    WHERE (expires IS NULL OR expires > :now)
        AND substr(key, 1, length(:key)) = :key
        AND (:model IS NULL OR model = :model)
        AND (:host IS NULL OR host = :host)
        AND (:before IS NULL OR created < :before)
    ORDER BY created DESC, id DESC LIMIT :limit
"""
_ROW_TYPES = (str, str, str, str, str, float, float | None, float, int, int)
_PURGE = """
    DELETE FROM entry WHERE id IN (
        SELECT id FROM entry
        WHERE id > :after
            AND (:expired IS NULL OR expires <= :expired)
            AND (:model IS NULL OR model = :model)
            AND (:host IS NULL OR host = :host)
            AND (:before IS NULL OR created < :before)
        ORDER BY id LIMIT :batch
    ) RETURNING id
"""


log = logging.getLogger("aicache.store")


class Page(NamedTuple):
    """Some entries, and where to go on."""

    entries: list[Entry]
    after: tuple[float, int] | None
    """Where the next page begins; None when this is the last."""


START = (float("inf"), 0)


def page(connection: sqlite3.Connection, after: tuple[float, int], now: float) -> Page:
    """Return the live entries behind *after*, newest first, as many as fit into `SCAN_BYTES`."""
    size, entries = 0, []
    for created, number, key, data in connection.execute(_PAGE, after):
        entry = read(data, key)
        if entry is not None and not is_over(entry, now):
            entries.append(entry)
        size += len(data) if isinstance(data, bytes) else 0
        if size > SCAN_BYTES:
            return Page(entries, (created, number))
    return Page(entries, None)


def rows(connection: sqlite3.Connection, wanted: dict[str, Any]) -> list[Row]:
    """Return what is known of the live entries that meet *wanted*, newest first."""
    found = connection.execute(_ROWS, wanted)
    # What has another type was damaged on the disk; `get` will say so.
    return [Row(*row) for row in found if all(map(isinstance, row, _ROW_TYPES))]


def purge(connection: sqlite3.Connection, wanted: dict[str, Any]) -> list[int]:
    """Remove a batch of the entries that meet *wanted*; return their numbers."""
    return [number for (number,) in connection.execute(_PURGE, {**wanted, "batch": PURGE_BATCH}).fetchall()]


def shrink(connection: sqlite3.Connection) -> None:
    """Give the space back to the disk when most of the file is empty; a smaller part is filled again soon."""
    free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if free * 2 > pages:
        # Not incremental_vacuum: it seeks each page in the list of free ones, 30 s for 200,000 entries.
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def read(data: Any, key: str) -> Entry | None:
    """Return the entry in the record *data*, or None, with a warning, for one that is damaged."""
    try:
        return unpack(data, key)
    except ValueError as error:
        log.warning("entry %s is unreadable, and so not there: %s", key, error)
        return None
