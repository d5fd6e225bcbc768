"""A deadline ends what takes too long, and nothing that came in time."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from llmcache.deadline import within


async def test_what_takes_too_long_is_ended() -> None:
    """The error is the one of `asyncio.timeout`, and what ran is cancelled."""
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with within(0.01):
            await never
    assert never.cancelled()


async def test_an_answer_that_came_while_the_loop_was_busy_counts() -> None:
    """It was there before the time was over; that nobody looked is our own fault."""
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    busy = lambda: (there.send(b"answer"), time.sleep(0.05))  # noqa: E731 - what the loop does meanwhile
    asyncio.get_running_loop().call_soon(busy)
    async with within(0.01):
        task = asyncio.create_task(reader.readexactly(6))
        assert await asyncio.shield(task) == b"answer"
    writer.close()
    there.close()


async def test_what_ends_in_time_is_left_alone() -> None:
    """No time-out comes after the body, whose own errors and cancellation pass."""
    async with within(0.01):
        pass
    await asyncio.sleep(0.02)
    with pytest.raises(KeyError):
        async with within(None):
            raise KeyError
    task = asyncio.create_task(_bounded())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _bounded() -> None:
    async with within(60):
        await asyncio.get_running_loop().create_future()
