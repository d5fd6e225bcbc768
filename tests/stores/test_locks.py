"""Locks in a real Redis: one owner at a time, who alone gives it back, and an end by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from llmcache.addresses import parse_url
from llmcache.chat import BackendError
from llmcache.stores.locks import RedisLocks
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from support.absent import missing
from support.redis_server import Server, binary, cluster


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server, started."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as running:
        yield running


def store_at(url: str) -> RedisStore:
    """Return a store of ours."""
    address = parse_url(url)
    assert address
    return RedisStore(address, OwnRecords("aicache:"), deadline=5)


async def test_a_lock_has_one_owner(server: Server) -> None:
    """Two processes: one has it, and the other cannot take it away; given back, it is free. It is no entry."""
    stores = [store_at(server.url) for _ in range(2)]
    one, other = (RedisLocks(store, 60, 5) for store in stores)
    owner = await one.take("k")
    assert owner
    assert await other.take("k") == ""
    await other.release("k", "not the owner")
    assert await other.holder("k") == owner
    assert await stores[0].rows() == []
    await one.release("k", owner)
    assert await other.holder("k") == ""
    assert await other.take("k") not in ("", owner)
    for store in stores:
        await store.close()


async def test_a_lock_ends_by_itself(server: Server) -> None:
    """A process that died keeps the others waiting for its time, and no longer."""
    store = store_at(server.url)
    locks = RedisLocks(store, 0.05, 5)
    assert await locks.take("k")
    async with asyncio.timeout(10):
        while await locks.holder("k"):
            await asyncio.sleep(0)
    await store.close()


async def test_its_owner_alone_makes_a_lock_last(server: Server) -> None:
    """Renewed it has its whole time again; another cannot renew it, nor can its owner once it has ended."""
    store = store_at(server.url)
    short, locks = RedisLocks(store, 10, 5), RedisLocks(store, 1000, 5)
    owner = await short.take("k")
    await locks.renew("k", "not the owner")
    assert await store.run("TTL", b"aicache:lock:k") <= 10
    await locks.renew("k", owner)
    assert await store.run("TTL", b"aicache:lock:k") > 10
    await locks.release("k", owner)
    await locks.renew("k", owner)
    assert await locks.holder("k") == ""
    await store.close()


async def test_a_lock_in_a_cluster(tmp_path: Path) -> None:
    """Each key has a node of its own, and so has its lock."""
    if binary("redis7") is None:
        missing("redis-server")
    with cluster(tmp_path) as nodes:
        store = store_at(f"redis+cluster://127.0.0.1:{nodes[0].port}")
        locks = RedisLocks(store, 60, 5)
        for key in ("a", "b", "c", "d"):
            owner = await locks.take(key)
            assert owner
            await locks.renew(key, owner)
            await locks.release(key, owner)
            assert await locks.holder(key) == ""
        await store.close()


async def test_a_redis_that_does_not_answer_costs_the_deadline(server: Server) -> None:
    """Frozen it is late, gone it fails; both are what the caller goes on from."""
    store = store_at(server.url)
    locks = RedisLocks(store, 60, 0.05)
    server.freeze()
    with pytest.raises(TimeoutError):
        await locks.take("k")
    server.thaw()
    server.stop()
    with pytest.raises((BackendError, TimeoutError)):
        await locks.take("k")
    await store.close()
