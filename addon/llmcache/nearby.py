"""Semantic answers, in order: embed the question, find its neighbors, gate, policy; and keep new questions.

The engine asks `find` when nothing answers exactly, and tells `learn` what came from upstream instead.
A failing embedder or index is a miss with its reason, and one that goes on failing is left alone.
It knows no HTTP and no modes; what calls must have in common is the business of `context`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from .asked import Asked, Far, Near, Question
from .breaker import Breaker
from .chat import BARE, BackendError, Entry, Reply
from .deadline import within
from .embed import Embedder, TextError, Vector
from .index import Index, Neighbor, Point
from .lessons import Lessons
from .semantic import Candidate, Forward, Policy
from .semantic.gate import judge
from .stores import Store

log = logging.getLogger("aicache.nearby")

UNDER_WAY = 256
"""Lessons that may wait; of more, the questions are not kept."""


@dataclass(frozen=True, slots=True)
class NearRules:
    """What the user decided about semantic answers."""

    gate: bool = True
    strict: bool = True
    """Whether each word of one question needs its counterpart in the other to pass the gate."""
    shadow: bool = False
    """Decide and learn, but never serve."""
    neighbors: int = 5
    """Candidates to look at, at the least."""
    deadline: float = 1.0
    """Seconds for embedding and searching together."""
    carry: bool = False
    """Whether the index keeps the answers' texts, because no store keeps entries."""
    sort: Callable[[str], tuple[str, float | None]] = lambda _: ("", None)
    """A question -> why it is exact only (a slug), or the greatest age in seconds of an answer to it."""


@dataclass
class Nearby:
    """The semantic tier before the provider."""

    embedder: Embedder
    index: Index
    lessons: Lessons
    store: Store
    rules: NearRules = NearRules()
    clock: Callable[[], float] = time.time
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Make the breaker that leaves a failing service alone."""
        self._breaker = Breaker("semantic answers", self._probe)

    async def _probe(self) -> None:
        vectors = await self.embedder.embed(["hello"])
        await self.index.nearest(self.partition(b""), vectors[0], 1)

    def partition(self, context: bytes) -> str:
        """Return the partition of the questions asked in *context*: vectors of different models never meet."""
        return blake2b(context + b"\0" + self.embedder.name.encode(), digest_size=20).hexdigest()

    @property
    def serves(self) -> bool:
        """Whether what is found may be served at all."""
        return not (self.rules.shadow or self.lessons.audit.closed)

    async def find(self, context: bytes, question: str) -> Near | Far:
        """Return what may be served to *question*, asked in *context* (the identity with a hole in its place)."""
        reason, youngest = self.rules.sort(question)
        if not reason and len(question) > self.embedder.window:
            reason = "question-too-long"
        if reason or self._breaker.is_open:
            return Far(reason or "semantic-error")
        await self.lessons.recall()
        try:
            async with within(self.rules.deadline):
                found = await self._find(self.partition(context), question, youngest)
            return await self._unreported(found) if isinstance(found, Near) else found
        except TimeoutError:
            return self._failed(f"took longer than {self.rules.deadline:g} s")
        except TextError:  # no fault of the model, so nothing that it should be left alone for
            return Far("question-unreadable")
        except BackendError as error:
            return self._failed(str(error))

    def _failed(self, what: str) -> Far:
        self._breaker.failed(what)
        log.debug("no semantic answer: %s", what)
        return Far("semantic-error")

    async def _find(self, partition: str, question: str, youngest: float | None) -> Near | Far:
        vector = (await self.embedder.embed([question]))[0]
        policy = self.lessons.experience.policy(partition)
        count = max(self.rules.neighbors, policy.neighbors)
        found = await self.index.nearest(partition, vector, count)
        self._breaker.succeeded()
        asked = Asked(self._judged(policy, partition, question, found), vector, tuple(found))
        decision = asked.question.decision
        if isinstance(decision, Forward):
            return Far(decision.reason.partition(" ")[0] if found else "unknown", asked)
        if not self.serves:
            return Far("shadow" if self.rules.shadow else "audit-closed", asked)
        entry = await self._entry(found[asked.question.candidates.index(decision.candidate)])
        if entry is None:
            return Far("answer-gone", asked)
        if youngest is not None and self.clock() - entry.created > youngest:
            return Far("time-bound", asked)
        confirm = decision.explore or self.lessons.audit.due()
        return Near(entry, decision.candidate.similarity, asked, confirm, lasting=youngest is None)

    async def _unreported(self, near: Near) -> Near | Far:
        """Return *near* unless it was reported wrong meanwhile, to this process or another. Raises `BackendError`."""
        await self.lessons.reports()
        question = near.asked.question
        wrong = self.lessons.refuted(question.partition, question.text, near.entry.key)
        return Far("reported-wrong", near.asked) if wrong else near

    def _judged(self, policy: Policy, partition: str, question: str, found: Sequence[Neighbor]) -> Question:
        """Let the policy choose among what was found, behind the gate."""
        candidates = tuple(Candidate(each.key, each.similarity, each.question) for each in found)
        refused: dict[str, str] = {}

        def refusal(candidate: Candidate) -> str | None:
            reason = self._refusal(partition, question, candidate)
            if reason:
                refused[candidate.key] = reason
            return reason

        decision = policy.decide(candidates, refusal, question)
        if self.lessons.journal:  # policies judge only what they would serve; the log tells of all
            for candidate in candidates:
                refusal(candidate)
        return Question(partition, question, candidates, decision, refused)

    def _refusal(self, partition: str, question: str, candidate: Candidate) -> str | None:
        if self.lessons.refuted(partition, question, candidate.key):
            return "reported-wrong"
        reason = judge(question, candidate.question, strict=self.rules.strict) if self.rules.gate else None
        return f"gate-{reason}" if reason else None

    async def _entry(self, neighbor: Neighbor) -> Entry | None:
        """Return the entry of a neighbor; None where it is gone, or half of it or another is in its place."""
        if not self.rules.carry:
            entry = self.store.peek(neighbor.key) or await self.store.get(neighbor.key)
            return None if entry is None or entry.origin or entry.truncated else entry
        if not neighbor.answer.strip():
            return None
        reply = Reply(200, (), neighbor.answer.encode("utf-8", "replace"))
        return Entry(neighbor.key, "", "", "", BARE, reply, neighbor.created, question=neighbor.question)

    def learn(self, asked: Asked, entry: Entry) -> None:
        """Keep the question of *entry*, which came from upstream, and take what it teaches; nobody waits."""
        self._begin(self._learned(asked, entry))

    def renew(self, context: bytes, question: str, entry: Entry) -> None:
        """Keep *question* for as long as the new answer in *entry* is good; nobody waits."""
        reason, _ = self.rules.sort(question)
        if not (reason or len(question) > self.embedder.window or self._breaker.is_open):
            self._begin(self._renewed(self.partition(context), question, entry))

    def _begin(self, lesson: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= UNDER_WAY:
            log.warning("too much to learn at once: the answer to a question will not be offered to near ones")
            lesson.close()
            return
        task = asyncio.get_running_loop().create_task(self._guarded(lesson))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _learned(self, asked: Asked, entry: Entry) -> None:
        looked = self.lessons.wants(asked.question)
        others = await asyncio.gather(*map(self._entry, asked.neighbors)) if looked else []
        await self._keep(asked.question.partition, asked.vector, asked.question.text, entry)
        if others:
            await self.lessons.take(asked.question, entry, others)

    async def _renewed(self, partition: str, question: str, entry: Entry) -> None:
        await self._keep(partition, (await self.embedder.embed([question]))[0], question, entry)

    async def _keep(self, partition: str, vector: Vector, question: str, entry: Entry) -> None:
        answer = await self.lessons.answer(entry) if self.rules.carry else ""
        if answer.strip() or not self.rules.carry:
            point = Point(entry.key, vector, question, answer, entry.created, entry.expires)
            await self.index.add(partition, [point])

    async def _guarded(self, lesson: Coroutine[Any, Any, None]) -> None:
        try:
            await lesson
        except BackendError as error:
            self._breaker.failed(str(error))
        except Exception:
            log.exception("what an answer teaches could not be learned; the answer itself is stored")

    async def settled(self) -> None:
        """Return when everything that was begun is learned."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Finish what was begun, and let go of every resource."""
        await self.settled()
        await self._breaker.close()
        closing = (self.embedder.close(), self.index.close(), self.lessons.close())
        await asyncio.gather(*closing, return_exceptions=True)
