"""The way to a server that speaks the protocol of Redis, for an index: one client, a breaker, one kind of error.

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
from ..stores.redis_client import FAILURES, Client, connect

T = TypeVar("T")

CONNECTIONS = 32
"""Searches and writes under way at once, and so connections, at the most."""
GOODBYE = 2.0
"""Seconds that `close` gives to what was accepted."""


class Link:
    """The server at *address*; *name* begins every message; *patience*: seconds in which one that is well answers."""

    def __init__(self, address: Address, name: str, patience: float = 0.5) -> None:
        self._address, self._name, self._patience = address, name, patience
        self._breaker = Breaker(name, self._probe)
        self._client: Client = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Link {self._address}{', left alone' if self._breaker.is_open else ''}>"

    async def run(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Return what *work* makes of the client and *args*. Raises `BackendError`, and nothing else."""
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
            if not isinstance(error, ResponseError):  # a server that refuses something is well
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
        async with self._slots, asyncio.timeout(self._address.timeout):
            return await work(await self._connected(), *args)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of a command that was given up: nobody else asks

    async def _probe(self) -> None:
        async with asyncio.timeout(self._address.timeout):
            await (await self._connected()).execute_command("EXISTS", "aicache")

    async def _connected(self) -> Client:
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    self._client = await connect(self._address)
        return self._client


def _worded(error: Exception) -> str:
    return "took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
