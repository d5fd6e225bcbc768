"""The mitmproxy hooks of aicache, and nothing else: `mitmdump -s addon/aicache.py`.

Hooks translate between flows and the engine in `llmcache`; what is the same call, what may be stored and what is
answered is decided there. Measured facts behind each line: mitmproxy 11.0.2 and 12.2.3.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from functools import lru_cache
from pathlib import Path
from typing import assert_never

from llmcache import capture, config, status, wire
from llmcache.build import build_engine
from llmcache.capture import Tee, collected, value
from llmcache.chat import BackendError, Bypass, Headers, Hit, Miss, Outcome, Refusal, Request, WireError
from llmcache.control import read_control
from llmcache.crowd import Followed
from llmcache.engine import Engine
from llmcache.freshness import age, failing
from llmcache.pace import paced
from llmcache.reach import reachable
from llmcache.recorder import Ticket
from llmcache.stage import Play, Seat
from llmcache.stats import Observation, Stats
from mitmproxy import connection, ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import mode_specs, server_hooks

log = logging.getLogger("aicache")
calls_log = logging.getLogger("aicache.calls")
"""One line a call. It has the terminal's level, for mitmproxy pays dearly for each record, shown or not."""

SHIPPED_CONFIG = Path(__file__).resolve().parent.parent / "config.yaml"


class AiCache:
    """The addon: options, then the hooks in the order in which a flow meets them."""

    def __init__(self, observe: Stats | None = None) -> None:
        self.stats = observe or Stats()
        self.settings: config.Config | None = None
        self.engine: Engine | None = None
        self._started = False
        self._ready = asyncio.Event()
        """Set once the engine is there: mitmproxy listens a moment before it calls `running`."""

    # ---- options

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("aicache_config", str, "", "Configuration file; default: the config.yaml beside the addon.")
        loader.add_option("aicache_mode", str, "", "cache, record, replay or off; default: what the file says.")
        loader.add_option(
            "aicache_store", str, "", "memory, sqlite:PATH, cassette:PATH, or redis://...; default: what the file says."
        )

    def configure(self, updated: set[str]) -> None:
        """Read the settings anew when one of the options changed.

        Every problem is one message: at the start an error in the log, which ends mitmproxy with exit code 1 (it would
        print a raised one with its stack); later an `OptionsError`, which leaves the settings as they were.
        """
        options = ctx.options
        if "termlog_verbosity" in updated:
            calls_log.setLevel(LEVELS.get(options.termlog_verbosity, logging.INFO))
        if not updated & OPTIONS:
            return
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
        self.settings = settings
        for warning in settings.warnings:
            log.warning("%s", warning)
        # Eager connections would contact the provider before `request` can answer, and fail where nothing listens.
        ctx.options.update(connection_strategy="lazy")
        if (
            settings.cache.stale_while_revalidate or settings.enable_semantic_cache
        ) and "client_replay_concurrency" in ctx.options:
            ctx.options.update(client_replay_concurrency=-1)  # else one slow refresh keeps all others waiting
        if settings.mode == "replay":
            ctx.options.update(upstream_cert=False)  # else a TLS handshake could ask the provider for its certificate
        if self._started:
            self._open()

    def running(self) -> None:
        """Start: refuse misspelt options, open the store, say what is on."""
        self._started = True
        if unknown := [name for name in ctx.options.deferred if name.startswith("aicache_")]:
            log.error("aicache: unknown option %s; there are: %s", ", ".join(unknown), ", ".join(sorted(OPTIONS)))
            ctx.master.shutdown()
            return
        if self.settings:
            self._open()

    def _open(self) -> None:
        """Make the engine that the settings describe; one that was running before stores what it has and closes."""
        assert self.settings is not None
        old, self.engine = self.engine, None
        if old:
            self._closing = asyncio.get_running_loop().create_task(old.close())
        try:
            self.engine = build_engine(self.settings, self._observe)
        except BackendError as error:
            log.error("aicache: %s", error)  # noqa: TRY400 - the user needs the sentence, not our stack
            ctx.master.shutdown()
            return
        self._ready.set()
        log.info("aicache: mode %s, store %r", self.settings.mode, self.engine.store)

    def _observe(self, seen: Observation) -> None:
        self.stats(seen)
        if calls_log.isEnabledFor(logging.INFO):
            calls_log.info("%s", seen.line())

    # ---- hooks, in the order of a flow

    async def request(self, flow: http.HTTPFlow) -> None:
        """Answer the call from the store, or let it go upstream with a ticket."""
        if flow.response or flow.error or not flow.live or TICKET in flow.metadata:  # the last: a refresh of ours
            return
        await self._ready.wait()
        if self.engine is None:
            return
        try:
            await self._request(self.engine, flow)
        except Exception:
            log.exception("aicache: internal error; in cache mode the call goes upstream untouched")
            if self.engine.replaying:
                flow.response = refusal(None, "internal error of aicache, see its log")

    async def _request(self, engine: Engine, flow: http.HTTPFlow) -> None:
        host = destination(flow)
        path, _, query = flow.request.path.partition("?")
        dialect = engine.claims(flow.request.method, host, path)
        if dialect is None:
            if engine.replaying:
                flow.response = refusal(None, f"{flow.request.method} {host}{path} is no LLM call that aicache knows")
            elif reason := engine.passes(host, path):
                flow.metadata[STATUS] = status.of_bypass(reason)
            return
        request, reason = read_request(flow, host, path, query, engine.rules.max_request)
        skip = own_headers(flow, request)
        control = read_control(request.headers)
        if reason or skip:
            await self._settle(engine, flow, dialect, engine.bypass(request, reason or "skip-header", control), None)
        else:
            found = await engine.lookup(dialect, request, control, flow.client_conn)
            await self._settle(engine, flow, dialect, *found)

    @staticmethod
    async def _settle(
        engine: Engine, flow: http.HTTPFlow, dialect: wire.Dialect, outcome: Outcome | Followed, ticket: Ticket | None
    ) -> None:
        """Do with the flow what was decided."""
        match outcome:
            case Hit():
                if ticket:
                    refresh(engine, flow, ticket)
                reply, pace = outcome.reply, engine.rules.pace
                if pace.speed and reply.chunks and await engine.stage.open():
                    said = ("age", str(age(outcome.entry, time.time()))), ("cache-status", status.of_hit(outcome))
                    await stage(engine, flow, Play(reply.status, (*reply.headers, *said), paced(reply, pace)))
                else:
                    answer(flow, outcome)
            case Followed(feed=feed):
                await stage(engine, flow, Play(feed.status, (*feed.headers, ("cache-status", status.COLLAPSED)), feed))
            case Refusal():
                flow.response = refusal(dialect, outcome.message, outcome.status)
            case Bypass(reason=reason):
                flow.metadata[STATUS] = status.of_bypass(reason)
            case Miss(reason=reason):
                if ticket and ticket.fallback and not await answers(flow):
                    answer(flow, engine.rescue(ticket, ticket.fallback))
                else:
                    flow.metadata |= {STATUS: status.of_miss(reason), TICKET: ticket}
            case _:
                assert_never(outcome)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Say what we did, and copy a stream while it flows."""
        if leave_stage(flow) and flow.response:
            flow.response.stream = True
        member = flow.metadata.get(STATUS)
        if member is None or flow.response is None:
            return
        head = flow.metadata[HEAD] = fields(flow.response)
        add_cache_status(flow.response, head, member)
        ticket: Ticket | None = flow.metadata.get(TICKET)
        if ticket is None or self.engine is None or (ticket.fallback and failing(flow.response.status_code)):
            return
        tee, limit = None, self.engine.rules.admission.max_body
        if not collected(ticket.call.form, head, limit):
            sent = flow.request.timestamp_end or time.time()
            tee = flow.metadata[TEE] = flow.response.stream = Tee(sent, limit, flow.response.stream)
        self.engine.crowd.answered(ticket, flow.response.status_code, head, tee)

    def response(self, flow: http.HTTPFlow) -> None:
        """Hand the reply over for storing; nobody waits for it."""
        self._finish(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """End a flow that broke: what arrived may be whole all the same (a client that left after the last event)."""
        if (seat := leave_stage(flow)) and self.engine:
            self.engine.stage.drop(seat)
        self._finish(flow)

    def _finish(self, flow: http.HTTPFlow) -> None:
        ticket: Ticket | None = flow.metadata.pop(TICKET, None)
        tee: Tee | None = flow.metadata.pop(TEE, None)
        if ticket is None or self.engine is None:
            return
        try:
            seconds = time.time() - (flow.request.timestamp_end or flow.request.timestamp_start)
            left = client_left(flow)
            if (hit := ticket.fallback) and (code := replaceable(flow)):
                answer(flow, self.engine.rescue(ticket, hit, code, seconds))
            elif reason := unrecordable(flow, tee):
                self.engine.abandon(ticket, reason, seconds, left=left, whole=flow.error is None)
            else:
                self.engine.record(ticket, exchange_of(flow, tee, flow.metadata[HEAD], seconds), left=left)
        except Exception:
            log.exception("aicache: the reply was not stored; the client has it all the same")

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Refuse every connection in replay mode but that to our own stage: the last door, behind all the others."""
        staged = self.engine and data.server.via is None and self.engine.stage.owns(data.server.address)
        if self.settings and self.settings.mode == "replay" and not staged:
            data.server.error = "aicache: replay mode, nothing leaves"

    def done(self) -> Awaitable[None] | None:
        """Store what was accepted. Returns a task: mitmproxy awaits it, or lets it run on after a reload."""
        if self.engine is None:
            return None
        engine, self.engine = self.engine, None
        return asyncio.get_running_loop().create_task(engine.close())


def destination(flow: http.HTTPFlow) -> str:
    """Return the provider's name: where the flow goes; in transparent modes, whom it asks for."""
    if isinstance(flow.client_conn.proxy_mode, TRANSPARENT):
        return (flow.client_conn.sni or flow.request.pretty_host).lower()
    return flow.request.host.lower()


def read_request(flow: http.HTTPFlow, host: str, path: str, query: str, limit: int) -> tuple[Request, str]:
    """Return the flow's request as the engine wants it, and why its body cannot be had, or nothing."""
    request = flow.request
    head, body, reason = fields(request), b"", ""
    if request.raw_content is None:
        reason = "request-streamed"
    else:
        try:
            body = capture.request_body(request.raw_content, value(head, "content-encoding"), limit)
        except WireError as error:
            reason = str(error)
    return Request(request.method, request.scheme, host, request.port, path, query, head, body), reason


def fields(message: http.Message) -> Headers:
    """Return the headers in their order, names in lower case."""
    return tuple(map(_field, message.headers.fields))


@lru_cache(maxsize=1024)
def _field(raw: tuple[bytes, bytes]) -> tuple[str, str]:
    """Return one header as text; a client sends nearly the same ones with each call."""
    return raw[0].decode("latin-1").lower(), raw[1].decode("utf-8", "surrogateescape")


def own_headers(flow: http.HTTPFlow, request: Request) -> bool:
    """Take our headers out of the flow, for they are not the provider's; return whether they ask to skip the call."""
    for name in {name for name, _ in request.headers if name == SKIP_HEADER or name.startswith(OWN_HEADERS)}:
        del flow.request.headers[name]
    return request.header(SKIP_HEADER).strip().lower() == "on"


def refresh(engine: Engine, flow: http.HTTPFlow, ticket: Ticket) -> None:
    """Ask anew in the background with a copy of the flow, which has its credential and is nowhere stored."""
    again = flow.copy()
    try:
        ctx.master.commands.call("replay.client", [again])
        # Behind the call, which only queues it after having copied all it knows, as no ticket can be.
        again.metadata = {TICKET: ticket, STATUS: status.of_miss(ticket.reason)}
    except Exception:
        log.exception("aicache: a stale answer was served and not refreshed")
        engine.abandon(ticket, "not-refreshed")


async def answers(flow: http.HTTPFlow) -> bool:
    """Whether the provider takes connections: mitmproxy's own answer to one that fails cannot be replaced any more."""
    parent = flow.server_conn.via or isinstance(flow.client_conn.proxy_mode, mode_specs.UpstreamMode)
    return bool(parent) or await reachable(flow.request.host, flow.request.port)


def replaceable(flow: http.HTTPFlow) -> int:
    """Return the status of a failure whose place a stored answer may take, for the client has nothing of it yet."""
    response = flow.response
    unsent = response and not response.stream and not flow.error
    return response.status_code if response and unsent and failing(response.status_code) else 0


def answer(flow: http.HTTPFlow, hit: Hit) -> None:
    """Answer the flow from the store."""
    member, body = status.of_hit(hit), hit.reply.body
    head = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in hit.reply.headers]
    head += [
        (b"content-length", b"%d" % len(body)),
        (b"cache-status", member.encode()),
        (b"age", b"%d" % age(hit.entry, time.time())),
    ]
    now = time.time()
    flow.response = http.Response(b"HTTP/1.1", hit.reply.status, b"OK", http.Headers(head), body, None, now, now)
    flow.comment = member


async def stage(engine: Engine, flow: http.HTTPFlow, play: Play) -> None:
    """Send the flow to our stage for its answer. What the client sent does not go there, and comes back afterwards."""
    seat = await engine.stage.seat(play, flow.client_conn.id)
    flow.metadata[STAGED] = seat, flow.request
    flow.request = http.Request.make("GET", f"http://{seat.host}:{seat.port}/", headers=http.Headers(seat.fields))
    # A server of its own, not the one that later flows share: no parent proxy (`upstream:`) comes between.
    flow.server_conn = connection.Server(address=(seat.host, seat.port))
    flow.comment = play.headers[-1][1]


def leave_stage(flow: http.HTTPFlow) -> Seat | None:
    """Give the flow its own request back; return where it was played, if it was."""
    seat: Seat | None
    seat, flow.request = flow.metadata.pop(STAGED, (None, flow.request))
    return seat


def add_cache_status(response: http.Response, head: Headers, member: str) -> None:
    """Add our member behind what caches nearer to the provider have written (RFC 9211 section 2)."""
    if before := value(head, "cache-status"):
        response.headers["cache-status"] = f"{before}, {member}"
    else:
        response.headers.fields += ((b"cache-status", member.encode()),)


def refusal(dialect: wire.Dialect | None, message: str, code: int = 424) -> http.Response:
    """Return the refusal of replay mode (424) or of `only-if-cached` (504): SDKs do not retry it."""
    body = (dialect or wire.DIALECTS[0]).refusal(f"aicache: {message}", REFUSALS[code])
    head = {"content-type": "application/json", "x-should-retry": "false", "cache-status": "aicache; detail=refused"}
    return http.Response.make(code, body, head)


def client_left(flow: http.HTTPFlow) -> bool:
    """Whether the client ended the flow; where it resets one stream of HTTP/2, the message is all that says so."""
    gone = not flow.client_conn.connected
    return flow.error is not None and (gone or flow.error.msg.startswith("stream reset by client"))


def unrecordable(flow: http.HTTPFlow, tee: Tee | None) -> str:
    """Return why the reply cannot be recorded, or nothing."""
    if flow.response is None:
        return "client-left" if client_left(flow) else "upstream-failed"
    if tee is None and (flow.error or flow.response.raw_content is None):
        return "upstream-failed" if flow.error else "streamed-past"
    return "too-large" if tee and tee.over else ""


def exchange_of(flow: http.HTTPFlow, tee: Tee | None, head: Headers, seconds: float) -> capture.Exchange:
    """Return what came from upstream, whose headers were *head*."""
    assert flow.response is not None
    pieces = tuple(tee.pieces) if tee else ((int(seconds * 1000), flow.response.raw_content or b""),)
    whole = framed(flow.response, head) and (tee is None or tee.ended) and flow.error is None
    return capture.Exchange(flow.response.status_code, head, pieces, seconds, streamed=tee is not None, whole=whole)


def framed(response: http.Response, head: Headers) -> bool:
    """Whether the end of the body is marked, so that a broken connection cannot pass for it (RFC 9112 section 6.3)."""
    marked = value(head, "content-length") or "chunked" in value(head, "transfer-encoding").lower()
    return bool(marked) or not response.http_version.startswith("HTTP/1")


OPTIONS = {"aicache_config", "aicache_mode", "aicache_store"}
SKIP_HEADER, OWN_HEADERS = "x-higress-skip-ai-cache", "x-aicache-"
LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
REFUSALS = {424: "aicache_no_recording", 504: "aicache_not_cached"}
STAGED = "aicache.staged"
STATUS, TICKET, HEAD, TEE = "aicache.status", "aicache.ticket", "aicache.head", "aicache.tee"
TRANSPARENT = tuple(
    mode
    for mode in (getattr(mode_specs, name, None) for name in ("TransparentMode", "LocalMode", "WireGuardMode"))
    if mode
)

addons = [AiCache()]
