"""Semantic answers by the size of the partition: the search alone, and a whole hit through the engine.

Vectors are clustered unit vectors, as questions are: a thousand topics, each with its variations.
Meanwhile a ticker looks how long the event loop did not come round. Where a graph is searched, numpy says how often
it found the nearest.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llmcache import config
from llmcache.build import build_engine
from llmcache.capture import Exchange
from llmcache.chat import Hit
from llmcache.engine import Engine
from llmcache.index import Index, Point
from llmcache.wire import openai_chat
from rich.table import Table
from support.redis_server import Server, binary

from .in_process import request_of
from .tables import REPLY, Wanted, ms, p99, progress, screen

if TYPE_CHECKING:
    from llmcache.asked import Asked

DIM = 256
SIZES = (10_000, 100_000)
LARGE = 1_000_000
PARTITION = "be7c4"
BATCH = 5_000
TOPICS = 1_000
SPREAD = 0.6
"""How far questions of one topic are from its middle, a unit vector: their cosine to each other is about 0.7."""
TICK = 0.001


def indexes(wanted: Wanted, sizes: Sequence[int] = SIZES) -> None:
    """Show the time of a search in each index, and of a whole semantic hit."""
    with contextlib.ExitStack() as stack:
        url = ""
        if binary("redis8"):
            url = stack.enter_context(Server(wanted.folder / "redis", program=binary("redis8"))).url
        else:
            screen.print("left out: redis, for AICACHE_REDIS8 names no server of Redis 8")
        _searches(wanted, sizes, url)
        # A Redis takes minutes to be filled, and by then its searches are known not to depend on the size.
        _whole_hits(wanted, sizes, url, sizes if wanted.large else sizes[:1])


def _searches(wanted: Wanted, sizes: Sequence[int], url: str) -> None:
    table = Table(
        *("index", "vectors", "filled, s", "p50, ms", "p99, ms", "cpu, ms", "found", "reading, ms", "stall, ms"),
        title="The five nearest (targets: local under 6 ms and redis 3 ms at 100,000, usearch 1 ms at 1,000,000)",
        caption="cpu: of this process, median; found: how often the nearest of all is the first; reading, stall: the "
        "longest\nthat the loop did not come round, while the index is read and while it is searched (target: 5 ms)",
    )
    kinds = [("local", size) for size in sizes] + [("redis", size) for size in sizes if url]
    if wanted.large:
        kinds.append(("usearch", LARGE))
    for kind, size in kinds:
        folder = wanted.folder / f"{kind}-{size}"
        folder.mkdir()
        place = f"{url}/{sizes.index(size)}" if kind == "redis" else ""
        found = asyncio.run(_search(functools.partial(_index, kind, folder, place), size, wanted))
        times = ms(statistics.median(found.times)), ms(p99(found.times)), ms(statistics.median(found.processor))
        stalls = ms(found.reading, 1), ms(found.stall, 1)
        table.add_row(kind, f"{size:,}", f"{found.filled:.0f}", *times, found.recall, *stalls)
    screen.print(table)


def _index(kind: str, folder: Path, url: str) -> Index:
    from llmcache.build_similar import open_index  # noqa: PLC0415 - it loads what only this part needs

    return open_index(_settings(folder, kind, url))


def _settings(folder: Path, kind: str, url: str = "") -> config.Config:
    path, vector = folder / "config.yaml", f"type: {kind}" + (f", url: '{url}'" if url else "")
    path.write_text(
        f"cache: {{type: sqlite, path: '{folder / 'cache.db'}', maxEntries: {2 * LARGE}}}\n"
        f"enableSemanticCache: true\nvector: {{{vector}}}\nembedding: {{type: wordllama}}\nscope: {{secret: bench}}\n",
        encoding="utf-8",
    )
    return config.load(str(path))


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search took, in seconds."""

    filled: float
    times: list[float]
    processor: list[float]
    """Of this process, with all of its threads."""
    stall: float
    """The longest time in which the loop did not come round."""
    reading: float = 0.0
    """The same while the index, opened anew, answered the first question."""
    recall: str = ""


async def _search(opened: Callable[[], Index], size: int, wanted: Wanted) -> Searched:
    dice, middles = np.random.default_rng(1), topics()
    asked = clustered(dice, middles, 40 * wanted.rounds)
    right = Right(asked)
    started, index = time.perf_counter(), opened()
    for at in range(0, size, BATCH):
        progress(f"{index!r}: {at:,} of {size:,} vectors")
        rows = clustered(dice, middles, min(BATCH, size - at))
        right.see(rows, at)
        points = [Point(f"{at + number:032x}", row, f"question {at + number}") for number, row in enumerate(rows)]
        await index.add(PARTITION, points)
    await index.close()
    index = opened()
    progress(f"{index!r}: {size:,} vectors are read")
    async with ticking() as reading:
        await index.nearest(PARTITION, middles[0], 5)
    filled, times, processor, found = time.perf_counter() - started, [], [], 0
    async with ticking() as lag:
        for vector, nearest in zip(asked, right.nearest.tolist(), strict=True):
            began, busy = time.perf_counter(), time.process_time()
            near = await index.nearest(PARTITION, vector, 5)
            times.append(time.perf_counter() - began)
            processor.append(time.process_time() - busy)
            found += near[0].key == f"{nearest:032x}"
            await asyncio.sleep(0)  # the loop comes round between two calls, as it does for calls from outside
    await index.close()
    return Searched(filled, times, processor, max(lag), max(reading), f"{found} of {len(asked)}")


class Right:
    """Which vector is the nearest to each that is asked, by numpy, of those that were seen."""

    def __init__(self, asked: Any) -> None:
        self._asked = asked
        self._best = np.full(len(asked), -np.inf)
        self.nearest = np.zeros(len(asked), np.int64)

    def see(self, rows: Any, first: int) -> None:
        """Take more vectors; *first* is the number of the first."""
        scores = self._asked.astype(np.float64) @ rows.T.astype(np.float64)
        at, best = scores.argmax(axis=1), scores.max(axis=1)
        self.nearest = np.where(best > self._best, first + at, self.nearest)
        self._best = np.maximum(best, self._best)


def topics() -> Any:
    """Return the middles of the clusters, shape (TOPICS, DIM)."""
    middles = np.random.default_rng(0).normal(size=(TOPICS, DIM)).astype(np.float32)
    return middles / np.linalg.norm(middles, axis=1, keepdims=True)


def clustered(dice: np.random.Generator, middles: Any, count: int) -> Any:
    """Return *count* unit vectors near *middles*, shape (count, DIM)."""
    noise = dice.normal(size=(count, DIM)).astype(np.float32) * np.float32(SPREAD / DIM**0.5)
    rows = middles[dice.integers(0, len(middles), count)] + noise
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@contextlib.asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Note by how much each tick of a millisecond came too late, in seconds, until the block ends.

    No more counts than this process was on a processor meanwhile: what others kept it waiting for is none of its fault.
    """
    lag, over = [0.0], False

    async def tick() -> None:
        while not over:
            due, busy = time.perf_counter() + TICK, time.process_time()
            await asyncio.sleep(TICK)
            lag.append(min(time.perf_counter() - due, time.process_time() - busy))

    task = asyncio.create_task(tick())
    try:
        yield lag
    finally:
        over = True
        await task


def _whole_hits(wanted: Wanted, sizes: Sequence[int], url: str, in_redis: Sequence[int]) -> None:
    table = Table(
        *("index", "vectors", "p50, ms", "p99, ms", "cpu, ms", "served", "stall, ms"),
        title="A whole semantic hit: wordllama, the index, gate, policy, SQLite\n"
        "(targets: local 1.5 ms at 10,000 and 6 ms at 100,000, redis 3 ms; no stall of the loop over 5 ms)",
    )
    for kind, size in [("local", size) for size in sizes] + [("redis", size) for size in in_redis if url]:
        folder = wanted.folder / f"whole-{kind}-{size}"
        folder.mkdir()
        place = f"{url}/{len(sizes) + sizes.index(size)}" if kind == "redis" else ""
        found, served = asyncio.run(_hits(_settings(folder, kind, place), size, 20 * wanted.rounds))
        times = ms(statistics.median(found.times)), ms(p99(found.times)), ms(statistics.median(found.processor))
        table.add_row(kind, f"{size:,}", *times, f"{served} of {len(found.times)}", ms(found.stall, 1))
    screen.print(table)


async def _hits(settings: config.Config, size: int, count: int) -> tuple[Searched, int]:
    """Record *count* questions, fill their partition up to *size*, and ask each in other words."""
    engine = build_engine(settings, lambda _: None)
    started = time.perf_counter()
    asked = [await _ask(engine, question(number)) for number in range(count)]
    await engine.settled()
    await _fill(engine, asked[-1], size - count)
    await _ask(engine, reworded(0))
    filled, times, processor, served = time.perf_counter() - started, [], [], 0
    async with ticking() as lag:
        for number in range(count):
            request = request_of(reworded(number))
            began, busy = time.perf_counter(), time.process_time()
            outcome, ticket = await engine.lookup(openai_chat, request)
            times.append(time.perf_counter() - began)
            processor.append(time.process_time() - busy)
            served += isinstance(outcome, Hit)
            if ticket:
                engine.abandon(ticket, "bench")
            await asyncio.sleep(0)
    await engine.close()
    return Searched(filled, times, processor, max(lag)), served


async def _ask(engine: Engine, text: str) -> Asked | None:
    """Ask, and have the reply recorded where it is a miss; return what was asked of the index."""
    _, ticket = await engine.lookup(openai_chat, request_of(text))
    if ticket is None:
        return None
    engine.record(ticket, Exchange(200, (("content-type", "application/json"),), ((1, REPLY),), 0.5, streamed=False))
    return ticket.asked


async def _fill(engine: Engine, asked: Asked | None, count: int) -> None:
    assert asked is not None
    assert engine.similar is not None
    nearby = engine.similar.nearby
    for at in range(0, count, BATCH):
        progress(f"{at:,} of {count:,} questions")
        texts = [other(number) for number in range(at, min(at + BATCH, count))]
        rows = await nearby.embedder.embed(texts)
        points = [Point(f"{at + n:032x}", row, text) for n, (row, text) in enumerate(zip(rows, texts, strict=True))]
        await nearby.index.add(asked.question.partition, points)


def question(number: int) -> str:
    """Return a question that is recorded."""
    return f"How do I reset the password of account {number}?"


def reworded(number: int) -> str:
    """Return the same question in other words."""
    return f"How can I reset the password of account {number}?"


def other(number: int) -> str:
    """Return one of many other questions."""
    verb, noun = VERBS[number % len(VERBS)], NOUNS[number // len(VERBS) % len(NOUNS)]
    return f"How do I {verb} the {noun} of order {number}?"


VERBS = ("cancel", "change", "track", "pay", "return", "print", "archive", "export", "confirm", "split")
NOUNS = ("invoice", "address", "delivery", "receipt", "discount", "contract", "status", "label", "date", "currency")
