"""What was learned, kept and shared: everybody appends lines, and reads those of others from where he stopped.

`FileLedger` is a file beside the database; the one in a Redis is `stores.redis_ledger`. Neither knows what the lines
mean. Entry points: `Ledger`, `FileLedger`, `Bookmark`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Protocol

from .chat import BackendError

MOST = 32 * 2**20
"""Bytes of a book: a hundred thousand observations. What comes later is not kept."""


class Ledger(Protocol):
    """Books of lines, each by its name. Every method may raise `BackendError`, and nothing else."""

    async def append(self, book: str, lines: bytes) -> None:
        """Keep *lines*, which end with a line feed."""

    async def news(self, book: str) -> bytes:
        """Return the lines that came since the last time, without those that were appended here meanwhile."""

    async def close(self) -> None:
        """Let go of every resource. May be called twice."""


class Bookmark:
    """How far each book was read, and what was written here meanwhile."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        self._own: dict[str, Counter[bytes]] = {}

    def start(self, book: str) -> int:
        """Return where to read on."""
        return self._read.get(book, 0)

    def wrote(self, book: str, lines: bytes) -> None:
        """Note what was appended."""
        self._own.setdefault(book, Counter()).update(lines.splitlines())

    def took(self, book: str, found: bytes) -> bytes:
        """Return the whole lines of others in *found*, what was read from `start` on; a half one comes next time."""
        whole = found[: found.rfind(b"\n") + 1]
        self._read[book] = self.start(book) + len(whole)
        own = self._own.get(book, Counter())
        others = []
        for line in whole.splitlines():
            if own[line]:
                own[line] -= 1
            else:
                others.append(line + b"\n")
        self._own[book] = +own
        return b"".join(others)


class FileLedger:
    """Books that are files: *path* with the book's name behind it, private (0600)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, Path] = {}
        self._bookmark = Bookmark()
        self._turn = asyncio.Lock()
        """One at a time: what is read twice would count twice, and own lines not yet noted for those of others."""

    def __repr__(self) -> str:
        return f"<FileLedger {self._path}.*>"

    async def append(self, book: str, lines: bytes) -> None:
        """Keep *lines*: one write at the end of the file, so that those of two processes are never mixed."""
        async with self._turn:
            if await asyncio.to_thread(_append, self._file(book), lines):
                self._bookmark.wrote(book, lines)

    async def news(self, book: str) -> bytes:
        """Return what others wrote since the last time."""
        async with self._turn:
            if _size(self._file(book)) == self._bookmark.start(book):  # a look is cheaper than the way to a thread
                return b""
            return await asyncio.to_thread(self._news, book)

    def _news(self, book: str) -> bytes:
        return self._bookmark.took(book, _tail(self._file(book), self._bookmark.start(book)))

    async def close(self) -> None:
        """Do nothing: no file stays open."""

    def _file(self, book: str) -> Path:
        if (file := self._files.get(book)) is None:
            file = self._files[book] = self._path.with_name(f"{self._path.name}.{book}")
        return file


def _size(path: Path) -> int:
    """Return how long the file is; what cannot be looked at is left to who reads it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError:
        return -1


def _append(path: Path, lines: bytes) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            fits = file.seek(0, os.SEEK_END) + len(lines) <= MOST
            if fits:
                file.write(lines)
            return fits
    except OSError as error:
        raise BackendError(f"{path} cannot be written: {error.strerror}") from error


def _tail(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(MOST)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BackendError(f"{path} cannot be read: {error.strerror}") from error
