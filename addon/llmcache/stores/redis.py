"""Entries in a Redis that many machines share; eviction is its own (`maxmemory-policy`), time to live is the entry's.

What the values look like is the business of *records*; every command passes the door that `redis_link` is.
Entry point: `RedisStore`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from redis.exceptions import ResponseError

from ..addresses import Address
from ..breaker import Breaker
from ..chat import BackendError, Entry
from . import is_over
from .record import Row, meets
from .redis_client import Client
from .redis_link import Link
from .redis_records import Listed, Records

CONNECTIONS = 64
"""Commands under way at once, and so connections, at the most; a thousand callers wait their turn."""
BATCH = 256
"""Keys that a listing asks for, or a purge removes, at a time."""
AT_ONCE = 16
"""Keys of a batch that a cluster is asked for at once."""
LARGE = 250_000
"""Bytes above which packing and unpacking go to a thread: about a millisecond."""


class RedisStore:
    """The store at *address*, whose values are *records*; *deadline*: seconds in which one that is well answers."""

    def __init__(
        self,
        address: Address,
        records: Records,
        deadline: float = 0.05,
        clock: Callable[[], float] = time.time,
        breaker: Callable[..., Breaker] = Breaker,
    ) -> None:
        self._records, self._clock = records, clock
        self._name = f"redis store {address}"
        self._link = Link(
            address,
            self._name,
            deadline / 2,
            connections=CONNECTIONS,
            probe=self._answers,
            within=deadline,
            breaker=breaker,
        )

    def __repr__(self) -> str:
        return f"<RedisStore {self._link.address}{', left alone' if self._link.is_open else ''}>"

    @property
    def away(self) -> bool:
        """Whether the breaker is open."""
        return self._link.is_open

    def excludes(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Nothing is known of a Redis without asking it."""
        return False

    def peek(self, key: str) -> Entry | None:  # noqa: ARG002 - the protocol
        """Return None: nothing of a Redis is at hand."""
        return None

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown, expired or unreadable."""
        entry = await self._link.run(self._get, key, strict=True)
        return None if entry is None or is_over(entry, self._clock()) else entry

    async def put(self, entry: Entry) -> None:
        """Store the entry, replacing one of the same key."""
        try:
            await self._link.run(self._put, entry)
        except _Unpackable as error:
            raise BackendError(f"{self._name}: {error}") from error

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""
        there = await self.get(key) is not None
        return bool(await self._link.run(self._unlink, self._records.names(key))) and there

    async def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first; entries that come meanwhile are not seen."""
        for listed in await self._listing():
            if not is_over(listed.row, self._clock()) and (entry := await self.get(listed.row.key)) is not None:
                yield entry

    async def rows(
        self,
        limit: int | None = None,
        *,
        key: str = "",
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
    ) -> list[Row]:
        """Return what is known of the live entries, newest first; a Redis counts no hits.

        *key*: the beginning of a key; *model*, *host*: exactly; *older_than*: seconds since the recording.
        """
        now = self._clock()
        found = [listed.row for listed in await self._listing(key)]
        return [row for row in found if not is_over(row, now) and meets(row, model, host, older_than, now)][:limit]

    async def purge(
        self,
        *,
        model: str | None = None,
        host: str | None = None,
        older_than: float | None = None,
        expired: bool = False,
    ) -> int:
        """Remove the entries that meet every condition given, all without one, and return how many went.

        *older_than*: seconds since the recording; *expired*: only what is not served any more.
        Keys that do not begin with the prefix, or hold no entry, stay.
        """
        now = self._clock()
        chosen = [
            listed.name
            for listed in await self._listing()
            if meets(listed.row, model, host, older_than, now) and (not expired or is_over(listed.row, now))
        ]
        removed = 0
        for at in range(0, len(chosen), BATCH):
            removed += await self._link.run(self._unlink, chosen[at : at + BATCH])
        return removed

    async def totals(self) -> tuple[int, int]:
        """Return how many entries there are and the bytes of their records, before compression."""
        found = await self._listing()
        return len(found), sum(listed.row.size for listed in found)

    async def publish(self, channel: bytes, message: bytes) -> None:
        """Tell *message* to all who listen to *channel*."""
        await self._link.run(lambda client: client.publish(channel, message))

    def name(self, key: str) -> bytes:
        """Return where *key* is written."""
        return self._records.names(key)[0]

    async def run(self, *words: bytes | str | int) -> Any:
        """Send one command, its name a text, through the same door as all others; return the answer."""
        return await self._link.run(lambda client: client.execute_command(*words))

    async def close(self) -> None:
        """Finish what was accepted and let go of every connection. May be called twice."""
        await self._link.close()

    async def _answers(self, client: Client) -> None:
        await client.get(self._records.names("")[0])

    # Reading.

    async def _get(self, client: Client, key: str) -> Entry | None:
        names = self._records.names(key)
        if len(names) == 1:
            values = [await _value(client, names[0])]
        else:
            values = await self._all(client, "GET", names)
        for name, data in zip(names, values, strict=True):
            if data is not None and (entry := await self._decoded(key, name, data)) is not None:
                return entry
        return None

    async def _decoded(self, key: str, name: bytes, data: Any) -> Entry | None:
        if isinstance(data, bytes) and len(data) > LARGE:
            return await asyncio.to_thread(self._records.decode, key, name, data)
        return self._records.decode(key, name, data)

    async def _all(self, client: Client, command: str, names: Iterable[bytes], *args: Any) -> list[Any]:
        """Send *command* for each name at once and return the answers; a refusal stands for nothing."""
        answers = await self._pipelined(client, command, names, args, strict=False)
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    async def _pipelined(
        self, client: Client, command: str, names: Iterable[bytes], args: tuple[Any, ...], *, strict: bool
    ) -> list[Any]:
        if self._link.address.kind != "cluster":
            async with client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.execute_command(command, name, *args)
                return list(await pipe.execute(raise_on_error=strict))
        answers: list[Any] = []
        waiting = list(names)
        while waiting:  # each key has a node of its own
            batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            asked = (client.execute_command(command, name, *args) for name in batch)
            answers += await asyncio.gather(*asked, return_exceptions=not strict)
        return answers

    async def _listing(self, key: str = "") -> list[Listed]:
        """Return what there is under keys that begin with *key*, newest first."""
        pattern = _escaped(self._records.names(key)[0]) + b"*"
        names = list(await self._link.run(self._names, pattern))
        found: list[Listed] = []
        for at in range(0, len(names), BATCH):
            found += await self._link.run(self._heads, names[at : at + BATCH])
        return sorted(found, key=lambda listed: (listed.row.created, listed.order), reverse=True)

    async def _names(self, client: Client, pattern: bytes) -> dict[bytes, None]:
        """Return the names that match; SCAN may say one twice."""
        return {name: None async for name in client.scan_iter(match=pattern, count=1000)}

    async def _heads(self, client: Client, names: list[bytes]) -> list[Listed]:
        records = self._records
        heads = await self._all(client, "GETRANGE", names, 0, records.head - 1)
        lengths = await self._all(client, "STRLEN", names)
        found = []
        for name, head, length in zip(names, heads, lengths, strict=True):
            if isinstance(head, bytes) and head and isinstance(length, int):
                more = records.missing(head)
                whole = await client.getrange(name, 0, more - 1) if more else head
                found.append(records.listed(name, whole, length))
        return [listed for listed in found if listed is not None]

    # Writing.

    async def _put(self, client: Client, entry: Entry) -> None:
        try:
            if len(entry.reply.body) + len(entry.request) > LARGE:
                data = await asyncio.to_thread(self._records.encode, entry)
            else:
                data = self._records.encode(entry)
        except ValueError as error:
            raise _Unpackable(str(error)) from error
        name = self._records.names(entry.key)[0]
        await client.set(name, data, **self._records.life(entry, self._clock()))

    async def _unlink(self, client: Client, names: Iterable[bytes]) -> int:
        return sum(await self._pipelined(client, "UNLINK", names, (), strict=True))


class _Unpackable(Exception):  # noqa: N818 - what happened to an entry, no error of Redis
    """The entry has no value."""


async def _value(client: Client, name: bytes) -> Any:
    try:
        return await client.get(name)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):  # a key of somebody else
            return None
        raise


def _escaped(name: bytes) -> bytes:
    """Return *name* as a pattern that matches only itself."""
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", name)
