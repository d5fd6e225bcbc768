"""The index of many machines that share a Redis 8: one vector set a partition (redis.io, "Redis vector sets").

An element is a point's key; its attributes are JSON with the question, the answer and the times.
Expired points are passed over and removed by the search that meets them; a partition in which all points expire goes
with the last of them. Searches are those of a graph (HNSW), so a neighbor may rarely be overlooked: a miss.
How the server is reached is the business of `link`. Entry point: `RedisIndex`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..addresses import Address
from ..chat import BackendError
from ..stores.redis_client import Client
from ..stores.redis_link import Link
from . import Neighbor, Point
from .door import Vector, of_unit_interval, ordered, sound, sound_points

LINKED = 200
"""Candidates that an insertion keeps at hand: Redis' default."""
EXPLORED = 64
"""Candidates that a search keeps at hand at the least, and 8 for each neighbor wanted.

Measured on 85,000 clustered points of 256 numbers: 50 and 200 found every one of the 5 nearest, 200 in twice the time.
"""
BATCH = 50
"""Points that go into the graph together: each takes the server milliseconds, and all of them have one time limit."""
ROUNDS = 4
"""Searches for one question at the most, each after the expired points of the last were removed."""
GRACE = 60
"""Seconds by which a partition outlives its last point, for clocks that differ."""


class RedisIndex:
    """Vector sets under names that begin with *prefix*; *quantization* is one of `QUANTIZATIONS`.

    *patience*: seconds in which a server that is well answers.
    """

    def __init__(
        self,
        address: Address,
        prefix: str = "aicache:",
        quantization: str = "none",
        patience: float = 0.5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._clock = address, clock
        self._link = Link(address, f"redis index {address}", patience)
        self._quantization, mark = QUANTIZATIONS[quantization]
        self._prefix = f"{prefix}v{mark}:".encode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return f"<RedisIndex {self._link!r}>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points; done when they can be found."""
        checked = sound_points(points)
        for at in range(0, len(checked), BATCH):
            await self._run(self._add, self._name(partition), checked[at : at + BATCH])

    async def nearest(self, partition: str, vector: NDArray[np.float32], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first; equally near ones in the order of their keys."""
        return await self._run(self._nearest, self._name(partition), sound(vector), count) if count > 0 else []

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        await self._run(self._remove, self._name(partition), [key.encode() for key in keys])

    async def close(self) -> None:
        """Finish what was accepted and let go of every connection. May be called twice."""
        await self._link.close()

    def _name(self, partition: str) -> bytes:
        return self._prefix + partition.encode()

    async def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._link.run(work, *args)
        except BackendError as error:
            if _UNKNOWN.search(str(error)):
                raise BackendError(f"redis index {self._address}: {NO_VECTOR_SETS}") from error
            raise

    async def _add(self, client: Client, name: bytes, points: list[Point]) -> None:
        there = await client.execute_command("EXISTS", name)
        # CAS: the place in the graph is looked for on a thread, while the server goes on answering others.
        how = ("CAS", self._quantization, "EF", LINKED, "SETATTR")
        commands: list[tuple[Any, ...]] = [
            ("VADD", name, "FP32", _blob(point.vector), point.key, *how, _about(point)) for point in points
        ]
        await _all(client, [*commands, self._life(name, points, there=bool(there))])

    def _life(self, name: bytes, points: list[Point], *, there: bool) -> tuple[Any, ...]:
        """Return the command that lets the partition live as long as its points."""
        last = max(math.inf if point.expires is None else point.expires for point in points)
        if last == math.inf:
            return ("PERSIST", name)
        seconds = max(1, math.ceil(last - self._clock()) + GRACE)
        # GT never shortens, and leaves a partition alone that lives for ever.
        return ("EXPIRE", name, seconds, "GT") if there else ("EXPIRE", name, seconds)

    async def _nearest(self, client: Client, name: bytes, vector: Vector, count: int) -> list[Neighbor]:
        found: list[Neighbor] = []
        explored = max(EXPLORED, 8 * count)
        for _ in range(ROUNDS):
            answer = await client.execute_command("EVAL", SEARCH, 1, name, _blob(vector), count, explored)
            found, expired = [], []
            for key, score, about in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
                neighbor, alive = _told(key, float(score), about, self._clock())
                if neighbor is not None and alive:
                    found.append(neighbor)
                elif about:
                    expired.append(key)
            if not expired:
                break
            await self._remove(client, name, expired)
        return ordered(found, count)

    async def _remove(self, client: Client, name: bytes, keys: list[bytes]) -> None:
        await _all(client, [("VREM", name, key) for key in keys])


async def _all(client: Client, commands: list[tuple[Any, ...]]) -> list[Any]:
    """Send commands about one key at once. Raises the first refusal."""
    if not commands:
        return []
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        return list(await pipe.execute())


def _blob(vector: Vector) -> bytes:
    return vector.astype("<f4", copy=False).tobytes()


def _about(point: Point) -> bytes:
    return orjson.dumps({"q": point.question, "a": point.answer, "c": point.created, "e": point.expires})


def _told(key: bytes, score: float, about: bytes | None, now: float) -> tuple[Neighbor | None, bool]:
    """Return the neighbor, and whether it lives; attributes that are not ours are no neighbor."""
    try:
        read = orjson.loads(about or b"")
        found = Neighbor(key.decode(), of_unit_interval(score), str(read["q"]), str(read["a"]), float(read["c"]))
        return found, read["e"] is None or float(read["e"]) > now
    except (ValueError, TypeError, KeyError, UnicodeDecodeError):
        return None, False


QUANTIZATIONS = {"none": ("NOQUANT", ""), "int8": ("Q8", "8"), "binary": ("BIN", "1")}
"""Name of the setting -> the command's word, and a mark in the key: a set cannot change how it keeps its numbers."""
SEARCH = """
local near = redis.call('VSIM', KEYS[1], 'FP32', ARGV[1], 'WITHSCORES', 'COUNT', ARGV[2], 'EF', ARGV[3])
local told = {}
for at = 1, #near, 2 do
  told[#told + 1] = near[at]
  told[#told + 1] = near[at + 1]
  told[#told + 1] = redis.call('VGETATTR', KEYS[1], near[at]) or ''
end
return told
"""
"""The nearest with their attributes by one journey: with two, a search took twice as long."""
_UNKNOWN = re.compile("unknown (redis )?command", re.IGNORECASE)
NO_VECTOR_SETS = (
    "has no vector sets, which came with Redis 8; use a Redis of version 8 or newer, "
    "or another `vector.type`, such as local, pgvector, qdrant or tair"
)
