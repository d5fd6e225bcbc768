"""What was learned, in the Redis that keeps the entries: each book is a string that everybody appends to.

It does not know what the lines mean. Entry point: `RedisLedger`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..addresses import Address
from ..chat import BackendError
from ..deadline import within
from ..ledger import MOST, Bookmark
from .redis_client import Client
from .redis_link import Link


class RedisLedger:
    """Books under *prefix* in the Redis at *address*; each command has *deadline* seconds."""

    def __init__(self, address: Address, prefix: bytes, deadline: float = 1.0) -> None:
        self._address, self._prefix, self._deadline = address, prefix, deadline
        self._bookmark = Bookmark()
        self._link = Link(address, repr(self), deadline / 2)
        self._turn = asyncio.Lock()
        """One at a time: what is read twice would count twice, and own lines not yet noted for those of others."""

    def __repr__(self) -> str:
        return f"<RedisLedger {self._address}, {self._prefix.decode('utf-8', 'replace')}*>"

    async def append(self, book: str, lines: bytes) -> None:
        """Keep *lines*."""
        name = self._prefix + book.encode()
        async with self._turn:
            if int(await self._do(lambda client: client.strlen(name))) + len(lines) <= MOST:
                await self._do(lambda client: client.append(name, lines))
                self._bookmark.wrote(book, lines)

    async def news(self, book: str) -> bytes:
        """Return what others wrote since the last time."""
        async with self._turn:
            name, start = self._prefix + book.encode(), self._bookmark.start(book)
            found = await self._do(lambda client: client.getrange(name, start, -1))
            return await asyncio.to_thread(self._bookmark.took, book, found) if found else b""

    async def _do(self, command: Callable[[Client], Awaitable[Any]]) -> Any:
        try:
            async with within(self._deadline):
                return await self._link.run(command)
        except TimeoutError:
            raise BackendError(f"{self!r} took longer than {self._deadline:g} s") from None

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        await self._link.close()
