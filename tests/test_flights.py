"""One flight, on the loop alone: who is woken when, with what, and that a stream comes byte for byte."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from llmcache.capture import Tee
from llmcache.chat import Form
from llmcache.flights import REMEMBERED, Broken, Ending, Feed, Flight, Flights, Live
from support import clock

SSE, JSON = Form("sse"), Form("json")
HEAD = (("content-type", "text/event-stream"), ("set-cookie", "a=b"))


def followed(flights: Flights, flight: Flight, form: Form | None) -> asyncio.Task[Ending | Feed]:
    """Return a follower who is waiting."""
    return asyncio.create_task(flights.follow(flight, form))


async def waiting() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def flowing(flight: Flight, coding: str = "", limit: int = 1000) -> tuple[Tee, Live]:
    """Let the stream of *flight* begin."""
    tee = Tee(0.0, limit)
    live = flight.flow(200, (*HEAD, ("content-encoding", coding)) if coding else HEAD, tee.pieces, limit)
    tee.follow, tee.lose = flight.hear, live.lose
    return tee, live


async def test_all_who_wait_are_released_at_once() -> None:
    """Not one after the other: with an upstream that fails, each would wait for all before him."""
    flights = Flights()
    flight = flights.lead("k", JSON)
    tasks = [followed(flights, flight, form) for form in (None, SSE, JSON)]
    await waiting()
    flights.end(flight, Ending.FAILED)
    assert await asyncio.gather(*tasks) == [Ending.FAILED] * 3
    assert flights.under_way("k") is None


@pytest.mark.parametrize("streams", [False, True])
async def test_who_follows_a_flight_that_has_just_ended_is_told_at_once(streams: bool) -> None:
    """It may have ended while the follower was busy elsewhere: nobody would wake him again."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    if streams:
        flowing(flight)[1].end(whole=True)
    flights.end(flight, Ending.RECORDED)
    async with asyncio.timeout(5):
        assert await flights.follow(flight, SSE) is Ending.RECORDED


async def test_a_flight_leaves_nothing_behind() -> None:
    """A lone miss is an entry in a dict for its time, and a number afterwards; the numbers are bounded."""
    flights = Flights()
    for number in range(REMEMBERED + 10):
        flights.end(flights.lead(str(number), JSON), Ending.RECORDED)
    assert repr(flights) == f"<Flights 0 under way, {REMEMBERED + 10} ended>"
    assert flights.landed_since("0", 0) is False
    assert flights.landed_since("20", 0) is True
    assert flights.landed_since("20", 21) is False


async def test_a_leader_that_is_lost_is_followed_no_more() -> None:
    """Whoever comes after him leads anew, so that a leader who is lost costs one wait, not one for each call."""
    flights = Flights(wait=0)
    flight = flights.lead("k", JSON)
    assert await followed(flights, flight, None) is Ending.LATE
    assert flights.under_way("k") is None
    other = flights.lead("k", JSON)
    flights.end(flight, Ending.RECORDED)
    assert flights.under_way("k") is other


@pytest.mark.parametrize(("wait", "patient"), [(300, True), (170, False)])
def test_a_model_that_thinks_for_three_minutes_is_waited_for(wait: float, patient: bool) -> None:
    """Nothing comes of a call of three minutes before its end: that is no reason to make it twice."""

    async def thinking() -> None:
        flights = Flights(wait)
        flight = flights.lead("k", JSON)
        asyncio.get_running_loop().call_later(180, flights.end, flight, Ending.RECORDED)
        assert await flights.follow(flight, None) is (Ending.RECORDED if patient else Ending.LATE)

    clock.run(thinking)


def test_a_stream_of_an_hour_is_waited_for_while_it_comes() -> None:
    """Who needs all of it waits as long as something is heard of it; after a silence he waits no longer."""

    async def long() -> None:
        flights, loop = Flights(60), asyncio.get_running_loop()
        flight = flights.lead("k", SSE)
        tee = Tee(0.0, 10**6)
        flight.flow(200, HEAD, tee.pieces, 10**6)
        tee.follow = flight.hear
        for minute in range(60):
            loop.call_later(59 * minute, tee, b"data: x")
        begun = loop.time()
        assert await flights.follow(flight, JSON) is Ending.LATE
        assert loop.time() - begun == pytest.approx(59 * 59 + 60)

    clock.run(long)


async def test_who_does_not_wait_any_more_gets_no_stream() -> None:
    """What nobody would read is not kept for him."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    task = followed(flights, flight, SSE)
    await waiting()
    task.cancel()
    await waiting()
    _, live = flowing(flight)
    assert live.feeds == set()


async def test_a_stream_is_followed_from_its_beginning() -> None:
    """Who waits for it, who comes late, and what is still to come: the same bytes for all."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    early = followed(flights, flight, SSE)
    await waiting()
    tee, live = flowing(flight)
    tee(b"one ")
    tee(b"two ")
    feeds = [await early, await followed(flights, flight, SSE)]
    assert [await anext(feed) for feed in feeds] == [b"one two "] * 2
    tee(b"three")
    live.end(whole=True)
    assert [[piece async for piece in feed] for feed in feeds] == [[b"three"]] * 2
    assert feeds[0].headers == (("content-type", "text/event-stream"),)


async def test_another_form_waits_for_the_end() -> None:
    """A JSON call, or a stream with other options, cannot have the bytes of this one."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    task = followed(flights, flight, Form("sse", frozenset({"usage"})))
    await waiting()
    flowing(flight)
    await waiting()
    assert not task.done()
    flights.end(flight, Ending.RECORDED)
    assert await task is Ending.RECORDED


async def test_a_stream_that_breaks_off_is_told_from_one_that_ends() -> None:
    """First what came, then that nothing more will."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    tee, live = flowing(flight)
    feed = await followed(flights, flight, SSE)
    tee(b"half")
    live.end(whole=False)
    assert await anext(feed) == b"half"
    with pytest.raises(Broken):
        await anext(feed)


@pytest.mark.parametrize(("coding", "coder"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_coded_stream_is_followed_decoded(coding: str, coder: object) -> None:
    """Followers get what a hit would give them, whatever coding the leader asked for."""
    assert callable(coder)
    raw = coder(b"data: x\n\n" * 50)
    flights = Flights()
    flight = flights.lead("k", SSE)
    tee, live = flowing(flight, coding)
    tee(raw[:10])
    first = await followed(flights, flight, SSE)
    tee(raw[10:20])
    second = await followed(flights, flight, SSE)
    tee(raw[20:])
    live.end(whole=True)
    for feed in (first, second):
        assert b"".join([piece async for piece in feed]) == b"data: x\n\n" * 50


async def test_a_broken_coding_breaks_the_followers_only() -> None:
    """The leader's client gets the bytes all the same; nobody can join any more."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    tee, live = flowing(flight, "gzip")
    feed = await followed(flights, flight, SSE)
    assert tee(b"no gzip at all") == b"no gzip at all"
    with pytest.raises(Broken):
        await anext(feed)
    assert live.join() is None


async def test_a_long_stream_flows_on_for_those_who_follow() -> None:
    """Past the limit nothing is kept, so nobody can join; the memory is given back."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    tee, live = flowing(flight, limit=10)
    feed = await followed(flights, flight, SSE)
    got = []
    for piece in (b"12345678", b"87654321", b"12345678"):
        tee(piece)
        got.append(await anext(feed))
    assert got == [b"12345678", b"87654321", b"12345678"]
    assert tee.pieces == []
    assert live.join() is None


async def test_a_reader_that_lags_is_given_up() -> None:
    """He cannot make the proxy keep more than the limit for him."""
    flights = Flights()
    flight = flights.lead("k", SSE)
    tee, live = flowing(flight, limit=10)
    feed = await followed(flights, flight, SSE)
    tee(b"12345678")
    tee(b"12345678")
    assert live.feeds == set()
    with pytest.raises(Broken):
        await anext(feed)
