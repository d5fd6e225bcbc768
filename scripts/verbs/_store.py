"""The store that a listing verb looks at: opened only where there is one, never made.

It knows the configuration and the stores, not what is done with them. Entry points: `opened`, `one`, `table`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from llmcache import config
from llmcache.build import open_store
from llmcache.chat import BackendError
from llmcache.stores import Store as Entries
from llmcache.stores.record import Row

from . import ROOT
from ._errors import Stop


class Store(Entries, Protocol):
    """A store as listings see it; what the methods do stands in `stores.memory`."""

    async def rows(
        self,
        limit: int | None = None,
        *,
        key: str = "",
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
    ) -> list[Row]:
        """Return what is known of the live entries, newest first."""

    async def purge(
        self,
        *,
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
        expired: bool = False,
    ) -> int:
        """Remove the entries that meet every condition given."""

    async def totals(self) -> tuple[int, int]:
        """Return how many entries there are and the bytes of their records."""


SHOWN = 12
"""Characters of a key that listings show."""


@contextlib.asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[Store]:
    """Open the store that `--config` and `--store` name. Raises `Stop` when there is none, or it does not work."""
    settings = _existing(args)
    try:
        store = open_store(settings)
    except BackendError as error:
        raise Stop(str(error)) from error
    try:
        yield store
    except BackendError as error:
        raise Stop(str(error)) from error
    finally:
        await store.close()


def _existing(args: argparse.Namespace) -> config.Config:
    """Return the settings. Raises `Stop` where nothing can be looked at, because opening would make it."""
    shipped = ROOT / "config.yaml"
    path = args.config or (str(shipped) if shipped.exists() else None)
    try:
        settings = config.load(path, {"store": args.store} if args.store else {})
    except config.ConfigError as error:
        raise Stop(str(error)) from error
    cache = settings.cache
    if cache.type == "memory":
        raise Stop(
            "the store `memory` ends with its proxy, there is nothing to look at; --store sqlite:PATH names a file"
        )
    if cache.type in ("sqlite", "cassette") and not Path(cache.path).exists():
        raise Stop(f"there is no store yet; it will be {cache.path} (`aicache run` or `aicache serve` makes it)")
    return settings


async def one(store: Store, prefix: str) -> Row:
    """Return the only entry whose key begins with *prefix*. Raises `Stop` where there is none, or several."""
    found = await store.rows(key=prefix.lower())
    if not found:
        raise Stop(f"no entry's key begins with {prefix!r} (`aicache ls` lists them)")
    if len(found) > 1:
        shown = "\n".join(f"  {row.key}  {row.model or '-'} @ {row.host}" for row in found[:20])
        raise Stop(f"{len(found)} keys begin with {prefix!r}; write more of one:\n{shown}")
    return found[0]


def table(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; on a pipe as lines with tabs, for other programs. *right*: the columns that hold numbers."""
    from rich.console import Console  # noqa: PLC0415 - takes as long as the rest together, and not every verb prints tables
    from rich.table import Table  # noqa: PLC0415 - as above

    if not sys.stdout.isatty():
        for line in lines:
            print("\t".join(line))
        return
    shown = Table(title=title, title_justify="left")
    for name in columns:
        shown.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for line in lines:
        shown.add_row(*line)
    Console(markup=False, highlight=False).print(shown)


def size(count: int) -> str:
    """Return a number of bytes for people."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004 - SI
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def age(moment: float, now: float | None = None) -> str:
    """Return how long ago *moment* (Unix seconds) was, in its largest unit."""
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"


def clean(text: str) -> str:
    """Return *text* so that it cannot steer a terminal or break a line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
