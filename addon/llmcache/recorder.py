"""What came from upstream is judged and stored, in batches, behind the client's back.

A batch costs little more than one: a thread judges all of its replies, and the store writes them in one transaction.
Until then an answer is served from here, so that who asks again at once is not sent upstream a second time.
It knows dialects, the store and the clock, not modes or the proxy. Entry points: `take`, `just_recorded`, `settled`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from .answer import AnswerRule
from .asked import Asked
from .capture import Exchange, reply_of
from .chat import BackendError, Call, Complete, Entry, Hit, Incomplete, Reply, SecretFound, Usage, Verdict, WireError
from .control import NOTHING, Control
from .flights import Flight
from .stats import Observation, observed
from .stores import Seal, Store
from .wire import Dialect

log = logging.getLogger("aicache.engine")

GATHER_SECONDS = 0.1
"""How long a reply waits for others to be judged and written with; it is served meanwhile. A crash loses as much."""
INLINE = 16_000
"""Bytes of a reply that may be judged or rewritten on the event loop (about 1 ms); larger ones go to a thread."""
QUESTION_SHOWN = 400
"""Characters of a question that an entry keeps for people to read."""
CUT = Incomplete("truncated")
"""The verdict on the beginning of a reply."""
EMPTY = Incomplete("empty")
"""The verdict on a reply that says nothing."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that goes upstream and whose reply may be stored."""

    dialect: Dialect
    call: Call
    key: str
    identity: bytes
    question: str
    reason: str
    """Why it was a miss."""
    control: Control = NOTHING
    """What the request asked of the cache."""
    fallback: Hit | None = None
    """The expired answer that may be served where the provider fails."""
    sequence: int = 0
    """Which of several identical calls of a run that records; 0 for the first."""
    asked: Asked | None = None
    """What was near, for the semantic tier to learn from the reply."""
    flown: list[Flight] = field(default_factory=list, compare=False, repr=False)
    """The flight that it leads, once it does: a list, because copying a ticket costs more than all of a flight."""

    @property
    def flight(self) -> Flight | None:
        """The flight that it leads, where identical calls may wait for its reply."""
        return self.flown[0] if self.flown else None


@dataclass(frozen=True, slots=True)
class Admission:
    """What may be stored, and how much of it may wait."""

    finish_reasons: frozenset[str] = frozenset()
    """Accepted besides the natural ones; `empty` for an answer that ended well and says nothing."""
    truncated: bool = False
    """Whether a stream that upstream broke off is stored as such, where no whole reply of the call is."""
    ttl: int = 0
    """Seconds an entry is served; 0 for ever."""
    keep: int = 0
    """Seconds that it is kept beyond those, for answers that may be stale."""
    max_body: int = 10_000_000
    """Bytes of a reply above which it is not stored."""
    max_pending: int = 64_000_000
    """Bytes of replies waiting to be stored; more are dropped, and counted as `overload`."""
    answer: AnswerRule | None = None
    """Where given, only replies with an answer text by this rule are stored (`compat: higress`)."""


@dataclass(eq=False, slots=True)
class _Recording:
    """A reply on its way into the store."""

    ticket: Ticket
    exchange: Exchange
    size: int
    judged: Entry | Incomplete | None = None
    stored: Entry | None = None
    """What goes into the store: the entry, sealed where that was asked for."""

    @property
    def broken(self) -> bool:
        """Whether it is a stream that broke off, and was found worth storing as such."""
        return isinstance(self.judged, Entry) and self.judged.truncated


@dataclass
class Recorder:
    """Takes replies, and reports what became of each."""

    store: Store
    admission: Admission
    observe: Callable[[Observation], None]
    failed: Callable[[str], str]
    """Told what the store failed with; returns the word for it."""
    works: Callable[[], None]
    learned: Callable[[Ticket, Entry], None] = lambda *_: None
    """Told of each entry that was stored."""
    over: Callable[[Ticket], None] = lambda _: None
    """Told of each ticket when nothing more is stored for it."""
    clock: Callable[[], float] = time.time
    seal: Seal | None = None
    outdoes: Callable[[Entry], Awaitable[bool]] | None = None
    """Whether the store has better than a reply that broke off, where its `get` does not say so."""
    _waiting: list[_Recording] = field(default_factory=list, repr=False)
    _newest: dict[str, _Recording] = field(default_factory=dict, repr=False)
    """By key, until it is stored."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _bytes: int = 0
    _one: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while a batch is stored, where what is there already decides about what comes."""
    _scribe: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="aicache-scribe"), repr=False
    )

    def take(self, ticket: Ticket, exchange: Exchange) -> None:
        """Accept a reply; nobody waits for what becomes of it."""
        size = sum(len(piece) for _, piece in exchange.pieces)
        if self._bytes + size > self.admission.max_pending:
            self.abandon(ticket, "overload", exchange.seconds)
            return
        self._bytes += size
        recording = self._newest[ticket.key] = _Recording(ticket, exchange, size)
        self._waiting.append(recording)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._begin)

    def abandon(self, ticket: Ticket, reason: str, seconds: float = 0.0) -> None:
        """Let go of a ticket whose reply is not to be stored."""
        self.observe(observed(ticket.call, "miss", ticket.reason, seconds, stored=reason))
        self.over(ticket)

    async def just_recorded(self, key: str) -> Entry | None:
        """Return the entry of a whole reply that came a moment ago and is not stored yet."""
        recording = self._newest.get(key)
        if recording is None:
            return None
        if recording.judged is None:
            await self._judge([recording])
        return recording.judged if isinstance(recording.judged, Entry) and not recording.broken else None

    async def withdraw(self, key: str) -> None:
        """Store no reply to the call of *key* that waits for it; return when none is being stored."""
        if self._newest.pop(key, None) is None:
            return
        for recording in self._waiting:
            if recording.ticket.key == key:
                recording.judged, recording.stored = Incomplete("reported-wrong"), None
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def settled(self) -> None:
        """Return when everything that was taken is stored, or known not to be."""
        self._begin()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self, bound: float) -> None:
        """Settle within *bound* seconds; what is late is lost, and the log says how much."""
        self._begin()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=bound)
        if self._newest:
            log.error("%d replies were not stored: the store did not finish within %g s", len(self._newest), bound)
        self._scribe.shutdown(wait=False)

    def _begin(self) -> None:
        if self._waiting:
            batch, self._waiting = self._waiting, []
            task = asyncio.get_running_loop().create_task(self._store(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _store(self, batch: list[_Recording]) -> None:
        try:
            await self._judge(batch)
            async with self._one if self.admission.truncated else nullcontext():
                entries = {id(each): each.stored for each in batch if each.stored and not each.broken}
                outcomes = await asyncio.gather(*map(self.store.put, entries.values()), return_exceptions=True)
                told = dict(zip(entries, outcomes, strict=True))
                for each in batch:
                    if each.broken:
                        told[id(each)] = await self._put_broken(each)
            for each in batch:
                self._report(each, told.get(id(each)))
        finally:
            for each in batch:
                self._bytes -= each.size
                self.over(each.ticket)
                if self._newest.get(each.ticket.key) is each:
                    del self._newest[each.ticket.key]

    async def _put_broken(self, each: _Recording) -> Exception | None:
        """Store half a reply, unless a whole one is there; return what went wrong."""
        assert isinstance(each.judged, Entry)
        assert each.stored
        try:
            if await self._outdone(each.judged):
                each.judged = CUT
            else:
                await self.store.put(each.stored)
        except Exception as error:  # noqa: BLE001 - told where those of all others are
            return error
        return None

    async def _outdone(self, entry: Entry) -> bool:
        """Whether there is a whole reply to the call of *entry*."""
        if self.outdoes:
            return await self.outdoes(entry)
        held = await self.store.get(entry.key)
        if held and self.seal:
            try:
                held = self.seal.open(held, entry.request)
            except ValueError:
                return False
        return held is not None and not held.truncated

    async def _judge(self, batch: Sequence[_Recording]) -> None:
        """Judge what is not judged yet; a hop to a thread costs more than judging a few small replies."""
        if sum(each.size for each in batch) < INLINE:
            self._judge_all(batch)
        else:
            await asyncio.get_running_loop().run_in_executor(self._scribe, self._judge_all, batch)

    def _judge_all(self, batch: Sequence[_Recording]) -> None:
        for each in batch:
            if each.judged is None:
                try:
                    each.judged = entry = self._entry(each.ticket, each.exchange)
                    if isinstance(entry, Entry):
                        each.stored = self.seal.close(entry) if self.seal else entry
                except Exception:
                    log.exception("a reply could not be judged; the client has it all the same")
                    each.judged = Incomplete("internal-error")

    def _entry(self, ticket: Ticket, exchange: Exchange) -> Entry | Incomplete:
        """Judge the exchange and make the entry. May run on a worker thread."""
        call, dialect = ticket.call, ticket.dialect
        try:
            reply = reply_of(exchange, self.admission.max_body)
        except WireError as error:
            return Incomplete(str(error))
        verdict = self._verdict(ticket, exchange, reply)
        truncated = verdict == CUT and exchange.broken and self._worth(ticket, reply)
        if isinstance(verdict, Incomplete) and not truncated:
            return verdict
        form = dialect.reply_form(call, reply) if isinstance(verdict, Complete) else call.form
        if self.admission.answer and not self.admission.answer.text(reply, form).strip():
            return Incomplete("no-answer-text")
        now = self.clock()
        ttl, keep = ticket.control.ttl or self.admission.ttl, self.admission.keep
        return Entry(
            key=ticket.key,
            dialect=call.dialect,
            host=call.request.host,
            model=call.model,
            form=form,
            reply=reply,
            created=now,
            expires=now + ttl + keep if ttl else None,
            usage=verdict.usage if isinstance(verdict, Complete) else Usage(),
            seconds=exchange.seconds,
            request=ticket.identity,
            path=call.path,
            question=ticket.question[:QUESTION_SHOWN],
            sequence=ticket.sequence,
            fresh=now + ttl if ttl and keep else None,
            truncated=truncated,
        )

    def _verdict(self, ticket: Ticket, exchange: Exchange, reply: Reply) -> Verdict:
        """Return the dialect's word, where a reply without one of its own for the end needs that of HTTP, too."""
        call, dialect = ticket.call, ticket.dialect
        verdict = dialect.judge(call, reply, self.admission.finish_reasons)
        if verdict == EMPTY and EMPTY.reason in self.admission.finish_reasons:
            verdict = Complete(marked=False)
        certain = exchange.whole or isinstance(verdict, Incomplete) or (dialect.MARKS_END and verdict.marked)
        return verdict if certain or dialect.reply_form(call, reply).kind == "json" else CUT

    def _worth(self, ticket: Ticket, reply: Reply) -> bool:
        """Whether a reply that broke off is to be kept: the beginning of a stream of the form that was asked for."""
        wanted = ticket.call.form
        kept = self.admission.truncated and wanted.streamed and bool(reply.chunks)
        return kept and ticket.dialect.reply_form(ticket.call, reply).kind == wanted.kind

    def _report(self, each: _Recording, failure: BaseException | None) -> None:
        """Say what became of a reply."""
        ticket, judged, seconds = each.ticket, each.judged, each.exchange.seconds
        usage = Usage()
        match judged, failure:
            case Incomplete(reason=reason), _:
                stored = reason
            case _, None:
                self.works()
                stored = "stored-truncated" if each.broken else "stored"
                if isinstance(judged, Entry) and not judged.truncated:
                    usage = judged.usage
                    self.learned(ticket, judged)
            case _, SecretFound():
                log.error("%s", failure)
                stored = "secret-found"
            case _, BackendError():
                stored = self.failed(str(failure))
            case _:
                log.error("a reply could not be stored; the client has it all the same", exc_info=failure)
                stored = "internal-error"
        self.observe(observed(ticket.call, "miss", ticket.reason, seconds, stored=stored, usage=usage))
