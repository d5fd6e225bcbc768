"""Our own time for exact hits, without a proxy: by size of prompt and store, and in a folder of recordings."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmcache.capture import Exchange
from llmcache.chat import Hit, Request
from llmcache.engine import Engine
from llmcache.scope import Scope
from llmcache.stores import Store
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.sqlite import SqliteStore
from llmcache.stores.turns import Turns
from llmcache.wire import openai_chat
from rich.table import Table

from . import load
from .tables import REPLY, Wanted, ms, p99, progress, screen

RECORDINGS = 10_000


def large_prompt(wanted: Wanted) -> None:
    """Show our own time for a hit by the size of the prompt."""
    table = Table(
        "prompt",
        "median, ms",
        "p99, ms",
        title="Our own time for a hit (engine alone, SQLite; target: 200 kB under 2 ms)",
    )
    for size in (1_000, 20_000, 200_000):
        path = wanted.folder / f"prompt-{size}.db"
        times = asyncio.run(_repeated(path, "word " * (size // 5), 100 * wanted.rounds))
        table.add_row(f"{size // 1000} kB", ms(statistics.median(times)), ms(p99(times)))
    screen.print(table)


def many_entries(wanted: Wanted) -> None:
    """Compare a store of 100 entries with one of 200,000: opening, and reading entries that are not at hand."""
    table = Table("entries", "open, ms", "hit p50, ms", "p99, ms", "ratio", title="SQLite: entries read at random")
    stores = {count: wanted.folder / f"entries-{count}.db" for count in (100, 200_000)}
    for count, path in stores.items():
        asyncio.run(fill(_sqlite(path), count))
    results: dict[int, list[float]] = {count: [] for count in stores}
    opened: dict[int, float] = {}
    for _ in range(wanted.rounds):
        for count, path in stores.items():
            read = asyncio.run(spread(_sqlite(path), count, 2000))
            opened[count] = read.opened
            results[count] += read.first
    base = statistics.median(results[100])
    for count, times in results.items():
        middle = statistics.median(times)
        table.add_row(f"{count:,}", ms(opened[count]), ms(middle), ms(p99(times)), f"{middle / base:.2f}")
    screen.print(table)


def cassettes(wanted: Wanted, recordings: int = RECORDINGS) -> None:
    """Compare a folder of recordings with SQLite: start, the first hit on each recording, and the second."""
    folder, path = wanted.folder / "recordings", wanted.folder / "recordings.db"
    stores: dict[str, Callable[[], Store]] = {"SQLite": lambda: _sqlite(path), "cassette": lambda: _folder(folder)}
    reads: dict[str, list[Read]] = {name: [] for name in stores}
    for fresh in stores.values():
        asyncio.run(fill(fresh(), recordings))
    for _ in range(wanted.rounds):
        for name, fresh in stores.items():
            reads[name].append(asyncio.run(spread(fresh(), recordings, min(recordings, 500))))
    table = Table(
        *("", "start, ms", "first hit, ms", "ratio", "warm hit, ms", "ratio"),
        title=f"{recordings:,} recordings (targets: start under 1,000 ms, a hit within 1.20 of SQLite)",
    )
    base: list[float] = []
    for name, each in reads.items():
        hit = [statistics.median([time for read in each for time in times]) for times in _columns(each)]
        base = base or hit
        cells = [cell for mine, theirs in zip(hit, base, strict=True) for cell in (ms(mine), f"{mine / theirs:.2f}")]
        table.add_row(name, ms(statistics.median(read.opened for read in each), 0), *cells)
    screen.print(table)


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a store took, in seconds."""

    opened: float
    first: list[float]
    """Of each entry's first hit."""
    warm: list[float]
    """Of the hits that followed at once."""


def _columns(reads: list[Read]) -> tuple[list[float], list[float]]:
    return [each for read in reads for each in read.first], [each for read in reads for each in read.warm]


def _sqlite(path: Path) -> SqliteStore:
    return SqliteStore(path, 10**6, 10**10, "lru")


def _folder(path: Path) -> CassetteStore:
    path.mkdir(exist_ok=True)
    return CassetteStore(path)


async def _repeated(path: Path, prompt: str, count: int) -> list[float]:
    engine = Engine(_sqlite(path), Scope(b"bench"))
    await recorded(engine, prompt)
    await engine.settled()
    await asyncio.sleep(0.1)
    times = [await hit(engine, request_of(prompt)) for _ in range(count)]
    await engine.close()
    return times


def _engine(store: Store) -> Engine:
    """Return an engine on *store*, which is asked as in a run: recordings by way of their turns."""
    if not isinstance(store, CassetteStore):
        return Engine(store, Scope(b"bench"))
    turns = Turns(store)
    return Engine(turns, Scope(b"bench"), recordings=turns)


async def fill(store: Store, count: int) -> None:
    """Record *count* questions in *store*, and close it."""
    if isinstance(store, CassetteStore):
        store.open()
    engine = _engine(store)
    for start in range(0, count, 1000):
        progress(f"filling {store!r}: {start:,} of {count:,}")
        numbers = range(start, min(start + 1000, count))
        await asyncio.gather(*(recorded(engine, f"question {number}") for number in numbers))
        await engine.settled()
    await engine.close()


async def spread(store: Store, count: int, hits: int) -> Read:
    """Open *store*, in which there are *count* questions, and read as many spread over it."""
    started = time.perf_counter()
    if isinstance(store, SqliteStore):
        await store.open()
    elif isinstance(store, CassetteStore):
        store.open()
    opened = time.perf_counter() - started
    engine = _engine(store)
    read = Read(opened, [], [])
    for number in range(hits):
        request = request_of(f"question {number * 7919 % count}")
        read.first.append(await hit(engine, request))
        read.warm.append(await hit(engine, request))
    await engine.close()
    return read


async def hit(engine: Engine, request: Request) -> float:
    """Return the seconds that a look-up took, which must be a hit."""
    started = time.perf_counter()
    outcome, _ = await engine.lookup(openai_chat, request)
    took = time.perf_counter() - started
    assert isinstance(outcome, Hit), outcome
    return took


async def recorded(engine: Engine, prompt: str) -> None:
    """Have the reply to *prompt* recorded, in the background."""
    _, ticket = await engine.lookup(openai_chat, request_of(prompt))
    assert ticket
    engine.record(ticket, Exchange(200, (("content-type", "application/json"),), ((1, REPLY),), 0.5, streamed=False))


def request_of(prompt: str) -> Request:
    """Return the request that asks *prompt*."""
    fields = (("content-type", "application/json"), ("authorization", "Bearer sk-bench"))
    path = "/v1/chat/completions"
    return Request("POST", "https", "api.openai.com", 443, path, "", fields, load.chat(prompt))
