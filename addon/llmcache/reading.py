"""Reading one entry: what came a moment ago, what is at hand, what the store has, and what is under its seal.

A store that fails or takes too long is a reason why there is no entry; the log says so once for each change.
It knows neither dialects nor modes but for replay. Entry points: `Reading.entry`, `Health`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from .chat import BackendError, Entry
from .deadline import within
from .missing import Recordings
from .recorder import Recorder
from .stores import Seal, Store, is_over

log = logging.getLogger("aicache.engine")

LARGE = 250_000
"""Bytes above which a sealed entry is opened on a thread: about a millisecond."""


@dataclass
class Health:
    """Whether the store works, as far as calls have found out."""

    replaying: bool = False
    failing: str = ""
    """What does not work: `reading` (then nothing does), `writing` (a full or read-only store), or nothing."""

    def failed(self, what: str, doing: str = "reading") -> str:
        """Note that the store fails: one log line for each change, not for each call. Returns the word for it."""
        if not self.failing:
            consequence = "calls are refused" if self.replaying else "calls go upstream and are not stored"
            log.warning("the store does not work, %s: %s", consequence, what)
        if self.failing != "reading":
            self.failing = doing
        return "store-error"

    def works(self, doing: str) -> None:
        """Note that it did what it was asked for."""
        if self.failing == doing:
            log.warning("the store works again")
            self.failing = ""


@dataclass
class Reading:
    """Reads from *store*, within *deadline* seconds where there is one, and opens what *seal* has closed."""

    store: Store
    recorder: Recorder
    health: Health
    clock: Callable[[], float]
    deadline: float | None
    seal: Seal | None = None
    recordings: Recordings | None = None
    _told_of_seal: bool = field(default=False, repr=False)

    async def entry(self, key: str, identity: bytes) -> Entry | str:
        """Return the entry, or why there is none."""
        if recorded := await self.recorder.just_recorded(key):
            return recorded
        entry = self.store.peek(key)
        if entry is None:
            if self.store.excludes(key):  # most misses: a coroutine and its deadline cost more than all the rest here
                return "unknown"
            try:
                async with within(self.deadline):
                    entry = await (self.recordings.answer(key, identity) if self.recordings else self.store.get(key))
            except TimeoutError:
                return self.health.failed("the store took too long")
            except BackendError as error:
                return self.health.failed(str(error))
            self.health.works("reading")
        if entry is None:
            return self.recordings.absent(key) if self.recordings else "unknown"
        found = await self._opened(entry, identity, self.seal) if self.seal else entry
        return "unknown" if isinstance(found, Entry) and found.truncated and not self.health.replaying else found

    async def _opened(self, entry: Entry, identity: bytes, seal: Seal) -> Entry | str:
        """Return what is in a sealed entry; one that we have not sealed for this call is not there."""
        try:
            if len(entry.reply.body) < LARGE:
                opened = seal.open(entry, identity)
            else:
                opened = await asyncio.to_thread(seal.open, entry, identity)
        except ValueError as error:
            if not self._told_of_seal:
                log.warning("entry %s is not there: %s; further ones are counted, not told", entry.key, error)
            self._told_of_seal = True
            return "seal-broken"
        return "unknown" if is_over(opened, self.clock()) else opened
