"""The mitmproxy hooks of aicache, and nothing else: `mitmdump -s addon/aicache.py`.

Hooks translate between flows and the engine in `llmcache`; what is the same call, what may be stored and what is
answered is decided there. Measured facts behind each line: mitmproxy 11.0.2 and 12.2.3.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import assert_never
from weakref import WeakKeyDictionary

from aicache_mitmproxy import flows
from aicache_mitmproxy.copies import Came, Copies, Pending
from aicache_mitmproxy.orphans import Orphans
from aicache_mitmproxy.resting import Resting
from llmcache import config, status, wire
from llmcache.build import build_engine
from llmcache.capture import Tee, collected
from llmcache.chat import BackendError, Bypass, Hit, Miss, Outcome, Refusal
from llmcache.control import read_control
from llmcache.crowd import Followed
from llmcache.engine import Engine
from llmcache.flights import Feed
from llmcache.freshness import age, failing
from llmcache.pace import played
from llmcache.recorder import Ticket
from llmcache.stage import Play, Stage
from llmcache.stats import Observation, Stats
from llmcache.trust import Distrust
from mitmproxy import connection, ctx, exceptions, http, tls
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

log = logging.getLogger("aicache")
calls_log = logging.getLogger("aicache.calls")
"""One line a call. It has the terminal's level, for mitmproxy pays dearly for each record, shown or not."""

SHIPPED_CONFIG = Path(__file__).resolve().parent.parent / "config.yaml"


Build = Callable[[config.Config, Callable[[Observation], None]], Engine]
"""How settings become an engine: `build_engine`, or what does more around it."""


class AiCache:
    """The addon: options, then the hooks in the order in which a flow meets them."""

    def __init__(self, observe: Stats | None = None, build: Build = build_engine) -> None:
        self.stats = observe or Stats()
        self._build = build
        self.settings: config.Config | None = None
        self.engine: Engine | None = None
        self._stage = Stage()
        """Outlives the engines, for other settings cut nobody short who is being answered."""
        self._copies = Copies(self._finish)
        self._orphans = Orphans(flows.read_elsewhere)
        self._certificates: bool | None = None
        """`upstream_cert` as it was before `replay`."""
        self._started = False
        self._resting: Resting | None = None
        self._lane = ""
        """Of calls that name none: set by a call to `flows.OUR_NAME`."""
        self._ready = asyncio.Event()
        """Set once the engine is there: mitmproxy listens a moment before it calls `running`."""
        self._distrust = Distrust()
        self._agents: WeakKeyDictionary[connection.Client, str] = WeakKeyDictionary()
        """What clients that asked for a tunnel call themselves."""

    # ---- options

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("aicache_config", str, "", "Configuration file; default: the config.yaml beside the addon.")
        loader.add_option("aicache_mode", str, "", "cache, record, replay or off; default: what the file says.")
        loader.add_option(
            "aicache_store", str, "", "memory, sqlite:PATH, cassette:PATH, or redis://...; default: what the file says."
        )
        # mitmproxy would drop the script without a word, and let every call through, in `replay` too.
        for name in sorted(OPTIONS):
            if len(values := getattr(ctx.options.deferred.get(name), "val", [""])) != 1:
                log.error("aicache: `--set %s=...` has %d values; give it one", name, len(values))

    def configure(self, updated: set[str]) -> None:
        """Take note of changed options. Raises `OptionsError` for wrong ones, which leaves the settings alone."""
        if self._resting:
            self._resting.wake(updated)
        if ctx.master.addons.get(self._orphans.name) is None:
            ctx.master.addons.add(self._orphans)  # at the end of the chain, behind whoever chooses a layer
        if "termlog_verbosity" in updated:
            calls_log.setLevel(LEVELS.get(ctx.options.termlog_verbosity, logging.INFO))
        if updated & OPTIONS:
            self._configure()

    def _configure(self) -> None:
        """Read the settings anew.

        Every problem is one message: at the start an error in the log, which ends mitmproxy with exit code 1 (it would
        print a raised one with its stack); later an `OptionsError`.
        """
        options = ctx.options
        path = options.aicache_config or (str(SHIPPED_CONFIG) if SHIPPED_CONFIG.exists() else None)
        given = {"mode": options.aicache_mode, "store": options.aicache_store}
        try:
            settings = config.load(path, {name: value for name, value in given.items() if value})
        except config.ConfigError as error:
            if self._started:
                raise exceptions.OptionsError(f"aicache: {error}") from None
            log.error("aicache: %s", error)  # noqa: TRY400 - the user needs the problems, not our stack
            return
        if settings == self.settings:  # mitmproxy takes a wrong change back by setting the old value
            return
        before, self.settings = self.settings, settings
        for warning in settings.warnings:
            log.warning("%s", warning)
        # Eager connections would contact the provider before `request` can answer, and fail where nothing listens.
        ctx.options.update(connection_strategy="lazy")
        self._see_to_certificates(settings.mode)
        if self._started:
            self._open(before)

    def running(self) -> None:
        """Start: refuse misspelt options, open the store, say what is on."""
        self._started = True
        if unknown := [name for name in ctx.options.deferred if name.startswith("aicache_")]:
            log.error("aicache: unknown option %s; there are: %s", ", ".join(unknown), ", ".join(sorted(OPTIONS)))
            ctx.master.shutdown()
            return
        if self.settings:
            self._open()
        if self.engine:
            # The modules' 90,000 objects stay: visiting them holds all streams up for 50 ms at each full collection.
            gc.freeze()
            self._resting = Resting(ctx.master.addons, ctx.options)
            self._resting.begin()

    def _see_to_certificates(self, mode: str) -> None:
        """Keep TLS handshakes from asking the provider for its certificate in `replay`; else leave it to the user."""
        if mode == "replay" and self._certificates is None:
            self._certificates = ctx.options.upstream_cert
            ctx.options.update(upstream_cert=False)
        elif mode != "replay" and self._certificates is not None:
            ctx.options.update(upstream_cert=self._certificates)
            self._certificates = None

    def _open(self, before: config.Config | None = None) -> None:
        """Make the engine that the settings describe; one that was running *before* stores what it has and closes."""
        assert self.settings is not None
        old = self.engine
        try:
            self.engine = replace(self._build(self.settings, self._observe), stage=self._stage)
        except BackendError as error:
            if old and before:
                self.settings = before
                self._see_to_certificates(before.mode)
                raise exceptions.OptionsError(f"aicache: {error}") from None
            log.error("aicache: %s", error)  # noqa: TRY400 - the user needs the sentence, not our stack
            ctx.master.shutdown()
            return
        if old:
            self._closing = asyncio.get_running_loop().create_task(old.close(staged=False))
        self._ready.set()
        log.info("aicache: mode %s, store %r", self.settings.mode, self.engine.store)

    def _observe(self, seen: Observation) -> None:
        self.stats(seen)
        if calls_log.isEnabledFor(logging.INFO):
            calls_log.info("%s", seen.line())

    # ---- hooks, in the order of a flow

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Remember what the client calls itself, which is not known any more when its handshake fails."""
        if agent := flow.request.headers.get("user-agent", ""):
            self._agents[flow.client_conn] = flows.printable(agent)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """Name the remedy of a client that does not trust our certificate."""
        client = data.context.client
        host = client.sni or str((data.context.server.address or ("?",))[0])
        agent, address = self._agents.get(client, ""), str((client.peername or ("?",))[0])
        if words := self._distrust.words(address, agent, host, client.error or "", str(flows.authority())):
            log.warning("%s", words)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Answer the call from the store, or let it go upstream with a ticket."""
        if flow.response or flow.error or not flow.live or flows.TICKET in flows.kept(flow):  # the last: ours
            return
        await self._ready.wait()
        engine = self.engine
        if engine is None:
            return
        try:
            await self._request(engine, flow)
        except Exception:
            log.exception("aicache: internal error; in cache mode the call goes upstream untouched")
            if engine.replaying:
                flow.response = flows.refusal(None, "internal error of aicache, see its log")

    async def _request(self, engine: Engine, flow: http.HTTPFlow) -> None:
        host = flows.destination(flow)
        if host == flows.OUR_NAME:
            flow.response, self._lane = flows.steered(flow, self._lane, lanes=engine.recordings is not None)
            return
        lane = flows.take_lane(flow) if engine.recordings else ""
        path, _, query = flow.request.path.partition("?")
        dialect = engine.claims(flow.request.method, host, path)
        if dialect is None:
            flows.strip(flow)
            self.stats.passed(host)
            if engine.replaying:
                flow.response = flows.refusal(
                    None, f"{flow.request.method} {host}{path} is no LLM call that aicache knows"
                )
            elif reason := engine.passes(host, path):
                flows.kept(flow)[flows.STATUS] = status.of_bypass(reason)
            return
        if engine.away and not flows.addressed(flow):
            await self._settle(engine, flow, dialect, engine.passing(host, path), None)
            return
        request, reason = flows.read_request(flow, host, path, query, engine.rules.max_request)
        skip = flows.own_headers(flow, request)
        control = read_control(request.headers, lane)
        if self._lane and not control.lane and engine.recordings:
            control = replace(control, lane=self._lane)
        if reason or skip:
            await self._settle(engine, flow, dialect, engine.bypass(request, reason or "skip-header", control), None)
        else:
            outcome, ticket = await engine.lookup(dialect, request, control, flow.client_conn)
            try:
                await self._settle(engine, flow, dialect, outcome, ticket)
            except Exception:
                if ticket:  # others may wait for its reply
                    engine.abandon(ticket, "internal-error")
                raise

    async def _settle(
        self,
        engine: Engine,
        flow: http.HTTPFlow,
        dialect: wire.Dialect,
        outcome: Outcome | Followed,
        ticket: Ticket | None,
    ) -> None:
        """Do with the flow what was decided."""
        match outcome:
            case Hit():
                if ticket:
                    self._refresh(engine, flow, ticket)
                await self._serve(engine, flow, dialect, outcome)
            case Followed(feed=feed):
                await flows.stage(
                    engine, flow, Play(feed.status, (*feed.headers, ("cache-status", status.COLLAPSED)), feed)
                )
            case Refusal():
                flow.response = flows.refusal(dialect, outcome.message, outcome.status)
            case Bypass(reason=reason):
                flows.kept(flow)[flows.STATUS] = status.of_bypass(reason)
            case Miss(reason=reason):
                if ticket and ticket.fallback:
                    if await engine.stage.open():
                        await self._stand_by(engine, flow, dialect, ticket)
                        return
                    ticket = replace(ticket, fallback=None)
                flows.kept(flow).update(flows.sent(engine, ticket, reason))
            case _:
                assert_never(outcome)

    @staticmethod
    async def _serve(engine: Engine, flow: http.HTTPFlow, dialect: wire.Dialect, hit: Hit) -> None:
        """Answer the flow from the store, in one block or from the stage."""
        flows.kept(flow)[flows.ENTRY] = hit.entry
        entry, reply, pace = hit.entry, hit.reply, engine.rules.pace
        flowing = entry.truncated or (pace.speed and reply.chunks)
        if flowing and await engine.stage.open():
            said = ("age", str(age(entry, time.time()))), ("cache-status", status.of_hit(hit))
            play = Play(reply.status, (*reply.headers, *said), played(entry, reply, pace))
            await flows.stage(engine, flow, play)
        elif entry.truncated:  # in one block it would pass for whole
            flow.response = flows.refusal(dialect, "the recording broke off, and there is no port to break it")
        else:
            flows.answer(flow, hit)

    def _refresh(self, engine: Engine, flow: http.HTTPFlow, ticket: Ticket) -> None:
        """Ask anew in the background, with the caller's credential."""
        try:
            self._copies.send(flow, flows.sent(engine, ticket, ticket.reason))
        except Exception:
            log.exception("aicache: a stale answer was served and not refreshed")
            engine.abandon(ticket, "not-refreshed")

    async def _stand_by(self, engine: Engine, flow: http.HTTPFlow, dialect: wire.Dialect, ticket: Ticket) -> None:
        """Ask upstream with a copy, and answer what comes of it; where that is nothing, what has expired."""
        pending, started = Pending(), time.time()
        copy = self._copies.send(flow, flows.sent(engine, ticket, ticket.reason) | {flows.PENDING: pending})
        match await pending.answer(engine.rules.stale.wait):
            case Came(response=head, feed=Feed() as feed):
                await flows.stage(engine, flow, Play(head.status_code, (), feed), head)
            case Came(response=response):
                flow.response = response
            case int() as code:
                await self._serve(engine, flow, dialect, engine.rescue(ticket, time.time() - started, code))
            case None:  # what comes yet is recorded all the same
                hit, flows.kept(copy)[flows.TICKET] = engine.overtake(ticket, time.time() - started)
                await self._serve(engine, flow, dialect, hit)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Say what we did, and copy a stream while it flows."""
        if flows.leave_stage(flow) and flow.response:
            flow.response.stream = True
        kept = flows.kept(flow)
        member = kept.get(flows.STATUS)
        if member is None or flow.response is None:
            return
        head = kept[flows.HEAD] = flows.fields(flow.response)
        flows.add_cache_status(flow.response, head, member)
        ticket: Ticket | None = kept.get(flows.TICKET)
        if ticket is None or self.engine is None:
            return
        if ticket.fallback and failing(flow.response.status_code):
            del kept[flows.TICKET]
            kept[flows.PENDING].failed(flow.response.status_code)
            return
        tee, limit = None, self.engine.rules.admission.max_body
        if not collected(ticket.call.form, head, limit):
            sent = flow.request.timestamp_end or time.time()
            tee = kept[flows.TEE] = flow.response.stream = Tee(sent, limit, flow.response.stream)
        self.engine.crowd.answered(ticket, flow.response.status_code, head, tee)
        if ticket.fallback and tee:
            kept[flows.PENDING].begins(flow.response, tee)

    def response(self, flow: http.HTTPFlow) -> None:
        """Hand the reply over for storing; nobody waits for it."""
        self._finish(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """End a flow that broke: what arrived may be whole all the same (a client that left after the last event)."""
        if (seat := flows.leave_stage(flow)) and self.engine:
            self.engine.stage.drop(seat)
        self._finish(flow)

    def _finish(self, flow: http.HTTPFlow) -> None:
        self._orphans.over(flow)
        kept = flows.kept(flow)
        ticket: Ticket | None = kept.pop(flows.TICKET, None)
        tee: Tee | None = kept.pop(flows.TEE, None)
        if ticket and ticket.fallback and not kept[flows.PENDING].ended(flow, tee):
            return  # who waits for it answers something else
        if ticket is None or self.engine is None:
            return
        engine: Engine = kept[flows.ENGINE]
        try:
            seconds = time.time() - (flow.request.timestamp_end or flow.request.timestamp_start)
            left = flows.client_left(flow)
            if reason := "settings-changed" if engine is not self.engine else flows.unrecordable(flow, tee):
                engine.abandon(ticket, reason, seconds, left=left, whole=flow.error is None)
            else:
                engine.record(ticket, flows.exchange_of(flow, tee, kept[flows.HEAD], seconds), left=left)
        except Exception:
            log.exception("aicache: the reply was not stored; the client has it all the same")
            engine.abandon(ticket, "internal-error")

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Refuse every connection in replay mode but that to our own stage: the last door, behind all the others."""
        staged = self.engine and data.server.via is None and self.engine.stage.owns(data.server.address)
        if self.settings and self.settings.mode == "replay" and not staged:
            data.server.error = "aicache: replay mode, nothing leaves"

    def done(self) -> Awaitable[None] | None:
        """Store what was accepted. Returns a task: mitmproxy awaits it, or lets it run on after a reload."""
        ending = ctx.master.should_exit.is_set()
        if self._resting:
            self._resting.end(ending=ending)
            self._resting = None
        if ctx.master.addons.get(self._orphans.name) is self._orphans and not ending:
            ctx.master.addons.remove(self._orphans)
        if self.engine is None:
            return None
        engine, self.engine = self.engine, None
        self._see_to_certificates("off")
        return asyncio.get_running_loop().create_task(engine.close())


OPTIONS = {"aicache_config", "aicache_mode", "aicache_store"}
LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}

addons = [AiCache()]
