"""An existing folder of recordings made clean: secrets become placeholders, edited files whole and findable again.

A request that changes, by a placeholder or by somebody's hand, gets the key that it has now; side files that nobody
names any more are removed. It knows no command line. Entry points: `clean`, `recordings`, `unused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..chat import Entry
from ..leaks import Scanner
from ..scrub import Scrubber
from . import cassette_file as files
from .cassette_index import ENDINGS
from .cassette_leaks import cleaned, found
from .cassette_name import candidates
from .cassette_sides import FOLDER, Blobs, checked, named
from .cassette_write import write_whole
from .cassette_yaml import Broken, load


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one recording."""

    path: Path
    secrets: tuple[str, ...] = ()
    """Kind and place of each secret that was in it."""
    moved: Path | None = None
    """Where it is now, if it has another name."""
    rekeyed: bool = False
    sealed: bool = False
    """Whether it was edited and has a fitting checksum again."""
    problem: str = ""
    """Why it could not be read."""


def recordings(folder: Path) -> list[Path]:
    """Return the recordings in *folder*, by name."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in ENDINGS and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.relative_to(folder).parts[0] != FOLDER
    )


def clean(folder: Path, path: Path, scanner: Scanner, scrubber: Scrubber, *, write: bool) -> Done:
    """Clean one recording, or with *write* False only say what is to be done. Raises `OSError`."""
    data = path.read_bytes()
    try:
        entry, _ = files.read(data, lambda name: _side(folder, name), rekey=True)
        before = files.read_head(data).entry.key
    except Broken as error:
        return Done(path, problem=f"{path}:{error.line}: {error}")
    secrets = tuple(dict.fromkeys(f"{find.kind} at {'.'.join(map(str, at))}" for at, find in found(entry, scanner)))
    after = cleaned(entry, scanner) if secrets else entry
    rekeyed, edited = after.key != before, not files.sealed(data)
    if not (secrets or rekeyed or edited):
        return Done(path)
    target = _target(folder, path, after) if rekeyed or after.question != entry.question else path
    if write:
        _write(folder, path, target, after, scrubber)
    return Done(path, secrets, target if target != path else None, rekeyed, edited)


def unused(folder: Path) -> Iterator[Path]:
    """Yield the side files that no recording in *folder* names. Raises `OSError`; a broken recording keeps them all."""
    used: set[str] = set()
    for path in recordings(folder):
        try:
            used.update(named(load(path.read_text())))
        except ValueError:
            return
    for path in sorted((folder / FOLDER).glob("*")):
        if f"{FOLDER}/{path.name}" not in used:
            yield path


def _side(folder: Path, name: str) -> bytes:
    try:
        return checked(name, (folder / name).read_bytes())
    except OSError as error:
        raise ValueError(f"the side file {name}: {error.strerror}") from None


def _target(folder: Path, path: Path, entry: Entry) -> Path:
    free = (folder / name for name in candidates(entry) if not (folder / name).exists())
    return next(free, path)


def _write(folder: Path, path: Path, target: Path, entry: Entry, scrubber: Scrubber) -> None:
    blobs: Blobs = {}
    data = files.written(entry, files.Shape(scrubber.key(entry.request), scrubber.words), blobs)
    for name, content in blobs.items():
        write_whole(folder / name, content)
    write_whole(target, data)
    if target != path:
        path.unlink()
