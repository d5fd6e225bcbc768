"""Look up a call, and record the reply that came from upstream. The one place where modes are decided.

The engine knows dialects, the store and the clock; it does not know the proxy, files of settings, or screens.
Entry points: `claims`, `lookup`, `record`, `close`. A failing store is a miss, or in replay a refusal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from . import explain, fingerprint, wire
from .answer import AnswerRule
from .capture import Exchange, reply_of
from .chat import (
    BackendError,
    Bypass,
    Call,
    Entry,
    Hit,
    Incomplete,
    Lossy,
    Miss,
    Outcome,
    Refusal,
    Reply,
    Request,
    WireError,
)
from .question import QuestionRule
from .scope import Scope
from .stats import Observation
from .stores import Store
from .wire import named

log = logging.getLogger("aicache.engine")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that goes upstream and whose reply may be stored."""

    dialect: wire.Dialect
    call: Call
    key: str
    identity: bytes
    question: str
    reason: str
    """Why it was a miss."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user decided about answers; the engine's settings in one value."""

    mode: str = "cache"
    hosts: tuple[str, ...] = ()
    """Globs on the provider's name; empty for any."""
    paths: tuple[str, ...] = ()
    """Globs on the path of traffic that no dialect knows and that is to be recorded byte for byte."""
    question: QuestionRule = field(default_factory=QuestionRule)
    answer: AnswerRule | None = None
    """None replays what was recorded; else templates may shape hits."""
    higress_prefix: str | None = None
    """Not None: keys are this prefix and the question, and nothing else (`compat: higress`)."""
    finish_reasons: frozenset[str] = frozenset()
    ttl: int = 0
    """Seconds an entry is served; 0 for ever."""
    max_body: int = 10_000_000
    """Bytes of a reply above which it is not stored."""
    max_request: int = 20_000_000
    """Bytes of a request above which it is not even parsed."""
    max_pending: int = 64_000_000
    """Bytes of replies waiting to be stored; more are dropped, and counted as `overload`."""
    deadline: float = 1.0
    """Seconds a store may take before a call goes upstream."""


@dataclass
class Engine:
    """One cache: its store, its scope, its rules, and what is under way."""

    store: Store
    scope: Scope
    rules: Rules = Rules()
    observe: Callable[[Observation], None] = lambda _: None
    clock: Callable[[], float] = time.time
    _scribe: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="aicache-scribe"), repr=False
    )
    _pending: dict[str, asyncio.Task[None]] = field(default_factory=dict, repr=False)
    """The newest recording under way for each key."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _pending_bytes: int = 0
    _failing: str = ""
    """What does not work: `reading` (then nothing does), `writing` (a full or read-only store), or nothing."""

    def claims(self, method: str, host: str, path: str) -> wire.Dialect | None:
        """Return the dialect of a request line, or None for traffic that is none of ours."""
        dialect = wire.find(method, path) or self._named(path)
        if dialect is None or self.rules.mode == "off":
            return None
        hosts = self.rules.hosts
        return dialect if not hosts or any(fnmatchcase(host, glob) for glob in hosts) else None

    def _named(self, path: str) -> wire.Dialect | None:
        return named if any(fnmatchcase(path, glob) for glob in self.rules.paths) else None

    async def lookup(self, dialect: wire.Dialect, request: Request) -> tuple[Outcome, Ticket | None]:
        """Say what becomes of *request*; with a `Miss` comes the ticket that `record` wants."""
        started = time.perf_counter()
        call = dialect.call(request)
        if isinstance(call, Bypass):
            return self.bypass(request, call.reason), None
        outcome, ticket = await self._decide(dialect, call)
        self._observed(call, outcome, time.perf_counter() - started)
        return outcome, ticket

    def bypass(self, request: Request, reason: str) -> Bypass | Refusal:
        """Pass *request* on for *reason*; where nothing may leave, refuse it."""
        outcome = Refusal(f"cannot be answered from recordings: {reason}") if self.replaying else Bypass(reason)
        kind = "refusal" if self.replaying else "bypass"
        self.observe(Observation(kind, reason, host=request.host, path=request.path))
        return outcome

    @property
    def replaying(self) -> bool:
        """Whether nothing may go upstream."""
        return self.rules.mode == "replay"

    async def _decide(self, dialect: wire.Dialect, call: Call) -> tuple[Outcome, Ticket | None]:
        question = self.rules.question.question(dialect, call)
        if self.rules.question.strategy == "disabled":
            return self._pass("strategy-disabled"), None
        if not question:
            return self._pass("no-question"), None
        identity = fingerprint.identity(call, self.scope)
        prefix = self.rules.higress_prefix
        key = fingerprint.key(identity) if prefix is None else prefix + question
        if self.rules.mode == "record":
            return Miss("record"), Ticket(dialect, call, key, identity, question, "record")
        found = await self._find(dialect, call, key)
        if isinstance(found, Hit):
            return found, None
        if self.replaying:
            return await self._refuse(call, identity, found), None
        return Miss(found), Ticket(dialect, call, key, identity, question, found)

    def _pass(self, reason: str) -> Bypass | Refusal:
        return Refusal(f"cannot be answered from recordings: {reason}") if self.replaying else Bypass(reason)

    async def _find(self, dialect: wire.Dialect, call: Call, key: str) -> Hit | str:
        """Return the hit, or why there is none."""
        pending = self._pending.get(key)
        entry = None if pending else self.store.peek(key)
        if entry is None:
            try:
                entry = await self._got(key, pending)
            except TimeoutError:
                return self._failed("the store took too long")
            except BackendError as error:
                return self._failed(str(error))
            self._works("reading")
        if entry is None:
            return "unknown"
        try:
            return Hit(entry, await self._written(dialect, entry, call))
        except Lossy as loss:
            return f"form-{loss}"
        except (WireError, ValueError):
            log.exception("entry %s cannot be read as %s; the call goes on as a miss", key, entry.dialect)
            return "unreadable"

    async def _got(self, key: str, pending: asyncio.Task[None] | None) -> Entry | None:
        """Read the entry within the deadline; in replay, where there is nothing else, however long it takes."""
        if pending:  # recorded a moment ago: soon it can be read
            await asyncio.wait({pending}, timeout=PENDING_SECONDS)
        async with asyncio.timeout(None if self.replaying else self.rules.deadline):
            return await self.store.get(key)

    async def _written(self, dialect: wire.Dialect, entry: Entry, call: Call) -> Reply:
        """Write the entry's reply in the form that *call* wants."""
        if (rule := self.rules.answer) and (filled := rule.fill(entry.reply, entry.form, call.form)):
            return filled
        if entry.form == call.form:
            return entry.reply
        if len(entry.reply.body) < INLINE:
            return dialect.convert(entry.reply, entry.form, call.form)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._scribe, dialect.convert, entry.reply, entry.form, call.form)

    async def _refuse(self, call: Call, identity: bytes, reason: str) -> Refusal:
        what = f"no recording for {call.dialect} {call.model or call.path} at {call.request.host}"
        if reason != "unknown":
            return Refusal(f"{what}: {reason}")
        return Refusal(f"{what}; {explain.worded(await explain.nearest(identity, self.store.scan()))}")

    def record(self, ticket: Ticket, exchange: Exchange) -> None:
        """Judge and store what came from upstream, in the background; nobody waits for it."""
        size = sum(len(piece) for _, piece in exchange.pieces)
        if self._pending_bytes + size > self.rules.max_pending:
            return self.abandon(ticket, "overload", exchange.seconds)
        self._pending_bytes += size
        task = asyncio.get_running_loop().create_task(self._record(ticket, exchange, size))
        self._tasks.add(task)
        self._pending[ticket.key] = task
        task.add_done_callback(lambda done: self._settled(ticket.key, done))
        return None

    def abandon(self, ticket: Ticket, reason: str, seconds: float = 0.0) -> None:
        """Let go of a ticket whose reply is not to be stored."""
        self.observe(_miss(ticket, seconds, reason))

    def _settled(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._pending.get(key) is task:
            del self._pending[key]

    async def _record(self, ticket: Ticket, exchange: Exchange, size: int) -> None:
        try:
            if size < INLINE:  # a hop to a thread costs more than judging a small reply
                entry = self._entry(ticket, exchange)
            else:
                entry = await asyncio.get_running_loop().run_in_executor(self._scribe, self._entry, ticket, exchange)
            if isinstance(entry, Incomplete):
                self.observe(_miss(ticket, exchange.seconds, entry.reason))
                return
            await self.store.put(entry)
            self._works("writing")
            self.observe(_miss(ticket, exchange.seconds, "stored", entry))
        except BackendError as error:
            self.observe(_miss(ticket, exchange.seconds, self._failed(str(error), "writing")))
        except Exception:
            log.exception("a reply could not be stored; the client has it all the same")
            self.observe(_miss(ticket, exchange.seconds, "internal-error"))
        finally:
            self._pending_bytes -= size

    def _entry(self, ticket: Ticket, exchange: Exchange) -> Entry | Incomplete:
        """Judge the exchange and make the entry. May run on a worker thread."""
        call, dialect = ticket.call, ticket.dialect
        try:
            reply = reply_of(exchange, self.rules.max_body)
        except WireError as error:
            return Incomplete(str(error))
        verdict = dialect.judge(call, reply, self.rules.finish_reasons)
        if isinstance(verdict, Incomplete):
            return verdict
        form = dialect.reply_form(call, reply)
        if form.kind == "raw" and not exchange.whole:  # bytes have no end of their own
            return Incomplete("truncated")
        if (
            self.rules.higress_prefix is not None
            and self.rules.answer
            and not self.rules.answer.text(reply, form).strip()
        ):
            return Incomplete("no-answer-text")
        now = self.clock()
        return Entry(
            key=ticket.key,
            dialect=call.dialect,
            host=call.request.host,
            model=call.model,
            form=form,
            reply=reply,
            created=now,
            expires=now + self.rules.ttl if self.rules.ttl else None,
            usage=verdict.usage,
            seconds=exchange.seconds,
            request=ticket.identity,
            path=call.path,
            question=ticket.question[:QUESTION_SHOWN],
        )

    def _failed(self, what: str, doing: str = "reading") -> str:
        """Note that the store fails: one log line for each change, not for each call."""
        if not self._failing:
            consequence = "calls are refused" if self.replaying else "calls go upstream and are not stored"
            log.warning("the store does not work, %s: %s", consequence, what)
        if self._failing != "reading":
            self._failing = doing
        return "store-error"

    def _works(self, doing: str) -> None:
        if self._failing == doing:
            log.warning("the store works again")
            self._failing = ""

    def _observed(self, call: Call, outcome: Outcome, seconds: float) -> None:
        """Report what was decided; a miss is reported when its reply has been dealt with."""
        match outcome:
            case Hit(entry=entry, kind=kind):
                self.observe(_seen(call, "hit", kind, seconds, saved=entry.seconds, usage=entry.usage))
            case Bypass(reason=reason):
                self.observe(_seen(call, "bypass", reason, seconds))
            case Refusal():
                self.observe(_seen(call, "refusal", "unknown", seconds))
            case Miss():
                pass

    async def close(self, bound: float = 5.0) -> None:
        """Store what was accepted, within *bound* seconds, and let go of everything."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=bound)
            if late:
                log.error("%d replies were not stored: the store did not finish within %g s", len(late), bound)
        self._scribe.shutdown(wait=False)
        await self.store.close()


def _seen(call: Call, outcome: str, reason: str, seconds: float, **more: object) -> Observation:
    request = call.request
    return Observation(
        outcome,
        reason,
        dialect=call.dialect,
        host=request.host,
        path=call.path,
        model=call.model,
        stream=call.form.streamed,
        seconds=seconds,
        **more,  # type: ignore[arg-type]  # the callers above name real fields
    )


def _miss(ticket: Ticket, seconds: float, stored: str, entry: Entry | None = None) -> Observation:
    more = {"usage": entry.usage} if entry else {}
    return _seen(ticket.call, "miss", ticket.reason, seconds, stored=stored, **more)


INLINE = 16_000
"""Bytes of a reply that may be judged or rewritten on the event loop (about 1 ms); larger ones go to a thread."""
PENDING_SECONDS = 5.0
"""How long a call waits for its answer to be stored that came just now; upstream would take longer."""
QUESTION_SHOWN = 400
"""Characters of a question that an entry keeps for people to read."""
