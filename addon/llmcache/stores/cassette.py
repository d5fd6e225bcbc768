"""Entries in a folder of recordings that is kept in git: one file each, readable, and editable by hand.

An edit is served from the next call on; a file that cannot be read any more is an error that names it and the line.
Nothing is evicted, and hits are not counted: that would change files that nobody changed.
All file work is done on a thread of its own; what was read before costs one `stat`. Entry point: `CassetteStore`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..chat import BackendError, Entry
from . import cassette_file as files
from . import is_over
from .cassette_index import Held, Index, Stamp, stamp_of
from .cassette_name import by_likeness, candidates
from .cassette_sides import Blobs
from .cassette_write import write_whole
from .lane import Lane
from .record import Row, meets

T = TypeVar("T")

KEPT_BYTES = 64_000_000
"""Bytes of replies and requests that are kept parsed."""


class CassetteStore:
    """The recordings in *folder*.

    *words* are the rules that shape keys, and *scrub* returns the key of an identity by them, empty where they change
    nothing; *check* raises `BackendError` for an entry that must not be written.
    """

    def __init__(
        self,
        folder: Path,
        words: tuple[str, ...] = (),
        scrub: Callable[[bytes], str] = lambda _: "",
        check: Callable[[Entry], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._index = Index(folder, words, scrub)
        self._words, self._scrub, self._check, self._clock = words, scrub, check, clock
        self._parsed: OrderedDict[str, tuple[Stamp, Entry]] = OrderedDict()
        """By path."""
        self._bytes = 0
        self._lane = Lane("aicache-cassette")
        self._opened = self._closed = False

    def __repr__(self) -> str:
        return f"<CassetteStore {self.folder}: {len(self._index.files)} recordings>"

    def open(self) -> None:
        """List the folder and check what was edited. Raises `BackendError` that names every broken file."""
        try:
            self._index.refresh()
        except OSError as error:
            raise self._error(error) from error
        self._opened = True

    @property
    def away(self) -> bool:
        """Never: it is a folder of this machine."""
        return False

    def peek(self, key: str) -> Entry | None:
        """Return the entry if it is parsed and its file is as it was."""
        held = self._index.found(key)
        return self.ready(held) if held else None

    def excludes(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Return False: another process may record into the folder at any time."""
        return False

    def ready(self, held: Held) -> Entry | None:
        """Return the recording if it is parsed and its file is as it was."""
        kept = self._parsed.get(held.path)
        if kept is None:
            return None
        try:
            status = os.stat(self.folder / held.path)  # noqa: PTH116 - on the way of every hit
        except OSError:
            return None
        stamp, entry = kept
        return None if stamp != stamp_of(status) or is_over(entry, self._clock()) else entry

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown or expired."""
        return await self._run(self._get, key)

    def lineup(self, key: str) -> list[Held]:
        """Return the recordings that answer *key* as far as they are known, in the order of their numbers."""
        return self._index.lineup(key)

    def files(self) -> dict[str, Held]:
        """Return every recording that is known, by its path from the folder on."""
        return dict(self._index.files)

    def kin(self, entry: Entry) -> list[Held]:
        """Return the recordings that are of the call of *entry*, by the rules too."""
        return list(self._index.keys.get(self._scrub(entry.request) or entry.key, ()))

    async def load(self, held: Held, request: bytes = b"") -> Entry | None:
        """Return the recording, None when it is gone, has expired, or its file is of another call now.

        *request*: the identity that asks for it, if there is one.
        """
        entry = await self._run(self._load, held, request)
        return None if entry is None or is_over(entry, self._clock()) else entry

    async def refresh(self) -> None:
        """Look at what others changed in the folder."""
        await self._run(self._index.refresh)

    async def remove(self, recordings: Sequence[Held]) -> None:
        """Remove these recordings."""
        for held in recordings:
            await self._run(self._remove, held)

    async def recordings(self, key: str) -> list[Entry]:
        """Return every live recording of the call, in their order."""
        return await self._run(self._recordings, key)

    async def put(self, entry: Entry) -> None:
        """Write the entry in the place of the recording with its key and number. Raises `BackendError`."""
        await self._run(self._put, entry)

    async def delete(self, key: str) -> bool:
        """Remove every recording of *key*. Returns whether there was one."""
        return await self._run(self._delete, key)

    async def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first; what comes meanwhile is not seen."""
        for held in await self._run(self._listed):
            entry = await self._run(self._load, held)
            if entry is not None and not is_over(entry, self._clock()):
                yield entry

    def place(self, entry: Entry) -> str:
        """Return the file of *entry*, from the working folder on; empty when it is not there any more."""
        held = next((each for each in self._index.keys.get(entry.key, ()) if _same(each, entry)), None)
        return shown(self.folder / held.path) if held else ""

    async def near(self, path: str) -> AsyncIterator[Entry]:
        """Yield live recordings, those first whose files are called most like *path* (from the folder on)."""
        for held in await self._run(self._by_likeness, path):
            entry = await self._run(self._load, held)
            if entry is not None and not is_over(entry, self._clock()):
                yield entry

    async def rows(
        self,
        limit: int | None = None,
        *,
        key: str = "",
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
    ) -> list[Row]:
        """Return what is known of the live entries, newest first; see `MemoryStore.rows`."""
        chosen = await self._run(self._chosen, model, host, older_than)
        now = self._clock()
        return [row for _, row in chosen if row.key.startswith(key) and not is_over(row, now)][:limit]

    async def purge(
        self,
        *,
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
        expired: bool = False,
    ) -> int:
        """Remove the entries that meet every condition given, and return how many; see `MemoryStore.purge`."""
        return await self._run(self._purge, model, host, older_than, expired)

    async def totals(self) -> tuple[int, int]:
        """Return how many recordings there are and the bytes of their files, side files apart."""
        found = await self._run(self._listed)
        return len(found), sum(held.stamp[2] for held in found)

    async def close(self) -> None:
        """Finish what was accepted. May be called twice."""
        if not self._closed:
            self._closed = True
            self._lane.stop()

    def _run(self, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        if self._closed:
            raise BackendError("cassette store: is closed")
        return self._lane.run(self._guarded, work, *args)

    def _guarded(self, work: Callable[..., T], *args: object) -> T:
        try:
            if not self._opened:
                self.open()
            return work(*args)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> BackendError:
        return BackendError(f"recordings in {self.folder}: {error.strerror or error}")

    # ---- on the thread

    def _get(self, key: str) -> Entry | None:
        entry = self._loaded(key)
        if entry is None:
            self._index.refresh()  # another process may have recorded it, or somebody renamed its file
            entry = self._loaded(key)
        return None if entry is None or is_over(entry, self._clock()) else entry

    def _loaded(self, key: str) -> Entry | None:
        held = self._index.found(key)
        return self._load(held) if held else None

    def _recordings(self, key: str) -> list[Entry]:
        self._index.refresh()
        found = [self._load(held) for held in self._index.keys.get(key, ())]
        return [entry for entry in found if entry is not None and not is_over(entry, self._clock())]

    def _load(self, held: Held, request: bytes = b"") -> Entry | None:
        if (entry := self.ready(held)) is None and (entry := self._index.load(held, request)) is not None:
            now = self._index.files[held.path]
            self._keep(now, entry)
            if (now.key, now.scrubbed) != (held.key, held.scrubbed):
                return None
        return entry

    def _keep(self, held: Held, entry: Entry) -> None:
        self._let_go(held.path)
        self._parsed[held.path] = held.stamp, entry
        self._bytes += _size(entry)
        while self._bytes > KEPT_BYTES and len(self._parsed) > 1:
            self._let_go(next(iter(self._parsed)))

    def _let_go(self, path: str) -> None:
        if kept := self._parsed.pop(path, None):
            self._bytes -= _size(kept[1])

    def _put(self, entry: Entry) -> None:
        self._check(entry)
        shape = files.Shape(self._scrub(entry.request), self._words)
        blobs: Blobs = {}
        try:
            data = files.written(entry, shape, blobs)
        except ValueError as error:
            raise BackendError(f"cassette store: {error}") from error
        before = [held for held in self._index.keys.get(entry.key, ()) if _same(held, entry)]
        path = self._place(entry)
        for name, content in blobs.items():
            if not (self.folder / name).exists():
                write_whole(self.folder / name, content)
        write_whole(self.folder / path, data)
        self._keep(self._index.stored(path, entry, shape), entry)
        for held in before:
            if held.path != path:
                self._remove(held)

    def _place(self, entry: Entry) -> str:
        """Return the path of *entry*: the first of its names that is not another's."""
        for path in candidates(entry):
            held = self._index.files.get(path)
            if (held is None and not (self.folder / path).exists()) or (held and _same(held, entry)):
                return path
            if held is None and self._is_of(path, entry):
                return path
        raise BackendError(f"recordings in {self.folder}: no name is free for {entry.key}")

    def _is_of(self, path: str, entry: Entry) -> bool:
        """Whether a file that came meanwhile is of the same call."""
        try:
            self._index.read(path)
        except FileNotFoundError:
            return True
        held = self._index.files.get(path)
        return held is not None and _same(held, entry)

    def _delete(self, key: str) -> bool:
        self._index.refresh()
        found = [held for held in self._index.keys.get(key, ()) if held.key == key]
        now = self._clock()
        live = [held for held in found if held.expires is None or held.expires > now]
        for held in found:
            self._remove(held)
        return bool(live)

    def _remove(self, held: Held) -> None:
        self._let_go(held.path)
        self._index.drop(held.path)
        (self.folder / held.path).unlink(missing_ok=True)

    def _by_likeness(self, path: str) -> list[Held]:
        self._index.refresh()
        files = dict(self._index.files)
        return [files[each] for each in by_likeness(path, files)]

    def _listed(self) -> list[Held]:
        self._index.refresh()
        return list(self._index.newest_first())

    def _chosen(self, model: str | None, host: str | None, older_than: float | None) -> list[tuple[Held, Row]]:
        now = self._clock()
        rows = ((held, _row(held, head)) for held in self._listed() if (head := self._head(held)))
        return [(held, row) for held, row in rows if meets(row, model, host, older_than, now)]

    def _head(self, held: Held) -> Entry | None:
        kept = self._parsed.get(held.path)
        return kept[1] if kept and kept[0] == held.stamp else self._index.head(held)

    def _purge(self, model: str | None, host: str | None, older_than: float | None, expired: bool) -> int:
        now = self._clock()
        chosen = [held for held, row in self._chosen(model, host, older_than) if not expired or is_over(row, now)]
        for held in chosen:
            self._remove(held)
        return len(chosen)


def shown(path: Path) -> str:
    """Return *path* for people: from the working folder on, where it is inside."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _same(held: Held, entry: Entry) -> bool:
    return held.key == entry.key and held.sequence == entry.sequence


def _size(entry: Entry) -> int:
    return len(entry.reply.body) + len(entry.request) + 16 * len(entry.reply.chunks)


def _row(held: Held, head: Entry) -> Row:
    return Row(
        key=held.key,
        dialect=head.dialect,
        host=head.host,
        path=head.path,
        model=head.model,
        created=held.created,
        expires=head.expires,
        used=held.created,
        hits=0,
        size=held.stamp[2],
    )
