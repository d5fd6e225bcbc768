"""A recording that nobody edited -> the entry that answers the identity which asks for it, at the price of a database.

The request is the one that asks, so it is passed over, and the JSON of events stands in the file as it was sent.
It reads what `cassette_file.written` makes of most replies and nothing else: the rest is left to `cassette_file.read`.
Entry point: `answered`.
"""

from __future__ import annotations

import re
from itertools import chain

import orjson

from .. import fingerprint
from ..chat import Entry, Form, Reply, Usage
from . import cassette_events as events
from .cassette_events import Chunks
from .cassette_file import SEAL, midnight, sealed
from .cassette_json import Style, written
from .cassette_quick import QUOTED, quick
from .cassette_sides import FOLDER
from .cassette_yaml import PLAIN


def answered(data: bytes, request: bytes) -> Entry | None:
    """Return the entry of the recording *data*, which the identity *request* asks for; None where it must be read."""
    if not sealed(data):
        return None
    head, asked, rest = data[:-SEAL].partition(_REQUEST)
    found = _HEAD.fullmatch(head.decode()) if asked else None
    if not found or found["key"] != fingerprint.key(request):
        return None
    form = Form(found["form"], frozenset(_ITEM.findall(found["options"] or "")))
    reply, question = _reply(rest.partition(_REPLY)[2], form.kind), _question(found)
    if reply is None or question is None:
        return None
    return Entry(
        key=found["key"],
        dialect=_word(found["dialect"]),
        host=_word(found["host"]),
        model=_word(found["model"]),
        form=form,
        reply=reply,
        created=midnight(found["recorded"]),
        expires=float(found["expires"]) if found["expires"] else None,
        usage=Usage(int(found["input"]), int(found["output"]), int(found["cached"])),
        seconds=float(found["seconds"]),
        request=request,
        path=_word(found["path"]),
        question=question,
        sequence=int(found["sequence"] or 0),
        truncated=bool(found["truncated"]),
    )


def _word(written: str | None) -> str:
    """Return the text of a member that stands in one line, in quotes or not."""
    return "" if not written else str(orjson.loads(written)) if written[0] == '"' else written


def _question(found: re.Match[str]) -> str | None:
    """Return the question, which may be of several lines."""
    if not found["lines"]:
        return _word(found["question"])
    value = quick(found["lines"])
    return str(value["question"]) if value else None


def _reply(block: bytes, kind: str) -> Reply | None:
    found = _START.match(block)
    if not found or _SIDE in block:
        return None
    headers = tuple((_word(name), _word(value)) for name, value in _HEADER.findall((found["headers"] or b"").decode()))
    if len(headers) != (found["headers"] or b"").count(b"\n"):
        return None
    style = tuple(_ITEM.findall((found["style"] or found["also"] or b"").decode()))
    chunks = events.times(found["chunks"].decode()) if found["chunks"] else ()
    lines = block[found.end() :]
    body = _stream(kind, lines, style) if found["body"] == b"events" else _whole(lines, style)
    if body is None or (chunks and sum(length for _, length in chunks) != len(body[0])):
        return None
    return Reply(int(found["status"]), headers, body[0], chunks or body[1])


def _whole(lines: bytes, style: Style) -> tuple[bytes, Chunks] | None:
    value = quick(lines.decode(), 4)
    return None if value is None else (written(value, style), ())


def _stream(kind: str, lines: bytes, style: Style) -> tuple[bytes, Chunks] | None:
    """Return body and chunks of the events in *lines*, None where they do not stand there as they were sent."""
    crlf = events.CRLF in style
    event = _EVENTS.get((kind, style[1:] if crlf else style))
    # The file escapes some characters that the stream has as they are.
    escaped = b"\\" in lines and b"\\u" in lines  # a single letter is found ten times as fast
    found = event.findall(lines) if event and not escaped else []
    if not found:
        return None
    times, names, heads, blanks, datas, texts, raws = zip(*found, strict=True)
    if lines.count(b"\n") != len(found) + sum(map(bool, chain(times, names, heads, blanks))):
        return None
    if crlf or any(names) or any(heads) or any(blanks) or any(raws):
        pieces = [_piece(_WRITTEN[kind], each, crlf=crlf) for each in found]
    else:  # nothing but data, and of some hundred events each call would be felt
        write = _WRITTEN[kind].replace(b"%s", b"", 1)
        pieces = [write % (data or _text(text)) for data, text in zip(datas, texts, strict=True)]
    return b"".join(pieces), _stamped(times, pieces)


def _piece(write: bytes, event: tuple[bytes, ...], *, crlf: bool) -> bytes:
    _, name, head, blanks, data, text, raw = event
    if raw:
        return _text(raw)
    data = data or _text(text)
    if blanks:
        data = data[:-1] + b" " * int(blanks) + data[-1:]
    piece = write % (b"event: %s\n" % name if name else _text(head) if head else b"", data)
    return piece.replace(b"\n", b"\r\n") if crlf else piece


def _text(quoted: bytes) -> bytes:
    return str(orjson.loads(quoted)).encode()


def _stamped(times: tuple[bytes, ...], pieces: list[bytes]) -> Chunks:
    """Return the chunks: one begins with each event that has a time."""
    if all(times):
        return tuple(zip(map(int, times), map(len, pieces), strict=True))
    chunks: list[tuple[int, int]] = []
    for at, piece in zip(times, pieces, strict=True):
        if at:
            chunks.append((int(at), len(piece)))
        elif chunks:
            chunks[-1] = chunks[-1][0], chunks[-1][1] + len(piece)
    return tuple(chunks)


def _event(before: bytes, colon: bytes) -> re.Pattern[bytes]:
    """Return what an event looks like, with *before* before its data, whose JSON has *colon* between name and value."""
    quoted = QUOTED.encode()
    return re.compile(
        rb"^    - (?:at: ([0-9]+)\n      )?%s(?:blanks: ([0-9]+)\n      )?"
        rb'(?:data: (\{"[^"\\\n]*":%s.*\})|text: (%s)|raw: (%s))\n' % (before, colon, quoted, quoted),
        re.MULTILINE,
    )


def _line(name: str) -> str:
    return rf"(?:{name}: (?P<{name}>{QUOTED}|{PLAIN.pattern})\n)?"


_REQUEST = b"\nrequest:\n  aicache: "
_REPLY = b"\nreply:\n"
"""Without an indent stand the members of a recording alone, so these are in it once at most."""
_SIDE = FOLDER.encode() + b"/"
"""In the name of every side file; it is searched for by its last letter, which is rare."""
_HEAD = re.compile(
    r'aicache: 1\nkey: "?(?P<key>[0-9a-f]{40})"?\n(?:scrubbed: .+\n)?(?:rules:\n(?:  .+\n)+)?'
    r"(?:sequence: (?P<sequence>[0-9]{1,9})\n)?"
    + "".join(_line(name) for name in ("dialect", "host", "path", "model"))
    + rf'(?:question: (?P<question>{QUOTED}|{PLAIN.pattern})\n|(?P<lines>question: [|"].*\n(?:  .*\n|\n)+))?'
    + r'recorded: "(?P<recorded>[0-9-]{10})"\n(?:expires: (?P<expires>[0-9.]{1,20})\n)?form: (?P<form>[a-z]+)\n'
    r"(?:options:\n(?P<options>(?:  - [a-z-]+\n)+))?(?:truncated: (?P<truncated>true)\n)?"
    r"seconds: (?P<seconds>[0-9.]{1,20})\n"
    r'usage: \{"input": (?P<input>[0-9]+), "output": (?P<output>[0-9]+), "cached": (?P<cached>[0-9]+)\}'
)
_START = re.compile(
    rb"  status: (?P<status>[0-9]{3})\n(?:  headers:\n(?P<headers>(?:    - .+\n)+))?"
    rb'(?:  style:\n(?P<style>(?:    - [a-z0-9-]+\n)+))?(?:  chunks: "(?P<chunks>[0-9+ ]+)"\n)?'
    rb"(?:  style:\n(?P<also>(?:    - [a-z0-9-]+\n)+))?  (?P<body>json|events):\n"
)
_HEADER = re.compile(rf"    - ({QUOTED}|{PLAIN.pattern}): ({QUOTED}|{PLAIN.pattern})\n")
_ITEM = re.compile(r"- (.+)\n")
_WRITTEN = {"sse": b"%sdata: %s\n\n", "ndjson": b"%s%s\n"}
"""An event: what stands before the data, and the data."""
_BEFORE = {
    "sse": rb"(?:event: ([A-Za-z][A-Za-z0-9_.-]*)\n      |head: (%s)\n      )?" % QUOTED.encode(),
    "ndjson": b"()()",
}
_COLONS: dict[Style, bytes] = {(): b"(?! )", ("spaced",): b" (?! )"}
"""Of the two styles in which JSON may stand in a recording as it was sent."""
_EVENTS = {(kind, style): _event(before, colon) for kind, before in _BEFORE.items() for style, colon in _COLONS.items()}
