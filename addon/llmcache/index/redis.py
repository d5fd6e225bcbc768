"""The index of many machines that share a Redis: in vector sets, or by the query engine where there are none.

Both are tried in this order, unless one is chosen: vector sets came with Redis 8, the query engine is that of Redis
Stack 7.2 and of Redis' own managed servers. A server says that it has neither by not knowing the commands.
How points lie in each is in `redis_sets` and `redis_query`; how the server is reached is in `redis_link`.
Entry point: `RedisIndex`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..addresses import Address
from ..chat import BackendError
from ..stores.redis_client import Client
from ..stores.redis_link import Link
from . import Neighbor, Point
from .door import Vector, sound, sound_points
from .redis_query import QueryEngine
from .redis_sets import VectorSets

T = TypeVar("T")

BATCH = 50
"""Points that go into the graph together: each takes the server milliseconds, and all of them have one time limit."""


class Way(Protocol):
    """How points are kept in a Redis. What the server refuses is raised as the driver has it."""

    async def add(self, client: Client, partition: str, points: list[Point]) -> None:
        """Keep the points, whose vectors are sound; done when they can be found."""

    async def nearest(self, client: Client, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first."""

    async def remove(self, client: Client, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""


class RedisIndex:
    """Points under names that begin with *prefix*; *engine* is one of `ENGINES`, *quantization* for vector sets.

    *name*: that of the query engine's index, *prefix* and `vectors` if empty.
    *patience*: seconds in which a server that is well answers.
    """

    def __init__(
        self,
        address: Address,
        prefix: str = "aicache:",
        quantization: str = "none",
        *,
        engine: str = "auto",
        name: str = "",
        patience: float = 0.5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._title = f"redis index {address}"
        self._link = Link(address, self._title, patience)
        made: dict[str, Way] = {
            "vectorSets": VectorSets(prefix, quantization, clock),
            "query": QueryEngine(name or f"{prefix}vectors", clock),
        }
        self._ways = [made[each] for each in ENGINES[engine]]

    def __repr__(self) -> str:
        return f"<RedisIndex {self._link!r}>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points; done when they can be found."""
        checked = sound_points(points)
        for at in range(0, len(checked), BATCH):
            await self._run(lambda way: way.add, partition, checked[at : at + BATCH])

    async def nearest(self, partition: str, vector: NDArray[np.float32], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first; equally near ones in the order of their keys."""
        return await self._run(lambda way: way.nearest, partition, sound(vector), count) if count > 0 else []

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        if keys:
            await self._run(lambda way: way.remove, partition, keys)

    async def close(self) -> None:
        """Finish what was accepted and let go of every connection. May be called twice."""
        await self._link.close()

    async def _run(self, work: Callable[[Way], Callable[..., Awaitable[T]]], *args: Any) -> T:
        """Do *work* in the first way whose commands the server knows; that one is first from then on."""
        for way in tuple(self._ways):
            try:
                result = await self._link.run(work(way), *args)
            except BackendError as error:
                if not _UNKNOWN.search(str(error)):
                    raise
            else:
                self._ways.sort(key=lambda each: each is not way)
                return result
        raise BackendError(f"{self._title}: {NEITHER if len(self._ways) > 1 else OTHER}")


ENGINES = {"auto": ("vectorSets", "query"), "vectorSets": ("vectorSets",), "query": ("query",)}
"""Name of the setting -> the ways that are tried."""
_UNKNOWN = re.compile("unknown (redis )?command", re.IGNORECASE)
_REMEDY = "use a Redis of version 8 or newer, or another `vector.type`, such as local, pgvector, qdrant or tair"
NEITHER = f"has neither vector sets, which came with Redis 8, nor the query engine of Redis Stack; {_REMEDY}"
OTHER = f"does not know the commands of the `vector.engine` that is set; leave it out, {_REMEDY}"
