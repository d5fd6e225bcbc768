"""The points of every partition in one private SQLite file beside the store: vectors as little-endian float32.

Several processes may share it: each change of a point gives it a higher `seq`, so that what came since is read by
one range, and what was removed is counted, so that one number tells whether to read everything anew.
It keeps no vector in memory. Everything runs on the caller's thread and raises what SQLite raises.
Entry point: `PointFile`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from ..stores.database import Opened, identity, is_damage, open_private, set_aside, transaction
from ..stores.migrations import Damaged, ForeignError
from . import Point
from .pages import Rows

BATCH = 250
"""Points that are read at a time: about 2 ms."""
MAKE_ROOM = 0.01
"""The share of the points that goes at once when there are too many: removing tells other processes to read anew."""


Gone = tuple[str, str]
"""Partition and key of a point that was removed; one transaction that removes adds 1 to `Version.removals`."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a process has seen of the file; equal ones have nothing new to tell each other."""

    store: str
    """A name that no other file has."""
    opening: int
    """Which time the file was opened: another one may lie there now, even with the old one's inode."""
    removals: int
    seq: int


class PointFile:
    """The file at *path* (None: in memory), of at most *most* points."""

    def __init__(self, path: Path | None, most: int) -> None:
        self.path, self._most = path, most
        self._opened: Opened | None = None
        self._openings = 0

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        return f"vector index {self.path or 'in memory'}"

    def version(self) -> Version:
        """Return how new the content is."""
        connection = self._connected()
        store, removals, seq = connection.execute("SELECT store, removals, seq FROM state").fetchone()
        return Version(store, self._openings, removals, seq)

    def load(self, partition: str) -> Iterator[Rows]:
        """Yield all points of *partition*, many at a time."""
        for _, rows in _batches(self._connected().execute(f"{_SELECT} WHERE partition = ?", (partition,))):
            yield rows

    def since(self, seq: int) -> Iterator[tuple[str, Rows]]:
        """Yield partition and points of what was put after *seq*, many at a time."""
        return _batches(self._connected().execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (seq,)))

    def dim(self, partition: str) -> int | None:
        """Return how many numbers the vectors of *partition* have; None where there are none."""
        found = self._connected().execute(_DIM, (partition,)).fetchone()
        return found and int(found[0]) // 4

    def answers(self, partition: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the answers of those points of *partition* that are still here."""
        connection, found = self._connected(), {}
        for key in keys:
            if row := connection.execute(_ANSWER, (partition, key)).fetchone():
                found[key] = row[0]
        return found

    def put(self, partition: str, points: Sequence[Point], now: float) -> list[Gone]:
        """Keep *points*, all or none. Returns the oldest of all partitions, which went if there were too many."""
        connection = self._connected()
        with transaction(connection):
            connection.execute("DELETE FROM point WHERE expires <= ?", (now,))
            for point in points:
                connection.execute("UPDATE state SET seq = seq + 1")
                blob = point.vector.astype("<f4", copy=False).tobytes()
                about = (point.question, point.answer, point.created, point.expires)
                connection.execute(_PUT, (partition, point.key, blob, *about))
            excess = connection.execute("SELECT count FROM state").fetchone()[0] - self._most
            if excess <= 0:
                return []
            gone = connection.execute(_DROP_OLDEST, (max(excess, int(self._most * MAKE_ROOM)),)).fetchall()
            connection.execute("UPDATE state SET removals = removals + 1")
        return gone

    def remove(self, partition: str, keys: Sequence[str]) -> list[Gone]:
        """Forget the points of *keys*. Returns those that were here."""
        connection = self._connected()
        with transaction(connection):
            gone = [(partition, key) for key in keys if connection.execute(_REMOVE, (partition, key)).rowcount]
            if gone:
                connection.execute("UPDATE state SET removals = removals + 1")
        return gone

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.connection.close()

    def recover(self, error: Exception) -> bool:
        """Set the file aside if *error* says that it is damaged. Returns whether that was so."""
        if self._opened is None or self.path is None or not is_damage(error):
            return False
        seen = self._opened.identity
        self.close()
        set_aside(str(self.path), seen, _stamp(), error)
        return True

    def _connected(self) -> sqlite3.Connection:
        if self._opened is not None and (self.path is None or identity(str(self.path)) == self._opened.identity):
            return self._opened.connection
        self.close()
        self._openings += 1
        if self.path is None:
            self._opened = Opened(sqlite3.connect(":memory:", isolation_level=None), (0, 0))
            _migrate(self._opened.connection)
        else:
            self._opened = open_private(str(self.path), _stamp(), _migrate)
        return self._opened.connection


def _batches(cursor: sqlite3.Cursor) -> Iterator[tuple[str, Rows]]:
    """Yield partitions and points of them, those together that come together and have vectors of one size."""
    for (partition, _), found in groupby(cursor, key=itemgetter(0, 1)):
        while batch := list(islice(found, BATCH)):
            yield partition, _rows(batch)


def _rows(batch: Sequence[tuple[Any, ...]]) -> Rows:
    _, _, seqs, keys, vectors, *about = zip(*batch, strict=True)
    questions, created, has_answer, expires = about
    try:
        found = np.frombuffer(b"".join(vectors), "<f4").astype(np.float32, copy=False).reshape(len(batch), -1)
    except (TypeError, ValueError) as error:
        raise Damaged(f"the vectors of {keys[0]} and others are no vectors") from error
    return Rows(
        seqs=np.array(seqs, np.int64),
        keys=np.array(keys, np.object_),
        questions=np.array(questions, np.object_),
        created=np.array(created, np.float64),
        has_answer=np.array(has_answer, np.bool_),
        expires=np.array(expires, np.float64),
        vectors=found,
    )


def _migrate(connection: sqlite3.Connection) -> None:
    """Make the tables, or refuse what is not ours; as `stores.migrations` does for the store."""
    version, application = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
    )
    empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
    if application != APPLICATION_ID and not empty:
        raise ForeignError("is another program's database: choose another path for the cache")
    if version > SCHEMA:
        raise ForeignError("was written by a newer aicache: upgrade aicache, or delete the file")
    connection.execute("PRAGMA journal_mode = WAL")
    if not empty:
        return
    with transaction(connection):
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


APPLICATION_ID = 0x61695665
"""`aiVe` in the file's header."""
SCHEMA = 1

_TABLES = (
    """CREATE TABLE point (
        seq INTEGER PRIMARY KEY,
        partition TEXT NOT NULL,
        key TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL,
        question TEXT NOT NULL,
        vector BLOB NOT NULL,
        answer TEXT NOT NULL,
        UNIQUE (partition, key)
    )""",
    "CREATE INDEX point_created ON point (created)",
    "CREATE INDEX point_expires ON point (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1), store TEXT NOT NULL,
        seq INTEGER NOT NULL, removals INTEGER NOT NULL, count INTEGER NOT NULL
    )""",
    "INSERT INTO state VALUES (1, lower(hex(randomblob(8))), 0, 0, 0)",
    "CREATE TRIGGER point_added AFTER INSERT ON point BEGIN UPDATE state SET count = count + 1; END",
    "CREATE TRIGGER point_removed AFTER DELETE ON point BEGIN UPDATE state SET count = count - 1; END",
)
_SELECT = """SELECT partition, length(vector), seq, key, vector, question, created, answer != '', ifnull(expires, 9e999)
    FROM point"""
"""9e999 is read as infinity."""
_DIM = "SELECT length(vector) FROM point WHERE partition = ? LIMIT 1"
_ANSWER = "SELECT answer FROM point WHERE partition = ? AND key = ?"
_REMOVE = "DELETE FROM point WHERE partition = ? AND key = ?"
_PUT = """INSERT INTO point (seq, partition, key, vector, question, answer, created, expires)
    VALUES ((SELECT seq FROM state), ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (partition, key) DO UPDATE SET seq = excluded.seq, vector = excluded.vector,
        question = excluded.question, answer = excluded.answer,
        created = excluded.created, expires = excluded.expires"""
_DROP_OLDEST = (
    "DELETE FROM point WHERE seq IN (SELECT seq FROM point ORDER BY created, seq LIMIT ?) RETURNING partition, key"
)
