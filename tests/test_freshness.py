"""Fresh, stale, gone: what an answer is good for as it grows old."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache.capture import Exchange
from llmcache.chat import Entry, Form, Hit, Miss, Reply, Request
from llmcache.control import Control, parse
from llmcache.engine import Engine, Rules
from llmcache.freshness import PATIENCE, PAUSE, Refreshes, Stale, age, failing, overdue, too_old
from llmcache.recorder import Admission, Ticket
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from llmcache.stores.record import pack, unpack
from llmcache.wire import openai_chat
from support.upstream import chat_json

ENTRY = Entry("k", "d", "h", "m", Form("json"), Reply(200, (), b"a"), created=100.0, expires=150.0, fresh=110.0)


@pytest.mark.parametrize(("now", "expected"), [(100.0, 0), (100.9, 0), (160.0, 60), (1.0, 0)], ids=str)
def test_age(now: float, expected: int) -> None:
    """Whole seconds, and never negative, whatever the clock does."""
    assert expected == age(ENTRY, now)


def test_a_clock_set_back_makes_nothing_old() -> None:
    """An answer from the future is fresh: it lives as much longer as the clock was set back, and nothing fails."""
    assert overdue(ENTRY, 1.0) is None
    assert not too_old(ENTRY, 1.0, Control(max_age=0))


def test_fresh_until_the_second() -> None:
    """Served until just before its time."""
    assert overdue(ENTRY, 109.9) is None
    assert overdue(ENTRY, 110.0) == 0.0
    assert overdue(ENTRY, 130.0) == 20.0


def test_a_record_keeps_freshness() -> None:
    """It comes back from any store that holds bytes."""
    assert unpack(pack(ENTRY), "k") == ENTRY


@pytest.mark.parametrize(("status", "expected"), [(200, False), (400, False), (401, False), (404, False), (408, False)])
def test_the_caller_is_told_of_his_own_faults(status: int, expected: bool) -> None:
    """Only where the provider cannot answer now does an old answer stand in."""
    assert expected == failing(status)
    assert all(failing(other) for other in (429, 500, 502, 503, 504, 529))


def test_one_refresh_at_a_time() -> None:
    """A key is claimed once, again after a pause when that is over, and again when nothing was ever heard of it."""
    now = 0.0
    book = Refreshes(clock=lambda: now)
    assert [book.claim("a"), book.claim("a"), book.claim("b")] == [True, False, True]
    book.release("a")
    assert not book.claim("a")
    now += PAUSE
    assert book.claim("a")
    assert not book.claim("b")
    now = PATIENCE
    assert book.claim("b")
    book.release("never claimed")
    assert book.claim("never claimed")


class World:
    """An engine whose answers live for 10 seconds, and its clock."""

    def __init__(self, if_error: int = 0, while_revalidate: int = 0, mode: str = "cache") -> None:
        self.now = 1000.0
        stale = Stale(if_error, while_revalidate)
        self.store = MemoryStore(100, 10**7, "lru", clock=lambda: self.now)
        rules = Rules(mode=mode, flights=0, stale=stale, admission=Admission(ttl=10, keep=stale.keep))
        self.seen: list[Any] = []
        self.engine = Engine(self.store, Scope(b"s"), rules, self.seen.append, clock=lambda: self.now)

    async def ask(self, header: str = "") -> tuple[Any, Ticket | None]:
        """Look up the one call."""
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
        request = Request("POST", "https", "h", 443, "/v1/chat/completions", "", (), body)
        return await self.engine.lookup(openai_chat, request, parse(header)[0])

    async def answered(self, ticket: Ticket | None, text: str = "yes") -> None:
        """Let the provider answer."""
        assert ticket
        fields = (("content-type", "application/json"),)
        exchange = Exchange(200, fields, ((1, json.dumps(chat_json(text)).encode()),), 0.1, streamed=False)
        self.engine.record(ticket, exchange)
        await self.engine.settled()


async def world(**stale: Any) -> World:
    """Return a world with an answer in it."""
    made = World(**stale)
    await made.answered((await made.ask())[1])
    return made


async def test_without_windows_an_expired_answer_is_gone() -> None:
    """As it always was: the store itself has it no longer."""
    made = await world()
    made.now += 10
    outcome, ticket = await made.ask()
    assert outcome == Miss("unknown")
    assert ticket
    assert await made.store.get(ticket.key) is None


async def test_stale_if_error() -> None:
    """Forwarded when stale, with the old answer at hand; that stands in for a failure, and is counted as a hit."""
    made = await world(if_error=20)
    made.now += 15
    outcome, ticket = await made.ask()
    assert outcome == Miss("stale")
    assert ticket
    assert ticket.fallback
    hit = made.engine.rescue(ticket, 0.5, 503)
    assert dict(hit.detail) == {"fwd-status": "503", "ttl": "-5"}
    assert (made.seen[-1].outcome, made.seen[-1].reason) == ("hit", "stale-if-error")
    assert [seen.outcome for seen in made.seen] == ["miss", "hit"]
    made.now += 15
    outcome, ticket = await made.ask()
    assert (outcome, ticket and ticket.fallback) == (Miss("unknown"), None)


async def test_stale_while_revalidate() -> None:
    """Served at once; one caller of many is to refresh, and what he brings is what is served from then on."""
    made = await world(while_revalidate=20)
    made.now += 10
    answers = [await made.ask() for _ in range(5)]
    assert [hit.kind for hit, _ in answers] == ["stale-while-revalidate"] * 5
    assert [ticket is not None for _, ticket in answers] == [True, False, False, False, False]
    await made.answered(answers[0][1], "new")
    hit, ticket = await made.ask()
    assert (hit.kind, ticket) == ("exact", None)
    assert b"new" in hit.reply.body
    assert made.seen[-2].reason == "refresh"


@pytest.mark.parametrize("header", ["only-if-cached", "no-store"])
async def test_some_do_not_refresh(header: str) -> None:
    """Who wants nothing sent on, or nothing stored, gets the stale answer and asks nobody."""
    made = await world(while_revalidate=20)
    made.now += 10
    hit, ticket = await made.ask(header)
    assert isinstance(hit, Hit)
    assert ticket is None
    assert (await made.ask())[1] is not None


async def test_a_refresh_that_fails_leaves_the_old_answer() -> None:
    """Until its window is over."""
    made = await world(while_revalidate=20)
    made.now += 10
    _, ticket = await made.ask()
    assert ticket
    made.engine.abandon(ticket, "status-503")
    assert (await made.ask())[0].kind == "stale-while-revalidate"
    made.now += 20
    assert (await made.ask())[0] == Miss("unknown")


async def test_both_windows() -> None:
    """First served while it is refreshed, then only where the provider fails."""
    made = await world(while_revalidate=5, if_error=20)
    made.now += 14
    assert (await made.ask())[0].kind == "stale-while-revalidate"
    made.now += 1
    outcome, ticket = await made.ask()
    assert (outcome, bool(ticket and ticket.fallback)) == (Miss("stale"), True)


async def test_max_age_goes_before_both() -> None:
    """Who wants nothing older gets nothing older, not even instead of a failure."""
    made = await world(while_revalidate=50, if_error=50)
    made.now += 20
    outcome, ticket = await made.ask("max-age=5")
    assert (outcome, ticket and ticket.fallback) == (Miss("max-age"), None)


async def test_replay_serves_what_is_kept() -> None:
    """There nothing can be asked anew."""
    made = await world(if_error=20)
    made.now += 15
    made.engine.rules = Rules(mode="replay", stale=Stale(20, 0))
    hit, ticket = await made.ask()
    assert (hit.kind, ticket) == ("exact", None)
