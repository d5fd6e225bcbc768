"""What came from upstream -> the reply worth keeping: codings undone, headers by allow-list, size bounded.

A reply that flows is copied by a `Tee`, one that is collected is taken whole.
It does not judge whether the reply is complete: that is the dialect's word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .chat import Form, Headers, Reply, WireError
from .coding import Decoder


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer from upstream as the proxy saw it go by."""

    status: int
    headers: Headers
    pieces: tuple[tuple[int, bytes], ...]
    """(milliseconds after the request was sent, raw bytes) of each chunk, still coded."""
    seconds: float
    """From the request sent to the last byte."""
    streamed: bool
    """Whether the borders of the pieces are those of the wire, and so worth keeping."""
    whole: bool = True
    """Whether HTTP itself marked the end: by a length, a last chunk or an end of stream, not by a closed connection."""
    broken: bool = False
    """Whether upstream broke it off, and HTTP said so; a client that left breaks nothing off."""


class Tee:
    """A copy of a streamed reply, kept while it flows; never raises, never delays, never changes a byte.

    *inner* is what another addon had set as the flow's stream; it goes on seeing the same chunks.
    """

    def __init__(self, started: float, limit: int, inner: object = None) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.ended = False
        """Whether the end was announced."""
        self.over = False
        """Whether the reply passed the limit and the copy was dropped."""
        self.follow: Callable[[bytes], None] | None = None
        """Told each piece once somebody follows the stream; must not raise."""
        self.lose: Callable[[], None] | None = None
        """Told when the copy is dropped."""
        self._started, self._left, self._inner = started, limit, inner if callable(inner) else None

    def __call__(self, data: bytes) -> bytes:
        """Keep *data* and hand it on."""
        self.ended = not data
        if data and not self.over:
            self._keep(data)
        if data and self.follow:
            self.follow(data)
        return self._inner(data) if self._inner else data

    def _keep(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self.pieces.append((int((time.time() - self._started) * 1000), data))
            return
        self.over = True
        self.pieces.clear()
        if self.lose:
            self.lose()


def reply_of(exchange: Exchange, limit: int) -> Reply:
    """Return the reply of *exchange*. Raises `WireError` when it cannot be decoded or passes *limit* bytes."""
    coding = ", ".join(value for name, value in exchange.headers if name == "content-encoding")
    decoder = Decoder(coding, limit)
    pieces = [(at, decoder.feed(piece)) for at, piece in exchange.pieces]
    chunks = tuple((at, len(piece)) for at, piece in pieces if piece) if exchange.streamed else ()
    return Reply(exchange.status, kept(exchange.headers), b"".join(piece for _, piece in pieces), chunks)


def kept(headers: Headers) -> Headers:
    """Return the headers that a recording keeps, in their order."""
    return tuple((name, value) for name, value in headers if name in KEPT or name.startswith(KEPT_PREFIXES))


def value(head: Headers, name: str) -> str:
    """Return the first value of a header; mitmproxy's own look-up costs as much as reading them all."""
    return next((each for key, each in head if key == name), "")


def collected(form: Form, head: Headers, limit: int) -> bool:
    """Whether the proxy may collect the reply before it hands it on, as it does by itself: one whole JSON body.

    A stream must flow, asked for or not; so must bytes of which nothing is known, and what is too large to be stored.
    """
    length = value(head, "content-length")
    return form.kind == "json" and not streams(head) and not (length.isdecimal() and int(length) > limit)


def streams(head: Headers) -> bool:
    """Whether the reply is a stream of frames, by its type."""
    return value(head, "content-type").partition(";")[0].strip().lower() in STREAM_TYPES


def request_body(raw: bytes, coding: str, limit: int) -> bytes:
    """Return a request's body decoded. Raises `WireError("request-too-large")` or the coding's slug."""
    if len(raw) > limit:
        raise WireError("request-too-large")
    return Decoder(coding, limit).feed(raw) if coding else raw


KEPT = frozenset({"content-type", "content-language", "request-id", "x-request-id", "apim-request-id", "x-robots-tag"})
"""Headers that clients read or people search for. Cookies, framing, codings, `alt-svc` and dates are not among them."""

KEPT_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-", "x-amzn-requestid", "x-amzn-bedrock-", "x-ms-region")

STREAM_TYPES = {"text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"}
