"""How old a stored answer is, and what that means: the arithmetic of RFC 9111, and of RFC 5861 for stale answers.

Pure functions of an entry and the time, and the book of refreshes under way: one for each key.
Entry points: `age`, `too_old`, `overdue`, `Stale`, `Refreshes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .chat import Entry
from .control import Control

PATIENCE = 600.0
"""Seconds after which a call that nobody waits for is given up: longer than providers take."""
PAUSE = 5.0
"""Seconds between the end of a refresh and the next one of the same key: a provider that is down is not hammered."""
BOOK = 1000
"""Keys in the book before what is over is struck out."""
FAILURES = (429,)
"""Statuses below 500 that an expired answer may stand in for; RFC 5861 section 4 names those from 500 on."""


@dataclass(frozen=True, slots=True)
class Stale:
    """For how many seconds an expired answer may still serve, 0 for not at all, and from when on."""

    if_error: int = 0
    """Where the provider fails."""
    while_revalidate: int = 0
    """Once more at once, while it is asked anew in the background."""
    wait: float = 120.0
    """Seconds within which an answer must begin, or the expired one stands in for it."""

    @property
    def keep(self) -> int:
        """Seconds that a store keeps an entry beyond its time."""
        return max(self.if_error, self.while_revalidate)


def age(entry: Entry, now: float) -> int:
    """Return the whole seconds since *entry* was recorded (RFC 9111 section 5.1); 0 where the clock was set back."""
    return max(0, int(now - entry.created))


def too_old(entry: Entry, now: float, control: Control) -> bool:
    """Whether the request wants a younger answer than *entry* (RFC 9111 section 5.2.1.1)."""
    return control.max_age is not None and now - entry.created > control.max_age


def overdue(entry: Entry, now: float) -> float | None:
    """Return for how many seconds *entry* has been stale, or None while it is fresh."""
    return now - entry.fresh if entry.fresh is not None and entry.fresh <= now else None


def failing(status: int) -> bool:
    """Whether *status* says that the provider cannot answer now, not that the call is wrong."""
    return status >= 500 or status in FAILURES  # noqa: PLR2004 - HTTP's own border


class Refreshes:
    """Who is asked anew, so that of a thousand callers of a stale answer one alone costs a call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Refreshes {len(self._until)}>"

    def claim(self, key: str) -> bool:
        """Return whether the caller is to refresh *key*; it must say `release` when that is over."""
        now = self._clock()
        if self._until.get(key, now) > now:
            return False
        if len(self._until) >= BOOK:
            self._until = {other: until for other, until in self._until.items() if until > now}
        self._until[key] = now + PATIENCE
        return True

    def release(self, key: str) -> None:
        """Note that the refresh of *key* is over; says nothing of keys that are not being refreshed."""
        if key in self._until:
            self._until[key] = self._clock() + PAUSE
