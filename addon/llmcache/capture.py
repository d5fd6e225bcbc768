"""What came from upstream -> the reply worth keeping: codings undone, headers by allow-list, size bounded.

It does not judge whether the reply is complete: that is the dialect's word.
"""

from __future__ import annotations

from dataclasses import dataclass

from .chat import Headers, Reply, WireError
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


def request_body(raw: bytes, coding: str, limit: int) -> bytes:
    """Return a request's body decoded. Raises `WireError("request-too-large")` or the coding's slug."""
    if len(raw) > limit:
        raise WireError("request-too-large")
    return Decoder(coding, limit).feed(raw) if coding else raw


KEPT = frozenset({"content-type", "content-language", "request-id", "x-request-id", "apim-request-id", "x-robots-tag"})
"""Headers that clients read or people search for. Cookies, framing, codings, `alt-svc` and dates are not among them."""

KEPT_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-", "x-amzn-requestid", "x-amzn-bedrock-", "x-ms-region")
