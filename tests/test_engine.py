"""Lookup and record, with a store in memory and a clock of our own: what is served, what is stored, what fails how."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from llmcache.capture import Exchange
from llmcache.chat import BackendError, Bypass, Entry, Hit, Miss, Refusal, Request
from llmcache.engine import Engine, Rules
from llmcache.recorder import Admission, Ticket
from llmcache.scope import Scope
from llmcache.stats import Observation
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat
from support.upstream import chat_chunks, chat_json

JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)


def request(text: str = "hi", **more: Any) -> Request:
    """Return a call."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
    fields = (("content-type", "application/json"), ("authorization", "Bearer sk-1"))
    return Request(
        "POST", "https", "api.openai.com", 443, "/v1/chat/completions", "", fields, json.dumps(body).encode()
    )


def whole(text: str = "yes", status: int = 200, **more: Any) -> Exchange:
    """Return a JSON reply from upstream."""
    return Exchange(status, JSON, ((800, json.dumps(chat_json(text, **more)).encode()),), 0.8, streamed=False)


def stream(text: str = "yes", **more: Any) -> Exchange:
    """Return a streamed reply from upstream."""
    pieces = tuple((at * 10, piece) for at, piece in enumerate(chat_chunks(text, **more)))
    return Exchange(200, SSE, pieces, 0.9, streamed=True)


class World:
    """An engine, what it saw, and the clock it reads."""

    def __init__(self, store: Any = None, admission: Admission | None = None, **rules: Any) -> None:
        self.now = 1000.0
        self.seen: list[Observation] = []
        self.store: Any = store or MemoryStore(1000, 10**9, "lru", clock=lambda: self.now)
        given = Rules(admission=admission or Admission(), **rules)
        self.engine = Engine(self.store, Scope(b"s"), given, self.seen.append, clock=lambda: self.now)

    async def lookup(self, asked: Request) -> tuple[Any, Ticket | None]:
        """Look up a call of the chat dialect."""
        return await self.engine.lookup(openai_chat, asked)

    async def through(self, asked: Request, exchange: Exchange) -> str:
        """Let a call miss, record *exchange*, and return what became of it."""
        outcome, ticket = await self.lookup(asked)
        assert isinstance(outcome, Miss)
        assert ticket
        self.engine.record(ticket, exchange)
        await self.settled()
        return self.seen[-1].stored

    async def settled(self) -> None:
        """Wait until everything under way is recorded."""
        await self.engine.settled()


async def test_what_was_recorded_is_a_hit() -> None:
    """The bytes come back, with what they once cost."""
    world = World()
    assert await world.through(request(), whole()) == "stored"
    hit, ticket = await world.lookup(request())
    assert isinstance(hit, Hit)
    assert ticket is None
    assert hit.reply.body == whole().pieces[0][1]
    assert world.seen[-1].outcome == "hit"
    assert world.seen[-1].saved == 0.8
    assert (world.seen[-1].usage.input, world.seen[-1].usage.output) == (9, 12)


async def test_a_call_right_behind_the_answer_waits_for_the_recording() -> None:
    """Who asks again before the reply is stored gets it all the same: no second call upstream."""
    world = World()
    _, ticket = await world.lookup(request())
    assert ticket
    world.engine.record(ticket, whole())
    hit, _ = await world.lookup(request())
    assert isinstance(hit, Hit)


async def test_a_recorded_stream_keeps_its_borders_and_times() -> None:
    """Chunks come back as they arrived."""
    world = World()
    await world.through(request(stream=True), stream())
    hit, _ = await world.lookup(request(stream=True))
    assert hit.reply.chunks == tuple((at * 10, len(piece)) for at, piece in enumerate(chat_chunks("yes")))


async def test_a_stream_without_usage_is_no_json_answer() -> None:
    """What cannot be rendered without loss is a miss, and says so."""
    world = World()
    await world.through(request(stream=True), stream())
    outcome, ticket = await world.lookup(request())
    assert outcome == Miss("form-usage")
    assert ticket
    world.engine.record(ticket, whole())  # by the call that leads: another would wait for it
    await world.settled()
    assert world.seen[-1].stored == "stored"
    assert isinstance((await world.lookup(request(stream=True)))[0], Hit)


async def test_an_entry_lives_for_its_ttl() -> None:
    """`cacheTTL` seconds, and not one more."""
    world = World(admission=Admission(ttl=60))
    await world.through(request(), whole())
    world.now += 59.9
    assert isinstance((await world.lookup(request()))[0], Hit)
    world.now += 0.1
    assert (await world.lookup(request()))[0] == Miss("unknown")


NOT_STORED = [
    pytest.param(whole(status=500), "status-500", id="error status"),
    pytest.param(whole(status=201), "status-201", id="C18: another 2xx"),
    pytest.param(whole(error={"message": "x"}), "error-body", id="error inside 200"),
    pytest.param(whole("  "), "empty", id="C22: blank"),
    pytest.param(Exchange(200, JSON, ((1, b'{"choices": [{'),), 1, streamed=False), "not-json", id="cut json"),
    pytest.param(
        Exchange(200, (*JSON, ("content-encoding", "gzip")), ((1, b"no gzip"),), 1, streamed=False),
        "coding-broken",
        id="bad gzip",
    ),
]


@pytest.mark.parametrize(("exchange", "reason"), NOT_STORED)
async def test_what_is_not_certainly_good_is_not_stored(exchange: Exchange, reason: str) -> None:
    """The next call is a miss again, and the reason is counted."""
    world = World()
    assert await world.through(request(), exchange) == reason
    assert (await world.lookup(request()))[0] == Miss("unknown")


async def test_a_reply_over_the_limit_is_not_stored() -> None:
    """Row C24."""
    assert await World(admission=Admission(max_body=100)).through(request(), whole("x" * 200)) == "too-large"


async def test_too_many_waiting_replies_are_dropped_and_counted() -> None:
    """A store that lags behind costs entries, never memory without end."""
    world = World(admission=Admission(max_pending=10))
    assert await world.through(request(), whole()) == "overload"


async def test_record_mode_looks_nothing_up() -> None:
    """Every call is forwarded, and the newest reply is the one kept."""
    world = World(mode="record")
    await world.through(request(), whole("one"))
    await world.through(request(), whole("two"))
    assert [json.loads(e.reply.body)["choices"][0]["message"]["content"] async for e in world.store.scan()] == ["two"]


async def test_replay_refuses_and_names_what_differs() -> None:
    """The nearest recording, and the fields that are not the same."""
    world = World()
    await world.through(request("about cats", temperature=0), whole())
    world.engine.rules = Rules(mode="replay")
    refusal, ticket = await world.lookup(request("about dogs", temperature=0))
    assert isinstance(refusal, Refusal)
    assert ticket is None
    assert 'body.messages[0].content: "about cats" → "about dogs"' in refusal.message
    assert isinstance((await world.lookup(request("about cats", temperature=0)))[0], Hit)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"messages": 3}', b"\xff", b"[" * 100_000, b'{"a": NaN}'],
    ids=lambda body: repr(body[:20]),
)
async def test_what_cannot_be_read_passes(body: bytes) -> None:
    """Row B6 and its kin: bypass in cache mode, refusal in replay mode, an exception never."""
    asked = Request("POST", "https", "h", 443, "/v1/chat/completions", "", JSON, body)
    assert isinstance((await World().lookup(asked))[0], Bypass)
    assert isinstance((await World(mode="replay").lookup(asked))[0], Refusal)


async def test_no_question_no_cache() -> None:
    """Row B7."""
    assert (await World().lookup(request("")))[0] == Bypass("no-question")


async def test_a_tool_may_say_nothing() -> None:
    """An agent's turn whose tool printed nothing is a call like any other: the whole of it is the key."""
    turns = [{"role": "user", "content": "Run it."}, {"role": "assistant", "tool_calls": []}]
    bodies = [json.dumps({"messages": [*turns, {"role": "tool", "content": text}]}).encode() for text in ("", "1")]
    silent, loud = (Request("POST", "https", "h", 443, "/v1/chat/completions", "", JSON, body) for body in bodies)
    world = World()
    outcome, ticket = await world.lookup(silent)
    assert isinstance(outcome, Miss)
    assert ticket
    world.engine.record(ticket, whole())
    await world.engine.settled()
    assert isinstance((await world.lookup(silent))[0], Hit)
    assert isinstance((await world.lookup(loud))[0], Miss)


async def test_an_answer_may_say_nothing_where_that_is_wanted() -> None:
    """Claude may end its turn without a word after a tool; a recording of that is stored when the user says so."""
    assert await World().through(request(), whole("")) == "empty"
    world = World(admission=Admission(finish_reasons=frozenset({"empty"})))
    assert await world.through(request(), whole("")) == "stored"
    assert await world.through(request("cut"), replace(stream(""), whole=False)) == "truncated"
    assert isinstance((await world.lookup(request()))[0], Hit)


async def test_hosts_narrow_what_is_looked_at() -> None:
    """`match.hosts` are globs on the provider's name."""
    engine = World(hosts=("*.openai.com", "localhost")).engine
    assert engine.claims("POST", "api.openai.com", "/v1/chat/completions")
    assert engine.claims("POST", "api.mistral.ai", "/v1/chat/completions") is None


class Broken:
    """A store that fails as it is told."""

    def __init__(self) -> None:
        self.inner = MemoryStore(10, 10**6, "lru")
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def _fail(self) -> None:
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error

    def excludes(self, key: str) -> bool:
        return False

    away = False

    def peek(self, key: str) -> Entry | None:
        return None

    async def get(self, key: str) -> Entry | None:
        await self._fail()
        return await self.inner.get(key)

    async def put(self, entry: Entry) -> None:
        await self._fail()
        await self.inner.put(entry)

    async def scan(self) -> AsyncIterator[Entry]:
        await self._fail()
        async for entry in self.inner.scan():
            yield entry

    async def close(self) -> None:
        await self.inner.close()


def broken_world(**rules: Any) -> World:
    """Return a world whose store can be made to fail."""
    return World(Broken(), **rules)


async def test_a_store_that_fails_costs_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """Calls go upstream; one log line says that it broke, one that it works again."""
    world = broken_world()
    world.store.error = BackendError("disk on fire")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await world.through(request(), whole()) == "store-error"
        assert [record.message for record in caplog.records if "disk on fire" in record.message] == [
            record.message for record in caplog.records
        ]
        assert len(caplog.records) == 1
        world.store.error = None
        assert await world.through(request(), whole()) == "stored"
        assert len(caplog.records) == 2


async def test_a_store_that_hangs_costs_its_deadline_only() -> None:
    """After the deadline the call is a miss."""
    world = broken_world(deadline=0.01)
    world.store.gate = asyncio.Event()
    assert (await world.lookup(request()))[0] == Miss("store-error")


async def test_a_store_that_fails_in_replay_is_a_refusal() -> None:
    """Nothing leaves, whatever is broken on our side."""
    world = broken_world(mode="replay")
    world.store.error = BackendError("disk on fire")
    assert isinstance((await world.lookup(request()))[0], Refusal)


async def test_close_stores_what_was_accepted() -> None:
    """An entry that was under way when the end came is there."""
    world = World()
    _, ticket = await world.lookup(request())
    assert ticket
    world.engine.record(ticket, whole())
    await world.engine.close()
    assert world.seen[-1].stored == "stored"
