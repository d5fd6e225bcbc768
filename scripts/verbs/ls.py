"""List what is stored, newest first: key, age, model, host, size, how often it was served.

On a pipe the columns are separated by tabs, and keys are whole.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from . import _options

EXAMPLES = """\
examples:
  aicache ls
  aicache ls --limit 5 --model gpt-4o-mini
  aicache ls --host api.openai.com --older-than 7d
  aicache ls --store sqlite:./answers.db | cut -f1       the keys
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _options.settings(parser)
    _options.selection(parser)
    parser.add_argument(
        "--older-than", type=_options.seconds, metavar="AGE", help="only entries older than 30m, 12h, 7d ..."
    )
    parser.add_argument(
        "--limit", type=_options.count, default=50, metavar="N", help="at most so many (default: %(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """List; return the exit code."""
    return asyncio.run(_list(args))


async def _list(args: argparse.Namespace) -> int:
    from . import _store  # noqa: PLC0415 - needs the environment

    async with _store.opened(args) as store:
        rows = await store.rows(args.limit + 1, model=args.model, host=args.host, older_than=args.older_than)
    length = _store.SHOWN if sys.stdout.isatty() else None
    lines = [
        [
            row.key[:length],
            _store.age(row.created),
            _store.clean(row.model) or "-",
            _store.clean(row.host),
            str(row.size),
            str(row.hits),
        ]
        for row in rows[: args.limit]
    ]
    _store.table("newest first", ("key", "age", "model", "host", "bytes", "hits"), lines, ("age", "bytes", "hits"))
    if len(rows) > args.limit:
        print(f"aicache: there are more than {args.limit} (--limit)", file=sys.stderr)
    if not rows:
        print("aicache: no such entry is stored", file=sys.stderr)
    return 0
