"""A reply <-> the block `reply:` of a recording: JSON as JSON, a stream as events, text as text, the rest beside it.

Every form is exact: what it reads back to is compared when it is written. An edited body is served as it was edited;
chunk borders that do not fit it any more are made anew. Entry points: `written`, `read`.
"""

from __future__ import annotations

from typing import Any

from ..chat import Entry, Reply
from . import cassette_events as events
from .cassette_fields import Misshapen, only, plain, take, text
from .cassette_json import parsed
from .cassette_json import written as json_written
from .cassette_sides import Blobs, Read, back, out, side


def written(entry: Entry, sides: Blobs, *, raw: bool) -> dict[str, Any]:
    """Return the block of *entry*'s reply; *raw* keeps the body as one text or file."""
    reply = entry.reply
    headers = [{plain_name(name): plain(value)} for name, value in reply.headers]
    head: dict[str, Any] = {"status": reply.status} | ({"headers": headers} if headers else {})
    if raw:
        return head | _whole(reply, sides)
    body = events.exploded(entry.form.kind, reply.body, reply.chunks)
    if body is not None:
        return head | {name: out(each, sides) for name, each in body.items()}
    found = parsed(reply.body)
    if found is None:
        return head | _whole(reply, sides)
    value, style = found
    return head | _chunks(reply) | ({"style": list(style)} if style else {}) | {"json": out(value, sides)}


def plain_name(name: str) -> str:
    """Return a header's name; it is the key of a mapping and so must be text. Raises `ValueError`."""
    name.encode()
    return name


def _whole(reply: Reply, sides: Blobs) -> dict[str, Any]:
    if not reply.body:
        return _chunks(reply) | {"text": ""}
    try:
        return _chunks(reply) | {"text": reply.body.decode()}
    except UnicodeDecodeError:
        return _chunks(reply) | {"file": side(reply.body, reply.header("content-type"), sides)}


def _chunks(reply: Reply) -> dict[str, str]:
    return {"chunks": events.borders(reply.chunks)} if reply.chunks else {}


def read(value: dict[str, Any], kind: str, read_side: Read) -> Reply:
    """Return the reply of the block *value*. Raises `Misshapen`."""
    only(value, _KNOWN, ("reply",))
    bodies = [name for name in _BODIES if name in value]
    if len(bodies) != 1:
        raise Misshapen(
            ("reply",), f"needs one of {', '.join(_BODIES)}" + (f", not {' and '.join(bodies)}" * bool(bodies))
        )
    chunks = events.times(take(value, ("reply", "chunks"), str)) if "chunks" in value else ()
    try:
        body, chunks = _body(value, bodies[0], kind, chunks, read_side)
    except Misshapen:
        raise
    except ValueError as error:
        raise Misshapen(("reply", bodies[0]), f"cannot be read: {error}") from None
    return Reply(take(value, ("reply", "status"), int), _headers(value), body, chunks)


def _body(
    value: dict[str, Any], name: str, kind: str, chunks: events.Chunks, side: Read
) -> tuple[bytes, events.Chunks]:
    style = tuple(take(value, ("reply", "style"), list, default=[]))
    match name:
        case "events":
            found = take(value, ("reply", "events"), list)
            return events.joined(kind, back(found, side), style, chunks)
        case "json":
            body = json_written(back(value["json"], side), style)
        case "text":
            body = str(take(value, ("reply", "text"), str)).encode()
        case _:
            body = side(take(value, ("reply", "file"), str))
    return body, _fitting(chunks, len(body))


def _fitting(chunks: events.Chunks, size: int) -> events.Chunks:
    """Return *chunks*, or one for all where an edited body has another size."""
    if not chunks or sum(length for _, length in chunks) == size:
        return chunks
    return ((chunks[0][0], size),)


def _headers(value: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = []
    for number, each in enumerate(take(value, ("reply", "headers"), list, default=[])):
        if not isinstance(each, dict) or len(each) != 1:
            raise Misshapen(("reply", "headers", number), "is no `name: value`")
        (name,) = each
        headers.append((name, text(each, ("reply", "headers", number, name))))
    return tuple(headers)


_BODIES = ("json", "events", "text", "file")
_KNOWN = frozenset({"status", "headers", "chunks", "style", *_BODIES})
