"""Encryption at rest: who reads the store learns nothing, and who writes to it cannot make an answer."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.addresses import parse_url
from llmcache.capture import Exchange
from llmcache.chat import SEALED, Entry, Form, Hit, Miss, Refusal, Reply, Request, Usage
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.sealing import Sealer
from llmcache.stores.memory import MemoryStore
from llmcache.stores.record import pack
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from llmcache.stores.sqlite import SqliteStore
from llmcache.wire import openai_chat
from support.absent import missing
from support.redis_server import Server, binary
from support.upstream import chat_json

SEALER = Sealer(b"secret")
IDENTITY = b'{"model":"gpt","text":"Is Ada ill?"}'
SECRETS = [b"Ada", b"gpt", b"clinic", b"openai", b"4711", b"/v1/chat", b"hex-header"]


def entry(body: bytes = b'{"clinic": "yes"}', **more: Any) -> Entry:
    """Return an entry with something private in every field."""
    reply = Reply(200, (("x-request-id", "hex-header"),), body, ((7, len(body)),))
    fields = {"usage": Usage(4711, 4711), "request": IDENTITY, "path": "/v1/chat", "question": "Is Ada ill?"} | more
    return Entry(SEALER.key(IDENTITY), "openai-chat", "clinic", "gpt", Form("sse"), reply, 1000.0, 2000.0, **fields)


@pytest.mark.parametrize("size", [0, 1, 5_000, 300_000])
def test_what_was_sealed_is_opened(size: int) -> None:
    """Every field comes back, whatever its size."""
    one = entry(os.urandom(size // 2) + b"a" * (size // 2))
    assert SEALER.open(SEALER.close(one), IDENTITY) == one


def test_nothing_of_it_is_seen() -> None:
    """A sealed entry shows its key, its times and its size; two seals of one entry are not alike."""
    sealed, again = SEALER.close(entry()), SEALER.close(entry())
    seen = pack(sealed) + OwnRecords("p:").encode(sealed)
    assert [secret for secret in SECRETS if secret in seen] == []
    assert (sealed.created, sealed.expires, sealed.form) == (1000.0, 2000.0, SEALED)
    assert sealed.reply.body != again.reply.body


def test_the_name_tells_nothing_without_the_secret() -> None:
    """Who guesses a whole call cannot even test whether it was made; the name is not the sealing key."""
    others = [Sealer(b"other").key(IDENTITY), Sealer(b"s").key(IDENTITY), SEALER.key(b"{}")]
    assert len({*others, SEALER.key(IDENTITY)}) == 4
    with pytest.raises(ValueError, match="seal"):
        Sealer(b"other").open(SEALER.close(entry()), IDENTITY)


def refused(sealed: Entry, identity: bytes = IDENTITY) -> bool:
    """Whether *sealed* is not opened."""
    try:
        SEALER.open(sealed, identity)
    except ValueError:
        return True
    return False


def with_body(sealed: Entry, body: bytes) -> Entry:
    """Return *sealed* with another body."""
    return replace(sealed, reply=replace(sealed.reply, body=body))


def test_every_change_is_noticed() -> None:
    """A bit flipped anywhere, a cut anywhere, more at the end: refused."""
    sealed = SEALER.close(entry())
    body = sealed.reply.body
    flipped = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(len(body))]
    for changed in [*flipped, *(body[:at] for at in range(len(body))), body + b"x"]:
        assert refused(with_body(sealed, changed))


def test_entries_cannot_change_places() -> None:
    """One put under another's name, or the name of another on it, is refused, as is one that was never sealed."""
    one, other = SEALER.close(entry()), SEALER.close(entry(b"other"))
    assert not refused(with_body(one, other.reply.body))  # the same call: an older answer of its own
    assert refused(replace(one, key=SEALER.key(b"{}")))
    assert refused(one, b"{}")
    assert refused(entry())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    """Nothing but a seal of ours opens, and nothing else is raised."""
    assert refused(with_body(SEALER.close(entry()), body))


def request(text: str = "Is Ada ill?") -> Request:
    """Return a call."""
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}).encode()
    return Request("POST", "https", "api.openai.com", 443, "/v1/chat/completions", "", (), body)


async def recorded(engine: Engine, asked: Request) -> None:
    """Let *asked* miss and store an answer."""
    _, ticket = await engine.lookup(openai_chat, asked)
    assert ticket
    fields = (("content-type", "application/json"),)
    reply = json.dumps(chat_json("the clinic says yes")).encode()
    engine.record(ticket, Exchange(200, fields, ((1, reply),), 0.1, streamed=False))
    await engine.settled()


def engine_of(store: Any, **rules: Any) -> Engine:
    """Return an engine that seals."""
    return Engine(store, Scope(b"secret"), Rules(deadline=5, flights=0, **rules), seal=SEALER)


async def test_a_database_tells_nothing(tmp_path: Path) -> None:
    """The file of a sealed SQLite store holds nothing of the calls in it, and another process's engine has the hit."""
    path = tmp_path / "c.db"
    first = engine_of(SqliteStore(path, 10, 10**6, "lru"))
    await recorded(first, request())
    assert isinstance((await first.lookup(openai_chat, request()))[0], Hit)
    await first.close()
    assert [secret for secret in SECRETS if secret in path.read_bytes()] == []
    second = engine_of(SqliteStore(path, 10, 10**6, "lru"))
    assert isinstance((await second.lookup(openai_chat, request()))[0], Hit)
    assert [row.model for row in await second.store.rows()] == ["sealed"]
    await second.close()


async def test_a_redis_tells_nothing_and_cannot_lie(tmp_path: Path) -> None:
    """What stands in Redis is unreadable; the answer to another call under our name is a miss."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as server:
        engine = engine_of(RedisStore(parse_url(server.url), OwnRecords("a:"), 5))
        await recorded(engine, request())
        await recorded(engine, request("Is Bob ill?"))
        names = server.command("KEYS", "*").split(b"\r\n")[2::2]
        first, second = (server.value(name) for name in names)
        assert [secret for secret in SECRETS if secret in first + second] == []
        assert isinstance((await engine.lookup(openai_chat, request()))[0], Hit)
        # A name inside a record is its own; who swaps values swaps the names in them too.
        keys = [name.removeprefix(b"a:") for name in names]
        for name, value, old, new in zip(names, (second, first), reversed(keys), keys, strict=True):
            forged = _renamed(value, old.decode(), new.decode())
            server.command("SET", name, forged)
        for text in ("Is Ada ill?", "Is Bob ill?"):
            assert (await engine.lookup(openai_chat, request(text)))[0] == Miss("seal-broken")
        await engine.close()


def _renamed(value: bytes, old: str, new: str) -> bytes:
    """Return the record *value* of the key *old* as a right one of *new*."""
    records = OwnRecords("a:")
    found = records.decode(old, b"", value)
    assert found
    return records.encode(replace(found, key=new))


async def test_tampering_is_a_miss_and_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """Counted each time, told once; an entry whose life was prolonged from outside is over all the same."""
    store = MemoryStore(10, 10**6, "lru")
    engine = engine_of(store)
    await recorded(engine, request())
    (sealed,) = [found async for found in store.scan()]
    await store.put(with_body(sealed, sealed.reply.body[:-1]))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert (await engine.lookup(openai_chat, request()))[0] == Miss("seal-broken")
    assert len(caplog.records) == 1
    over = SEALER.close(replace(entry(), key=sealed.key, request=_identity(engine), expires=1001.0))
    await store.put(replace(over, expires=None))
    assert (await engine.lookup(openai_chat, request()))[0] == Miss("unknown")


def _identity(engine: Engine) -> bytes:
    call: Any = openai_chat.call(request())
    return fingerprint.identity(call, engine.scope)


async def test_replay_says_why_it_names_no_recording() -> None:
    """Sealed recordings answer, but nobody can look for the nearest."""
    engine = engine_of(MemoryStore(10, 10**6, "lru"))
    await recorded(engine, request())
    engine.rules = Rules(mode="replay")
    assert isinstance((await engine.lookup(openai_chat, request()))[0], Hit)
    refusal, _ = await engine.lookup(openai_chat, request("Is Bob ill?"))
    assert isinstance(refusal, Refusal)
    assert "sealed" in refusal.message
