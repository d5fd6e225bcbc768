"""A breaker: what fails again and again is left alone, and asked from time to time whether it is back.

Closed, calls go through and their outcomes are counted; open, nothing is tried but the probe, with growing pauses.
It does not know what it guards. Entry point: `Breaker`; one log line for each change of state.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

log = logging.getLogger("aicache.breaker")

THRESHOLD = 5
"""Failures in a row that open it: one lost connection or a busy moment does not."""
FIRST, MOST = 0.5, 10.0
"""Seconds before the first probe, and between probes at the most."""


class Breaker:
    """Guards what *name* says; *probe* returns when that works again, and raises when it does not."""

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        threshold: int = THRESHOLD,
        first: float = FIRST,
        most: float = MOST,
    ) -> None:
        self._name, self._probe = name, probe
        self._threshold, self._first, self._most = threshold, first, most
        self._failures = 0
        self._probing: asyncio.Task[None] | None = None
        self.reason = ""
        """What failed last."""

    def __repr__(self) -> str:
        return f"<Breaker {'open' if self.is_open else 'closed'}, {self._failures} failures>"

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be tried."""
        return self._probing is not None

    def succeeded(self) -> None:
        """Note that a call went well."""
        self._failures = 0

    def failed(self, reason: str) -> None:
        """Note that a call failed; enough in a row open the breaker. Must be called in a running loop."""
        self._failures += 1
        self.reason = reason
        if self._failures >= self._threshold and self._probing is None:
            log.warning("%s: left alone after %d failures in a row: %s", self._name, self._failures, reason)
            self._probing = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        """Probe until it works. The pauses vary, so that many processes do not come back in the same moment."""
        pause = self._first
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, guards nothing
            try:
                await self._probe()
            except Exception as error:  # noqa: BLE001 - whatever it is, it does not work yet
                self.reason = str(error) or type(error).__name__
                pause = min(pause * 2, self._most)
            else:
                break
        self._failures, self._probing = 0, None
        log.warning("%s: answers again", self._name)

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
