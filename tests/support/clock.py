"""An event loop whose clock stands still while anybody has something to do, and jumps to what is due next.

Minutes pass in no time, and always in the same order. Only for what waits for nothing but the loop: no threads, no
sockets. Entry point: `run`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class Jumping(selectors.DefaultSelector):
    """Instead of waiting it sets the clock forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; when nothing is, let *timeout* pass."""
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits for something that never comes"
        self.now += 0 if ready else timeout or 0
        return ready


class Loop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return what the clock says."""
        return self._jumping.now


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *test* to its end."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(test())
