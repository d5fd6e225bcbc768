"""The door to a server that speaks the protocol of Redis: one client, a breaker, one kind of error.

A command that is given up (the caller's deadline) goes on by itself, so that its connection stays good.
It knows no command. Entry point: `Link`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from ..addresses import Address
from ..breaker import Breaker
from ..chat import BackendError
from .redis_client import FAILURES, Client, connect

T = TypeVar("T")

CONNECTIONS = 32
"""Commands under way at once, and so connections, at the most, where nothing else is said; others wait their turn."""
GOODBYE = 2.0
"""Seconds that `close` gives to what was accepted."""


async def exists(client: Client) -> None:
    """Ask for the least that every server answers."""
    await client.execute_command("EXISTS", "aicache")


class Link:
    """The server at *address*; *name* begins every message; *patience*: seconds in which one that is well answers.

    *breaker* makes what leaves it alone while it fails; *probe* then asks whether it answers again, and raises while
    it does not. *within*: seconds for that once it is connected, which may take longer than a call would wait for.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        patience: float = 0.5,
        *,
        connections: int = CONNECTIONS,
        probe: Callable[[Client], Awaitable[object]] = exists,
        within: float | None = None,
        breaker: Callable[..., Breaker] = Breaker,
    ) -> None:
        self.address = address
        self._name, self._patience, self._asked, self._within = name, patience, probe, within
        self._breaker = breaker(name, self._probe)
        self._client: Client = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(connections)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Link {self.address}{', left alone' if self.is_open else ''}>"

    @property
    def is_open(self) -> bool:
        """Whether the server is left alone for now."""
        return self._breaker.is_open

    async def run(self, work: Callable[..., Awaitable[T]], *args: Any, strict: bool = False) -> T:
        """Return what *work* makes of the client and *args*. Raises `BackendError`, and what *work* itself raises.

        *strict*: even a server that answers with a refusal does not work. By itself it is well: one that is full or
        read-only can still be read.
        """
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
            if loop.time() - started > self._patience:  # else the caller went away, and it is not the server's fault
                self._breaker.failed("no answer within the deadline")
            raise
        except FAILURES as error:
            if strict or not isinstance(error, ResponseError):
                self._breaker.failed(_worded(error))
            raise BackendError(f"{self._name}: {_worded(error)}") from error
        self._breaker.succeeded()
        return result

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

    async def _bounded(self, work: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        async with self._slots, asyncio.timeout(self.address.timeout):
            return await work(await self._connected(), *args)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of a command that was given up: nobody else asks

    async def _probe(self) -> None:
        """Return when the server answers in time."""
        async with asyncio.timeout(self.address.timeout):
            await self._asked(await self._connected())
        if self._within is not None:
            async with asyncio.timeout(self._within):
                await self._asked(await self._connected())

    async def _connected(self) -> Client:
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    self._client = await connect(self.address)
        return self._client


def _worded(error: Exception) -> str:
    return "took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
