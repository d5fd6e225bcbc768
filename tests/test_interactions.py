"""What one request asks and what one tier keeps, where they meet the semantic tier."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from llmcache.chat import Hit, Miss, Refusal
from llmcache.control import Control
from llmcache.freshness import Stale
from llmcache.ledger import FileLedger
from llmcache.recorder import Admission
from llmcache.redact import Redactor, Secrets
from llmcache.semantic.audit import Audit
from llmcache.wire import openai_chat
from test_engine import World as Cache
from test_engine import request, whole
from test_similar import ASKED, NEAR, OTHER, World

PLEASE = "what is the capital city of France please please"


async def test_a_lane_gets_no_near_answer_of_another() -> None:
    """A lane is part of what a call is known by, for near questions as well."""
    world = World()
    await world.teach(ASKED)
    outcome, _ = await world.ask(NEAR, Control(lane="tests/test_a.py::test_b"))
    assert outcome == Miss("unknown")


async def test_exact_gets_no_answer_that_was_kept_for_a_near_question() -> None:
    """`exact`: what was served once to a near question is no exact answer the second time either."""
    world = World()
    await world.teach(ASKED)
    assert isinstance((await world.ask(NEAR))[0], Hit)
    await world.engine.settled()
    outcome, ticket = await world.ask(NEAR, Control(exact=True))
    assert outcome == Miss("unknown")
    assert ticket
    world.engine.record(ticket, whole("Paris, it is"))
    await world.engine.settled()
    hit, _ = await world.ask(NEAR, Control(exact=True))
    assert (hit.kind, hit.reply.body) == ("exact", whole("Paris, it is").pieces[0][1])


@pytest.mark.parametrize("change", ["off", "shadow", "closed"])
async def test_what_was_kept_for_near_questions_is_not_served_when_they_are_switched_off(change: str) -> None:
    """A store that outlives the setting does not bring the old answers of near questions back."""
    world = World()
    await world.teach(ASKED)
    await world.ask(NEAR)
    await world.engine.settled()
    match change:
        case "off":
            world.engine.similar = None
        case "shadow":
            world.nearby.rules = type(world.nearby.rules)(shadow=True)
        case _:
            world.audit.closed = True
    assert isinstance((await world.ask(NEAR))[0], Miss)
    assert isinstance((await world.ask(ASKED))[0], Hit)


async def test_no_store_keeps_no_near_answer_either() -> None:
    """`no-store`: the call is answered, and nothing of it is kept, not even who gave the answer."""
    world = World()
    await world.teach(ASKED)
    hit, _ = await world.ask(NEAR, Control(no_store=True))
    assert isinstance(hit, Hit)
    await world.engine.settled()
    assert (await world.store.totals())[0] == 1


@pytest.mark.parametrize("control", [Control(only_if_cached=True), Control(no_store=True)])
async def test_an_audit_sends_on_nothing_that_may_not_leave(control: Control) -> None:
    """`only-if-cached` is never sent on, in the background neither; what is not stored teaches nothing."""
    world = World(audit=Audit(share=1.0))
    await world.teach(ASKED)
    hit, ticket = await world.ask(NEAR, control)
    assert isinstance(hit, Hit)
    assert ticket is None


async def test_a_copy_for_a_near_question_answers_for_no_other() -> None:
    """Where a recorded answer was evicted and another's kept in its place, who is near to the first has no answer."""
    world = World()
    await world.teach(ASKED)
    await world.teach(PLEASE.replace("capital", "capital, the main"), "Rome")
    copied, _ = await world.ask(NEAR)
    await world.engine.settled()
    assert isinstance(copied, Hit)
    first, _ = await world.ask(ASKED)
    # As eviction does it: the entry goes, its point stays, and the next call is answered by a near one's.
    await world.store.delete(first.entry.key)
    kept = type(first.entry)(**{name: getattr(first.entry, name) for name in first.entry.__slots__} | {"origin": "x"})
    await world.store.put(kept)
    outcome, _ = await world.ask(f"{NEAR}!")
    assert outcome == Miss("answer-gone")


async def test_a_report_does_not_close_the_tier() -> None:
    """Reports are of wrong answers alone: they evict, and are no sample of how many are wrong."""
    world = World()
    await world.teach(ASKED)
    await world.ask(NEAR)
    await world.engine.settled()
    await world.ask(NEAR, Control(wrong=True))
    await world.ask(ASKED, Control(wrong=True))
    assert not world.audit.closed
    assert world.audit.looked == 0


async def test_a_report_to_one_process_counts_in_another_at_once(tmp_path: Path) -> None:
    """What was reported to one is not served by another that shares the ledger and has been running all along."""
    one, other = (World(ledger=FileLedger(tmp_path / "cache.db")) for _ in range(2))
    for world in (one, other):
        await world.teach(ASKED)
        assert isinstance((await world.ask(NEAR))[0], Hit)
        await world.engine.settled()
    hit, _ = await other.ask(NEAR)
    await other.store.delete((await other.ask(NEAR, Control(no_cache=True)))[1].key)
    assert isinstance(hit, Hit)
    await one.ask(NEAR, Control(wrong=True))
    assert (await other.ask(NEAR))[0] == Miss("reported-wrong")


async def test_a_question_with_a_secret_is_not_embedded() -> None:
    """What is taken out of a call reaches no model, neither by asking nor by a report."""
    world = World(redactor=Redactor(Secrets(paths=("messages.*.content",))))
    asked = request("my key is hunter2", stop="")
    for control in (Control(), Control(wrong=True)):
        outcome, ticket = await world.ask(asked, control)
        assert not isinstance(outcome, Hit | Refusal)
        assert ticket
        world.engine.record(ticket, whole("Paris"))
        await world.engine.settled()
        await world.store.delete(ticket.key)
    assert world.embedder.asked == []


async def test_answers_are_compared_beside_the_event_loop() -> None:
    """Comparing takes up to hundreds of milliseconds: it is done on another thread, and only where somebody learns."""
    world = World(audit=Audit(share=1.0))
    threads: list[int] = []
    said = world.lessons.said
    world.lessons.said = lambda entry: (threads.append(threading.get_ident()), said(entry))[1]
    await world.teach(ASKED)
    hit, ticket = await world.ask(NEAR)
    assert isinstance(hit, Hit)
    assert ticket
    world.engine.record(ticket, whole("Paris"))
    await world.engine.settled()
    assert world.audit.looked == 1
    assert threads
    assert threading.get_ident() not in threads
    threads.clear()
    world.lessons.journal = None
    await world.teach(OTHER, "Madrid")
    assert threads == []


async def test_a_renewed_answer_goes_on_answering_near_questions() -> None:
    """The point of a question ends with its answer: one that was asked anew when it was stale gets a new one."""
    kept = {"stale": Stale(while_revalidate=600), "admission": Admission(ttl=10, keep=600)}
    world = World(**kept)
    await world.teach(ASKED, "Lyon")
    world.now += 605
    hit, ticket = await world.ask(ASKED)
    assert (hit.kind, ticket.reason) == ("stale-while-revalidate", "refresh")
    world.engine.record(ticket, whole("Paris"))
    await world.engine.settled()
    world.now += 7  # the time of the first answer is over, that of the new one is not
    near, _ = await world.ask(NEAR)
    assert isinstance(near, Hit)
    assert near.reply.body == whole("Paris").pieces[0][1]


async def test_questions_that_no_model_reads_leave_the_tier_alone() -> None:
    """Such a text is no fault of the model: near questions are answered as before, however many of them come."""
    world = World()
    await world.teach(ASKED)
    for number in range(10):
        outcome, _ = await world.ask(" " * (number + 1))
        assert outcome == Miss("question-unreadable")
    assert isinstance((await world.ask(NEAR))[0], Hit)


@pytest.mark.parametrize("stored", [False, True], ids=["at once", "while it is stored"])
async def test_a_wrong_answer_that_is_not_stored_yet_never_is(stored: bool) -> None:
    """It is reported within the moment in which replies wait to be stored: it does not come back afterwards."""
    world = Cache()
    _, first = await world.lookup(request())
    assert first
    world.engine.record(first, whole("bad"))
    if stored:
        settling = asyncio.create_task(world.settled())
        await asyncio.sleep(0)
    outcome, ticket = await world.engine.lookup(openai_chat, request(), Control(wrong=True))
    assert outcome == Miss("reported-wrong")
    assert ticket
    if stored:
        await settling
    await world.settled()
    world.engine.abandon(ticket, "upstream-failed")
    assert (await world.lookup(request()))[0] == Miss("unknown")
