"""A master and a replica under a real Sentinel: found by name, and found again after a failover."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import replace

import pytest
from llmcache.addresses import parse_url
from llmcache.breaker import Breaker
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from support.absent import missing
from support.redis_server import Server, binary

ENTRY = Entry("k", "d", "h", "m", Form("json"), Reply(200, (), b"answer"), created=1.0)


def until(server, words, text):
    """Return when the answer to a command has *text* in it."""
    deadline = time.monotonic() + 30
    while text not in server.command(*words):
        assert time.monotonic() < deadline, server.command(*words)
        time.sleep(0.05)  # replication has no way to say that it is done


async def stored(store, entry):
    """Store *entry* as soon as the sentinel names a master that takes it."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.put(entry)
            except BackendError:
                await asyncio.sleep(0.05)


async def test_failover(tmp_path):
    """The store finds the master by its name, and the new one when a failover has made it, without a restart."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "1") as master, Server(tmp_path / "2", f"replicaof 127.0.0.1 {master.port}") as replica:
        until(replica, ("INFO", "replication"), b"master_link_status:up")
        watch = f"sentinel monitor main 127.0.0.1 {master.port} 1"
        # Not quicker: on a loaded machine a master that is only slow would be taken for dead.
        quick = ("sentinel down-after-milliseconds main 2000", "sentinel failover-timeout main 6000")
        with Server(tmp_path / "s", watch, *quick, more=("--sentinel",)) as sentinel:
            until(sentinel, ("SENTINEL", "replicas", "main"), str(replica.port).encode())
            address = replace(parse_url(f"redis+sentinel://127.0.0.1:{sentinel.port}/main"), timeout=2.0)
            breaker = functools.partial(Breaker, first=0.05, most=0.1)
            store = RedisStore(address, OwnRecords("aicache:"), deadline=2, breaker=breaker)
            await stored(store, ENTRY)
            until(replica, ("DBSIZE",), b":1")
            master.stop()
            await asyncio.to_thread(until, replica, ("ROLE",), b"master")
            await stored(store, replace(ENTRY, key="later"))
            assert await store.get("k") == ENTRY
            assert replica.command("DBSIZE") == b":2\r\n"
            await store.close()


@pytest.mark.parametrize("name", ["other"])
async def test_an_unknown_master(tmp_path, name):
    """A name that no sentinel knows is the store's error."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "s", more=("--sentinel",)) as sentinel:
        store = RedisStore(parse_url(f"redis+sentinel://127.0.0.1:{sentinel.port}/{name}"), OwnRecords(""))
        with pytest.raises(BackendError, match=name):
            await store.get("k")
        await store.close()
