"""Streams that upstream broke off: kept where that is wanted, and never taken for an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache.answer import AnswerRule
from llmcache.capture import Exchange, Tee
from llmcache.chat import Hit, Miss, Refusal
from llmcache.flights import Broken
from llmcache.recorder import Admission
from llmcache.sealing import Sealer
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.renewal import Renewal
from llmcache.stores.turns import Turns
from support.recordings import call as recorded_call
from support.recordings import engine_on, look
from support.upstream import chat_chunks
from test_engine import SSE, World, request, stream, whole

KEPT = Admission(truncated=True)


def half(count: int = 3, **more: Any) -> Exchange:
    """Return the beginning of a stream: *count* events."""
    pieces = tuple((at * 10, piece) for at, piece in enumerate(chat_chunks("yes and no")[:count]))
    return Exchange(200, SSE, pieces, 0.9, **{"streamed": True, "whole": False, "broken": True, **more})


async def replayed(world: World, **more: Any) -> Any:
    """Return what *request* gets in a replay of what *world* holds."""
    return (await World(world.store, mode="replay").lookup(request(**more)))[0]


async def test_a_replay_has_what_came() -> None:
    """The same bytes and times, said to be truncated; in cache mode the call goes upstream again."""
    world = World(admission=KEPT)
    assert await world.through(request(stream=True), half()) == "stored-truncated"
    hit = await replayed(world, stream=True)
    assert (hit.kind, hit.reply.body) == ("truncated", b"".join(chat_chunks("yes and no")[:3]))
    assert [at for at, _ in hit.reply.chunks] == [0, 10, 20]
    assert (await world.lookup(request(stream=True)))[0] == Miss("unknown")


async def test_it_is_served_in_no_other_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as JSON, nor with usage, nor through a template, which would make a whole answer of it."""
    world = World(admission=KEPT)
    await world.through(request(stream=True), half())
    for more in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
        refusal = await replayed(world, **more)
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "form-truncated"
    monkeypatch.setattr(AnswerRule, "fill", lambda *_: pytest.fail("it was filled in"))
    hit = (await World(world.store, mode="replay", answer=object.__new__(AnswerRule)).lookup(request(stream=True)))[0]
    assert isinstance(hit, Hit)


@pytest.mark.parametrize(
    ("admission", "exchange"),
    [
        pytest.param(Admission(), half(), id="not wanted"),
        pytest.param(KEPT, half(broken=False), id="the client left"),
        pytest.param(KEPT, half(0), id="nothing came"),
        pytest.param(KEPT, replace(whole(), whole=False, broken=True), id="asked as a stream, answered as JSON"),
        pytest.param(KEPT, replace(half(), status=500), id="an error"),
    ],
)
async def test_what_is_not_kept(admission: Admission, exchange: Exchange) -> None:
    """Only what upstream broke off, of a good stream, and only for who wants it."""
    world = World(admission=admission)
    exchange = replace(exchange, pieces=tuple((at, piece[:-9]) for at, piece in exchange.pieces))
    assert not (await world.through(request(stream=True), exchange)).startswith("stored")
    assert await world.store.totals() == (0, 0)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
async def test_half_a_reply_never_replaces_a_whole_one(sealed: bool) -> None:
    """A whole one replaces half of one, whether they are stored together or one after the other."""
    world = World(admission=KEPT, mode="record")
    if sealed:
        world.engine.seal = Sealer(b"s")
        world.engine.__post_init__()
    assert await world.through(request(stream=True), half()) == "stored-truncated"
    assert await world.through(request(stream=True), half(4)) == "stored-truncated"
    assert await world.through(request(stream=True), stream()) == "stored"
    assert await world.through(request(stream=True), half()) == "truncated"
    for number, exchanges in enumerate([(stream(), half()), (half(), stream())]):
        for exchange in exchanges:
            ticket = (await world.lookup(request(seed=number, stream=True)))[1]
            assert ticket
            world.engine.record(ticket, exchange)
        await world.settled()
    rules = {"mode": "replay"}
    for more in ({}, {"seed": 0}, {"seed": 1}):
        replay = World(world.store, **rules)
        replay.engine.seal = world.engine.seal
        replay.engine.__post_init__()
        assert (await replay.lookup(request(stream=True, **more)))[0].kind == "exact"


async def test_half_a_stream_is_no_end_for_those_who_follow_it() -> None:
    """They see it break off, and who asks again before it is stored goes upstream."""
    world = World(admission=KEPT)
    ticket = (await world.lookup(request(stream=True)))[1]
    assert ticket
    tee = Tee(0.0, 10**6)
    world.engine.crowd.answered(ticket, 200, SSE, tee)
    followed = (await world.lookup(request(stream=True)))[0]
    world.engine.record(ticket, half())
    with pytest.raises(Broken):
        await anext(followed.feed)
    assert (await world.lookup(request(stream=True)))[0] == Miss("unknown")
    await world.settled()
    assert [seen.stored for seen in world.seen if seen.stored] == ["stored-truncated"]
    await world.engine.close()


async def test_it_is_no_stand_in_for_a_failing_provider() -> None:
    """A stale answer is a whole one."""
    world = World(admission=Admission(truncated=True, ttl=10, keep=100))
    await world.through(request(stream=True), half())
    world.now += 20
    ticket = (await world.lookup(request(stream=True)))[1]
    assert ticket
    assert ticket.fallback is None


async def test_recordings_keep_it_in_its_place(tmp_path: Path) -> None:
    """Of several calls in a run the second broke off, and does so in each replay; another run's half replaces none."""
    settings = "admit: {truncated: true}\n"

    async def run(*exchanges: Exchange) -> list[str]:
        engine = engine_on(tmp_path, "record", settings)
        for exchange in exchanges:
            _, ticket = await look(engine, asked)
            assert ticket
            engine.record(ticket, exchange)
            await engine.settled()
        await engine.close()
        replay = engine_on(tmp_path, "replay", settings)
        found = [(await look(replay, asked))[0] for _ in range(3)]
        await replay.close()
        return [hit.kind if isinstance(hit, Hit) else "" for hit in found]

    asked = recorded_call("hi", stream=True)
    assert await run(half(), half(2)) == ["truncated"] * 3
    assert await run(stream(), half(), stream()) == ["exact", "truncated", "exact"]
    assert await run(half()) == ["exact", "truncated", "exact"]


async def test_a_run_that_renews_may_keep_it(tmp_path: Path) -> None:
    """What the run itself recorded counts, not what it is there to replace."""
    old, fresh = (Turns(CassetteStore(tmp_path / name), renew=True) for name in ("old", "fresh"))
    world = World(old)
    await world.through(request(stream=True), stream())
    (whole_one,) = [entry async for entry in old.scan()]
    renewal = Renewal(old, fresh, ())
    assert await old.outdoes(replace(whole_one, truncated=True))
    assert not await renewal.outdoes(replace(whole_one, truncated=True))
    await renewal.put(whole_one)
    assert await renewal.outdoes(replace(whole_one, truncated=True))
    await world.engine.close()
    await renewal.close()
