"""A recorded reply -> its chunks at the pace at which they came, or faster.

It waits for a clock, and breaks off what broke off. Entry points: `Pace`, `paced`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from .chat import Entry, Reply
from .flights import Broken


@dataclass(frozen=True, slots=True)
class Pace:
    """How recorded streams are replayed."""

    speed: float = 0.0
    """0: at once, in one block; 1: as recorded; n: n times as fast."""
    max_gap: float = 0.0
    """Seconds that one pause may last at the most; 0 for any."""


def played(entry: Entry, reply: Reply, pace: Pace) -> AsyncIterator[bytes]:
    """Return the chunks of *reply*, which is that of *entry*; one that upstream broke off breaks off again."""
    return paced(reply, pace, entry.seconds if entry.truncated else None)


async def paced(
    reply: Reply,
    pace: Pace,
    broken: float | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yield the chunks of *reply*, each when its time has come; the first one's pause is what the provider took.

    Chunks are due at times counted from the start, so that a late one does not delay those behind it.
    *broken*: seconds after which upstream broke off. Then what is there raises `Broken`, at its time too.
    """
    begun, due, before, at = clock(), 0.0, 0, 0
    end = () if broken is None else ((int(broken * 1000), 0),)
    for moment, length in (*reply.chunks, *end):
        gap = max(0, moment - before) / 1000 / pace.speed if pace.speed else 0.0
        due += min(gap, pace.max_gap) if pace.max_gap else gap
        before = moment
        if (pause := begun + due - clock()) > 0:
            await sleep(pause)
        if length:
            yield reply.body[at : at + length]
        at += length
    if at < len(reply.body):
        yield reply.body[at:]
    if broken is not None:
        raise Broken
