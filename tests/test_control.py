"""The header `x-aicache-control`: what it says, and what becomes of a call that has it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.capture import Exchange
from llmcache.chat import Bypass, Hit, Miss, Refusal, Request
from llmcache.control import LONGEST, NOTHING, Control, parse, read_control
from llmcache.engine import Engine, Rules
from llmcache.recorder import Admission
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat
from support.upstream import chat_json

READ = [
    pytest.param("", NOTHING, id="empty"),
    pytest.param(" , ,", NOTHING, id="empty members"),
    pytest.param("no-cache", Control(no_cache=True), id="no-cache"),
    pytest.param("NO-Cache,no-store", Control(no_cache=True, no_store=True), id="two, in any case"),
    pytest.param("only-if-cached, exact", Control(only_if_cached=True, exact=True), id="the other flags"),
    pytest.param("max-age=60 , ttl = 5", Control(max_age=60, ttl=5), id="numbers"),
    pytest.param('max-age="60"', Control(max_age=60), id="quoted"),
    pytest.param("max-age=0", Control(max_age=0), id="zero"),
    pytest.param("ttl=0", Control(no_store=True), id="no time at all"),
    pytest.param("max-age=60, max-age=9", Control(max_age=9), id="the stricter"),
    pytest.param(f"max-age={'9' * 5000}", Control(max_age=LONGEST), id="too large"),
    pytest.param("namespace=team/a:1", Control(namespace="team/a:1"), id="namespace"),
    pytest.param("namespace=a, namespace=a", Control(namespace="a"), id="twice the same"),
    pytest.param("namespace=a, namespace=b", Control(namespace="b", malformed=True), id="two namespaces"),
    pytest.param("namespace=", Control(malformed=True), id="no name"),
    pytest.param('namespace=a"b', Control(malformed=True), id="a name with a quote"),
    pytest.param("max-age=-1", Control(malformed=True), id="negative"),
    pytest.param("max-age=٣", Control(malformed=True), id="other digits"),
    pytest.param("max-age", Control(malformed=True), id="no number"),
    pytest.param("no-cache=1", Control(no_cache=False, malformed=True), id="flag with a value"),
    pytest.param("=1", Control(malformed=True), id="no directive"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_directives_are_read(text: str, expected: Control) -> None:
    """As in Cache-Control; what cannot be read is said to be so, never guessed."""
    assert (expected, []) == parse(text)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Nothing that a client writes is an error of ours, and nothing makes a namespace of more than one line."""
    control, _ = parse(text)
    assert control.namespace.isprintable()
    assert control.ttl != 0


@given(st.lists(st.sampled_from(["no-cache", "no-store", "exact", "max-age=5", "ttl=7", "namespace=a", "x"])))
def test_the_order_does_not_matter(parts: list[str]) -> None:
    """Directives mean the same in any order and in any number of fields."""
    fields = tuple(("x-aicache-control", part) for part in parts)
    assert parse(",".join(parts))[0] == parse(",".join(reversed(parts)))[0] == read_control(fields)


def test_a_directive_nobody_knows_is_ignored_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """One warning for each name, whatever is in it."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert read_control((("x-aicache-control", "no-cash\x1b[31m, exact"),)) == Control(exact=True)
    assert [record.getMessage().count("no-cash??31m") for record in caplog.records] == [1]


class World:
    """An engine before a memory, and its clock."""

    def __init__(self, ttl: int = 0, **rules: Any) -> None:
        self.now = 1000.0
        store = MemoryStore(100, 10**7, "lru", clock=lambda: self.now)
        given_rules = Rules(admission=Admission(ttl=ttl), **rules)
        self.seen: list[Any] = []
        self.engine = Engine(store, Scope(b"s"), given_rules, self.seen.append, clock=lambda: self.now)

    async def ask(self, header: str = "", text: str = "hi", body: bytes | None = None) -> Any:
        """Ask; what is a miss is answered and stored. Returns the outcome."""
        raw = body or json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
        request = Request("POST", "https", "h", 443, "/v1/chat/completions", "", (), raw)
        outcome, ticket = await self.engine.lookup(openai_chat, request, parse(header)[0])
        if ticket and isinstance(outcome, Miss):
            reply = json.dumps(chat_json(f"at {self.now}")).encode()
            fields = (("content-type", "application/json"),)
            self.engine.record(ticket, Exchange(200, fields, ((1, reply),), 0.1, streamed=False))
            await self.engine.settled()
        return outcome


async def test_no_cache_is_sent_on_and_stored() -> None:
    """The answer is a new one, and the next call gets it."""
    world = World()
    await world.ask()
    world.now += 1
    assert await world.ask("no-cache") == Miss("no-cache")
    assert b"at 1001.0" in (await world.ask()).reply.body


async def test_no_store_is_answered_but_not_stored() -> None:
    """What is there is served; what is new is not kept."""
    world = World()
    assert await world.ask("no-store") == Miss("unknown")
    assert world.seen[-1].stored == "no-store"
    assert await world.ask() == Miss("unknown")
    assert isinstance(await world.ask("no-store"), Hit)


async def test_only_if_cached_is_never_sent_on() -> None:
    """A stored answer, or 504; also where the call would have passed by."""
    world = World()
    refusal = await world.ask("only-if-cached")
    assert isinstance(refusal, Refusal)
    assert (refusal.status, world.seen[-1].outcome) == (504, "refusal")
    unreadable = await world.ask("only-if-cached", body=b"{")
    assert isinstance(unreadable, Refusal)
    assert unreadable.status == 504
    await world.ask()
    assert isinstance(await world.ask("only-if-cached"), Hit)
    assert isinstance(await world.ask("only-if-cached, no-cache"), Refusal)


async def test_max_age() -> None:
    """An answer of that age is served, an older one is not, and is replaced."""
    world = World()
    await world.ask()
    world.now += 10
    assert isinstance(await world.ask("max-age=10"), Hit)
    assert await world.ask("max-age=9") == Miss("max-age")
    assert isinstance(await world.ask("max-age=0"), Hit)


async def test_ttl_of_one_call() -> None:
    """It goes before `cacheTTL`, for the reply to this call alone."""
    world = World(ttl=100)
    await world.ask("ttl=10")
    await world.ask(text="other")
    world.now += 10
    assert await world.ask("only-if-cached") != await world.ask(text="other")
    assert isinstance(await world.ask(text="other"), Hit)
    assert await world.ask() == Miss("unknown")


@pytest.mark.parametrize("header", ["no-cache", "max-age=0"])
async def test_replay_has_nothing_else(header: str) -> None:
    """A recording is served however old it is: nothing could be sent on."""
    world = World()
    await world.ask()
    world.now += 100
    world.engine.rules = Rules(mode="replay")
    assert isinstance(await world.ask(header), Hit)
    assert (await world.ask(header + ", only-if-cached", "unknown")).status == 424


async def test_what_cannot_be_read_passes() -> None:
    """Neither answered nor stored: the sender wanted something, and nobody knows what."""
    world = World()
    await world.ask()
    assert await world.ask("max-age=soon") == Bypass("control-malformed")
