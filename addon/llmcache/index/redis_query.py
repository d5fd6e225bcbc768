"""Points in hashes that the query engine of a Redis searches (`FT.*`; redis.io, "Vector search concepts").

One index for all partitions, made on first use; a partition is a tag, by which the search is narrowed before vectors
are compared. What varies in a search is a parameter of it (`PARAMS`, dialect 2), so nothing has to be escaped.
A hash expires by itself, and is passed over before. The engine indexes only the database 0, and passes a vector of
another dimension over in silence: so it is asked for the dimension first. Entry point: `QueryEngine`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redis.exceptions import ResponseError

from ..chat import BackendError
from ..stores.redis_client import Client
from . import Neighbor, Point
from .door import Vector, blob, clipped, live, ordered, sound

EXPLORED = 200
"""Candidates that a search keeps at hand at the least; the engine's default, 10, overlooks many."""
NEVER = 253_402_300_799.0
"""When a point expires that does not: the end of the year 9999."""
GRACE = 60
"""Seconds by which a hash outlives its point, for clocks that differ."""


class QueryEngine:
    """The index *name*, over hashes whose names begin with it."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name, self._clock = name.encode("utf-8", "surrogatepass"), clock
        self._dim: int | None = None

    async def add(self, client: Client, partition: str, points: list[Point]) -> None:
        """Keep the points; done when they can be found."""
        now = self._clock()
        size = points[0].vector.size
        sound(points[0].vector, await self._dimension(client) or await self._make(client, size))
        async with client.pipeline(transaction=False) as pipe:
            for point in live(points, now):
                key = self._key(partition, point.key)
                pipe.execute_command("HSET", key, *_fields(partition, point))
                if point.expires is None:
                    pipe.execute_command("PERSIST", key)
                else:
                    pipe.execute_command("PEXPIRE", key, int((point.expires - now + GRACE) * 1000))
            await pipe.execute()

    async def nearest(self, client: Client, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first."""
        if (dim := await self._dimension(client)) is None:
            return []
        now = self._clock()
        asked = ("partition", partition, "now", repr(now), "vector", blob(sound(vector, dim)))
        parameters = (*asked, "count", count, "explored", max(EXPLORED, 2 * count))
        how = ("LIMIT", 0, count, "RETURN", len(WANTED), *WANTED, "DIALECT", 2)
        try:
            answer = await client.execute_command(
                "FT.SEARCH", self._name, SEARCH, "PARAMS", len(parameters), *parameters, *how
            )
        except ResponseError:
            self._dim = None  # perhaps somebody has dropped the index
            raise
        return ordered(_found(answer, partition, now), count)

    async def remove(self, client: Client, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        if await self._dimension(client) is None:
            return
        async with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.execute_command("DEL", self._key(partition, key))
            await pipe.execute()

    async def _dimension(self, client: Client) -> int | None:
        """Return the dimension of the index, None where there is none. Raises for one that is not ours."""
        if self._dim is None:
            try:
                answer = await client.execute_command("FT.INFO", self._name)
            except ResponseError as error:
                if not _NO_INDEX.search(str(error)):
                    raise
                return None
            self._dim = _dimension(_pairs(answer)[b"attributes"])
            if self._dim is None:
                raise BackendError(
                    f"{self._name.decode()} is no index of vectors by COSINE as it is made here: "
                    "name another `vector.collectionID`"
                )
        return self._dim

    async def _make(self, client: Client, dim: int) -> int:
        """Make the index, unless another process was faster; return its dimension."""
        vector = ("HNSW", 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "COSINE")
        schema = ("partition", "TAG", "CASESENSITIVE", "expires", "NUMERIC", "vector", "VECTOR", *vector)
        try:
            await client.execute_command(
                "FT.CREATE", self._name, "ON", "HASH", "PREFIX", 1, self._name + b":", "SCHEMA", *schema
            )
        except ResponseError:
            if (found := await self._dimension(client)) is None:
                raise
            return found
        return dim

    def _key(self, partition: str, key: str) -> bytes:
        return b"%b:%b:%b" % (self._name, partition.encode(), key.encode())


def _fields(partition: str, point: Point) -> tuple[str | bytes, ...]:
    expires = NEVER if point.expires is None else point.expires
    return (
        *("partition", partition, "expires", repr(expires), "vector", blob(point.vector)),
        *("question", point.question, "answer", point.answer, "created", repr(point.created)),
    )


def _pairs(answer: list[Any]) -> dict[bytes, Any]:
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _dimension(attributes: list[list[Any]]) -> int | None:
    """Return the dimension of the vectors by COSINE in an index that has all that is filtered by, else None."""
    kinds = {}
    for words in attributes:
        # Words without a value, such as CASESENSITIVE, come last, where nothing of this is.
        about = dict(zip(words[::2], words[1::2], strict=False))
        kinds[about[b"attribute"], about[b"type"]] = about
    vector = kinds.get((b"vector", b"VECTOR"), {})
    filtered = {(b"partition", b"TAG"), (b"expires", b"NUMERIC")} <= kinds.keys()
    is_ours = filtered and vector.get(b"data_type") == b"FLOAT32" and vector.get(b"distance_metric") == b"COSINE"
    return int(vector[b"dim"]) if is_ours else None


def _found(answer: list[Any], partition: str, now: float) -> Iterator[Neighbor]:
    """Yield the hits of *partition* that live at *now*; what is not ours, or has gone meanwhile, is no neighbor."""
    for key, words in zip(answer[1::2], answer[2::2], strict=True):
        with contextlib.suppress(LookupError, ValueError, TypeError):
            fields = _pairs(words)
            neighbor = Neighbor(
                key=key.decode().rpartition(":")[2],
                similarity=clipped(1 - float(fields[b"score"])),
                question=fields[b"question"].decode(),
                answer=fields[b"answer"].decode(),
                created=float(fields[b"created"]),
            )
            if fields[b"partition"] == partition.encode() and float(fields[b"expires"]) > now:
                yield neighbor


WANTED = ("score", "partition", "expires", "question", "answer", "created")
"""What a search returns of a hash."""
SEARCH = "(@partition:{$partition} @expires:[($now inf])=>[KNN $count @vector $vector EF_RUNTIME $explored AS score]"
_NO_INDEX = re.compile("unknown index name|no such index|index not found", re.IGNORECASE)
