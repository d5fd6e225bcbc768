"""A Redis that turns slow, runs full, is flushed, or loses a master while calls go on, seen by a whole engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache.addresses import parse_url
from llmcache.breaker import THRESHOLD, Breaker
from llmcache.capture import Exchange
from llmcache.chat import BackendError, Entry, Form, Hit, Miss, Reply, Request
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from llmcache.wire import openai_chat
from support.absent import missing
from support.redis_server import Server, binary, cluster
from support.upstream import chat_json

DEADLINE = 0.05
FOR_EVER = 3600.0


@pytest.fixture(autouse=True)
def redis_is_here() -> None:
    """Every test here needs a server."""
    if binary("redis7") is None:
        missing("redis-server")


def store_at(url: str, timeout: float = 5.0, deadline: float = 5.0) -> RedisStore:
    """Return a store at *url*, whose breaker probes soon."""
    breaker = functools.partial(Breaker, first=0.05, most=0.1)
    return RedisStore(replace(parse_url(url), timeout=timeout), OwnRecords("aicache:"), deadline, breaker=breaker)


def engine_at(url: str, deadline: float = DEADLINE, timeout: float = 5.0) -> Engine:
    """Return an engine before the Redis at *url*."""
    return Engine(store_at(url, timeout, deadline), Scope(None), Rules(deadline=deadline, flights=0))


async def ask(engine: Engine, text: str = "hi") -> Any:
    """Ask; a miss is answered and goes to be stored."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    request = Request("POST", "https", "h", 443, "/v1/chat/completions", "", (), body)
    outcome, ticket = await engine.lookup(openai_chat, request)
    if ticket:
        fields = (("content-type", "application/json"),)
        reply = json.dumps(chat_json("yes")).encode()
        engine.record(ticket, Exchange(200, fields, ((1, reply),), 0.1, streamed=False))
    return outcome


async def until(done: Any) -> None:
    """Return when *done* is true; a server has no way to tell us."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(done):
            await asyncio.sleep(0.02)


def entry(key: str, size: int = 20) -> Entry:
    """Return an entry that cannot be compressed."""
    return Entry(key, "d", "h", "m", Form("json"), Reply(200, (), os.urandom(size)), created=1.0)


async def test_a_server_that_does_not_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each of the first calls waits for the deadline and no longer, the others for nothing; one line tells of it."""
    with Server(tmp_path / "redis") as server:
        engine = engine_at(server.url, deadline=0.5, timeout=FOR_EVER)
        await ask(engine)
        await engine.settled()
        caplog.set_level(logging.WARNING)
        server.freeze()
        async with asyncio.timeout(60):  # who waited for the server would wait for ever
            outcomes = [await ask(engine, f"question {number}") for number in range(THRESHOLD)]
            assert outcomes == [Miss("store-error")] * THRESHOLD
            assert [await ask(engine, f"more {number}") for number in range(500)] == [Miss("store-error")] * 500
        server.thaw()
        told = [record.getMessage() for record in caplog.records]
        assert [line.partition(":")[0] for line in told if "store does not work" in line] == [
            "the store does not work, calls go upstream and are not stored"
        ]
        assert len([line for line in told if "left alone after" in line]) == 1
        await until(lambda: any("answers again" in record.getMessage() for record in caplog.records))
        assert isinstance(await ask(engine), Hit)
        await engine.close()


async def test_eviction_by_the_server(tmp_path: Path) -> None:
    """A Redis that throws entries out under `maxmemory` loses them and nothing else: no error, no wrong answer."""
    with Server(tmp_path / "redis", "maxmemory-policy allkeys-lru") as server:
        store = store_at(server.url)
        await store.put(entry("warm"))
        used = int(server.command("INFO", "memory").partition(b"used_memory:")[2].partition(b"\r")[0])
        server.command("CONFIG", "SET", "maxmemory", str(used + 2_000_000))
        entries = [entry(f"{number:03}", 50_000) for number in range(120)]
        for one in entries:
            await store.put(one)
        found = [await store.get(one.key) for one in entries]
        assert [got for got, one in zip(found, entries, strict=True) if got not in (None, one)] == []
        assert 0 < sum(got is not None for got in found) < len(entries)
        assert found[-1] == entries[-1]
        assert {row.key for row in await store.rows()} <= {one.key for one in entries} | {"warm"}
        await store.close()


async def test_flushed_between_calls(tmp_path: Path) -> None:
    """FLUSHALL while many write and read: every read is the entry or nothing, every write after it is there."""
    with Server(tmp_path / "redis") as server:
        store = store_at(server.url)
        entries = {f"{number:02}": entry(f"{number:02}", 3000) for number in range(40)}

        async def use(one: Entry) -> None:
            for _ in range(20):
                await store.put(one)
                assert await store.get(one.key) in (None, one)

        async def flush() -> None:
            for _ in range(10):
                await asyncio.to_thread(server.command, "FLUSHALL")

        await asyncio.gather(flush(), *(use(one) for one in entries.values()))
        await asyncio.gather(*map(store.put, entries.values()))
        assert {key: await store.get(key) for key in entries} == entries
        await store.close()


async def test_two_processes_write_one_key(tmp_path: Path) -> None:
    """Whoever reads finds one of the two entries whole, never a mixture."""
    with Server(tmp_path / "redis") as server:
        stores = [store_at(server.url) for _ in range(2)]
        versions = [entry("k", 40_000) for _ in range(2)]

        async def write(number: int) -> None:
            for _ in range(50):
                await stores[number].put(versions[number])
                assert await stores[number].get("k") in versions

        await asyncio.gather(write(0), write(1))
        assert await stores[0].get("k") == await stores[1].get("k")
        for store in stores:
            await store.close()


async def test_killed_in_the_middle_of_a_command(tmp_path: Path) -> None:
    """A writer that dies at any byte of its SET changes nothing: the old entry is served until a whole one comes."""
    with Server(tmp_path / "redis") as server:
        store = store_at(server.url)
        old, new = entry("k"), entry("k")
        await store.put(old)
        value = OwnRecords("aicache:").encode(new)
        command = b"*3\r\n$3\r\nSET\r\n$9\r\naicache:k\r\n$%d\r\n%s\r\n" % (len(value), value)
        for cut in range(1, len(command)):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(command[:cut])
            writer.close()
            with contextlib.suppress(ConnectionError):
                await reader.read()
        assert await store.get("k") == old
        await store.close()


async def test_a_cluster_loses_a_master(tmp_path: Path) -> None:
    """While nobody has its slots, calls of those go on as misses; when its replica has them, the same store works."""
    with cluster(tmp_path) as nodes:
        options = ("cluster-enabled yes", "cluster-node-timeout 2000", "cluster-require-full-coverage no")
        with Server(tmp_path / "replica", *options) as replica:
            nodes[0].command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
            replica.command("CLUSTER", "MEET", "127.0.0.1", str(nodes[0].port))
            master = nodes[0].command("CLUSTER", "MYID").split(b"\r\n")[1]
            await until(lambda: master in replica.command("CLUSTER", "NODES"))
            replica.command("CLUSTER", "REPLICATE", master)
            await until(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
            own = replica.command("CLUSTER", "MYID").split(b"\r\n")[1]
            for node in nodes[1:]:  # they elect it
                await until(lambda node=node: own in node.command("CLUSTER", "NODES"))
            store = store_at(f"redis+cluster://127.0.0.1:{nodes[1].port},127.0.0.1:{nodes[2].port}", timeout=2.0)
            entries = {str(number): entry(str(number)) for number in range(60)}
            await asyncio.gather(*map(store.put, entries.values()))
            await until(lambda: nodes[0].command("DBSIZE") == replica.command("DBSIZE"))
            nodes[0].stop()
            outcomes = [await attempt(store, key) for key in entries]
            assert all(got is None or got == entries[got.key] for got in outcomes)
            for node in nodes[1:]:
                await until(lambda node=node: _leads(node.command("CLUSTER", "NODES"), own))
            async with asyncio.timeout(30):
                while [bool(await attempt(store, key)) for key in entries] != [True] * len(entries):
                    await asyncio.sleep(0.05)
            assert [await attempt(store, key) for key in entries] == list(entries.values())
            await asyncio.gather(*map(store.put, entries.values()))
            await store.close()


def _leads(nodes: bytes, name: bytes) -> bool:
    """Whether *nodes* tells of the node *name* as the master of the first slots."""
    return any(line.startswith(name) and b"master" in line and b" 0-" in line for line in nodes.splitlines())


async def attempt(store: RedisStore, key: str) -> Entry | None:
    """Return the entry, or None where the store fails, as an engine takes it."""
    try:
        return await store.get(key)
    except BackendError:
        return None
