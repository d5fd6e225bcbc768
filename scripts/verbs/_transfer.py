"""Entries from one store of ours to another, for `import` and `export`. Entry point: `transfer`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmcache.chat import BackendError
from llmcache.intake import TAKEN
from llmcache.transfer import Transfer, obstacle

from . import _exchange
from ._errors import Stop

if TYPE_CHECKING:
    from llmcache.chat import Entry
    from llmcache.config import Config


async def transfer(
    source: Config, target: Config, done: str, *, dry: bool, model: str | None = None, host: str | None = None
) -> int:
    """Put the entries of *source* into *target*; return the exit code. *done*: what the report calls that."""
    if source.cache == target.cache:
        raise Stop("the two stores are the same one", 2)
    async with _exchange.opened(source, there=True) as origin:
        try:
            if reason := obstacle(source, target):
                raise Stop(f"nothing was {done}: {reason}", 2)
        except BackendError as error:
            raise Stop(str(error)) from error
        report = _exchange.Report((done,))
        async with _exchange.opened(target, there=False) as goal:
            moving = Transfer(goal, target, await _exchange.held(goal, target), write=not dry)
            total, _ = await origin.totals()
            with _exchange.counted("entries", total) as step:
                async for entry in _exchange.entries(origin, source):
                    step()
                    if chosen(entry, model, host):
                        outcome = await moving.put(entry)
                        report.note(done if outcome == TAKEN else outcome, entry.key[:12])
    for line in moving.reports:
        print(f"aicache: {line}", file=sys.stderr)
    report.print(dry=dry)
    return 1 if report.secrets else 0


def chosen(entry: Entry, model: str | None, host: str | None) -> bool:
    """Whether *entry* is of the model and the host that were asked for."""
    return (model is None or entry.model == model) and (host is None or entry.host == host)
