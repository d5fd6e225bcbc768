"""What the dialects share about HTTP: JSON bodies, queries without credentials, streams cut consistently.

It knows no provider. Every dialect uses these, so that a rule such as "a credential is no identity" stands once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate, pairwise
from typing import Any
from urllib.parse import parse_qsl

from .. import jsontext
from ..chat import Bypass, Headers, Reply, Request, WireError
from ..scope import CREDENTIAL_QUERY, SIGNATURE_QUERY


def json_object(request: Request) -> dict[str, Any] | Bypass:
    """Return the JSON object of the request's body, or why it has none: `not-json`, `json-...`, `not-an-object`."""
    if media_type(request.header("content-type")) not in ("application/json", ""):
        return Bypass("not-json")
    try:
        body = jsontext.parse(request.body)
    except WireError as error:
        return Bypass("not-json" if str(error) == "json-invalid" else str(error))
    return body if isinstance(body, dict) else Bypass("not-an-object")


def media_type(content_type: str) -> str:
    """Return the media type without its parameters, lower case (RFC 9110 section 8.3.1); empty when there is none."""
    return content_type.partition(";")[0].strip().lower()


def query(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the query's parameters in their order, without those that say who asks."""
    if not request.query:
        return ()
    # surrogateescape: two different escapes that are no UTF-8 must stay two different values
    pairs = parse_qsl(request.query, keep_blank_values=True, errors="surrogateescape")
    return tuple((name, value) for name, value in pairs if name.lower() not in _NO_IDENTITY)


def kept(body: dict[str, Any], denied: Collection[str], stream_options: Collection[str]) -> dict[str, Any]:
    """Return what of *body* is identity: all but the members *denied*, and of `stream_options` but *stream_options*."""
    content = {key: value for key, value in body.items() if key not in denied}
    options = content.pop("stream_options", None)
    if isinstance(options, dict):
        options = {key: value for key, value in options.items() if key not in stream_options}
    if options:
        content["stream_options"] = options
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        content["stream"] = stream  # providers take "true" and 1 for what they like: a call of its own
    return content


def chosen(headers: Headers, names: Collection[str]) -> Headers:
    """Return the headers called one of *names*, sorted."""
    return tuple(sorted((name, value) for name, value in headers if name in names))


def typed(headers: Headers, content_type: str) -> Headers:
    """Return *headers* with another content type."""
    return (*((name, value) for name, value in headers if name != "content-type"), ("content-type", content_type))


def streamed(reply: Reply, pieces: Sequence[bytes], content_type: str) -> Reply:
    """Return *reply* as a stream of *pieces*: no time lies between them, for none was recorded."""
    chunks = tuple((0, len(piece)) for piece in pieces)
    return Reply(reply.status, typed(reply.headers, content_type), b"".join(pieces), chunks)


def without(reply: Reply, spans: list[tuple[int, int]]) -> Reply:
    """Return the stream without the byte ranges *spans*; every chunk keeps its time and loses what it lost."""
    body, at = bytearray(), 0
    for start, end in spans:
        body += reply.body[at:start]
        at = end
    body += reply.body[at:]
    return Reply(reply.status, reply.headers, bytes(body), _shortened(reply.chunks, spans))


def _shortened(chunks: tuple[tuple[int, int], ...], spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    starts = [start for start, _ in spans]
    lost = [0, *accumulate(stop - start for start, stop in spans)]

    def moved(offset: int) -> int:
        """Return where the byte at *offset* is after the cuts."""
        before = bisect_right(starts, offset)
        inside = max(0, spans[before - 1][1] - offset) if before else 0
        return offset - lost[before] + inside

    ends = [0, *accumulate(length for _, length in chunks)]
    kept = [(when, moved(end) - moved(start)) for (when, _), (start, end) in zip(chunks, pairwise(ends), strict=True)]
    return tuple((when, length) for when, length in kept if length)


_NO_IDENTITY = CREDENTIAL_QUERY | SIGNATURE_QUERY
