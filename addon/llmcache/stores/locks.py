"""Who asks upstream, among processes that share a Redis: a lock with an owner and an end.

The owner alone takes it away, and a process that dies leaves it for its time and no longer.
It knows neither entries nor calls. Entry point: `RedisLocks`.
"""

from __future__ import annotations

import asyncio
import secrets

from .redis import RedisStore

RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
"""Compare and delete in one step (redis.io, `SET`): a lock that ended and was taken by another stays his."""


class RedisLocks:
    """Locks beside the entries of *store*, for *seconds* each; *deadline*: seconds that one command may take."""

    def __init__(self, store: RedisStore, seconds: float, deadline: float) -> None:
        self._store, self._milliseconds, self._deadline = store, int(seconds * 1000), deadline

    async def take(self, key: str) -> str:
        """Take the lock and return its owner's token, empty where another has it. Raises `BackendError`."""
        owner = secrets.token_hex(8)
        async with asyncio.timeout(self._deadline):
            taken = await self._store.run("SET", self._name(key), owner, "NX", "PX", self._milliseconds)
        return owner if taken else ""

    async def held(self, key: str) -> bool:
        """Whether somebody has the lock. Raises `BackendError`."""
        async with asyncio.timeout(self._deadline):
            return bool(await self._store.run("EXISTS", self._name(key)))

    async def release(self, key: str, owner: str) -> None:
        """Give the lock back, if *owner* still has it. Raises `BackendError`."""
        async with asyncio.timeout(self._deadline):
            await self._store.run("EVAL", RELEASE, 1, self._name(key), owner)

    def _name(self, key: str) -> bytes:
        return self._store.name("lock:" + key)
