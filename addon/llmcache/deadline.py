"""A deadline that counts what the other side takes, and not that our own loop came round late.

On a busy machine the loop may find both at once: that the time is over, and an answer that came long before. The answer
counts then: whoever waits has a few turns of the loop to take it. Entry point: `within`.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

TURNS = 20
"""Turns of the loop between the deadline and giving up: more than an answer takes from its socket to who waits."""


class within:  # noqa: N801 - used as `asyncio.timeout` is
    """Raise `TimeoutError` out of an `async with` body that takes longer than *seconds*; None waits for ever."""

    __slots__ = ("_bound", "_next", "_seconds")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._bound = asyncio.timeout(None)
        self._next: asyncio.Handle | None = None

    async def __aenter__(self) -> None:
        """Begin."""
        await self._bound.__aenter__()
        if self._seconds is not None:
            self._next = asyncio.get_running_loop().call_later(self._seconds, self._late, TURNS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what ran out of time becomes a `TimeoutError`."""
        if self._next:
            self._next.cancel()
        await self._bound.__aexit__(kind, error, trace)

    def _late(self, turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            self._next = loop.call_soon(self._late, turns - 1)
        else:
            self._bound.reschedule(loop.time())
