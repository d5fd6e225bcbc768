"""Where entries live: key -> entry, behind one small protocol.

A store knows nothing of calls, dialects or modes.
TTL belongs to the entry, eviction to the store; an expired or unreadable entry is simply not there.
Drivers are imported by `build.open_store`, inside the arm that chose them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Protocol

from ..chat import Entry

if TYPE_CHECKING:  # it imports the formats of records
    from .record import Row

EVICTION = ("lru", "lfu", "fifo")
"""What goes first when a store is full: least recently used, least frequently used, oldest."""


class Store(Protocol):
    """Key -> entry. Every method but `peek` and `excludes` may raise `BackendError`, and nothing else."""

    @property
    def away(self) -> bool:
        """Whether it is left alone because it fails, and has nothing at hand: for now nobody need ask."""

    def peek(self, key: str) -> Entry | None:
        """Return the entry if it is at hand without waiting for anything; None says nothing about the store."""

    def excludes(self, key: str) -> bool:
        """Whether the key is surely unknown, said without waiting for anything; False says nothing about the store."""

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown, expired or unreadable. Never blocks the loop."""

    def put(self, entry: Entry) -> Awaitable[None]:
        """Store the entry durably, replacing one of the same key. Done when it can be read back."""

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""

    def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first."""

    async def close(self) -> None:
        """Finish what was accepted and let go of every resource. May be called twice."""


class Seal(Protocol):
    """What makes an entry unreadable for those who see the store."""

    def key(self, identity: bytes) -> str:
        """Return the key of the entry of *identity*."""

    def close(self, entry: Entry) -> Entry:
        """Return *entry* as it is stored. Raises `ValueError` for one that cannot be."""

    def open(self, sealed: Entry, identity: bytes) -> Entry:
        """Return the entry that was stored for *identity*. Raises `ValueError` for anything else."""


def is_over(entry: Entry | Row, now: float) -> bool:
    """Whether *entry* has expired at *now*, Unix seconds; it is served until just before `expires`."""
    return entry.expires is not None and entry.expires <= now
