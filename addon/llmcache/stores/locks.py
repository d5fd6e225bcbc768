"""Who asks upstream, among processes that share a Redis: a lock with an owner and an end.

The owner alone takes it away or makes it last, and a process that dies leaves it for its time and no longer.
It knows neither entries nor calls. Entry point: `RedisLocks`.
"""

from __future__ import annotations

import secrets

from ..deadline import within
from .redis import RedisStore

LASTS = 15.0
"""Seconds that others wait for a process that died, at the most. An owner renews his lock while his call lives."""
RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
"""Compare and delete in one step (redis.io, `SET`): a lock that ended and was taken by another stays his."""
RENEW = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
"""The same, to let it last."""


class RedisLocks:
    """Locks beside the entries of *store*, for *seconds* each; *deadline*: seconds that one command may take."""

    def __init__(self, store: RedisStore, seconds: float, deadline: float) -> None:
        self.seconds = seconds
        self._store, self._milliseconds, self._deadline = store, int(seconds * 1000), deadline

    async def take(self, key: str) -> str:
        """Take the lock and return its owner's token, empty where another has it. Raises `BackendError`."""
        owner = secrets.token_hex(8)
        async with within(self._deadline):
            taken = await self._store.run("SET", self._name(key), owner, "NX", "PX", self._milliseconds)
        return owner if taken else ""

    async def holder(self, key: str) -> str:
        """Return the token of the lock's owner, empty where nobody has it. Raises `BackendError`."""
        async with within(self._deadline):
            owner = await self._store.run("GET", self._name(key))
        return owner.decode("ascii", "replace") if isinstance(owner, bytes) else ""

    async def renew(self, key: str, owner: str) -> None:
        """Let the lock last from now on again, if *owner* still has it. Raises `BackendError`."""
        async with within(self._deadline):
            await self._store.run("EVAL", RENEW, 1, self._name(key), owner, self._milliseconds)

    async def release(self, key: str, owner: str) -> None:
        """Give the lock back, if *owner* still has it. Raises `BackendError`."""
        async with within(self._deadline):
            await self._store.run("EVAL", RELEASE, 1, self._name(key), owner)

    def _name(self, key: str) -> bytes:
        return self._store.name("lock:" + key)
