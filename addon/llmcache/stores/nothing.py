"""A store that keeps nothing: for vectors without a cache, which keep the answers themselves (`compat: higress`).

Entry point: `NoStore`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ..chat import Entry
from .record import Row


class NoStore:
    """Holds no entry, and takes any."""

    def __repr__(self) -> str:
        return "<NoStore>"

    @property
    def away(self) -> bool:
        """Never: it has nothing to fail with."""
        return False

    def peek(self, key: str) -> Entry | None:  # noqa: ARG002 - the protocol
        """There is none."""
        return None

    def excludes(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Whatever it is, it is not here."""
        return True

    async def get(self, key: str) -> Entry | None:  # noqa: ARG002 - the protocol
        """There is none."""
        return None

    async def put(self, entry: Entry) -> None:
        """Let go of it."""

    async def delete(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Nothing was there."""
        return False

    async def scan(self) -> AsyncIterator[Entry]:
        """Yield nothing."""
        nothing: tuple[Entry, ...] = ()
        for entry in nothing:
            yield entry

    async def rows(self, limit: int | None = None, **wanted: Any) -> list[Row]:  # noqa: ARG002 - the protocol
        """There are none."""
        return []

    async def purge(self, **wanted: Any) -> int:  # noqa: ARG002 - the protocol
        """Nothing went."""
        return 0

    async def totals(self) -> tuple[int, int]:
        """No entries, no bytes."""
        return 0, 0

    async def close(self) -> None:
        """Do nothing."""
