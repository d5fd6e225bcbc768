"""Identical calls at the same time that have an expired answer to fall back on: how long they wait, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llmcache.chat import Hit, Miss
from llmcache.engine import Engine
from llmcache.freshness import Stale
from llmcache.recorder import Admission, Ticket
from support import clock
from test_crowd import Elsewhere, called, crowd, far, led, next_leader
from test_engine import World, request, whole

STALE = Stale(if_error=600, wait=30.0)


async def world() -> World:
    """Return a world whose one answer has expired."""
    made = World(admission=Admission(ttl=10, keep=STALE.keep), stale=STALE, flights=300.0)
    assert await made.through(request(), whole()) == "stored"
    made.now += 15
    return made


FAILURES = [
    pytest.param(lambda engine, ticket: engine.rescue(ticket, 0.5, 503), id="its status"),
    pytest.param(lambda engine, ticket: engine.rescue(ticket, 0.5), id="its connection"),
    pytest.param(lambda engine, ticket: engine.abandon(ticket, "upstream-failed"), id="with nothing to fall back on"),
    pytest.param(lambda engine, ticket: engine.crowd.answered(ticket, 429, (), None), id="429"),
]


@pytest.mark.parametrize("fail", FAILURES)
async def test_a_leader_that_fails_does_so_for_all(fail: Callable[[Engine, Ticket], Any]) -> None:
    """Upstream cannot answer: nobody asks once more who has an answer."""
    made = await world()
    ticket = await led(made)
    calls = await crowd(made)
    fail(made.engine, ticket)
    found = await asyncio.gather(*calls)
    assert [(hit.kind, ticket) for hit, ticket in found] == [("stale-if-error", None)] * 10


async def test_what_is_the_leaders_fault_is_not_theirs() -> None:
    """After a 401, say, the next one asks, and after two each by himself, with the old answer still at hand."""
    made = await world()
    ticket = await led(made)
    calls = await crowd(made)
    made.engine.crowd.answered(ticket, 401, (), None)
    made.engine.crowd.answered(await next_leader(calls), 401, (), None)
    for outcome, own in await asyncio.gather(*calls):
        assert outcome == Miss("stale")
        assert own
        assert own.fallback


def test_nobody_waits_longer_than_for_a_provider() -> None:
    """The old answer after `deadlines.staleIfError`; the late one is recorded, and is for all who come then."""

    async def long() -> None:
        made, loop = await world(), asyncio.get_running_loop()
        ticket = await led(made)
        begun = loop.time()
        hit, own = await called(made)
        assert (hit.kind, own, loop.time() - begun) == ("stale-if-error", None, 30.0)
        mine, late = made.engine.overtake(ticket, 30.0)
        assert (mine.kind, late.reason, late.fallback) == ("stale-if-error", "refresh", None)
        waiting = called(made)
        await far()
        made.engine.record(late, whole())
        assert (await waiting)[0].kind == "collapsed"
        await made.settled()
        assert (await made.lookup(request()))[0].kind == "exact"
        assert made.seen[-2].reason == "refresh"
        await made.engine.close()

    clock.run(long)


def test_many_who_wait_for_another_process_give_up_one_by_one() -> None:
    """Each in his time, and none of them asks upstream because others before him gave up."""

    async def long() -> None:
        made, locks, loop, begun = await world(), Elsewhere(), asyncio.get_running_loop(), list[float]()
        made.engine.locks = locks
        made.engine.__post_init__()
        calls = []
        for _ in range(6):
            calls.append(called(made))
            begun.append(loop.time())
            await asyncio.sleep(1)
        for call, since in zip(calls, begun, strict=True):
            assert (await call)[0].kind == "stale-if-error"
            assert loop.time() - since == pytest.approx(30.0)
        await made.engine.close()

    clock.run(long)


def test_nobody_waits_longer_for_another_process() -> None:
    """Another one here goes on waiting in his place, and a lock that was ours by then is given back."""

    async def long() -> None:
        made, locks, loop = await world(), Elsewhere(), asyncio.get_running_loop()
        made.engine.locks = locks
        made.engine.__post_init__()
        first = called(made)
        await locks.asked.wait()
        await asyncio.sleep(10)
        second, begun = called(made), loop.time()
        assert isinstance((await first)[0], Hit)
        assert loop.time() - begun == pytest.approx(20.0)
        assert not second.done()
        assert (await second)[0].kind == "stale-if-error"
        assert loop.time() - begun == pytest.approx(30.0)
        locks.theirs, found = False, asyncio.Event()

        async def stuck(_: Any) -> Any:
            found.set()
            await asyncio.Event().wait()

        made.engine.crowd._find = stuck
        third = called(made)
        await found.wait()
        assert (await third)[0].kind == "stale-if-error"
        await far()
        assert len(locks.released) == 1
        await made.engine.close()

    clock.run(long)
