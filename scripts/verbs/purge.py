"""Remove entries by model, host or age; an entry goes when it meets every condition given."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from . import _options
from ._errors import Stop

if TYPE_CHECKING:
    from ._store import Store

EXAMPLES = """\
examples:
  aicache purge --older-than 7d
  aicache purge --model gpt-4o-mini --dry-run
  aicache purge --expired
  aicache purge --all                  asks first; --yes does not
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _options.settings(parser)
    _options.selection(parser)
    parser.add_argument(
        "--older-than", type=_options.seconds, metavar="AGE", help="only entries older than 30m, 12h, 7d ..."
    )
    parser.add_argument("--expired", action="store_true", help="only entries that are not served any more")
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument("--dry-run", action="store_true", help="only say how many would go")
    parser.add_argument("--yes", action="store_true", help="do not ask before everything is removed")


def main(args: argparse.Namespace) -> int:
    """Remove; return the exit code."""
    chosen = [args.model is not None, args.host is not None, args.older_than is not None, args.expired]
    if args.all == any(chosen):
        raise Stop("say what: --model, --host, --older-than, --expired (together they narrow down), or --all alone", 2)
    return asyncio.run(_purge(args))


async def _purge(args: argparse.Namespace) -> int:
    from . import _store  # noqa: PLC0415 - needs the environment

    async with _store.opened(args) as store:
        if args.dry_run:
            print(f"would remove {_entries(await _count(store, args))}")
            return 0
        if args.all and not args.yes:
            count, _ = await store.totals()
            await asyncio.to_thread(_confirm, count)
        removed = await store.purge(model=args.model, host=args.host, older_than=args.older_than, expired=args.expired)
    print(f"removed {_entries(removed)}")
    return 0


async def _count(store: Store, args: argparse.Namespace) -> int:
    """Return how many a purge would remove."""
    live = await store.rows(model=args.model, host=args.host, older_than=args.older_than)
    if not args.expired and not args.all:
        return len(live)
    total, _ = await store.totals()
    return total if args.all else total - len(await store.rows())


def _confirm(count: int) -> None:
    """Ask whether everything shall go. Raises `Stop` for anything but a yes."""
    if not sys.stdin.isatty():
        raise Stop(f"this would remove {_entries(count)}; --yes says that it shall")
    if input(f"Remove {_entries(count)}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Stop("nothing was removed")


def _entries(count: int) -> str:
    return f"{count} entry" if count == 1 else f"{count} entries"
