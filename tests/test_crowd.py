"""Identical calls at the same time, through the engine: who goes upstream, and who gets what from whom."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest
from llmcache import stage
from llmcache.capture import Exchange, Tee
from llmcache.chat import BackendError, Bypass, Entry, Hit, Miss
from llmcache.crowd import LONGEST, Followed
from llmcache.flights import Broken
from llmcache.recorder import Ticket
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat
from support import clock
from support.upstream import chat_chunks
from test_engine import SSE, World, request, stream, whole

Call = asyncio.Task[tuple[Any, Ticket | None]]
USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass
class Client:
    """Who asks."""

    connected: bool = True


async def far() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def called(world: World, client: Client | None = None, **more: Any) -> Call:
    """Return a call under way."""
    return asyncio.create_task(world.engine.lookup(openai_chat, request(**more), client=client))


async def led(world: World, **more: Any) -> Ticket:
    """Return the ticket of a call that went upstream."""
    outcome, ticket = await world.lookup(request(**more))
    assert isinstance(outcome, Miss)
    assert ticket
    assert ticket.flight
    return ticket


async def crowd(world: World, count: int = 10, **more: Any) -> list[Call]:
    """Return calls that all wait."""
    calls = [called(world, **more) for _ in range(count)]
    await far()
    assert not any(call.done() for call in calls)
    return calls


def missed(calls: list[Call]) -> int:
    """Return how many of *calls* go upstream; the others wait."""
    return sum(call.done() and isinstance(call.result()[0], Miss) for call in calls)


async def test_a_hundred_calls_make_one() -> None:
    """One goes upstream; the others have its reply before it is stored."""
    world = World()
    ticket = await led(world)
    calls = await crowd(world, 99)
    world.engine.record(ticket, whole())
    found = [await call for call in calls]
    assert {(type(hit), hit.kind, ticket) for hit, ticket in found} == {(Hit, "collapsed", None)}
    assert {hit.reply.body for hit, _ in found} == {whole().pieces[0][1]}
    assert isinstance((await world.lookup(request()))[0], Hit)


async def test_both_forms_follow_one_leader() -> None:
    """A JSON reply is written as a stream for those who asked for one."""
    world = World()
    ticket = await led(world)
    calls = [*await crowd(world, 3), *await crowd(world, 3, **USAGE)]
    world.engine.record(ticket, whole())
    kinds = [(await call)[0].reply.header("content-type").partition(";")[0] for call in calls]
    assert kinds == ["application/json"] * 3 + ["text/event-stream"] * 3


async def test_a_reply_that_comes_while_the_stage_opens_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first who follow a stream open the stage, and the flight may be over when it is open."""
    world = World()
    opening, opened = asyncio.Event(), asyncio.Event()

    async def slow() -> bool:
        opening.set()
        return await opened.wait()

    monkeypatch.setattr(world.engine.stage, "open", slow)
    ticket = await led(world)
    call = called(world, **USAGE)
    await opening.wait()
    world.engine.record(ticket, whole())
    opened.set()
    async with asyncio.timeout(5):
        outcome, _ = await call
    assert isinstance(outcome, Hit)


UNFIT = [
    pytest.param(lambda engine, ticket: engine.abandon(ticket, "too-large", whole=True), id="too large"),
    pytest.param(
        lambda engine, ticket: engine.record(
            ticket, Exchange(200, whole().headers, ((1, b'{"choices": []}'),), 1, streamed=False)
        ),
        id="not to be stored",
    ),
]


@pytest.mark.parametrize("unfit", UNFIT)
async def test_a_reply_for_its_leader_alone_releases_all_at_once(unfit: Any) -> None:
    """Each asks by himself and waits for nobody again, however often that happens."""
    world = World()
    ticket = await led(world)
    calls = await crowd(world)
    unfit(world.engine, ticket)
    found = await asyncio.gather(*calls)
    assert [type(outcome) for outcome, _ in found] == [Miss] * 10
    assert [ticket.flight for _, ticket in found if ticket] == [None] * 10


FAILURES = [
    pytest.param(lambda engine, ticket: engine.abandon(ticket, "client-left", left=True), id="client left"),
    pytest.param(lambda engine, ticket: engine.crowd.answered(ticket, 429, (), None), id="429, before its body"),
    pytest.param(lambda engine, ticket: engine.crowd.answered(ticket, 400, (), None), id="400, before its body"),
    pytest.param(lambda engine, ticket: engine.abandon(ticket, "upstream-failed"), id="connection"),
]


async def next_leader(calls: list[Call]) -> Ticket:
    """Return the ticket of the one of *calls* that goes upstream."""
    await far()
    assert missed(calls) == 1
    ticket = next(call.result()[1] for call in calls if call.done())
    assert ticket
    assert ticket.flight
    return ticket


@pytest.mark.parametrize("fail", FAILURES)
async def test_when_a_leader_fails_the_next_one_leads(fail: Any) -> None:
    """Upstream is asked once more, not ten times, and that answers the others."""
    world = World()
    first = await led(world)
    calls = await crowd(world)
    fail(world.engine, first)
    world.engine.record(await next_leader(calls), whole())
    found = [outcome for outcome, _ in await asyncio.gather(*calls)]
    assert [outcome.kind for outcome in found if isinstance(outcome, Hit)] == ["collapsed"] * 9


@pytest.mark.parametrize("fail", FAILURES)
async def test_after_two_leaders_nobody_waits_any_longer(fail: Any) -> None:
    """However often upstream fails, a call waits for two others at the most."""
    world = World()
    first = await led(world)
    calls = await crowd(world)
    fail(world.engine, first)
    fail(world.engine, await next_leader(calls))
    await far()
    assert missed(calls) == 10


async def test_a_client_that_leaves_after_the_last_event_leaves_the_answer() -> None:
    """What the leader's client heard to the end is good for those who wait."""
    world = World()
    ticket = await led(world, **USAGE)
    calls = await crowd(world, 3)
    world.engine.record(ticket, replace(stream(usage=True), whole=False), left=True)
    assert {(await call)[0].kind for call in calls} == {"collapsed"}


async def test_nobody_goes_upstream_for_a_client_that_is_gone() -> None:
    """He waited, left, and is not made a leader whom others would wait for."""
    world, client = World(), Client()
    ticket = await led(world)
    gone = called(world, client)
    calls = await crowd(world, 2)
    client.connected = False
    world.engine.abandon(ticket, "client-left", left=True)
    assert await gone == (Bypass("client-left"), None)
    await far()
    assert missed(calls) == 1


async def test_a_reply_in_the_wrong_form_is_fetched_once_for_all() -> None:
    """A stream without usage is no JSON answer: of those who need one, one asks and the others wait again."""
    world = World()
    ticket = await led(world, stream=True)
    calls = await crowd(world)
    world.engine.record(ticket, stream())
    world.engine.record(await next_leader(calls), whole())
    found = [outcome for outcome, _ in await asyncio.gather(*calls)]
    assert [outcome.kind for outcome in found if isinstance(outcome, Hit)] == ["collapsed"] * 9


async def test_nobody_waits_longer_than_he_may() -> None:
    """A leader that never ends costs its followers the bound."""
    world = World(flights=0.01)
    await led(world)
    outcome, ticket = await called(world)
    assert isinstance(outcome, Miss)
    assert ticket
    assert ticket.flight is None


async def test_a_stream_is_followed_while_it_comes() -> None:
    """What has arrived at once, then each chunk; the same bytes, and the end when it ends."""
    world = World()
    ticket = await led(world, stream=True)
    waiting = (await crowd(world, 1, stream=True))[0]
    tee, chunks = Tee(0.0, 10**6), chat_chunks("one two")
    tee(chunks[0])
    world.engine.crowd.answered(ticket, 200, SSE, tee)
    late = called(world, stream=True)
    feeds = [(await call)[0] for call in (waiting, late)]
    assert all(isinstance(followed, Followed) for followed in feeds)
    assert [await anext(followed.feed) for followed in feeds] == [chunks[0]] * 2
    for chunk in chunks[1:]:
        tee(chunk)
    world.engine.record(ticket, Exchange(200, SSE, tuple(tee.pieces), 1, streamed=True))
    for followed in feeds:
        assert b"".join([piece async for piece in followed.feed]) == b"".join(chunks[1:])
    assert [seen.reason for seen in world.seen if seen.outcome == "hit"] == ["collapsed"] * 2
    await world.engine.close()


@pytest.mark.parametrize(("count", "good"), [(None, True), (2, False)], ids=["after the last event", "before"])
async def test_an_end_without_a_mark_is_judged(count: int | None, good: bool) -> None:
    """Where HTTP does not say that all came, the dialect does: a half stream is broken off for followers, too."""
    world = World()
    ticket = await led(world, stream=True)
    tee = Tee(0.0, 10**6)
    world.engine.crowd.answered(ticket, 200, SSE, tee)
    followed = (await called(world, stream=True))[0]
    for chunk in chat_chunks("yes")[:count]:
        tee(chunk)
    world.engine.record(ticket, Exchange(200, SSE, tuple(tee.pieces), 1, streamed=True, whole=False))
    await anext(followed.feed)
    with pytest.raises(StopAsyncIteration if good else Broken):
        await anext(followed.feed)
    await world.engine.close()


async def test_without_a_stage_a_stream_waits_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """No port can be had: followers get the stream in one block when it is there."""

    def refuse(*_: object) -> None:
        raise OSError("no more")

    monkeypatch.setattr(stage.socket, "create_server", refuse)
    world = World()
    ticket = await led(world, stream=True)
    tee = Tee(0.0, 10**6)
    world.engine.crowd.answered(ticket, 200, SSE, tee)
    calls = await crowd(world, 2, stream=True)
    world.engine.record(ticket, stream())
    assert {(await call)[0].reply.body for call in calls} == {b"".join(chat_chunks("yes"))}


class Slow(MemoryStore):
    """A store that is elsewhere, and whose first look-up takes until it is let go."""

    def __init__(self) -> None:
        super().__init__(10, 10**6, "lru")
        self.gate: asyncio.Event | None = asyncio.Event()

    away = False

    def peek(self, key: str) -> Entry | None:
        """Return nothing, for nothing is at hand."""
        return None

    def excludes(self, key: str) -> bool:
        """Return that nobody knows."""
        return False

    async def get(self, key: str) -> Entry | None:
        """Return what was there when it was asked."""
        found, gate, self.gate = super().peek(key), self.gate, None
        if gate:
            await gate.wait()
        return found


async def test_a_look_up_that_was_overtaken_looks_again() -> None:
    """What landed while the store was still answering `no` is found."""
    store = Slow()
    world, gate = World(store), store.gate
    assert gate
    slow = called(world)
    await far()
    world.engine.record(await led(world), whole())
    await world.settled()
    gate.set()
    assert (await slow)[0].kind == "collapsed"


@pytest.mark.parametrize("rules", [{"mode": "record"}, {"higress_prefix": "h:"}, {"flights": 0.0}], ids=str)
async def test_where_nobody_follows(rules: dict[str, Any]) -> None:
    """Recording wants every reply; Higress' key mixes calls that differ; and it can be switched off."""
    world = World(**rules)
    assert [type((await world.lookup(request()))[0]) for _ in range(2)] == [Miss, Miss]


async def test_the_end_leaves_nobody_waiting() -> None:
    """Who waits when the cache closes goes upstream."""
    world = World()
    await led(world)
    calls = await crowd(world)
    await world.engine.close()
    await asyncio.gather(*calls)
    assert missed(calls) == 10


class Elsewhere:
    """Locks of which another process has all, until it gives them back or fails."""

    seconds = 15.0

    def __init__(self) -> None:
        self.theirs = True
        self.leaders = itertools.repeat("another")
        """Who has it each time that somebody asks."""
        self.renewed: list[float] = []
        """When, by the loop's clock."""
        self.error: Exception | None = None
        self.released: list[str] = []
        self.asked = asyncio.Event()

    async def take(self, key: str) -> str:
        """Take the lock, if it is free."""
        if self.error:
            raise self.error
        return "" if self.theirs else f"owner of {key}"

    async def holder(self, key: str) -> str:
        """Return who has it."""
        self.asked.set()
        if self.error:
            raise self.error
        return next(self.leaders) if self.theirs else ""

    async def renew(self, key: str, owner: str) -> None:
        """Note when; a store that is gone for a moment is no reason to stop."""
        assert owner == f"owner of {key}"
        self.renewed.append(asyncio.get_running_loop().time())
        if len(self.renewed) == 1:
            raise BackendError("gone")

    async def release(self, key: str, owner: str) -> None:
        """Note who gave it back."""
        assert owner == f"owner of {key}"
        self.released.append(owner)


async def abroad(**rules: Any) -> tuple[World, Elsewhere, Call, list[Call]]:
    """Return a world in which one call waits for another process, and three more follow that one."""
    world, locks = World(**rules), Elsewhere()
    world.engine.locks = locks
    world.engine.__post_init__()
    first = called(world)
    await locks.asked.wait()
    return world, locks, first, await crowd(world, 3)


async def test_what_another_process_stores_answers_all() -> None:
    """One call looks for it, and the others here wait for that one."""
    world, locks, first, calls = await abroad()
    other = World(world.store)
    await other.through(request(), whole())
    locks.theirs = False
    found = [outcome for outcome, _ in await asyncio.gather(first, *calls)]
    assert {outcome.kind for outcome in found} == {"collapsed"}


@pytest.mark.parametrize("error", [None, BackendError("gone"), TimeoutError()], ids=["failed", "store down", "slow"])
async def test_another_process_that_stores_nothing_holds_nobody_up(error: Exception | None) -> None:
    """It gave the lock back without an answer, or the store is gone: one call here goes upstream for all.

    With the lock, where it can be had: then other processes wait for that call.
    """
    world, locks, first, calls = await abroad()
    locks.theirs, locks.error = error is not None, error
    outcome, ticket = await first
    assert isinstance(outcome, Miss)
    assert ticket
    assert ticket.flight
    assert bool(ticket.flight.owner) == (error is None)
    world.engine.record(ticket, whole())
    assert {(await call)[0].kind for call in calls} == {"collapsed"}


async def test_other_processes_that_all_fail_are_not_waited_for_one_by_one() -> None:
    """After two of them, one call here goes upstream for all."""
    _, locks, first, calls = await abroad()
    locks.leaders = iter(["one", "two", "three"])
    assert isinstance((await first)[0], Miss)
    assert not any(call.done() for call in calls)


def test_a_long_call_elsewhere_is_waited_for() -> None:
    """As long as the other process keeps its lock, and with few questions to the store: it may take an hour."""

    async def long() -> None:
        loop, asked = asyncio.get_running_loop(), 0
        world, locks, first, calls = await abroad(flights=60.0)
        ask = locks.holder

        async def counted(key: str) -> str:
            nonlocal asked
            asked += 1
            return await ask(key)

        locks.holder = counted  # type: ignore[method-assign]
        await asyncio.sleep(3600)
        assert not any(call.done() for call in (first, *calls))
        locks.theirs, begun = False, loop.time()
        assert isinstance((await first)[0], Miss)
        assert loop.time() - begun <= LONGEST
        assert asked < 4500
        await world.engine.close()

    clock.run(long)


def test_our_lock_lasts_as_long_as_our_call() -> None:
    """It is renewed while something is heard of the call, and then for `flights.wait`; afterwards others may ask."""

    async def long() -> None:
        loop = asyncio.get_running_loop()
        world, locks = World(flights=60.0), Elsewhere()
        locks.theirs, world.engine.locks = False, locks
        world.engine.__post_init__()
        begun = loop.time()
        ticket, tee = await led(world, stream=True), Tee(0.0, 10**6)
        await asyncio.sleep(50)
        world.engine.crowd.answered(ticket, 200, SSE, tee)
        await asyncio.sleep(50)
        tee(b"data: x")
        await asyncio.sleep(600)
        assert [round(at - begun) for at in locks.renewed] == list(range(5, 160, 5))
        world.engine.abandon(ticket, "upstream-failed")
        await far()
        assert len(locks.released) == 1
        await world.engine.close()

    clock.run(long)


async def test_our_lock_is_given_back_once_the_reply_is_stored() -> None:
    """Not before: who looks then finds it. After a failure it is given back at once."""
    world, locks = World(), Elsewhere()
    locks.theirs, world.engine.locks = False, locks
    world.engine.__post_init__()
    world.engine.record(await led(world), whole())
    await far()
    assert locks.released == []
    await world.settled()
    await far()
    assert len(locks.released) == 1
    world.engine.crowd.answered(await led(world, n=2), 500, (), None)
    await far()
    assert len(locks.released) == 2
    await led(world, n=3)
    await world.engine.close()
    assert len(locks.released) == 3
