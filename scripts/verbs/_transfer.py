"""Entries from one store of ours to another, for `import` and `export`. Entry point: `transfer`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from llmcache.chat import BackendError
from llmcache.intake import TAKEN
from llmcache.transfer import Transfer, obstacle

from . import _exchange, _store
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
                batch: list[Entry] = []
                async for entry in _exchange.entries(origin, source):
                    step()
                    if chosen(entry, model, host):
                        batch.append(entry)
                    if len(batch) == BATCH:
                        await _put(moving, batch, report, done)
                await _put(moving, batch, report, done)
    for line in moving.reports:
        print(f"aicache: {line}", file=sys.stderr)
    report.print(dry=dry)
    return 1 if report.secrets else 0


async def _put(moving: Transfer, batch: list[Entry], report: _exchange.Report, done: str) -> None:
    """Put *batch*, which is empty then: stores write many at once nearly as fast as one."""
    # Half an answer first and by itself: a whole one of the same call takes its place.
    batch.sort(key=lambda entry: not entry.truncated)
    halves = [await moving.put(entry) for entry in batch if entry.truncated]
    outcomes = await asyncio.gather(*map(moving.put, batch[len(halves) :]))
    for entry, outcome in zip(batch, [*halves, *outcomes], strict=True):
        report.note(done if outcome == TAKEN else outcome, entry.key[: _store.SHOWN])
    batch.clear()


def chosen(entry: Entry, model: str | None, host: str | None) -> bool:
    """Whether *entry* is of the model and the host that were asked for."""
    return (model is None or entry.model == model) and (host is None or entry.host == host)


BATCH = 100
"""Entries that are on their way at once."""
