"""Remove single entries by key. `aicache purge` removes by model, host or age."""

from __future__ import annotations

import argparse
import asyncio

from . import _options

EXAMPLES = """\
examples:
  aicache rm 3f9a 81c0     the entries whose keys begin so; nothing is removed if one is not clear
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("keys", nargs="+", metavar="KEY", help="a key, or as much of its beginning as tells it apart")
    _options.settings(parser)


def main(args: argparse.Namespace) -> int:
    """Remove; return the exit code."""
    return asyncio.run(_remove(args))


async def _remove(args: argparse.Namespace) -> int:
    from . import _store  # noqa: PLC0415 - needs the environment

    async with _store.opened(args) as store:
        rows = {(row := await _store.one(store, prefix)).key: row for prefix in args.keys}
        for key, row in rows.items():
            if await store.delete(key):
                print(f"removed {key[: _store.SHOWN]}  {_store.clean(row.model) or '-'} @ {_store.clean(row.host)}")
    return 0
