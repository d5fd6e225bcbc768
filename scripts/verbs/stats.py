"""What the store holds: how much, and by model, by host and by age."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from . import _options

if TYPE_CHECKING:
    from llmcache.stores.record import Row

EXAMPLES = """\
examples:
  aicache stats
  aicache stats --store sqlite:./answers.db
"""

AGES = ((3600, "under an hour"), (86_400, "under a day"), (604_800, "under a week"), (2_592_000, "under 30 days"))
OLDER = "older"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _options.settings(parser)


def main(args: argparse.Namespace) -> int:
    """Print; return the exit code."""
    return asyncio.run(_stats(args))


async def _stats(args: argparse.Namespace) -> int:
    from . import _store  # noqa: PLC0415 - needs the environment

    async with _store.opened(args) as store:
        rows = await store.rows()
        count, size = await store.totals()
        print(f"store    {store!r}")
    print(
        f"entries  {count}, {_store.size(size)}"
        + (f", {count - len(rows)} of them expired" if count > len(rows) else "")
    )
    print(f"hits     {sum(row.hits for row in rows)} since they were stored")
    now = time.time()
    for title, name in (
        ("model", lambda row: row.model or "-"),
        ("host", lambda row: row.host),
        ("age", lambda row: bucket(now - row.created)),
    ):
        lines = [
            [_store.clean(value), str(number), str(hits), str(total)]
            for value, number, hits, total in grouped(rows, name)
        ]
        print("" if sys.stdout.isatty() else f"\nby {title}: entries, hits, bytes")
        _store.table(f"by {title}", (title, "entries", "hits", "bytes"), lines, ("entries", "hits", "bytes"))
    return 0


def grouped(rows: Iterable[Row], name: Callable[[Row], str]) -> list[tuple[str, int, int, int]]:
    """Return (name, entries, hits, bytes) for each *name* of a row, the most entries first."""
    sums: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        count, hits, size = sums.get(name(row), (0, 0, 0))
        sums[name(row)] = (count + 1, hits + row.hits, size + row.size)
    return sorted(((value, *numbers) for value, numbers in sums.items()), key=lambda line: (-line[1], line[0]))


def bucket(seconds: float) -> str:
    """Return the name of the span of ages that *seconds* falls into."""
    return next((name for limit, name in AGES if seconds < limit), OLDER)
