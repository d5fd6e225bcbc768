"""A run that records anew: written aside, and put in the place of the old recordings when it ended well.

What a lane did not ask for any more goes with what was replaced, so that recordings never stack up; what it asked for
and the provider did not answer well stays. With globs only files that they match are renewed, and all other calls are
answered from what is there. A run that failed leaves the
folder as it was. It knows no modes and no commands. Entry points: `Renewal`, `aside`, `swap`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..chat import Entry
from .cassette import CassetteStore
from .cassette_index import Held
from .cassette_name import lane
from .cassette_sides import FOLDER, NAME
from .turns import Turns


class Renewal:
    """Reads what is kept from *old*, writes to *fresh*; *only*: globs on the files that are renewed, none for all."""

    def __init__(self, old: Turns, fresh: Turns, only: Sequence[str]) -> None:
        self.old, self.fresh, self.only = old, fresh, tuple(only)

    def __repr__(self) -> str:
        return repr(self.old)

    def keeps(self, key: str) -> bool:
        """Whether the call of *key* is recorded and not to be renewed."""
        line = self.old.store.lineup(key) if self.only else []
        return bool(line) and not any(meets(held.path, self.only) for held in line)

    @property
    def away(self) -> bool:
        """Never: it is a folder of this machine."""
        return False

    def peek(self, key: str) -> Entry | None:
        """Return the old recording whose turn it is, if it is at hand."""
        return self.old.peek(key)

    def excludes(self, key: str) -> bool:
        """Return False."""
        return self.old.excludes(key)

    async def get(self, key: str) -> Entry | None:
        """Return the old recording whose turn it is."""
        return await self.old.get(key)

    async def answer(self, key: str, identity: bytes) -> Entry | None:
        """Return the old recording whose turn it is."""
        return await self.old.answer(key, identity)

    def absent(self, key: str) -> str:
        """Return why there is no recording."""
        return self.old.absent(key)

    def number(self, key: str) -> int:
        """Return which call of *key* this is, from 0 on."""
        return self.fresh.number(key)

    async def put(self, entry: Entry) -> None:
        """Write the entry aside. Raises `BackendError`."""
        await self.fresh.put(entry)

    async def outdoes(self, entry: Entry) -> bool:
        """Whether this run has a whole recording that *entry*, which broke off, must not replace."""
        return await self.fresh.outdoes(entry)

    async def delete(self, key: str) -> bool:
        """Remove what was written aside for *key*."""
        return await self.fresh.delete(key)

    def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry of the old ones."""
        return self.old.scan()

    def anew(self, glob: str) -> str:
        """Return the command that records anew what is called like *glob*."""
        return self.old.anew(glob)

    def place(self, entry: Entry) -> str:
        """Return the file of an old recording."""
        return self.old.place(entry)

    def near(self, path: str) -> AsyncIterator[Entry]:
        """Yield the old recordings, those first whose files are called most like *path*."""
        return self.old.near(path)

    async def close(self) -> None:
        """Finish what was accepted. May be called twice."""
        await self.fresh.close()
        await self.old.close()


@dataclass(frozen=True, slots=True)
class Swapped:
    """What became of the folder; paths from the folder on."""

    added: tuple[str, ...]
    """Files of calls that had no recording."""
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    """Files that nothing took the place of: no call of the run was theirs."""


def aside(folder: Path) -> Path:
    """Return where a run records that is to renew *folder*: beside it, so that files are moved and never copied.

    What runs left there that were killed is removed.
    """
    folder = folder.absolute()
    for left in folder.parent.glob(f".{folder.name}.recording-*"):
        if not _alive(left.name.rpartition("-")[2]):
            shutil.rmtree(left, ignore_errors=True)
    return folder.with_name(f".{folder.name}.recording-{os.getpid()}")


def swap(old: CassetteStore, fresh: CassetteStore, only: Sequence[str] = (), asked: Collection[str] = ()) -> Swapped:
    """Put the recordings of *fresh* into the folder of *old* and remove those that they replace; both are closed.

    *asked*: the keys of the calls that came; the recording of one whose reply was none to record stays.
    New files are there before old ones go: who is killed in between has too many recordings, never too few.
    Raises `OSError`.
    """
    new, before = dict(fresh.files()), dict(old.files())
    lanes = {_lane(fresh.folder / path) for path in new}
    calls = {key for held in new.values() for key in (held.key, held.scrubbed)}
    going = {path for path, held in before.items() if {held.key, held.scrubbed} & calls}
    replaced = set(going)
    going |= {
        path
        for path in before
        if (not only or meets(path, only))
        and path not in going
        and not {before[path].key, before[path].scrubbed}.intersection(asked)
        and _lane(old.folder / path) in lanes
    }
    names = {(held.key, held.sequence): path for path, held in sorted(before.items(), reverse=True)}
    sides = {name for path in going for name in _sides(old.folder / path)}
    for path in _side_files(fresh.folder):
        _move(fresh.folder / path, old.folder / path)
    places = {path: _place(path, held, names, before) for path, held in new.items()}
    for path, place in places.items():
        _move(fresh.folder / path, old.folder / place)
    kept = set(places.values())
    for path in going - kept:
        _remove(old.folder, path)
    for name in sides - {name for path in {*before, *kept} - (going - kept) for name in _sides(old.folder / path)}:
        _remove(old.folder, name)
    shutil.rmtree(fresh.folder, ignore_errors=True)
    had = {key for path in replaced for key in (before[path].key, before[path].scrubbed)}
    added = [places[path] for path, held in new.items() if not {held.key, held.scrubbed} & had]
    anew = kept.difference(added)
    return Swapped(tuple(sorted(added)), tuple(sorted(anew)), tuple(sorted(going - replaced - kept)))


def meets(path: str, globs: Sequence[str]) -> bool:
    """Whether one of *globs* is for *path*, which is seen from the folder on; `*` is also for slashes."""
    return any(fnmatchcase(path, glob) for glob in globs)


def _place(path: str, held: Held, names: dict[tuple[str, int], str], before: dict[str, Held]) -> str:
    """Return where a new recording goes: its old place, whatever it was called, or its own unless another's."""
    if place := names.get((held.key, held.sequence)):
        return place
    taken = before.get(path)
    if taken is None or taken.key == held.key:
        return path
    return f"{path.removesuffix('.yaml')}-{held.key}.yaml"


def _lane(file: Path) -> str:
    """Return the lane of a recording; most have none, which is seen without reading them as YAML."""
    data = file.read_bytes()
    if b"lane" not in data:
        return ""
    from . import cassette_file  # noqa: PLC0415 - needed for few files

    try:
        return lane(cassette_file.read(data, lambda name: (_root(file) / name).read_bytes())[0].request)
    except (ValueError, OSError):
        return ""


def _root(file: Path) -> Path:
    """Return the folder of recordings that *file* is in: the nearest one above it with side files."""
    return next((above for above in file.parents if (above / FOLDER).is_dir()), file.parent)


def _sides(file: Path) -> set[str]:
    """Return the side files that a recording names."""
    return set(re.findall(NAME.pattern, file.read_text(encoding="utf-8", errors="replace"))) if file.exists() else set()


def _side_files(folder: Path) -> Iterator[str]:
    found = folder / FOLDER
    yield from (f"{FOLDER}/{each.name}" for each in (found.iterdir() if found.is_dir() else ()))


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (folder / path).unlink(missing_ok=True)
    for above in (folder / path).parents:
        if above == folder or any(above.iterdir()):
            return
        above.rmdir()


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        return True
    return True
