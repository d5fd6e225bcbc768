"""What a Redis can do to us: each fault is one error or a miss, and when it is over the store works again."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from dataclasses import replace

import pytest
from llmcache.addresses import parse_url
from llmcache.breaker import THRESHOLD, Breaker
from llmcache.capture import Exchange
from llmcache.chat import BackendError, Entry, Form, Reply, Request
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.stores.near import NearStore
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from llmcache.wire import openai_chat
from support.absent import missing
from support.redis_server import Server, binary, free_port
from support.upstream import chat_json

ENTRY = Entry("k", "d", "h", "m", Form("json"), Reply(200, (), b"answer " * 1000), created=1.0)
NAME = b"aicache:k"
HASTE = 0.05
"""Seconds that a call waits for the store."""


class Lines(logging.Handler):
    """The breaker's log lines; `wait_for` waits for one."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self._more = asyncio.Event()

    def emit(self, record):
        self.lines.append(record.getMessage())
        self._more.set()

    async def wait_for(self, text):
        """Return when a line with *text* has been written."""
        async with asyncio.timeout(20):
            while not any(text in line for line in self.lines):
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def lines():
    """What the breaker says."""
    handler, log = Lines(), logging.getLogger("aicache.breaker")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@pytest.fixture
def server(tmp_path):
    """A server, started."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def connect():
    """A function that makes stores at a URL, which are closed afterwards."""
    stores = []

    def make(url, deadline=HASTE, **more):
        address = replace(parse_url(url), timeout=5.0)
        breaker = functools.partial(Breaker, first=0.02, most=0.05)
        stores.append(RedisStore(address, OwnRecords("aicache:"), deadline, breaker=breaker, **more))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


async def ask(store):
    """Ask as the engine does, which waits only so long; return what went wrong, or the entry."""
    try:
        async with asyncio.timeout(HASTE):
            return await store.get("k")
    except (BackendError, TimeoutError) as error:
        return error


async def open_breaker(store):
    """Ask until the store is left alone, and return what went wrong each time."""
    return [await ask(store) for _ in range(THRESHOLD)]


async def test_refused_then_there(tmp_path, connect, lines):
    """Nobody listens: an error each time, one log line, no more tries; when it comes the same store works."""
    server = Server(tmp_path / "redis", port=free_port())
    store = connect(server.url)
    assert all(isinstance(failure, BackendError | TimeoutError) for failure in await open_breaker(store))
    with pytest.raises(BackendError, match="left alone"):
        await store.get("k")
    with pytest.raises(BackendError, match="left alone"):
        await store.put(ENTRY)
    with server:
        await lines.wait_for("answers again")
        await store.put(ENTRY)
        assert await store.get("k") == ENTRY
    assert len(lines.lines) == 2


async def test_black_hole(server, connect, lines):
    """A server that takes a connection and says nothing costs a deadline a call, then nothing, then is back."""
    store = connect(server.url)
    await store.put(ENTRY)
    server.freeze()
    try:
        assert [TimeoutError] * THRESHOLD == [type(failure) for failure in await open_breaker(store)]
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(100):
            assert isinstance(await ask(store), BackendError)
        assert loop.time() - started < HASTE
        assert len(lines.lines) == 1
    finally:
        server.thaw()
    await lines.wait_for("answers again")
    assert await store.get("k") == ENTRY


async def test_killed_and_restarted(server, connect, lines):
    """A server that dies in mid-run and comes back empty needs no restart of ours."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    server.stop()
    assert all(isinstance(failure, BackendError) for failure in await open_breaker(store))
    server.start()
    await lines.wait_for("answers again")
    assert await store.get("k") is None
    await store.put(ENTRY)
    assert await store.get("k") == ENTRY


async def test_wrong_password(server, connect):
    """A refused password is the store's error, and neither it nor the repr shows the password."""
    server.command("ACL", "SETUSER", "default", "resetpass", ">right")
    store = connect("redis://:hush@" + server.url.removeprefix("redis://"))
    with pytest.raises(BackendError, match=r"(?i)password") as caught:
        await store.get("k")
    assert "hush" not in f"{caught.value}{store!r}"


REFUSALS = {
    "read-only": [("REPLICAOF", "127.0.0.1", "1")],
    "full": [("CONFIG", "SET", "maxmemory-policy", "noeviction"), ("CONFIG", "SET", "maxmemory", "1")],
}


@pytest.mark.parametrize("commands", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_server_that_takes_no_writes_is_still_read(server, connect, lines, commands):
    """Full or read-only, each put is an error, what is there is served, and the breaker stays closed."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    for command in commands:
        server.command(*command)
    for _ in range(THRESHOLD + 1):
        with pytest.raises(BackendError, match=r"(?i)read.?only|memory"):
            await store.put(replace(ENTRY, key="other"))
    assert await store.get("k") == ENTRY
    assert lines.lines == []


async def test_flushed(server, connect):
    """After FLUSHALL the entry is unknown, and can be stored again."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    server.command("FLUSHALL")
    assert await store.get("k") is None
    await store.put(ENTRY)
    assert await store.get("k") == ENTRY


def flipped(value, at):
    """Return *value* with one bit turned."""
    return value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]


DAMAGES = {
    "empty": lambda value: b"",
    "a stranger's": lambda value: b"hello",
    "cut": lambda value: value[:-1],
    "cut in the head": lambda value: value[:12],
    "unknown version": lambda value: value[:4] + b"\x09" + value[5:],
    "unknown coding": lambda value: value[:5] + b"\x09" + value[6:],
    "flipped bit at the end": lambda value: flipped(value, len(value) - 1),
    "flipped bit in the middle": lambda value: flipped(value, len(value) // 2),
    "claims to be huge": lambda value: flipped(value, value.index(b"\x28\xb5\x2f\xfd") + 5),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_value_is_a_miss(server, connect, damage):
    """Whatever stands under the key, a wrong answer never comes of it, nor an error."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    server.command("SET", NAME, damage(server.value(NAME)))
    assert await store.get("k") is None
    await store.totals()
    assert [found async for found in store.scan()] == []


async def test_every_flipped_bit_is_noticed(connect):
    """A flip anywhere in the payload makes the value none; in the listing's head it cannot change an answer."""
    records = OwnRecords("")
    value = records.encode(ENTRY)
    outcomes = {records.decode("k", b"k", flipped(value, at)) for at in range(len(value))}
    assert outcomes <= {None, ENTRY}


async def test_another_keys_value_is_a_miss(server, connect):
    """An entry copied to another key is not that key's answer."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    server.command("COPY", NAME, "aicache:other")
    assert await store.get("other") is None


async def test_a_key_of_another_type(server, connect):
    """A list under our key is a miss, and a put replaces it."""
    store = connect(server.url, deadline=5)
    server.command("RPUSH", NAME, "x")
    assert await store.get("k") is None
    assert await store.rows() == []
    await store.put(ENTRY)
    assert await store.get("k") == ENTRY


async def test_purge_leaves_strangers(server, connect):
    """Keys that are not ours stay, those under our prefix among them."""
    store = connect(server.url, deadline=5)
    await store.put(ENTRY)
    server.command("MSET", "other", "1", "aicache:other", "2")
    assert await store.purge() == 1
    assert (server.value("other"), server.value("aicache:other")) == (b"1", b"2")


async def test_a_server_that_is_no_redis(connect):
    """What answers HTTP is an error of the store."""

    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        store = connect(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", deadline=5)
        with pytest.raises(BackendError):
            await store.get("k")


async def test_time_to_live(server, connect):
    """An entry's time in Redis is at most what is left of it, and at least nineteen twentieths."""
    store = connect(server.url, deadline=5, clock=lambda: 1.0)
    await store.put(replace(ENTRY, expires=1001.0))
    assert 949_000 <= int(server.command("PTTL", NAME)[1:]) <= 1_000_000
    await store.put(ENTRY)
    assert server.command("PTTL", NAME) == b":-1\r\n"


async def test_large_entries_are_compressed(server, connect):
    """What repeats takes a fraction of its room, and comes back equal."""
    store = connect(server.url, deadline=5)
    large = replace(ENTRY, reply=Reply(200, (), b"data: {}\n\n" * 100_000))
    await store.put(large)
    assert int(server.command("STRLEN", NAME)[1:]) < 10_000
    assert await store.get("k") == large


async def heard(store, key="k"):
    """Return when *store* hears of changes and has the entry at hand."""
    async with asyncio.timeout(10):
        await store.get(key)
        await store.listening.wait()
        assert await store.get(key) is not None
        assert store.peek(key) is not None


@pytest.mark.parametrize("change", ["put", "delete", "purge"])
async def test_a_change_reaches_the_near_cache_of_another_process(server, connect, change):
    """What one process changes the other does not serve from its memory any more."""
    address = parse_url(server.url)
    one, other = (NearStore(connect(server.url, 5), address, b"aicache:changed", 10, 60) for _ in range(2))
    await one.put(ENTRY)
    await heard(other)
    later = replace(ENTRY, model="later")
    await {"put": lambda: one.put(later), "delete": lambda: one.delete("k"), "purge": one.purge}[change]()
    async with asyncio.timeout(10):
        while other.peek("k") is not None:
            await asyncio.sleep(0)
    assert await other.get("k") == (later if change == "put" else None)
    await other.close()
    await one.close()


@pytest.mark.parametrize("change", ["put", "delete", "purge"])
async def test_what_is_read_while_our_change_is_on_its_way_is_not_kept(server, connect, monkeypatch, change):
    """Else a process would serve from its memory what it has itself removed."""
    far = connect(server.url, 5)
    store = NearStore(far, parse_url(server.url), b"aicache:changed", 10, 60)
    await store.put(ENTRY)
    await heard(store)
    arrives = getattr(far, change)

    async def late(*args):
        assert await store.get("k") == ENTRY
        return await arrives(*args)

    monkeypatch.setattr(far, change, late)
    later = replace(ENTRY, model="later")
    await {"put": lambda: store.put(later), "delete": lambda: store.delete("k"), "purge": store.purge}[change]()
    assert await store.get("k") == (later if change == "put" else None)
    await store.close()


async def test_a_near_cache_is_bounded_and_needs_its_line(server, connect):
    """It keeps so many and no more, serves them while Redis is gone for a moment, and nothing once the line is down."""
    store = NearStore(connect(server.url, 5), parse_url(server.url), b"aicache:changed", 2, 60)
    for key in "abk":
        await store.put(replace(ENTRY, key=key))
    await heard(store, "a")
    for key in "bk":
        await store.get(key)
    assert [store.peek(key) is not None for key in "abk"] == [False, True, True]
    server.stop()
    async with asyncio.timeout(10):
        while store.listening.is_set():
            await asyncio.sleep(0)
    assert store.peek("k") is None
    await store.close()


async def test_a_full_server_is_one_log_line(server, connect, caplog):
    """Puts that fail between reads that work are one change of state, and the first that works again another."""
    engine = Engine(connect(server.url, deadline=5), Scope(None, ""), Rules(deadline=10))
    caplog.set_level(logging.WARNING, "aicache.engine")
    await store_one(engine, "first")
    server.command("CONFIG", "SET", "maxmemory", "1")
    for text in ("second", "third", "fourth"):
        await store_one(engine, text)
    assert [record.message for record in caplog.records if "again" in record.message] == []
    server.command("CONFIG", "SET", "maxmemory", "0")
    await store_one(engine, "fifth")
    assert len(caplog.records) == 2
    assert "works again" in caplog.records[1].message
    await engine.close()


async def store_one(engine, text):
    """Ask *text*, which is a miss, and let it be stored."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    _, ticket = await engine.lookup(
        openai_chat, Request("POST", "https", "h", 443, "/v1/chat/completions", "", (), body)
    )
    fields = (("content-type", "application/json"),)
    engine.record(ticket, Exchange(200, fields, ((1, json.dumps(chat_json("a")).encode()),), 0.1, streamed=False))
    await engine.settled()
