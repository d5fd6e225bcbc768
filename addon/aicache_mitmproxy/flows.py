"""mitmproxy's flows, read and written for the hooks of `aicache`: requests, answers, refusals, what came from upstream.

Functions of a flow, beside the hooks and not among them. Nothing is decided here. Measured facts behind each line:
mitmproxy 11.0.2 and 12.2.3.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from llmcache import capture, lanes, status, wire
from llmcache.capture import Tee, value
from llmcache.chat import Headers, Hit, Request, WireError
from llmcache.engine import Engine
from llmcache.flights import Live
from llmcache.freshness import age
from llmcache.lanes import named
from llmcache.recorder import Ticket
from llmcache.stage import Play, Seat
from mitmproxy import connection, ctx, http
from mitmproxy.flow import Error
from mitmproxy.proxy import mode_specs

log = logging.getLogger("aicache")


def kept(flow: http.HTTPFlow) -> dict[str, Any]:
    """Return what we keep of *flow*, by the names below; it dies with the flow.

    Not in its `metadata`: mitmproxy copies that and writes it to files, which no ticket can be.
    """
    return _KEPT.setdefault(flow, {})


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


def printable(text: str) -> str:
    """Return what a client calls itself so that it can stand in a log line."""
    return "".join(letter for letter in text[:80] if letter.isprintable())


def authority() -> Path:
    """Return the file of the certificate that clients have to trust."""
    return Path(ctx.options.confdir).expanduser() / "mitmproxy-ca-cert.pem"


def take_lane(flow: http.HTTPFlow) -> str:
    """Take the lane off the front of the flow's path, which is not the provider's; return its name as written."""
    path = flow.request.path.partition("?")[0]
    lane, rest = lanes.split(path)
    if lane:
        flow.request.path = flow.request.path[len(path) - len(rest) :]
    return lane


def steered(flow: http.HTTPFlow, lane: str, *, lanes: bool) -> tuple[http.Response, str]:
    """Answer a call to our own name, which sets the lane of calls that name none; return it with the lane from now on.

    `PUT /scope` with the name as body, `DELETE /scope`, `GET /scope`. It never leaves this machine.
    """
    request, code, text = flow.request, 200, lane
    if request.path != "/scope":
        code, text = 404, "aicache answers /scope here: PUT a name, GET it, or DELETE it"
    elif not lanes:
        code, text = 409, "lanes are for recordings: `cache.type: cassette`"
    elif request.method in ("PUT", "POST"):
        name = named((request.get_text(strict=False) or "").strip())
        code, text, lane = (400, "the body is no name of a lane", lane) if name is None else (200, name, name)
    elif request.method == "DELETE":
        text = lane = ""
    elif request.method != "GET":
        code, text = 405, "PUT, GET or DELETE"
    head = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
    return http.Response.make(code, text + "\n" if text else "", head), lane


def addressed(flow: http.HTTPFlow) -> bool:
    """Whether the request has headers for us, which are to be heeded and taken out."""
    return any(name.lower().startswith(ADDRESSED) for name, _ in flow.request.headers.fields)


def own_headers(flow: http.HTTPFlow, request: Request) -> bool:
    """Take our headers out of the flow, for they are not the provider's; return whether they ask to skip the call."""
    for name in {name for name, _ in request.headers if name == SKIP_HEADER or name.startswith(OWN_HEADERS)}:
        del flow.request.headers[name]
    return request.header(SKIP_HEADER).strip().lower() == "on"


def strip(flow: http.HTTPFlow) -> None:
    """Take our headers out of a flow that is none of ours: clients that are told to send them do so with all."""
    raw = OWN_HEADERS.encode()
    if any(name.lower().startswith(raw) for name, _ in flow.request.headers.fields):
        others = (pair for pair in flow.request.headers.fields if not pair[0].lower().startswith(raw))
        flow.request.headers.fields = tuple(others)


def sent(engine: Engine, ticket: Ticket | None, reason: str) -> dict[str, Any]:
    """Return what is kept of a flow that goes upstream for *reason*."""
    return {STATUS: status.of_miss(reason), TICKET: ticket, ENGINE: engine}


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


async def stage(engine: Engine, flow: http.HTTPFlow, play: Play, head: http.Response | None = None) -> None:
    """Send the flow to our stage for its answer. What the client sent does not go there, and comes back afterwards.

    *head*: what is then said in place of the play's own head.
    """
    seat = await engine.stage.seat(play, flow.client_conn.id)
    kept(flow)[STAGED] = seat, flow.request, head
    flow.request = http.Request.make("GET", f"http://{seat.host}:{seat.port}/", headers=http.Headers(seat.fields))
    # A server of its own, not the one that later flows share: no parent proxy (`upstream:`) comes between.
    flow.server_conn = connection.Server(address=(seat.host, seat.port))
    flow.comment = head.headers["cache-status"] if head else play.headers[-1][1]


def leave_stage(flow: http.HTTPFlow) -> Seat | None:
    """Give the flow its own request back, and its answer the head that it is to have; return where it was played."""
    seat: Seat | None
    seat, flow.request, head = kept(flow).pop(STAGED, (None, flow.request, None))
    if flow.response:
        flow.response = head or flow.response
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


def read_elsewhere(flow: http.HTTPFlow) -> Live | None:
    """Return the stream that the flow brings, if others than its client read it while it comes."""
    ticket: Ticket | None = kept(flow).get(TICKET)
    live = ticket.flight.live if ticket and ticket.flight else None
    return live if live and live.feeds else None


def unrecordable(flow: http.HTTPFlow, tee: Tee | None) -> str:
    """Return why the reply cannot be recorded, or nothing."""
    if flow.response is None:
        return "client-left" if client_left(flow) else "upstream-failed"
    if HEAD not in kept(flow):  # mitmproxy's own addons (`map_local`, ...) and others answer behind our `request`
        return "answered-elsewhere"
    if tee is None and (flow.error or flow.response.raw_content is None):
        return "upstream-failed" if flow.error else "streamed-past"
    return "too-large" if tee and tee.over else ""


def exchange_of(flow: http.HTTPFlow, tee: Tee | None, head: Headers, seconds: float) -> capture.Exchange:
    """Return what came from upstream, whose headers were *head*."""
    assert flow.response is not None
    pieces = tuple(tee.pieces) if tee else ((int(seconds * 1000), flow.response.raw_content or b""),)
    whole = framed(flow.response, head) and (tee is None or tee.ended) and flow.error is None
    broken = flow.error is not None and flow.error.msg != KILLED and not client_left(flow)
    return capture.Exchange(
        flow.response.status_code, head, pieces, seconds, streamed=tee is not None, whole=whole, broken=broken
    )


def framed(response: http.Response, head: Headers) -> bool:
    """Whether the end of the body is marked, so that a broken connection cannot pass for it (RFC 9112 section 6.3)."""
    marked = value(head, "content-length") or "chunked" in value(head, "transfer-encoding").lower()
    return bool(marked) or not response.http_version.startswith("HTTP/1")


KILLED = Error.KILLED_MESSAGE
"""What mitmproxy writes where its user, or another addon, ended a flow."""
OUR_NAME = "aicache.local"
"""The host of control calls through the proxy."""
ADDRESSED = (b"x-aicache-", b"x-higress-skip-ai-cache")
SKIP_HEADER, OWN_HEADERS = "x-higress-skip-ai-cache", "x-aicache-"
REFUSALS = {424: "aicache_no_recording", 504: "aicache_not_cached"}
STATUS, TICKET, HEAD, TEE, STAGED = "aicache.status", "aicache.ticket", "aicache.head", "aicache.tee", "aicache.staged"
ENTRY, ENGINE, PENDING = "aicache.entry", "aicache.engine", "aicache.pending"
"""What is in `kept`."""
_KEPT: WeakKeyDictionary[http.HTTPFlow, dict[str, Any]] = WeakKeyDictionary()
TRANSPARENT = tuple(
    mode
    for mode in (getattr(mode_specs, name, None) for name in ("TransparentMode", "LocalMode", "WireGuardMode"))
    if mode
)
