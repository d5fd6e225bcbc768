"""Points in the vector sets of Redis 8: one set a partition (redis.io, "Redis vector sets").

An element is a point's key; its attributes are JSON with the question, the answer and the times.
Expired points are passed over and removed by the search that meets them; a partition in which all points expire goes
with the last of them. A small one is searched whole; the search of a large one is that of a graph (HNSW), which may
overlook a neighbor: a miss. That is rare but for groups of points that are much nearer to each other than to all others
(questions that differ in a number only): they have few links to the rest, and may not be found at all. So where the
graph knows nothing near, one of middle size is searched whole after all.
How the server is reached is the business of `redis`. Entry point: `VectorSets`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from ..stores.redis_client import Client
from . import Neighbor, Point
from .door import Vector, blob, of_unit_interval, ordered

LINKED = 200
"""Candidates that an insertion keeps at hand: Redis' default."""
WHOLE = 2000
"""Points up to which all are compared: that takes no longer than the graph (measured: 0.5 ms at 256 dimensions)."""
EXPLORED = 128
"""Candidates that a search of the graph keeps at hand at the least, and 8 for each neighbor wanted.

Measured on 18,000 real questions (Banking77 and CLINC150, 256 numbers): 64, 128 and 200 find the nearest of all for
98.7, 99.3 and 99.7 of 100, in 0.8, 1.2 and 1.6 ms.
"""
SPARED = 10_000
"""Points up to which all are compared where the graph found none of `FAR`: 5 ms, on a thread of the server."""
FAR = 0.6
"""Cosine of which the nearest falls short where the graph missed a group; a question with no near one does so, too."""
ROUNDS = 4
"""Searches for one question at the most, each after the expired points of the last were removed."""
GRACE = 60
"""Seconds by which a partition outlives its last point, for clocks that differ."""


class VectorSets:
    """Vector sets under names that begin with *prefix*; *quantization* is one of `QUANTIZATIONS`."""

    def __init__(self, prefix: str, quantization: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._quantization, mark = QUANTIZATIONS[quantization]
        self._prefix = f"{prefix}v{mark}:".encode("utf-8", "surrogatepass")

    async def add(self, client: Client, partition: str, points: list[Point]) -> None:
        """Keep the points; done when they can be found."""
        name = self._name(partition)
        there = await client.execute_command("EXISTS", name)
        # CAS: the place in the graph is looked for on a thread, while the server goes on answering others.
        how = ("CAS", self._quantization, "EF", LINKED, "SETATTR")
        commands: list[tuple[Any, ...]] = [
            ("VADD", name, "FP32", blob(point.vector), point.key, *how, _about(point)) for point in points
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

    async def nearest(self, client: Client, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first."""
        name, found, size = self._name(partition), list[Neighbor](), 0
        explored = max(EXPLORED, 8 * count)
        for _ in range(ROUNDS):
            size, *answer = await client.execute_command("EVAL", SEARCH, 1, name, blob(vector), count, explored, WHOLE)
            found, expired = self._read(answer)
            if not expired:
                break
            await self.remove(client, partition, expired)
        if WHOLE < size <= SPARED and not any(near.similarity >= FAR for near in found):
            found, expired = self._read(await _compared(client, name, vector, count))
            await self.remove(client, partition, expired)
        return ordered(found, count)

    def _read(self, answer: Sequence[Any]) -> tuple[list[Neighbor], list[bytes]]:
        """Return the neighbors that live, and the keys of those that do not; elements of others are neither."""
        found, expired = list[Neighbor](), list[bytes]()
        for key, score, about in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
            neighbor, alive = _told(key, float(score), about, self._clock())
            if neighbor is not None and alive:
                found.append(neighbor)
            elif about:
                expired.append(key)
        return found, expired

    async def remove(self, client: Client, partition: str, keys: Sequence[str | bytes]) -> None:
        """Forget the points of these entries."""
        name = self._name(partition)
        await _all(client, [("VREM", name, key) for key in keys])

    def _name(self, partition: str) -> bytes:
        return self._prefix + partition.encode()


async def _compared(client: Client, name: bytes, vector: Vector, count: int) -> list[Any]:
    """Return the *count* nearest of all as `SEARCH` does, without holding up the server's other clients."""
    near = await client.execute_command("VSIM", name, "FP32", blob(vector), "WITHSCORES", "COUNT", count, "TRUTH")
    pairs = list(zip(near[::2], near[1::2], strict=True))
    about = await _all(client, [("VGETATTR", name, key) for key, _ in pairs])
    return [part for (key, score), one in zip(pairs, about, strict=True) for part in (key, score, one or b"")]


async def _all(client: Client, commands: list[tuple[Any, ...]]) -> list[Any]:
    """Send commands about one key at once. Raises the first refusal."""
    if not commands:
        return []
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        return list(await pipe.execute())


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
local told = {redis.call('VCARD', KEYS[1])}
local how = {'EF', ARGV[3]}
if told[1] <= tonumber(ARGV[4]) then how = {'TRUTH'} end
local near = redis.call('VSIM', KEYS[1], 'FP32', ARGV[1], 'WITHSCORES', 'COUNT', ARGV[2], unpack(how))
for at = 1, #near, 2 do
  told[#told + 1] = near[at]
  told[#told + 1] = near[at + 1]
  told[#told + 1] = redis.call('VGETATTR', KEYS[1], near[at]) or ''
end
return told
"""
"""The size, and the nearest with their attributes, by one journey: with two, a search took twice as long."""
