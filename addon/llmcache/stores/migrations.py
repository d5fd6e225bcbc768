"""The tables of the SQLite store, as numbered steps from nothing to today.

A step is a tuple of SQL statements and never changes once released; a change is a further step.
Entry point: `migrate`, which brings a fresh or older file up to `SCHEMA` and refuses what is not ours to touch.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x61694361
"""`aiCa` in the file's header, by which we know the file as ours (sqlite.org/fileformat2.html, 1.3.15)."""


class ForeignError(Exception):
    """The file is sound, but not ours to touch; the message says why and what to do."""


class Damaged(sqlite3.DatabaseError):
    """The file answers, but with what it can never have been given."""


_FIRST = (
    # What a listing, an eviction or a touch reads and writes: small rows, however large the replies are.
    """CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        dialect TEXT NOT NULL,
        host TEXT NOT NULL,
        path TEXT NOT NULL,
        model TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL,
        used REAL NOT NULL,
        hits INTEGER NOT NULL DEFAULT 0,
        size INTEGER NOT NULL
    )""",
    "CREATE TABLE record (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE INDEX entry_created ON entry (created)",
    "CREATE INDEX entry_used ON entry (used)",
    "CREATE INDEX entry_hits ON entry (hits, used)",
    "CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL",
    # Kept by triggers, so that "is it full?" never counts rows (the idea is diskcache's Settings table).
    "CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO totals VALUES (1, 0, 0)",
    """CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
        UPDATE totals SET count = count + 1, bytes = bytes + new.size;
    END""",
    """CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
        UPDATE totals SET count = count - 1, bytes = bytes - old.size;
        DELETE FROM record WHERE id = old.id;
    END""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
SCHEMA = len(MIGRATIONS)
"""The version that this code reads and writes; the file keeps its own in `PRAGMA user_version`."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file up to `SCHEMA`, each step in its own transaction.

    Raises `ForeignError`, having written nothing, for a newer version or another program's database,
    and `sqlite3.DatabaseError` for a damaged file.
    """
    version = _version(connection)
    if version == 0:
        # Only possible before the first table. Records of 2 to 4 kB left half of each page of 4096 bytes empty.
        connection.execute("PRAGMA page_size = 8192")
    # WAL: readers never wait for the writer, and a killed process leaves a log that the next one replays.
    connection.execute("PRAGMA journal_mode = WAL")
    for number in range(version + 1, SCHEMA + 1):
        _step(connection, number)


def _version(connection: sqlite3.Connection) -> int:
    version, application = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
    )
    empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
    if application != APPLICATION_ID and not empty:
        raise ForeignError("is another program's database: choose another path")
    if version > SCHEMA:
        raise ForeignError(
            f"was written by a newer aicache (schema {version}, this one knows up to {SCHEMA}): "
            "upgrade aicache, choose another path, or delete the file"
        )
    if version == 0 and not empty:
        raise Damaged("tables without a version")
    return 0 if empty else int(version)


def _step(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in MIGRATIONS[number - 1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
