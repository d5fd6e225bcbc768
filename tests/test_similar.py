"""Semantic answers from question to hit: a model that counts words, an index in memory, a clock of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from llmcache.capture import Exchange
from llmcache.chat import BackendError, Entry, Hit, Miss, Request
from llmcache.control import Control
from llmcache.embed import Vectors
from llmcache.embed.hashing import HashEmbedder
from llmcache.engine import Engine, Rules
from llmcache.experience import Experience
from llmcache.index.local import LocalIndex
from llmcache.ledger import FileLedger, Ledger
from llmcache.lessons import Lessons
from llmcache.nearby import Nearby, NearRules
from llmcache.question import QuestionRule
from llmcache.recorder import Ticket
from llmcache.scope import Scope
from llmcache.semantic import Policy
from llmcache.semantic.audit import Audit
from llmcache.semantic.budget import ErrorBudget
from llmcache.semantic.threshold import Threshold
from llmcache.similar import Similar
from llmcache.stats import Observation
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat
from llmcache.wire.said import said
from test_engine import request, whole

ASKED = "what is the capital city of France"
NEAR = "what is the capital city of France please"
OTHER = "what is the capital city of Spain"


class World:
    """An engine with a semantic tier, and everything in it that a test may touch."""

    def __init__(
        self, policy: Policy | None = None, rules: NearRules | None = None, ledger: Ledger | None = None, **more: Any
    ) -> None:
        self.now = 1000.0
        self.seen: list[Observation] = []
        self.written: list[Any] = []
        self.store = MemoryStore(1000, 10**9, "lru", clock=lambda: self.now)
        self.embedder: Any = more.pop("embedder", None) or HashEmbedder()
        self.audit = more.pop("audit", None) or Audit()
        text = lambda entry: said(openai_chat, entry)  # noqa: E731 - one argument of the next line
        equal = lambda one, other: one.strip().lower() == other.strip().lower()  # noqa: E731
        chosen = policy or Threshold(0.8)
        self.lessons = Lessons(
            Experience(more.pop("make", lambda: chosen), ledger),
            self.audit,
            text,
            equal,
            lambda: self.now,
            ledger,
            self.written.append,
        )
        self.index: Any = more.pop("index", None) or LocalIndex(None, clock=lambda: self.now)
        self.nearby = Nearby(
            self.embedder, self.index, self.lessons, self.store, rules or NearRules(), lambda: self.now
        )
        scope = Scope(b"s")
        self.similar = Similar(self.nearby, QuestionRule(), scope)
        self.engine = Engine(
            self.store, scope, Rules(**more), self.seen.append, clock=lambda: self.now, similar=self.similar
        )

    async def ask(self, asked: str | Request, control: Control | None = None) -> tuple[Any, Ticket | None]:
        """Look up a question."""
        call = request(asked) if isinstance(asked, str) else asked
        return await self.engine.lookup(openai_chat, call, control or Control())

    async def teach(self, asked: str | Request, answer: str = "Paris", exchange: Exchange | None = None) -> None:
        """Let a question miss and record its answer."""
        outcome, ticket = await self.ask(asked)
        assert isinstance(outcome, Miss)
        assert ticket
        self.engine.record(ticket, exchange or whole(answer))
        await self.engine.settled()

    def reasons(self) -> list[str]:
        """Return why calls missed, in order."""
        return [each.reason for each in self.seen if each.outcome == "miss"]


async def test_a_reworded_question_is_answered_and_the_next_time_exactly() -> None:
    """Row E2: the answer of the near question is served, and kept for the new one, marked as what it is."""
    world = World()
    await world.teach(ASKED)
    hit, ticket = await world.ask(NEAR)
    assert isinstance(hit, Hit)
    assert (hit.kind, ticket) == ("semantic", None)
    assert float(hit.detail["similarity"]) > 0.8
    assert hit.reply.body == whole("Paris").pieces[0][1]
    await world.engine.settled()
    world.embedder.asked.clear()
    again, _ = await world.ask(NEAR)
    assert isinstance(again, Hit)
    assert again.kind == "semantic"
    assert world.embedder.asked == []


async def test_an_exact_hit_embeds_nothing() -> None:
    """Row E1: the embedder is asked only where nothing answers exactly."""
    world = World()
    await world.teach(ASKED)
    world.embedder.asked.clear()
    hit, _ = await world.ask(ASKED)
    assert (hit.kind, world.embedder.asked) == ("exact", [])


async def test_another_question_is_not_answered() -> None:
    """Row E10: near by its words, but the gate sees another name."""
    world = World(Threshold(0.5))
    await world.teach(ASKED)
    outcome, _ = await world.ask(OTHER)
    assert isinstance(outcome, Miss)
    assert outcome.reason.startswith("gate-")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"model": "gpt-4.1"}, id="model"),
        pytest.param({"temperature": 1.5}, id="parameter"),
        pytest.param({"max_tokens": 5}, id="length"),
        pytest.param(
            {"messages": [{"role": "system", "content": "Answer in Dutch."}, {"role": "user", "content": NEAR}]},
            id="system-prompt",
        ),
        pytest.param(
            {
                "messages": [
                    {"role": "user", "content": "hello"},
                    {"role": "assistant", "content": "hi"},
                    {"role": "user", "content": NEAR},
                ]
            },
            id="earlier-turns",
        ),
    ],
)
async def test_another_context_is_another_partition(changed: dict[str, Any]) -> None:
    """Row E9: the same words under another model, prompt, history or parameter are never near."""
    world = World()
    await world.teach(ASKED)
    outcome, ticket = await world.ask(request(NEAR, **changed))
    assert isinstance(outcome, Miss)
    assert ticket
    assert ticket.asked
    assert ticket.asked.neighbors == ()


async def test_another_credential_sees_nothing() -> None:
    """Two tenants never share a semantic answer."""
    world = World()
    await world.teach(ASKED)
    call = request(NEAR)
    stranger = replace(call, headers=(("content-type", "application/json"), ("authorization", "Bearer sk-2")))
    outcome, _ = await world.ask(stranger)
    assert isinstance(outcome, Miss)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", id="tools"),
        pytest.param(
            {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": NEAR, "tool_call_id": "1"}]},
            "tools",
            id="result-of-a-tool",
        ),
        pytest.param(
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": NEAR}, {"type": "image_url", "image_url": {"url": "u"}}],
                    }
                ]
            },
            "question-not-text",
            id="image",
        ),
        pytest.param({"messages": [{"role": "assistant", "content": NEAR}]}, "not-a-question", id="prefill"),
    ],
)
async def test_what_is_more_than_a_question_is_exact_only(more: dict[str, Any], reason: str) -> None:
    """Row E13 and its like: no embedding, and a reason."""
    world = World()
    await world.teach(ASKED)
    world.embedder.asked.clear()
    outcome, _ = await world.ask(request(NEAR, **more))
    assert (outcome, world.embedder.asked) == (Miss(reason), [])


async def test_a_question_in_one_text_part_is_a_question() -> None:
    """SDKs write one text as a list of one part: it is reworded like any other."""
    world = World()
    part = lambda text: request("", messages=[{"role": "user", "content": [{"type": "text", "text": text}]}])  # noqa: E731
    await world.teach(part(ASKED))
    hit, _ = await world.ask(part(NEAR))
    assert isinstance(hit, Hit)


async def test_a_question_past_the_models_window_is_exact_only() -> None:
    """What the model would cut off is not compared."""
    world = World(embedder=HashEmbedder(window=20))
    outcome, _ = await world.ask(ASKED)
    assert outcome == Miss("question-too-long")


async def test_a_request_can_insist_on_an_exact_answer() -> None:
    """`x-aicache-control: exact`."""
    world = World()
    await world.teach(ASKED)
    outcome, _ = await world.ask(NEAR, Control(exact=True))
    assert outcome == Miss("unknown")


async def test_nothing_near_is_served_in_replay() -> None:
    """Replay answers with recordings, not with what is like them."""
    world = World()
    await world.teach(ASKED)
    world.engine.rules = replace(world.engine.rules, mode="replay")
    outcome, _ = await world.ask(NEAR)
    assert not isinstance(outcome, Hit)


async def test_shadow_decides_and_serves_nothing() -> None:
    """`shadow: true`: a miss that says so, and the near-miss log shows what would have been served."""
    world = World(rules=NearRules(shadow=True))
    await world.teach(ASKED)
    outcome, ticket = await world.ask(NEAR)
    assert outcome == Miss("shadow")
    assert ticket
    world.engine.record(ticket, whole("Paris"))
    await world.engine.settled()
    assert [(each["decision"], each["equal"]) for each in world.written] == [("serve", True)]


class Failing(HashEmbedder):
    """A model that fails as it is told."""

    error: Exception | None = None

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.error:
            raise self.error
        return await super().embed(texts)


async def test_a_failing_embedder_is_a_miss_and_the_exact_tier_goes_on() -> None:
    """Row E7: the call goes upstream, its answer is stored, and exact hits are untouched."""
    embedder = Failing()
    world = World(embedder=embedder)
    await world.teach(ASKED)
    embedder.error = BackendError("down")
    await world.teach(NEAR)
    assert world.reasons()[-1] == "semantic-error"
    hit, _ = await world.ask(NEAR)
    assert hit.kind == "exact"


async def test_a_model_that_goes_on_failing_is_left_alone() -> None:
    """With the breaker open the model is not asked."""
    embedder = Failing()
    world = World(embedder=embedder)
    embedder.error = BackendError("down")
    for number in range(6):
        await world.ask(f"question {number}")
    embedder.error = None
    outcome, _ = await world.ask("question 7")
    assert (outcome, embedder.asked) == (Miss("semantic-error"), [])
    await world.engine.close()


async def test_an_answer_that_is_gone_is_a_miss() -> None:
    """Row E5: a neighbor whose entry was evicted answers nothing."""
    world = World()
    await world.teach(ASKED)
    async for entry in world.store.scan():
        await world.store.delete(entry.key)
    outcome, _ = await world.ask(NEAR)
    assert outcome == Miss("answer-gone")


async def test_the_second_candidate_may_answer() -> None:
    """Row E6: each neighbor is judged, not only the first."""
    world = World(Threshold(0.6))
    await world.teach("how many days has February 2023", "28")
    await world.teach("how many days has February 2024 please", "29")
    hit, _ = await world.ask("how many days has February 2024")
    assert isinstance(hit, Hit)
    assert b"29" in hit.reply.body


async def test_time_bound_answers_age_quickly_and_are_not_kept() -> None:
    """A question about now gets a near answer for a moment only, and none is written for later."""
    world = World(rules=NearRules(sort=lambda _: ("", 60.0)))
    await world.teach(ASKED)
    hit, _ = await world.ask(NEAR)
    assert isinstance(hit, Hit)
    await world.engine.settled()
    world.now += 61
    outcome, _ = await world.ask(NEAR)
    assert outcome == Miss("time-bound")


async def test_a_report_is_remembered(tmp_path: Any) -> None:
    """What was reported wrong is never served again for that question, in no process that shares the ledger."""
    world = World(ledger=FileLedger(tmp_path / "cache.db"))
    await world.teach(ASKED)
    hit, _ = await world.ask(NEAR)
    await world.engine.settled()
    outcome, ticket = await world.ask(NEAR, Control(wrong=True))
    assert isinstance(outcome, Miss)
    assert ticket
    assert isinstance((await world.ask(ASKED))[0], Hit)
    again, _ = await world.ask(NEAR)
    assert again == Miss("reported-wrong")
    other = World(ledger=FileLedger(tmp_path / "cache.db"))
    await other.teach(ASKED)
    assert (await other.ask(NEAR))[0] == Miss("reported-wrong")
    assert hit.entry.key in (tmp_path / "cache.db.refuted").read_text()


async def test_a_recorded_answer_that_is_reported_wrong_is_evicted() -> None:
    """Neither the call itself nor a near one gets it again."""
    world = World()
    await world.teach(ASKED)
    outcome, _ = await world.ask(ASKED, Control(wrong=True))
    assert isinstance(outcome, Miss)
    assert not isinstance((await world.ask(NEAR))[0], Hit)


async def test_copies_of_a_wrong_answer_go_with_it(tmp_path: Any) -> None:
    """What was kept for a near question is not served once the recorded answer was reported wrong."""
    world = World(ledger=FileLedger(tmp_path / "cache.db"))
    await world.teach(ASKED, "Lyon")
    assert isinstance((await world.ask(NEAR))[0], Hit)
    await world.engine.settled()
    world.now += 1
    outcome, ticket = await world.ask(ASKED, Control(wrong=True))
    assert isinstance(outcome, Miss)
    assert ticket
    world.engine.record(ticket, whole("Paris"))
    await world.engine.settled()
    assert isinstance((await world.ask(NEAR))[0], Miss)
    hit, _ = await world.ask(ASKED)
    assert b"Paris" in hit.reply.body


async def test_audited_hits_are_asked_upstream_and_too_many_wrong_ones_close_the_tier() -> None:
    """A ticket comes with the hit; its reply is compared with what was served, and counted."""
    world = World(audit=Audit(share=1.0, budget=0.05))
    await world.teach(ASKED)
    for number in range(20):
        hit, ticket = await world.ask(f"{NEAR}{' ' * number}")
        if not isinstance(hit, Hit):
            break
        assert ticket
        world.engine.record(ticket, whole("Lyon"))
        await world.engine.settled()
    assert world.audit.closed
    assert isinstance((await world.ask(f"{NEAR}  !"))[0], Miss)


async def test_answers_are_carried_by_the_index_where_there_is_no_store() -> None:
    """`vector` without `cache`: the text of the answer is what is left of it."""
    world = World(rules=NearRules(carry=True))
    await world.teach(ASKED)
    async for entry in world.store.scan():
        await world.store.delete(entry.key)
    outcome, _ = await world.ask(NEAR)
    assert outcome == Miss("form")  # without a template a bare text cannot be written as a reply
    near = await world.similar.find(openai_chat.call(request(NEAR)), NEAR, Control())  # type: ignore[arg-type]
    assert isinstance(near.entry, Entry)  # type: ignore[union-attr]
    assert near.entry.reply.body == b"Paris"  # type: ignore[union-attr]


async def test_what_one_context_teaches_counts_there_only(tmp_path: Any) -> None:
    """A policy learns for each partition; after a restart it knows what it had learned, and no more."""
    path = tmp_path / "cache.db"

    def learning() -> World:
        return World(ledger=FileLedger(path), make=lambda: ErrorBudget(0.05, seed=1))

    async def partition(world: World, call: Request) -> str:
        _, ticket = await world.ask(call)
        assert ticket
        assert ticket.asked
        return ticket.asked.question.partition

    world = learning()
    for number in range(4):
        await world.teach(request(f"{ASKED} {'please ' * number}"), exchange=whole("Paris"))
    here, elsewhere = await partition(world, request(NEAR)), await partition(world, request(NEAR, temperature=1.5))
    seen = [repr(world.lessons.experience.policy(each)) for each in (here, elsewhere)]
    assert ["3 observations" in each for each in seen] == [True, False]
    other = learning()
    assert here == await partition(other, request(NEAR))
    assert "3 observations" in repr(other.lessons.experience.policy(here))


async def test_a_stored_answer_is_disowned_without_its_client() -> None:
    """From the entry alone the question and its context are known, in whatever scope; what is no question is not."""
    world = World()
    await world.teach(ASKED)
    await world.ask(NEAR, Control(namespace="n"))
    await world.ask(NEAR)
    await world.engine.settled()
    (copy,) = [entry async for entry in world.store.scan() if entry.origin]
    assert await world.similar.disown(copy)
    await world.store.delete(copy.key)
    assert (await world.ask(NEAR))[0] == Miss("reported-wrong")
    assert not await world.similar.disown(replace(copy, request=b""))
    await world.teach(request(NEAR, tools=[{"type": "function", "function": {"name": "f"}}]))
    (tools,) = [entry async for entry in world.store.scan() if b"tools" in entry.request]
    assert not await world.similar.disown(tools)
