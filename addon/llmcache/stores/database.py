"""A private SQLite file: made, opened, recognized as damaged, set aside.

SQLite tolerates much, but not a file that moves under it, so every opening and every setting aside of one path
happens alone: under a lock on its directory, which needs no file of its own and goes with its process.
It knows the schema only through `Migrate`. Entry points: `open_private`, `set_aside`, `is_damage`, `explain`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .migrations import Damaged, migrate

BUSY_SECONDS = 5.0
"""How long to wait for another process's write; ours take milliseconds, a checkpoint on a slow disk longer."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database (sqlite.org/tempfiles.html)."""

_PER_CONNECTION = (
    # In WAL mode NORMAL survives kill -9 and cannot corrupt; only a power cut may lose the last entries of a cache.
    "PRAGMA synchronous = NORMAL",
    # KiB: the inner pages of a store of 200,000 entries stay in memory.
    "PRAGMA cache_size = -16384",
    # Damage is noticed where a page is read, not where it misleads.
    "PRAGMA cell_size_check = ON",
    # Bytes: one large reply must not leave a large log behind for good.
    "PRAGMA journal_size_limit = 67108864",
)

_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "is read-only: the file and its directory must be writable",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its directory missing or read-only?",
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for more than {BUSY_SECONDS:g} s",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is damaged",
}
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

log = logging.getLogger("aicache.store")

Migrate = Callable[[sqlite3.Connection], None]
"""Brings a fresh or older file up to today's tables, or raises `ForeignError` or `Damaged`."""

Identity = tuple[int, int]
"""Device and inode: which file it is, whatever its name."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection, and the file that it is connected to."""

    connection: sqlite3.Connection
    identity: Identity


def identity(path: str) -> Identity | None:
    """Return which file is at *path* now, or None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  on the way of every hit, and Path.stat takes twice as long
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def open_private(path: str, stamp: str, migrate: Migrate = migrate) -> Opened:
    """Open the database at *path*, made private and brought up to date by *migrate*; make it where there is none.

    A damaged file is set aside under a name that ends in *stamp*, and a new one takes its place.
    Raises `sqlite3.Error`, `OSError` or `ForeignError`.
    """
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path):
        try:
            return _open(path, migrate)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
            _rename(path, stamp, error)
        return _open(path, migrate)


def set_aside(path: str, seen: Identity, stamp: str, error: Exception) -> None:
    """Rename the damaged file that was opened as *seen*, unless another process has replaced it already."""
    with _alone(path):
        if identity(path) == seen:
            _rename(path, stamp, error)


def is_damage(error: Exception) -> bool:
    """Whether *error* says that the file's content is broken, not that the moment is bad."""
    match error:
        # The second: SQLite's own message quotes a broken name from the schema.
        case Damaged() | UnicodeDecodeError():
            return True
        case sqlite3.Error():
            return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return False


def explain(error: Exception) -> str:
    """Return what *error* means to the user, without the path."""
    match error:
        case sqlite3.Error():
            meaning = _MEANINGS.get(_code(error))
            return f"{meaning} ({error})" if meaning else str(error)
        case OSError(errno=number) if number in _FORBIDDEN:
            return f"is read-only or belongs to someone else ({error.strerror})"
        case OSError(errno=errno.ENOSPC):
            return f"the disk is full ({error.strerror})"
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything inside or nothing. Takes the write lock at once, so that it cannot be refused half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back after some errors, such as a full disk.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for an error of Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _open(path: str, migrate: Migrate) -> Opened:
    _make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        migrate(connection)
        for pragma in _PER_CONNECTION:
            connection.execute(pragma)
        # A flipped bit in a name must not make a listing fail.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        status = Path(path).stat()
    except BaseException:
        connection.close()
        raise
    return Opened(connection, (status.st_dev, status.st_ino))


def _make_private(path: str) -> None:
    """Create the file for its owner alone, or take everybody else's rights from it. SQLite's companions follow it."""
    try:
        # Never open an existing file here: closing it would drop this process's SQLite locks
        # (sqlite.org/howtocorrupt.html, 2.2).
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        _check_regular(path)
        for name in (path, *(path + suffix for suffix in COMPANIONS)):
            _take_rights(name)
    else:
        # Left over from a file that was deleted: whoever still has that one open must not share its log with us.
        for suffix in COMPANIONS:
            Path(path + suffix).unlink(missing_ok=True)


def _check_regular(path: str) -> None:
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory: name a file in it", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is not a regular file", path)


def _take_rights(path: str) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        if mode & 0o077:
            Path(path).chmod(mode & 0o700)


def _rename(path: str, stamp: str, error: Exception) -> None:
    aside = f"{path}.corrupt-{stamp}"
    number = 1
    while identity(aside) is not None:
        number += 1
        aside = f"{path}.corrupt-{stamp}-{number}"
    for suffix in ("", *COMPANIONS):
        with contextlib.suppress(FileNotFoundError):
            Path(path + suffix).rename(aside + suffix)
    log.warning("%s is damaged (%s): set aside as %s, a new store goes on", path, error, aside)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep every other process (and store of this process) from opening or setting aside meanwhile."""
    if sys.platform == "win32":  # there an open file cannot be renamed anyway
        yield
        return
    import fcntl  # noqa: PLC0415  not there on Windows

    directory = os.open(Path(path).parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
