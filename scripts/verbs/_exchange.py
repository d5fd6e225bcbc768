"""What `import` and `export` share: which store or file a word names, how far they are, and the report at the end.

Entry points: `settings_of`, `is_store`, `opened`, `held`, `entries`, `counted`, `Report`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

from llmcache import config
from llmcache.addresses import SCHEMES
from llmcache.build import open_store
from llmcache.chat import BackendError, Entry

from . import ROOT, _store
from ._errors import Stop

EXAMPLES_SHOWN = 3


def settings_of(args: argparse.Namespace, store: str) -> config.Config:
    """Return the settings of `--config` with *store* as their store; empty for what they say. Raises `Stop`."""
    shipped = ROOT / "config.yaml"
    path = args.config or (str(shipped) if shipped.exists() else None)
    if store and Path(store).is_dir():
        store = f"cassette:{store}"
    try:
        settings = config.load(path, {"store": store} if store else {})
    except config.ConfigError as error:
        raise Stop(str(error), 2) from error
    if settings.cache.type == "memory":
        raise Stop("the store `memory` ends with its proxy, so nothing can come from it or go into it", 2)
    return settings


def is_store(word: str) -> bool:
    """Whether *word* names a store, or a folder of our recordings."""
    kind = word.partition(":")[0]
    if kind != word and kind in ("sqlite", "cassette", *SCHEMES):
        return True
    return Path(word).is_dir() and any(map(is_recording, Path(word).rglob("*.yaml")))


def is_recording(path: Path) -> bool:
    """Whether the file is a recording of a folder of ours."""
    try:
        with path.open("rb") as file:
            return file.read(len(BEGINNING)) == BEGINNING
    except OSError:
        return False


@contextlib.asynccontextmanager
async def opened(settings: config.Config, *, there: bool) -> AsyncIterator[_store.Store]:
    """Open the store of *settings*. Raises `Stop` when it does not work, or must be *there* and is not."""
    if there and not exists(settings):
        raise Stop(f"there is no store {settings.cache.path}")
    try:
        store = cast("_store.Store", open_store(settings))
        try:
            yield store
        finally:
            await store.close()
    except BackendError as error:
        raise Stop(str(error)) from error


async def entries(store: _store.Store, settings: config.Config, *, last: bool = True) -> AsyncIterator[Entry]:
    """Yield what is stored, the *last* recorded first; of recordings from one day the order is their number's.

    A cache is never all in memory: it comes newest first whatever is asked for.
    """
    if settings.cache.type != "cassette":
        async for entry in store.scan():
            yield entry
        return
    found = [entry async for entry in store.scan()]
    for entry in sorted(found, key=lambda each: (each.created, each.sequence), reverse=last):
        yield entry


def exists(settings: config.Config) -> bool:
    """Whether the store is there; opening it would make it. Of a server nobody knows."""
    cache = settings.cache
    return cache.type not in ("sqlite", "cassette") or cache.path.exists()


async def held(store: _store.Store, settings: config.Config) -> Callable[[str], Awaitable[float | None]]:
    """Return what says when the entry under a key was recorded; a Redis is asked, of others a list is made at once."""
    if settings.cache.type != "redis":
        moments = {row.key: row.created for row in await store.rows()} if exists(settings) else {}

        async def listed(key: str) -> float | None:
            return moments.get(key)

        return listed

    async def asked(key: str) -> float | None:
        entry = await store.get(key)
        return entry.created if entry else None

    return asked


@contextlib.contextmanager
def counted(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far it is; what is given is called at each step. *total*: None if nobody knows."""
    from rich.console import Console  # noqa: PLC0415 - only on the way to a long job
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console, disable = Console(stderr=True), not sys.stderr.isatty()
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


class Report:
    """What became of each item, and where some of the others stand."""

    def __init__(self, done: tuple[str, ...]) -> None:
        self._done, self._counts = done, Counter[str]()
        self._places: dict[str, list[str]] = {}

    def note(self, outcome: str, where: str) -> None:
        """Count one."""
        self._counts[outcome] += 1
        if len(places := self._places.setdefault(outcome, [])) < EXAMPLES_SHOWN:
            places.append(where)

    def print(self, *, dry: bool) -> None:
        """Print the counts, and for what was skipped why, with a few places."""
        first, *others = self._done
        done = [f"{'would be ' if dry else ''}{first}: {self._counts[first]}"]
        done += [f"{other}: {self._counts[other]}" for other in others if self._counts[other]]
        skipped = {slug: count for slug, count in self._counts.most_common() if slug not in self._done}
        print(f"{', '.join(done)}, skipped: {sum(skipped.values())}")
        for slug, count in skipped.items():
            meaning = f" ({REASONS[slug]})" if slug in REASONS else ""
            more = ", ..." if count > EXAMPLES_SHOWN else ""
            print(f"  {count} {slug}{meaning}: {', '.join(map(_store.clean, self._places[slug]))}{more}")

    @property
    def secrets(self) -> int:
        """How many hold a secret."""
        return self._counts["secret-found"]


BEGINNING = b"aicache: "
"""How each of our recordings begins."""
REASONS = {
    "no-llm-call": "no LLM call that aicache knows",
    "no-reply": "nothing came back",
    "no-body": "the file does not hold the reply's body",
    "truncated": "the stream has no end",
    "newer-is-stored": "the store has a newer answer",
    "newer-is-there": "a newer answer came before",
    "secret-found": "there is a secret in it, see above",
    "answered-by-aicache": "it is an answer of ours",
    "answer-to-a-near-question": "it is the answer to another question",
    "sealed": "only its own call opens it",
    "no-request": "the store does not keep what was asked",
    "request-not-kept": "its request was not stored whole",
}
"""Slug -> what it means; others are those of the README."""
