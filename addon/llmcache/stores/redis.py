"""Entries in a Redis that many machines share; eviction is its own (`maxmemory-policy`), time to live is the entry's.

A command that is given up (the caller's deadline) goes on by itself, so that its connection stays good.
What the values look like is the business of *records*. All failures pass one door, and a breaker stands in it.
Entry point: `RedisStore`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from ..addresses import Address
from ..breaker import Breaker
from ..chat import BackendError, Entry
from . import is_over
from .record import Row, meets
from .redis_client import FAILURES, Client, connect
from .redis_records import Listed, Records

T = TypeVar("T")

CONNECTIONS = 64
"""Commands under way at once, and so connections, at the most; a thousand callers wait their turn."""
BATCH = 256
"""Keys that a listing asks for, or a purge removes, at a time."""
AT_ONCE = 16
"""Keys of a batch that a cluster is asked for at once."""
LARGE = 250_000
"""Bytes above which packing and unpacking go to a thread: about a millisecond."""
GOODBYE = 2.0
"""Seconds that `close` gives to what was accepted."""


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
        self._address, self._records, self._deadline, self._clock = address, records, deadline, clock
        self._name = f"redis store {address}"
        self._breaker = breaker(self._name, self._probe)
        self._client: Client = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<RedisStore {self._address}{', left alone' if self._breaker.is_open else ''}>"

    @property
    def away(self) -> bool:
        """Whether the breaker is open."""
        return self._breaker.is_open

    def excludes(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Nothing is known of a Redis without asking it."""
        return False

    def peek(self, key: str) -> Entry | None:  # noqa: ARG002 - the protocol
        """Return None: nothing of a Redis is at hand."""
        return None

    async def get(self, key: str) -> Entry | None:
        """Return the entry, or None when it is unknown, expired or unreadable."""
        entry = await self._do(self._get, key)
        return None if entry is None or is_over(entry, self._clock()) else entry

    async def put(self, entry: Entry) -> None:
        """Store the entry, replacing one of the same key."""
        await self._do(self._put, entry)

    async def delete(self, key: str) -> bool:
        """Remove the entry. Returns whether it was there."""
        there = await self.get(key) is not None
        return bool(await self._do(self._unlink, self._records.names(key))) and there

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
            removed += await self._do(self._unlink, chosen[at : at + BATCH])
        return removed

    async def totals(self) -> tuple[int, int]:
        """Return how many entries there are and the bytes of their records, before compression."""
        found = await self._listing()
        return len(found), sum(listed.row.size for listed in found)

    async def publish(self, channel: bytes, message: bytes) -> None:
        """Tell *message* to all who listen to *channel*."""
        await self._do(self._publish, channel, message)

    def name(self, key: str) -> bytes:
        """Return where *key* is written."""
        return self._records.names(key)[0]

    async def run(self, *words: bytes | str | int) -> Any:
        """Send one command, its name a text, through the same door as all others; return the answer."""
        return await self._do(self._run, words)

    async def close(self) -> None:
        """Finish what was accepted and let go of every connection. May be called twice."""
        self._closed = True
        await self._breaker.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=GOODBYE)
        for task in self._tasks:
            task.cancel()
        client, self._client = self._client, None
        if client is not None:
            await asyncio.gather(client.aclose(), return_exceptions=True)

    # The door: everything below runs in a task of its own, and no error leaves but as `BackendError`.

    async def _do(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        if self._closed:
            raise BackendError(f"{self._name}: is closed")
        if self._breaker.is_open:
            raise BackendError(f"{self._name}: is left alone until it answers: {self._breaker.reason}")
        loop = asyncio.get_running_loop()
        started = loop.time()
        task: asyncio.Task[T] = loop.create_task(self._bounded(work, args))
        self._tasks.add(task)
        task.add_done_callback(self._settled)
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            if loop.time() - started > self._deadline / 2:  # else the caller went away, and it is not Redis' fault
                self._breaker.failed("no answer within the deadline")
            raise
        except _Unpackable as error:
            raise BackendError(f"{self._name}: {error}") from error
        except FAILURES as error:
            raise self._failed(error, work) from error
        self._breaker.succeeded()
        return result

    async def _bounded(self, work: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        async with self._slots, asyncio.timeout(self._address.timeout):
            return await work(*args)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of a command that was given up: nobody else asks

    def _failed(self, error: Exception, work: Callable[..., Any]) -> BackendError:
        # A server that refuses a write (full, read-only) still answers reads: it is no reason to leave it alone.
        if not isinstance(error, ResponseError) or work == self._get:
            self._breaker.failed(_worded(error))
        return BackendError(f"{self._name}: {_worded(error)}")

    async def _probe(self) -> None:
        """Return when the server answers in time. Connecting may take longer than a call would wait for it."""
        name = self._records.names("")[0]
        async with asyncio.timeout(self._address.timeout):
            await (await self._connected()).get(name)
        async with asyncio.timeout(self._deadline):
            await (await self._connected()).get(name)

    async def _connected(self) -> Client:
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    self._client = await connect(self._address)
        return self._client

    # Reading.

    async def _get(self, key: str) -> Entry | None:
        client, names = await self._connected(), self._records.names(key)
        if len(names) == 1:
            values = [await _value(client, names[0])]
        else:
            values = await self._all("GET", names)
        for name, data in zip(names, values, strict=True):
            if data is not None and (entry := await self._decoded(key, name, data)) is not None:
                return entry
        return None

    async def _decoded(self, key: str, name: bytes, data: Any) -> Entry | None:
        if isinstance(data, bytes) and len(data) > LARGE:
            return await asyncio.to_thread(self._records.decode, key, name, data)
        return self._records.decode(key, name, data)

    async def _all(self, command: str, names: Iterable[bytes], *args: Any) -> list[Any]:
        """Send *command* for each name at once and return the answers; a refusal stands for nothing."""
        answers = await self._pipelined(command, names, args, strict=False)
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    async def _pipelined(
        self, command: str, names: Iterable[bytes], args: tuple[Any, ...], *, strict: bool
    ) -> list[Any]:
        client = await self._connected()
        if self._address.kind != "cluster":
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
        names = list(await self._do(self._names, pattern))
        found: list[Listed] = []
        for at in range(0, len(names), BATCH):
            found += await self._do(self._heads, names[at : at + BATCH])
        return sorted(found, key=lambda listed: (listed.row.created, listed.order), reverse=True)

    async def _names(self, pattern: bytes) -> dict[bytes, None]:
        """Return the names that match; SCAN may say one twice."""
        client = await self._connected()
        return {name: None async for name in client.scan_iter(match=pattern, count=1000)}

    async def _heads(self, names: list[bytes]) -> list[Listed]:
        client, records = await self._connected(), self._records
        heads = await self._all("GETRANGE", names, 0, records.head - 1)
        lengths = await self._all("STRLEN", names)
        found = []
        for name, head, length in zip(names, heads, lengths, strict=True):
            if isinstance(head, bytes) and head and isinstance(length, int):
                more = records.missing(head)
                whole = await client.getrange(name, 0, more - 1) if more else head
                found.append(records.listed(name, whole, length))
        return [listed for listed in found if listed is not None]

    # Writing.

    async def _put(self, entry: Entry) -> None:
        try:
            if len(entry.reply.body) + len(entry.request) > LARGE:
                data = await asyncio.to_thread(self._records.encode, entry)
            else:
                data = self._records.encode(entry)
        except ValueError as error:
            raise _Unpackable(str(error)) from error
        name = self._records.names(entry.key)[0]
        client = await self._connected()
        await client.set(name, data, **self._records.life(entry, self._clock()))

    async def _unlink(self, names: Iterable[bytes]) -> int:
        return sum(await self._pipelined("UNLINK", names, (), strict=True))

    async def _publish(self, channel: bytes, message: bytes) -> None:
        await (await self._connected()).publish(channel, message)

    async def _run(self, words: tuple[bytes | str | int, ...]) -> Any:
        return await (await self._connected()).execute_command(*words)


class _Unpackable(Exception):  # noqa: N818 - what happened to an entry, no error of Redis
    """The entry has no value."""


async def _value(client: Client, name: bytes) -> Any:
    try:
        return await client.get(name)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):  # a key of somebody else
            return None
        raise


def _worded(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "took too long"
    return str(error) or type(error).__name__


def _escaped(name: bytes) -> bytes:
    """Return *name* as a pattern that matches only itself."""
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", name)
