"""Traffic that other tools recorded: what was asked, what came, and where that stands in which file.

The readers (`har`, `vcr`) give what a file says and judge nothing: whether it is an LLM call, and whether its reply
is whole, is decided where calls are recorded. They know no store and no dialect.
Entry points: `Interaction`, `Gap`, `Unreadable`, and what the readers share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..capture import Exchange, streams, value
from ..chat import Headers, Request, WireError
from ..coding import Decoder


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request and what came of it."""

    where: str
    """File, line and number."""
    request: Request
    exchange: Exchange
    moment: float | None
    """When, Unix seconds; None where the file does not say it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where a file holds no interaction that could be used."""

    where: str
    reason: str
    """A slug: `no-reply`, `no-body`, ..."""


Found = Interaction | Gap


class Unreadable(ValueError):  # noqa: N818 - what the file is
    """The file is not what it should be; the message has file and line."""


class Misplaced(ValueError):  # noqa: N818 - what the member is
    """A member of an interaction is not what it should be; the reader adds where that is."""


def request_of(method: str, url: str, headers: Headers, body: bytes) -> Request:
    """Return the request. Raises `Misplaced` for a URL that is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise Misplaced(f"`{url[:80]}` is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misplaced(f"`{url[:80]}` is no URL that begins with http:// or https://")
    return Request(method, parts.scheme, parts.hostname.lower(), port, parts.path or "/", parts.query, headers, body)


def exchange_of(
    status: int, headers: Headers, body: bytes, seconds: float, chunks: tuple[tuple[int, int], ...] = (), *, whole: bool
) -> Exchange:
    """Return what came, its body not coded any more; a stream without *chunks* is one that came at time 0."""
    head = tuple((name, text) for name, text in headers if name != "content-encoding")
    streamed = bool(chunks) or streams(head)
    return Exchange(status, head, pieces(body, chunks), seconds, streamed=streamed, whole=whole)


def framed(headers: Headers) -> bool:
    """Whether HTTP/1.1 marked the end of the body (RFC 9112 section 6.3)."""
    return bool(value(headers, "content-length")) or "chunked" in value(headers, "transfer-encoding").lower()


def pieces(body: bytes, chunks: tuple[tuple[int, int], ...]) -> tuple[tuple[int, bytes], ...]:
    """Return *body* in its chunks: (milliseconds, length) each; as one where they are not of this body."""
    if sum(length for _, length in chunks) != len(body):
        chunks = ((0, len(body)),)
    cut, at = [], 0
    for when, length in chunks:
        cut.append((when, body[at : at + length]))
        at += length
    return tuple(cut)


def uncoded(body: bytes, headers: Headers, limit: int) -> bytes:
    """Return *body* with its content coding undone, if it still has it: clients record before or after they undo it.

    Raises `Misplaced` for one that is broken.
    """
    coding = ", ".join(text for name, text in headers if name == "content-encoding")
    last = coding.rpartition(",")[2].strip().lower()
    if not coding or not body or (last in MAGIC and not body.startswith(MAGIC[last])):
        return body
    try:
        return Decoder(coding, limit).feed(body)
    except WireError as error:
        if last not in MAGIC:  # nothing marks it, so that it does not read as coded is all there is to see
            return body
        raise Misplaced(f"the body cannot be decoded as `{coding}`: {error}") from None


def fields(pairs: Iterable[tuple[Any, Any]]) -> Headers:
    """Return headers with names in lower case, without those that HTTP/2 begins with a colon."""
    return tuple((str(name).lower(), str(text)) for name, text in pairs if not str(name).startswith(":"))


def dated(headers: Headers) -> float | None:
    """Return the moment in the header `date` (RFC 9110 section 6.6.1), or None."""
    try:
        return parsedate_to_datetime(value(headers, "date")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


MAGIC = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
"""How a body begins that is coded so (RFC 1952, RFC 8878)."""
LARGEST = 256_000_000
"""Bytes that a body of a file may decode to."""
