"""Which recording is where: the folder is listed once, and again where the file system says that it changed.

A file whose checksum fits was checked when it was written: a few lines of its head are enough. Any other was edited,
and is read to the last member, so that a broken one is found at the start, by file and line, not amid a run.
It is used on one thread and knows no event loop. Entry point: `Index`.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..chat import BackendError, Entry
from . import cassette_file as files
from .cassette_answer import answered
from .cassette_sides import FOLDER, checked
from .cassette_write import TEMPORARY
from .cassette_yaml import Broken, dump

log = logging.getLogger("aicache.store")

TICK_NS = 20_000_000
"""A folder's times move in steps of up to 10 ms: what changed later than this ago could change again unseen."""
LEFTOVER_SECONDS = 3600
"""After so long a temporary file is what a killed process left behind."""
SHOWN = 10
"""Broken files that one message names."""

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Held:
    """A recording in the folder."""

    path: str
    """From the folder on."""
    stamp: Stamp
    key: str
    scrubbed: str
    """The key after the rules that are in force now; the key itself where they change nothing."""
    sequence: int
    created: float
    expires: float | None
    order: int
    """The later of two that were indexed has the higher number."""
    head: Entry | None = None
    """What its head says, once somebody asked."""

    @property
    def rank(self) -> tuple[int, float, str]:
        """Which of several recordings of a call goes first: by number, then the newest day, then by name."""
        return self.sequence, -self.created, self.path


class Index:
    """The recordings of one folder, by key. *words* are the rules in force, *scrub* gives an identity's key by them."""

    def __init__(self, folder: Path, words: tuple[str, ...], scrub: Callable[[bytes], str]) -> None:
        self.folder = folder
        self.words = words
        self._scrub = scrub
        self.files: dict[str, Held] = {}
        self.keys: dict[str, list[Held]] = {}
        """By key and by scrubbed key, each list in the order of `Held.rank`."""
        self._folders: dict[str, tuple[int, set[str], set[str]]] = {}
        """Of each folder: when it changed, its files, its folders."""
        self._told: set[str] = set()
        """Keys of which a warning was given."""
        self._order = 0
        self.broken: dict[str, tuple[Stamp, str]] = {}
        """Files that are no recordings, and what is wrong with them."""

    def refresh(self) -> None:
        """Look at what changed. Raises `BackendError` that names every broken file with its line."""
        self._look("")
        if self.broken:
            what = [problem for _, problem in self.broken.values()]
            more = [f"and {len(what) - SHOWN} more"] if len(what) > SHOWN else []
            raise BackendError("\n  ".join(["recordings cannot be read:", *what[:SHOWN], *more]))

    def _look(self, where: str) -> None:
        try:
            changed = os.stat(self.folder / where).st_mtime_ns  # noqa: PTH116 - many folders, on the way of a miss
        except FileNotFoundError:
            self._forget(where)
            return
        known = self._folders.get(where)
        if known is None or known[0] != changed:
            names, folders = self._listed(where)
            fresh = time.time_ns() - changed < TICK_NS
            self._folders[where] = (-1 if fresh else changed, names, folders)
            for gone in (known[1] - names) if known else ():
                self.drop(gone)
            for gone in (known[2] - folders) if known else ():
                self._forget(gone)
        for folder in sorted(self._folders[where][2]):
            self._look(folder)

    def _forget(self, where: str) -> None:
        _, names, folders = self._folders.pop(where, (0, set(), set()))
        for name in names:
            self.drop(name)
        for folder in folders:
            self._forget(folder)

    def _listed(self, where: str) -> tuple[set[str], set[str]]:
        names, folders = set(), set()
        with os.scandir(self.folder / where) as found:
            for each in sorted(found, key=lambda each: each.name):
                path = f"{where}/{each.name}" if where else each.name
                if each.name.startswith("."):
                    _clean(each)
                elif each.is_dir(follow_symlinks=False):
                    if path != FOLDER:
                        folders.add(path)
                elif each.name.endswith(ENDINGS):
                    names.add(path)
                    self._noted(path, stamp_of(each.stat()))
        return names, folders

    def _noted(self, path: str, stamp: Stamp) -> None:
        held, broken = self.files.get(path), self.broken.get(path)
        if (held and held.stamp == stamp) or (broken and broken[0] == stamp):
            return
        try:
            self.read(path)
        except (BackendError, FileNotFoundError):  # noted as broken, or gone again
            return

    def read(self, path: str) -> Entry | None:
        """Read the head of a file as it is now, and an edited file whole; returns its entry then.

        Raises `BackendError` for a broken one, `FileNotFoundError`.
        """
        stamp, data = self._content(path)
        try:
            held = self._of_head(path, stamp, data) if files.sealed(data) else None
            entry = None
            if held is None:
                entry, shape = files.read(data, self.side)
                held = self._held(path, stamp, entry, shape)
        except Broken as error:
            self.drop(path)
            problem = f"{self.folder / path}:{error.line}: {error}"
            self.broken[path] = stamp, problem
            raise BackendError(problem) from None
        self.add(held)
        return entry

    def _content(self, path: str) -> tuple[Stamp, bytes]:
        """Return the content of a file and when it was so. Raises `FileNotFoundError`."""
        file = os.open(f"{self.folder}/{path}", os.O_RDONLY)  # half the cost of a file object
        try:
            status = os.fstat(file)
            parts = []
            while part := os.read(file, status.st_size + 1):
                parts.append(part)
        finally:
            os.close(file)
        return stamp_of(status), b"".join(parts)

    def side(self, path: str) -> bytes:
        """Return the content of a side file. Raises `ValueError` where it is not there or damaged."""
        try:
            return checked(path, (self.folder / path).read_bytes())
        except OSError as error:
            raise ValueError(f"the side file {path}: {error.strerror}") from None

    def load(self, held: Held, request: bytes = b"") -> Entry | None:
        """Return the recording's entry as it is now, None when it is gone. Raises `BackendError`.

        *request*: the identity for which it is wanted, if there is one.
        """
        try:
            stamp, data = self._content(held.path)
            if request and stamp == held.stamp and (entry := answered(data, request)):
                return entry
            entry, shape = files.read(data, self.side)
        except FileNotFoundError:
            self.drop(held.path)
            return None
        except Broken as error:
            raise BackendError(f"{self.folder / held.path}:{error.line}: {error}") from None
        if stamp != held.stamp:
            self.add(self._held(held.path, stamp, entry, shape))
        return entry

    def _of_head(self, path: str, stamp: Stamp, data: bytes) -> Held | None:
        """Return what the head says where it is short, plain and shaped by the rules of today, else None."""
        found = _HEAD.match(data)
        if not found or (found["rules"] or b"").decode() != self._rules_text():
            return None
        return Held(
            path=path,
            stamp=stamp,
            key=found["key"].strip(b'"').decode(),
            scrubbed=(found["scrubbed"] or found["key"]).strip(b'"').decode(),
            sequence=int(found["sequence"] or 0),
            created=files.midnight(found["recorded"].decode()),
            expires=float(found["expires"]) if found["expires"] else None,
            order=self._next(),
        )

    def _rules_text(self) -> str:
        return dump({"rules": list(self.words)}) if self.words else ""

    def _held(self, path: str, stamp: Stamp, entry: Entry, shape: files.Shape) -> Held:
        scrubbed = shape.scrubbed if shape.rules == self.words else self._scrub(entry.request)
        return Held(
            path=path,
            stamp=stamp,
            key=entry.key,
            scrubbed=scrubbed or entry.key,
            sequence=entry.sequence,
            created=entry.created,
            expires=entry.expires,
            order=self._next(),
        )

    def stored(self, path: str, entry: Entry, shape: files.Shape) -> Held:
        """Note a recording that was written just now; the exact time of it is known as long as this process lives."""
        stamp = stamp_of((self.folder / path).stat())
        held = self._held(path, stamp, entry, shape)
        self.add(held)
        where = path.rpartition("/")[0]
        if where in self._folders:
            self._folders[where][1].add(path)
        return held

    def _next(self) -> int:
        self._order += 1
        return self._order

    def add(self, held: Held) -> None:
        """Take *held* in, instead of what its file was before."""
        self.drop(held.path)
        self.files[held.path] = held
        for key in {held.key, held.scrubbed}:
            # A new list, never changed: another thread may be looking at the old one.
            self.keys[key] = sorted([*self.keys.get(key, ()), held], key=lambda each: each.rank)

    def drop(self, path: str) -> Held | None:
        """Forget the recording at *path*."""
        self.broken.pop(path, None)
        held = self.files.pop(path, None)
        for key in {held.key, held.scrubbed} if held else ():
            left = [each for each in self.keys[key] if each.path != path]
            if left:
                self.keys[key] = left
            else:
                del self.keys[key]
        return held

    def found(self, key: str) -> Held | None:
        """Return the recording that answers *key*: one of this very key before one that the rules make the same."""
        known = self.keys.get(key)
        if not known:
            return None
        exact = next((held for held in known if held.key == key), None)
        if exact is None and key not in self._told and len({held.key for held in known}) > 1:
            self._told.add(key)
            paths = ", ".join(held.path for held in known)
            log.warning("the rules make %d recordings one; the first is served: %s", len(known), paths)
        return exact or known[0]

    def lineup(self, key: str) -> list[Held]:
        """Return the recordings that answer *key* one after the other: of several with one number the newest."""
        known = self.keys.get(key, [])
        line = [held for held in known if held.key == key] or known
        return [held for at, held in enumerate(line) if not at or line[at - 1].sequence != held.sequence]

    def head(self, held: Held) -> Entry | None:
        """Return what the head of *held* says; None when it is gone. Raises `BackendError`."""
        if held.head is None:
            try:
                head = files.read_head((self.folder / held.path).read_bytes())
            except FileNotFoundError:
                return None
            except Broken as error:
                raise BackendError(f"{self.folder / held.path}:{error.line}: {error}") from None
            held.head = head.entry
        return held.head

    def newest_first(self) -> Iterator[Held]:
        """Yield every recording: by the time of recording, then by the order of storing."""
        yield from sorted(self.files.values(), key=lambda held: (held.created, held.order), reverse=True)


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes when a file does."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def _clean(found: os.DirEntry[str]) -> None:
    if found.name.endswith(TEMPORARY) and time.time() - found.stat(follow_symlinks=False).st_mtime > LEFTOVER_SECONDS:
        os.unlink(found.path)  # noqa: PTH108 - a DirEntry has its path as text


ENDINGS = (".yaml", ".yml")
_HEAD = re.compile(
    rb"aicache: 1\nkey: (?P<key>\"?[0-9a-f]{40}\"?)\n(?:scrubbed: (?P<scrubbed>\"?[0-9a-f]{40}\"?)\n)?"
    rb"(?P<rules>rules:\n(?:  .*\n)+)?(?:sequence: (?P<sequence>[0-9]{1,9})\n)?"
    rb"(?:.*\n)*?recorded: \"(?P<recorded>[0-9-]{10})\"\n(?:expires: (?P<expires>[0-9.]{1,20})\n)?form: "
)
