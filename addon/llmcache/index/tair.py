"""The index in a Tair of Alibaba Cloud, by its TairVector commands (help.aliyun.com, "TairVector": `TVS.*`).

One vector index for all partitions, made on first use; a partition is an attribute with an inverted index, by which the
search is narrowed before vectors are compared. Tair removes what has expired; until it has, a search passes it over.
It needs Tair 23.8 or newer, and expects no hash tags. Entry point: `TairIndex`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray
from redis.exceptions import ResponseError

from ..addresses import Address
from ..chat import BackendError
from ..stores.redis_client import Client
from ..stores.redis_link import Link
from . import Neighbor, Point
from .door import Vector, clipped, ordered, sound, sound_points

EXPLORED = 200
"""Candidates that a search keeps at hand; Tair's default is 100, and the most is 1000."""
NARROWED = 100_000
"""Points of a partition up to which the partition is looked up first; Tair's default is 10,000."""
NEVER = 10**11
"""Unix seconds that stand for no expiry."""
GRACE = 60
"""Seconds by which Tair keeps a point longer than it is found, for clocks that differ."""
NAME = "aicache:vectors"


class TairIndex:
    """The vector index *name* of the Tair at *address*; *patience*: seconds in which one that is well answers."""

    def __init__(
        self,
        address: Address,
        name: str = NAME,
        patience: float = 0.5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._name, self._clock = address, name, clock
        self._title = f"tair index {address}"
        self._link = Link(address, self._title, patience)
        self._dim: int | None = None

    def __repr__(self) -> str:
        return f"<TairIndex {self._name} of {self._link!r}>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points; done when they can be found."""
        if checked := sound_points(points):
            await self._run(self._add, partition, checked)

    async def nearest(self, partition: str, vector: NDArray[Any], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first; equally near ones in the order of their keys."""
        found: list[Neighbor] = await self._run(self._nearest, partition, sound(vector), count) if count > 0 else []
        return found

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        if keys:
            await self._run(self._remove, [_member(partition, key) for key in keys])

    async def close(self) -> None:
        """Finish what was accepted and let go of every connection. May be called twice."""
        await self._link.close()

    async def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._link.run(work, *args)
        except BackendError as error:
            self._dim = None  # perhaps somebody has deleted the index
            if "unknown command" in str(error).lower():
                raise BackendError(f"{self._title}: {NO_VECTORS}") from error
            raise

    async def _dimension(self, client: Client) -> int | None:
        """Return the dimension of the index, None where there is none. Raises for one that is not ours."""
        if self._dim is None:
            answer = await client.execute_command("TVS.GETINDEX", self._name)
            about = dict(zip(answer[::2], answer[1::2], strict=True)) if answer else {}
            if about and about.get(b"distance_method") != b"COSINE":
                raise BackendError(f"{self._title}: {self._name} is no index by COSINE; name another `collectionID`")
            self._dim = int(about[b"dimension"]) if about else None
        return self._dim

    async def _add(self, client: Client, partition: str, points: list[Point]) -> None:
        dim = points[0].vector.size
        if await self._dimension(client) is None:
            await self._make(client, dim)
        sound(points[0].vector, self._dim)
        async with client.pipeline(transaction=False) as pipe:
            for point in points:
                member = _member(partition, point.key)
                pipe.execute_command("TVS.DEL", self._name, member)  # with the time to live of what it replaces
                pipe.execute_command("TVS.HSET", self._name, member, *_fields(partition, point))
                if point.expires is not None:
                    left = int((point.expires - self._clock() + GRACE) * 1000)
                    pipe.execute_command("TVS.HPEXPIRE", self._name, member, max(1, left))
            await pipe.execute()

    async def _make(self, client: Client, dim: int) -> None:
        words = ("HNSW", "COSINE", "auto_gc", "true", "inverted_index_partition", "string")
        try:
            await client.execute_command("TVS.CREATEINDEX", self._name, dim, *words)
        except ResponseError:
            if await self._dimension(client) is None:  # else another process was faster
                raise
        await self._dimension(client)

    async def _nearest(self, client: Client, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        if (dim := await self._dimension(client)) is None:
            return []
        sound(vector, dim)
        within = f'partition == "{partition}" && expires > {self._clock():.3f}'
        how = ("ef_search", max(EXPLORED, min(1000, 2 * count)), "search_policy", "scala", "ivf_filter_count", NARROWED)
        command = ("TVS.KNNSEARCH", self._name, count, _written(vector), within, *how)
        answer = await client.execute_command(*command)
        far = {member: float(distance) for member, distance in zip(answer[::2], answer[1::2], strict=True)}
        return ordered(await self._told(client, far), count)

    async def _told(self, client: Client, far: dict[bytes, float]) -> list[Neighbor]:
        """Return what is told of the members found, for their distances; some may have gone meanwhile."""
        async with client.pipeline(transaction=False) as pipe:
            for member in far:
                pipe.execute_command("TVS.HMGET", self._name, member, "question", "answer", "created")
            answers = await pipe.execute() if far else []
        found = []
        for (member, distance), answer in zip(far.items(), answers, strict=True):
            if answer and None not in answer:
                question, text, created = (value.decode() for value in answer)
                key = member.decode().partition(":")[2]
                found.append(Neighbor(key, clipped(1 - distance), question, text, float(created)))
        return found

    async def _remove(self, client: Client, members: list[str]) -> None:
        await client.execute_command("TVS.DEL", self._name, *members)


def _member(partition: str, key: str) -> str:
    return f"{partition}:{key}"


def _fields(partition: str, point: Point) -> tuple[str, ...]:
    expires = NEVER if point.expires is None else point.expires
    return (
        *("VECTOR", _written(point.vector), "partition", partition, "question", point.question),
        *("answer", point.answer, "created", f"{point.created:.3f}", "expires", f"{expires:.3f}"),
    )


def _written(vector: Vector) -> str:
    """Return *vector* as Tair reads it."""
    return f"[{','.join(map(repr, vector.tolist()))}]"


NO_VECTORS = (
    "has no TairVector; use a Tair (memory-optimized, 23.8 or newer), "
    "or another `vector.type`, such as redis (Redis 8), local or pgvector"
)
