"""Entries on their way into a store: those that come at once are written together, and read from here meanwhile.

A copy of an answer, kept for a near question, can wait longer: losing it costs a search, while writing it alone would
cost the next call more than the search did. Used on the loop's thread; it knows no database.
Entry points: `Gathering.put`, `get`, `flush`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..chat import BackendError, Entry

MOST = 256
"""Entries that are written together at the most: a tenth of the variables that SQLite allows a statement."""
COPIES_SECONDS = 0.05
"""How long a copy waits for others."""

_Waiting = tuple[Entry, "asyncio.Future[None]"]
"""An entry to be written, and who waits for it."""
Outcomes = list[Exception | None]
"""What became of each entry; None where it was written."""


class Gathering:
    """Entries that *write* takes together; *failed* makes of what it failed with what whoever waits is told."""

    def __init__(
        self, write: Callable[[list[Entry]], asyncio.Future[Outcomes]], failed: Callable[[Exception], BackendError]
    ) -> None:
        self._write, self._failed = write, failed
        self._fresh: dict[str, Entry] = {}
        """Until they are written, or known not to be."""
        self._waiting: list[_Waiting] = []
        self._soon = False
        """Whether they are written in the next turn of the loop."""

    def __repr__(self) -> str:
        return f"<Gathering {len(self._waiting)} waiting, {len(self._fresh)} not written yet>"

    def __contains__(self, key: str) -> bool:
        return key in self._fresh

    def get(self, key: str) -> Entry | None:
        """Return the entry if it is not written yet."""
        return self._fresh.get(key)

    def put(self, entry: Entry) -> asyncio.Future[None]:
        """Take an entry. The future ends when it is written, or fails with `BackendError`."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._fresh[entry.key] = entry
        self._waiting.append((entry, written))
        if len(self._waiting) == MOST:
            self.flush()
        elif not entry.origin:
            if not self._soon:
                self._soon = True
                loop.call_soon(self.flush)
        elif len(self._waiting) == 1:
            loop.call_later(COPIES_SECONDS, self.flush)
        return written

    def flush(self) -> None:
        """Have everything that waits written, as one batch."""
        self._soon = False
        if self._waiting:
            batch, self._waiting = self._waiting, []
            done = self._write([entry for entry, _ in batch])
            done.add_done_callback(lambda _: self._written(batch, done.result()))

    def _written(self, batch: list[_Waiting], outcomes: Outcomes) -> None:
        for (entry, written), outcome in zip(batch, outcomes, strict=True):
            if self._fresh.get(entry.key) is entry:
                del self._fresh[entry.key]
            if written.done():  # given up
                continue
            if outcome is None:
                written.set_result(None)
            else:
                written.set_exception(outcome if isinstance(outcome, BackendError) else self._failed(outcome))
