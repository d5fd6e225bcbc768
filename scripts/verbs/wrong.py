"""Report a stored answer as wrong: it is removed, and never served again for that question.

An answer that was given to a near question (`aicache show` names its origin) leaves the pair behind: running proxies
that share the store never match the two again. An answer that was recorded so goes with all copies of it that were
kept for near questions. It is the header `x-aicache-feedback: wrong` for those who are not the client.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from . import _options

if TYPE_CHECKING:
    from llmcache.chat import Entry
    from llmcache.config import Config

    from ._store import Store

EXAMPLES = """\
examples:
  aicache wrong 3f9a                      the answer whose key begins so
  aicache wrong 3f9a --config mine.yaml   with the settings of the proxy, which say where pairs are kept
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("key", help="the key, or as much of its beginning as tells it apart")
    _options.settings(parser)


def main(args: argparse.Namespace) -> int:
    """Report; return the exit code: 1 where the pair cannot be remembered."""
    return asyncio.run(_report(args))


async def _report(args: argparse.Namespace) -> int:
    from . import _exchange, _store  # noqa: PLC0415 - needs the environment
    from ._errors import Stop  # noqa: PLC0415 - beside its user

    settings = _exchange.settings_of(args, args.store)
    async with _store.opened(args) as store:
        row = await _store.one(store, args.key)
        entry = await store.get(row.key)
        if entry is None:
            raise Stop(f"the entry {row.key} is not readable any more; `aicache rm` removes it")
        # The pair first: what is only removed would be matched again.
        told = await _remembered(settings, store, entry) if settings.enable_semantic_cache else None
        await store.delete(entry.key)
        print(f"removed {entry.key[: _store.SHOWN]}  {_store.clean(entry.model) or '-'} @ {_store.clean(entry.host)}")
        copies = 0 if entry.origin else await _copies_removed(store, entry.key)
    if copies:
        print(f"with it, kept for near questions: {copies}")
    if not entry.origin:
        return 0
    print(f"{NEVER[told]} {entry.origin[: _store.SHOWN]}")
    return 0 if told else 1


async def _remembered(settings: Config, store: Store, entry: Entry) -> bool:
    """Write the pair into the ledger, and take the answer out of the index; no model is loaded for it."""
    from llmcache.build import open_scope, rules  # noqa: PLC0415 - needs the environment
    from llmcache.build_similar import open_similar  # noqa: PLC0415 - as above

    similar = open_similar(settings, store, open_scope(settings), rules(settings), start=False)
    try:
        return await similar.disown(entry)
    finally:
        await similar.close()


async def _copies_removed(store: Store, key: str) -> int:
    """Remove what was kept of the entry *key* for near questions; return how many."""
    copies = [each.key async for each in store.scan() if each.origin == key]
    for copy in copies:
        await store.delete(copy)
    return len(copies)


NEVER = {
    True: "this question is never answered again by",
    False: "the call is not stored whole, so its question may be answered again by",
    None: "semantic answers are off in this configuration (--config), so the question may be answered again by",
}
