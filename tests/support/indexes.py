"""Every index that the congruence suite runs on, and what numpy says of the same points.

A row of `INDEXES` opens an empty index for the time of a test; *clock* is what it must take the time from.
Entry points: `INDEXES`, `Clock`, `expected`, `point`, `vectors`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llmcache.addresses import parse_url
from llmcache.index import Index, Point
from numpy.typing import NDArray

from . import postgres
from .absent import missing
from .http_indexes import HTTP_INDEXES
from .redis_server import Server, binary, redis_query
from .tair import Tair

NOW = 1_800_000_000.0


@dataclass(slots=True)
class Clock:
    """A clock that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


Opened = Callable[[Path, Clock], AbstractAsyncContextManager[Index]]


def vectors(count: int, dim: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Return random unit vectors, one a row."""
    found = np.random.default_rng(seed).standard_normal((count, dim))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def point(
    number: int,
    vector: NDArray[np.float32],
    question: str = "",
    answer: str = "",
    created: float = NOW,
    expires: float | None = None,
) -> Point:
    """Return a point whose key is *number*, written as keys are."""
    return Point(f"{number:032x}", vector, question or f"question {number}", answer, created, expires)


def expected(points: Sequence[Point], vector: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
    """Return keys and cosines of the nearest, by numpy alone; equally near ones in the order of their keys."""
    wide = vector.astype(np.float64)
    scores = [(float(one.vector.astype(np.float64) @ wide), one.key) for one in points]
    return [(key, score) for score, key in sorted(scores, key=lambda pair: (-round(pair[0], 6), pair[1]))[:count]]


@contextlib.asynccontextmanager
async def _local(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    from llmcache.index.local import LocalIndex

    index = LocalIndex(folder / "cache-vectors.db", clock=clock)
    yield index
    await index.close()


@contextlib.asynccontextmanager
async def _local_on_a_thread(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    from llmcache.index.local import LocalIndex

    index = LocalIndex(None, clock=clock, inline=0)
    yield index
    await index.close()


@contextlib.asynccontextmanager
async def _usearch(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    if importlib.util.find_spec("usearch") is None:
        missing("the package usearch")
    from llmcache.index.graph import Graphs
    from llmcache.index.local import LocalIndex

    index = LocalIndex(folder / "cache-vectors.db", clock=clock, memories=Graphs(folder / "cache-graphs"))
    yield index
    await index.close()


@contextlib.asynccontextmanager
async def _redis(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    from llmcache.index.redis import RedisIndex

    program = binary("redis8")
    if program is None:
        missing("a Redis 8")
    with Server(folder / "redis", program=program) as server:
        index = RedisIndex(parse_url(server.url), clock=clock, patience=10)
        yield index
        await index.close()


@contextlib.asynccontextmanager
async def _redis_query(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    from llmcache.index.redis import RedisIndex

    with redis_query(folder / "redis") as server:
        index = RedisIndex(parse_url(server.url), engine="query", clock=clock, patience=10)
        yield index
        await index.close()


@contextlib.asynccontextmanager
async def _pgvector(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    where = postgres.url()
    if where is None:
        missing("a PostgreSQL with pgvector")
    from llmcache.index.pgvector import PgvectorIndex

    index = PgvectorIndex(where, f"test_{uuid.uuid4().hex}", clock=clock)
    yield index
    await index.close()


@contextlib.asynccontextmanager
async def _tair(folder: Path, clock: Clock) -> AsyncIterator[Index]:
    from llmcache.index.tair import TairIndex

    with Tair() as server:
        index = TairIndex(parse_url(f"redis://127.0.0.1:{server.port}"), clock=clock, patience=10)
        yield index
        await index.close()


INDEXES: Mapping[str, Opened] = {
    "local": _local,
    "local-on-a-thread": _local_on_a_thread,
    "usearch": _usearch,
    "redis": _redis,
    "redis-query": _redis_query,
    "pgvector": _pgvector,
    **HTTP_INDEXES,
    "tair": _tair,
}
"""One row an index; one that needs a server asks for it with `absent.missing`."""
