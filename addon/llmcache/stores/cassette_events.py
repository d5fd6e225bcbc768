"""The bytes of a stream <-> its events as YAML values, with the time at which each chunk arrived.

An event is a mapping: `at` (milliseconds) where a chunk begins with it, `event` or `head` (the lines before the data),
and `data`, its JSON as a value; an event of another shape is kept as it came, as `raw`.
Chunks that begin inside an event are listed apart. Nothing is guessed: what the reader makes of it must be the stream.
It knows no entries and no files. Entry points: `exploded`, `joined`; `borders` and `times` write and read chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import eventstream
from ..chat import WireError
from .cassette_fields import Misshapen, only, take
from .cassette_json import Style, parsed, written
from .cassette_yaml import Flow

Chunks = tuple[tuple[int, int], ...]
Event = dict[str, Any]


def exploded(kind: str, body: bytes, chunks: Chunks) -> dict[str, Any] | None:
    """Return the members of a recording that hold the stream *body* of form *kind*; None where it has no events."""
    if kind not in _KINDS:
        return None
    split, _ = _KINDS[kind]
    pieces = split(body)
    if pieces is None:
        return None
    style = _common_style(kind, pieces)
    events = [_event(kind, piece, style) for piece in pieces]
    found: dict[str, Any] = {"style": list(style)} if style else {}
    starts = _starts(pieces)
    if chunks and not _aligned(starts, chunks):
        found["chunks"] = borders(chunks)
    _stamp(events, starts, chunks)
    return found | {"events": events}


def joined(kind: str, events: list[Any], style: Style, chunks: Chunks) -> tuple[bytes, Chunks]:
    """Return body and chunks of the *events* that `exploded` made. *chunks*: the borders, if they were listed apart.

    Raises `Misshapen`.
    """
    if kind not in _KINDS:
        raise Misshapen(("form",), f"`{kind}` has no events; forms with events: {', '.join(_KINDS)}")
    pieces = [_checked(kind, event, style, number) for number, event in enumerate(events)]
    body = b"".join(pieces)
    if chunks and sum(length for _, length in chunks) == len(body):
        return body, chunks
    return body, _of_stamps(events, pieces)


def _checked(kind: str, event: Any, style: Style, number: int) -> bytes:
    where = ("reply", "events", number)
    if not isinstance(event, dict):
        raise Misshapen(where, "is no event")
    only(event, _MEMBERS, where)
    take(event, (*where, "at"), int, default=0)
    try:
        return _piece(kind, event, style)
    except KeyError as missing:
        raise Misshapen(where, f"has no {missing}, nor `raw`") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise Misshapen(where, f"cannot be read: {error}") from None


def borders(chunks: Chunks) -> str:
    """Return *chunks* as `MILLISECONDS+BYTES`, one after another."""
    return " ".join(f"{at}+{length}" for at, length in chunks)


def times(text: str) -> Chunks:
    """Return the chunks that `borders` wrote. Raises `Misshapen`."""
    if not _BORDERS.fullmatch(text):
        raise Misshapen(("reply", "chunks"), "is not MILLISECONDS+BYTES, one after another")
    pairs = (pair.partition("+") for pair in text.split())
    return tuple((int(at), int(length)) for at, _, length in pairs)


def _starts(pieces: list[bytes]) -> list[int]:
    starts, at = [], 0
    for piece in pieces:
        starts.append(at)
        at += len(piece)
    return starts


def _offsets(chunks: Chunks) -> Iterator[tuple[int, int]]:
    """Yield (offset, milliseconds) of each chunk."""
    offset = 0
    for at, length in chunks:
        yield offset, at
        offset += length


def _aligned(starts: list[int], chunks: Chunks) -> bool:
    """Whether every chunk holds whole events, at least one."""
    known = set(starts)
    return all(length > 0 for _, length in chunks) and all(offset in known for offset, _ in _offsets(chunks))


def _stamp(events: list[Event], starts: list[int], chunks: Chunks) -> None:
    """Put `at` first into each event with which a chunk begins; where chunks cut events, where the next one begins."""
    waiting = list(_offsets(chunks))[::-1]
    for number, start in enumerate(starts):
        at = None
        while waiting and waiting[-1][0] <= start:
            at = waiting.pop()[1]
        if at is not None:
            events[number] = {"at": at, **events[number]}


def _of_stamps(events: list[Event], pieces: list[bytes]) -> Chunks:
    chunks: list[list[int]] = []
    for event, piece in zip(events, pieces, strict=True):
        if "at" in event:
            chunks.append([event["at"], 0])
        if chunks:
            chunks[-1][1] += len(piece)
    return tuple((at, length) for at, length in chunks)


def _common_style(kind: str, pieces: list[bytes]) -> Style:
    """Return the style of a stream: the words that any of its events needs, for those of a stream are written alike."""
    words: dict[str, None] = {}
    if kind == "sse" and pieces and pieces[0].endswith(b"\r\n\r\n"):
        words[CRLF] = None
    for piece in pieces:
        found = _parts(kind, piece)
        value = parsed(_PADDED.sub(rb"\1}", found[1])) if found else None
        for word in value[1] if value else ():
            words[word] = None
    return tuple(words)


def _json_style(style: Style) -> Style:
    return tuple(word for word in style if word != CRLF)


def _event(kind: str, piece: bytes, style: Style) -> Event:
    parts = _parts(kind, piece)
    event = _parsed(parts, style) if parts else None
    if event is not None and _piece(kind, event, style) == piece:
        compact = not event.get("style", _json_style(style))
        return event | {"data": Flow(event["data"], compact)} if "data" in event else event
    return {"raw": piece.decode()} if kind != "eventstream" else {"raw": piece.hex()}


def _parsed(parts: tuple[Event, bytes], style: Style) -> Event | None:
    head, data = parts
    if padded := _PADDED.fullmatch(data):
        head, data = head | {"blanks": len(padded[2])}, padded[1] + b"}"
    value = parsed(data)
    if value is None and padded:
        return None
    if value is None:
        return head | {"text": data.decode()} if data.isascii() else None
    if written(value[0], _json_style(style)) == data:
        return head | {"data": value[0]}
    return head | {"style": list(value[1]), "data": value[0]}


def _piece(kind: str, event: Event, style: Style) -> bytes:
    """Return the bytes of an event. Raises `ValueError`, `TypeError`, `AttributeError` or `KeyError` for no event."""
    if "raw" in event:
        return bytes.fromhex(event["raw"]) if kind == "eventstream" else bytes(event["raw"].encode())
    own = tuple(event["style"]) if "style" in event else _json_style(style)
    data = event["text"].encode() if "text" in event else written(event["data"], own)
    if "blanks" in event:
        data = data[:-1] + b" " * event["blanks"] + data[-1:]
    piece = _KINDS[kind][1](event, data)
    return piece.replace(b"\n", b"\r\n") if CRLF in style else piece


def _parts(kind: str, piece: bytes) -> tuple[Event, bytes] | None:
    """Return what stands around the data of an event, and the data; None where it has another shape."""
    match kind:
        case "sse":
            return _sse_parts(piece)
        case "ndjson":
            return ({}, piece[:-1]) if piece.endswith(b"\n") else None
    (message,) = eventstream.parse(piece)
    named = {header.name: header.value for header in message.headers}
    plain = all(header.kind == eventstream.STRING for header in message.headers) and len(named) == len(message.headers)
    return ({"headers": named}, message.payload) if plain else None


def _sse_parts(piece: bytes) -> tuple[Event, bytes] | None:
    found = _SSE.fullmatch(piece.replace(b"\r\n", b"\n") if b"\r" in piece else piece)
    if not found:
        return None
    head, data = found["head"].decode(), found["data"]
    if not head:
        return {}, data
    named = _NAMED.fullmatch(head)
    return ({"event": named[1]} if named else {"head": head}), data


def _sse_written(event: Event, data: bytes) -> bytes:
    head = f"event: {event['event']}\n" if "event" in event else event.get("head", "")
    return b"%sdata: %s\n\n" % (head.encode(), data)


def _message_written(event: Event, data: bytes) -> bytes:
    headers = tuple(eventstream.Header(name, value) for name, value in event["headers"].items())
    return eventstream.message(headers, data)


def _sse_split(body: bytes) -> list[bytes] | None:
    return _cut(body, re.finditer(rb"\n\n+|(?:\r\n){2,}", body)) if _is_text(body) else None


def _line_split(body: bytes) -> list[bytes] | None:
    return body.splitlines(keepends=True) if _is_text(body) and b"\r" not in body else None


def _message_split(body: bytes) -> list[bytes] | None:
    try:
        return [body[message.start : message.end] for message in eventstream.parse(body)]
    except WireError:
        return None


def _cut(body: bytes, borders: Iterable[re.Match[bytes]]) -> list[bytes]:
    ends = [found.end() for found in borders]
    ends += [len(body)] * (not ends or ends[-1] != len(body))
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


CRLF = "crlf"
"""The word of a stream's style for lines that end so, besides the words of its JSON."""
_SSE = re.compile(rb"(?P<head>(?:[^\n]*\n)*?)data: (?P<data>[^\n\r]*)\n\n")
_PADDED = re.compile(rb"(\{.*[^ ])( {1,100})\}", re.DOTALL)
"""Blanks before the last brace hide from eavesdroppers how long an event is; Anthropic sends most so."""
_NAMED = re.compile(r"event: ([^\n\r]*)\n")
_BORDERS = re.compile(r"[0-9]{1,12}\+[0-9]{1,12}(?: [0-9]{1,12}\+[0-9]{1,12})*", re.ASCII)
_KINDS: dict[str, tuple[Callable[[bytes], list[bytes] | None], Callable[[Event, bytes], bytes]]] = {
    "sse": (_sse_split, _sse_written),
    "ndjson": (_line_split, lambda _, data: data + b"\n"),
    "eventstream": (_message_split, _message_written),
}
"""For each kind of stream: into events, and one event back into bytes."""
_MEMBERS = frozenset({"at", "event", "head", "headers", "style", "blanks", "data", "text", "raw"})
