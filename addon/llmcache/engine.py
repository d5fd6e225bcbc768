"""Look up a call, and record the reply that came from upstream. The one place where modes are decided.

The engine knows dialects, the store and the clock; it does not know the proxy, files of settings, or screens.
Entry points: `claims`, `lookup`, `record`, `close`. A failing store is a miss, or in replay a refusal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from . import fingerprint, wire
from .asked import Far
from .capture import Exchange
from .chat import (
    BackendError,
    Bypass,
    Call,
    Entry,
    Hit,
    Lossy,
    Miss,
    Outcome,
    Refusal,
    Request,
    WireError,
)
from .control import NOTHING, Control, not_cached
from .crowd import Client, Crowd, Followed, Locks
from .freshness import Refreshes, overdue, too_old
from .missing import Missing, Recordings, missing
from .reading import Health, Reading
from .recorder import Recorder, Ticket
from .rules import Rules
from .scope import Scope
from .stage import Stage
from .stats import Observation, observed
from .stores import Seal, Store
from .wire import named, passed
from .written import written

if TYPE_CHECKING:  # it loads numpy, and is there only where semantic answers are wanted
    from .similar import Similar

log = logging.getLogger("aicache.engine")


@dataclass
class Engine:
    """One cache: its store, its scope, its rules, and what is under way."""

    store: Store
    scope: Scope
    rules: Rules = field(default_factory=Rules)
    observe: Callable[[Observation], None] = lambda _: None
    clock: Callable[[], float] = time.time
    seal: Seal | None = None
    """None where entries are stored as they are."""
    similar: Similar | None = None
    """None where only exact answers are wanted."""
    locks: Locks | None = None
    """None where each process asks by itself."""
    recordings: Recordings | None = None
    """The store, where it is a folder of recordings."""
    mask: Callable[[str], str] = lambda text: text
    """Takes secrets out of what is said of a call."""
    tell: Callable[[Missing], None] = lambda _: None
    """Told of each call that is refused for want of a recording."""
    stage: Stage = field(default_factory=Stage)

    def __post_init__(self) -> None:
        """Make the parts that read, record, and keep identical calls together."""
        self._health = health = Health(self.replaying)
        failed, works = partial(health.failed, doing="writing"), partial(health.works, "writing")
        parts = (self.store, self.rules.admission, self.observe, failed, works)
        self._refreshes = Refreshes()
        learned = self.similar.learn if self.similar else lambda *_: None
        outdoes = self.recordings.outdoes if self.recordings else None
        self._recorder = Recorder(*parts, learned=learned, clock=self.clock, seal=self.seal, outdoes=outdoes)
        deadline = None if self.replaying else self.rules.deadline  # in replay there is nothing else than the store
        shelf = (self.store, self._recorder, health, self.clock, deadline)
        self._reading = Reading(*shelf, seal=self.seal, recordings=self.recordings)
        wait, limit = self.rules.flights, self.rules.admission.max_body
        found = self._again, self._recorder.just_recorded
        self.crowd = Crowd(*found, self.stage, wait, limit, self.locks, self.rules.stale.wait)
        self._recorder.over = self.crowd.over
        # The key of Higress leaves out what makes an answer another one: no call may wait for its neighbor's there.
        self._flying = self.rules.mode == "cache" and wait > 0 and self.rules.higress_prefix is None

    def claims(self, method: str, host: str, path: str) -> wire.Dialect | None:
        """Return the dialect of a request line, or None for traffic that is none of ours."""
        dialect = wire.find(method, path) or self._named(path)
        return dialect if dialect and self._looks_at(host) else None

    def passes(self, host: str, path: str) -> str:
        """Return why traffic that no dialect claims is never cached, where it is known; else nothing."""
        reason = passed.reason(path)
        return reason if reason and self._looks_at(host) else ""

    def _looks_at(self, host: str) -> bool:
        hosts = self.rules.hosts
        return self.rules.mode != "off" and (not hosts or any(fnmatchcase(host, glob) for glob in hosts))

    def _named(self, path: str) -> wire.Dialect | None:
        return named if any(fnmatchcase(path, glob) for glob in self.rules.paths) else None

    async def lookup(
        self, dialect: wire.Dialect, request: Request, control: Control = NOTHING, client: Client | None = None
    ) -> tuple[Outcome | Followed, Ticket | None]:
        """Say what becomes of *request*; with a `Miss` comes the ticket that `record` or `abandon` must be given.

        An identical call that is under way is waited for, as long as *client* is there.
        """
        started = time.perf_counter()
        call = dialect.call(request)
        reason = call.reason if isinstance(call, Bypass) else self._unheeded(control)
        if isinstance(call, Bypass) or reason:
            return self.bypass(request, reason, control), None
        ended = self.crowd.flights.ended
        outcome: Outcome | Followed
        outcome, ticket = await self._decide(dialect, call, control)
        if control.only_if_cached and isinstance(outcome, Miss | Bypass):
            outcome, ticket = not_cached(outcome.reason), None
        if self._flying and ticket and isinstance(outcome, Miss) and control.shared:
            outcome, ticket = await self.crowd.join(ticket, outcome.reason, ended, client)
        self._observed(call, outcome, time.perf_counter() - started)
        return outcome, ticket

    def bypass(self, request: Request, reason: str, control: Control = NOTHING) -> Bypass | Refusal:
        """Pass *request* on for *reason*; where nothing may leave, refuse it."""
        outcome: Bypass | Refusal = self._pass(reason)
        if control.only_if_cached and isinstance(outcome, Bypass):
            outcome = not_cached(reason)
        kind = "refusal" if isinstance(outcome, Refusal) else "bypass"
        self.observe(Observation(kind, reason, host=request.host, path=request.path))
        return outcome

    def passing(self, host: str, path: str) -> Bypass:
        """Let a call pass by unread while the store is `away`."""
        self.observe(Observation("bypass", "store-error", host=host, path=path))
        return Bypass("store-error")

    def _unheeded(self, control: Control) -> str:
        """Return why the cache cannot do what *control* asks, or nothing."""
        if control.malformed:
            return "control-malformed"
        if control.lane and self.rules.higress_prefix is not None:
            return "scope-not-allowed"
        allowed = self.rules.header_namespaces and self.rules.higress_prefix is None
        return "namespace-not-allowed" if control.namespace and not allowed else ""

    @property
    def away(self) -> bool:
        """Whether calls pass by unread, for the store is left alone: it could neither answer nor keep anything."""
        return self.store.away and self.rules.mode == "cache" and self.similar is None

    @property
    def replaying(self) -> bool:
        """Whether nothing may go upstream."""
        return self.rules.mode == "replay"

    async def _decide(self, dialect: wire.Dialect, call: Call, control: Control) -> tuple[Outcome, Ticket | None]:
        question = self.rules.question.question(dialect, call)
        if reason := self._excluded(call, question):
            return self._pass(reason), None
        identity = self.rules.redactor.identity(fingerprint.identity(call, self.scope, control.namespace, control.lane))
        shown = self.rules.redactor.text(question, identity)
        prefix = self.rules.higress_prefix
        key = prefix + question if prefix is not None else (self.seal or fingerprint).key(identity)
        if control.wrong and not self.replaying:
            await self._reported(call, key, identity, shown, control)
        found = self._unread(control, key, identity) or await self._find(dialect, call, key, identity, control)
        if found == "unknown" and (scrubbed := self.rules.scrub(identity)):
            found = await self._find(dialect, call, scrubbed, identity, control)
        if isinstance(found, Hit) and found.kind == "exact" and found.entry.key != key and self.seal is None:
            found = replace(found, kind="scrubbed")
        if isinstance(found, Hit):
            late = None if self.replaying else overdue(found.entry, self.clock())
            if late is None:
                return found, None
            return self._stale(found, late, Ticket(dialect, call, key, identity, shown, "refresh", control))
        ticket = Ticket(
            dialect, call, key, identity, shown, found, control, sequence=self._number(key, identity, found)
        )
        if self.replaying:
            return await self._refuse(ticket), None
        if self.similar and found in ("unknown", "no-cache") and shown and not control.exact:
            return await self._near(self.similar, ticket)
        return Miss(found), ticket

    def _excluded(self, call: Call, question: str) -> str:
        """Return why *call*, which asks *question*, is not cached at all, or nothing."""
        if self.rules.question.strategy == "disabled":
            return "strategy-disabled"
        if not question and (self.rules.higress_prefix is not None or self.rules.question.must_ask(call)):
            return "no-question"
        rule = self.rules.never_cache(question) if self.rules.never_cache else ""
        return f"never-cache-{rule}" if rule else ""

    def _number(self, key: str, identity: bytes, found: str) -> int:
        """Return which of several identical calls this is, in a run that records them; numbered as they arrive."""
        recording = self.recordings if found == "record" else None
        return recording.number(self.rules.scrub(identity) or key) if recording else 0

    async def _reported(self, call: Call, key: str, identity: bytes, question: str, control: Control) -> None:
        """Evict the answer that was reported wrong, and see to it that it answers no near question either."""
        entry = await self._reading.entry(key, identity)
        await self._recorder.withdraw(key)
        try:
            if isinstance(entry, Entry):
                await self.store.delete(key)
        except BackendError as error:
            self._health.failed(str(error), "writing")
        if self.similar and question:
            await self.similar.wrong(call, question, control, entry if isinstance(entry, Entry) else None)

    async def _near(self, similar: Similar, ticket: Ticket) -> tuple[Outcome, Ticket | None]:
        """Serve the answer to a near question, or go on as a miss; a ticket beside a hit is to see if it was right."""
        dialect, call, control = ticket.dialect, ticket.call, ticket.control
        near = await similar.find(call, ticket.question, control)
        if isinstance(near, Far):
            return Miss(near.reason), replace(ticket, reason=near.reason, asked=near.asked)
        now = self.clock()
        if control.no_cache or too_old(near.entry, now, control) or overdue(near.entry, now) is not None:
            return Miss(ticket.reason), replace(ticket, asked=near.asked)
        try:
            reply = await written(self.rules.answer, dialect, near.entry, call)
        except (Lossy, WireError, ValueError):
            return Miss("form"), replace(ticket, asked=near.asked)
        if not control.no_store:
            similar.back_fill(near, ticket.key, ticket.identity, ticket.question)
        hit = Hit(near.entry, reply, "semantic", {"similarity": f"{near.similarity:.3f}"})
        confirm = near.confirm and not (control.only_if_cached or control.no_store)
        return hit, replace(ticket, reason="confirm", asked=near.asked) if confirm else None

    def _stale(self, hit: Hit, late: float, ticket: Ticket) -> tuple[Outcome, Ticket | None]:
        """Serve an answer that is *late* seconds stale as the rules allow; a ticket beside a hit is to refresh it."""
        left, stale = {"ttl": str(-int(late))}, self.rules.stale
        if late < stale.while_revalidate:
            wanted = not (ticket.control.only_if_cached or ticket.control.no_store)
            claimed = wanted and self._refreshes.claim(ticket.key)
            return replace(hit, kind="stale-while-revalidate", detail=left), ticket if claimed else None
        fallback = replace(hit, kind="stale-if-error", detail=left) if late < stale.if_error else None
        return Miss("stale"), replace(ticket, reason="stale", fallback=fallback)

    def _unread(self, control: Control, key: str, identity: bytes) -> str:
        """Return why the store is not even asked, or nothing. In replay there is nothing else to ask."""
        if self.rules.mode == "record":
            kept = self.recordings and (self.recordings.keeps(key) or self.recordings.keeps(self.rules.scrub(identity)))
            return "" if kept else "record"
        if self.replaying:
            return ""
        return "reported-wrong" if control.wrong else "no-cache" if control.no_cache else ""

    def _pass(self, reason: str) -> Bypass | Refusal:
        return Refusal(f"cannot be answered from recordings: {reason}") if self.replaying else Bypass(reason)

    async def _find(self, dialect: wire.Dialect, call: Call, key: str, identity: bytes, control: Control) -> Hit | str:
        """Return the hit, or why there is none."""
        entry = await self._reading.entry(key, identity)
        if isinstance(entry, str):
            return entry
        if entry.origin and (control.exact or self.similar is None or not self.similar.vouches(entry)):
            return "unknown"  # it was given to a near question, when that was wanted
        if not self.replaying and too_old(entry, self.clock(), control):
            return "max-age"
        kind = "semantic" if entry.origin else "truncated" if entry.truncated else "exact"
        try:
            return Hit(entry, await written(self.rules.answer, dialect, entry, call), kind)
        except Lossy as loss:
            return f"form-{loss}"
        except (WireError, ValueError):
            log.exception("entry %s cannot be read as %s; the call goes on as a miss", key, entry.dialect)
            return "unreadable"

    async def _again(self, ticket: Ticket) -> Hit | str:
        """Look up a call that was a miss a moment ago; what is stale was no answer then, and is none now."""
        found = await self._find(ticket.dialect, ticket.call, ticket.key, ticket.identity, ticket.control)
        return "stale" if isinstance(found, Hit) and overdue(found.entry, self.clock()) is not None else found

    async def _refuse(self, ticket: Ticket) -> Refusal:
        found = await missing(ticket, None if self.seal else self.store, self.recordings, self.mask)
        self.tell(found)
        return Refusal(found.message, ticket.reason)

    def rescue(self, ticket: Ticket, seconds: float, status: int = 0) -> Hit:
        """Return the expired answer where upstream failed, with *status* if it said so; the ticket is done with."""
        self.crowd.abandoned(ticket, down=True)
        hit = self._instead(ticket, seconds)
        return replace(hit, detail={"fwd-status": str(status), **hit.detail}) if status else hit

    def overtake(self, ticket: Ticket, seconds: float) -> tuple[Hit, Ticket]:
        """Return the expired answer where upstream takes too long, and the ticket for what it may yet answer."""
        return self._instead(ticket, seconds), replace(ticket, reason="refresh", fallback=None)

    def _instead(self, ticket: Ticket, seconds: float) -> Hit:
        hit = ticket.fallback
        assert hit
        self.observe(observed(ticket.call, "hit", hit.kind, seconds, saved=hit.entry.seconds, usage=hit.entry.usage))
        return hit

    def record(self, ticket: Ticket, exchange: Exchange, *, left: bool = False) -> None:
        """Take what came from upstream, to be judged and stored in the background; nobody waits for it.

        *left*: the client went away before the end, which may have come all the same.
        """
        self._refreshes.release(ticket.key)
        if ticket.control.no_store:
            self.abandon(ticket, "no-store", exchange.seconds)
        else:
            self._recorder.take(ticket, exchange)
            self.crowd.landed(ticket, whole=exchange.whole, left=left)

    def abandon(
        self, ticket: Ticket, reason: str, seconds: float = 0.0, *, left: bool = False, whole: bool = False
    ) -> None:
        """Let go of a ticket whose reply is not to be stored.

        *left*: the client went away; *whole*: the reply came to its end all the same.
        """
        self._refreshes.release(ticket.key)
        self._recorder.abandon(ticket, reason, seconds)
        self.crowd.abandoned(ticket, left=left, whole=whole, down=reason == "upstream-failed")

    async def settled(self) -> None:
        """Return when everything that was recorded is stored, or known not to be."""
        await self._recorder.settled()
        if self.similar:
            await self.similar.settled()

    def _observed(self, call: Call, outcome: Outcome | Followed, seconds: float) -> None:
        """Report what was decided; a miss is reported when its reply has been dealt with."""
        match outcome:
            case Followed():
                self.observe(observed(call, "hit", "collapsed", seconds))
            case Hit(entry=entry, kind=kind):
                saved = 0.0 if kind == "collapsed" else entry.seconds  # who waited saved no time
                self.observe(observed(call, "hit", kind, seconds, saved=saved, usage=entry.usage))
            case Bypass(reason=reason):
                self.observe(observed(call, "bypass", reason, seconds))
            case Refusal(reason=reason):
                self.observe(observed(call, "refusal", reason, seconds))
            case Miss():
                pass

    async def close(self, bound: float = 5.0, *, staged: bool = True) -> None:
        """Store what was accepted, within *bound* seconds, and let go of everything.

        *staged*: also of who is being answered from the stage; another engine may go on with it.
        """
        await self.crowd.close()
        await self._recorder.close(bound)
        if staged:
            await self.stage.close()
        if self.similar:
            await self.similar.close()
        await self.store.close()
