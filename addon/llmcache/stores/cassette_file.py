"""An entry <-> the text of one recording, and the side files that hold what is no text.

The head (one fact a line) comes first, then the request as it was keyed, then the reply; the last line is a checksum of
all before it. A file whose checksum fits is as it was written; any other was edited, and is checked to the last member.
Only the day of a recording is kept, so that a diff shows what changed and nothing else.
It knows no folder. Entry points: `written`, `read`, `read_head`, `sealed`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import Any

from .. import fingerprint
from ..chat import Entry, Form, Reply, Usage, WireError
from ..jsontext import canonical, parse
from . import cassette_reply as replies
from .cassette_fields import Misshapen, only, plain, take, text
from .cassette_quick import quick
from .cassette_sides import Blobs, Read, back, out
from .cassette_yaml import Broken, Flow, dump, line_of, load

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """What shaped the key of a recording besides the call itself."""

    scrubbed: str = ""
    """The key of the identity after the rules; empty where they change nothing."""
    rules: tuple[str, ...] = ()
    """The rules that were in force, in words."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a recording says of itself before request and reply."""

    entry: Entry
    """Without request and reply."""
    shape: Shape


def written(entry: Entry, shape: Shape, blobs: Blobs) -> bytes:
    """Return the recording of *entry*, as readable as gives the same bytes back, and put its side files into *blobs*.

    Raises `ValueError` for an entry that no recording can hold.
    """
    for raw_request, raw_reply in ((False, False), (False, True), (True, False), (True, True)):
        sides: Blobs = {}
        try:
            data = _sealed(dump(_members(entry, shape, sides, raw_request=raw_request, raw_reply=raw_reply)))
            found, _ = read(data, sides.__getitem__)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            problem = str(error)
            continue
        if found == rounded(entry):
            blobs |= sides
            return data
        problem = "it does not come back as it was"
    raise ValueError(f"cannot be packed: {problem}")


def rounded(entry: Entry) -> Entry:
    """Return *entry* with its times as exact as a recording keeps them."""
    expires = None if entry.expires is None else round(entry.expires, 3)
    return replace(entry, created=midnight(_day(entry.created)), expires=expires, seconds=round(entry.seconds, 3))


def read(data: bytes, side: Read, *, rekey: bool = False) -> tuple[Entry, Shape]:
    """Return the entry of a recording; *side* reads a side file. Raises `Broken` with what is wrong and its line.

    A request that somebody changed is an error, for it would never be found; with *rekey* it gets the key that it has.
    So is a file without its last line, for more of its end may be missing; with *rekey* it is taken for whole.
    """
    content, untouched = _text(data), sealed(data)
    value = (quick(data[:-SEAL].decode()) if untouched else None) or load(content)
    try:
        found = _entry(value, side, rekey=rekey)
    except Misshapen as error:
        raise Broken(str(error), line_of(content, error.path)) from None
    except RecursionError:
        raise Broken("it is nested too deeply") from None
    if not untouched and not rekey and not _ENDED.search(content):
        raise Broken(CUT, max(1, content.count("\n")))
    return found


def read_head(data: bytes) -> Head:
    """Return what the head of a recording says, without looking at the rest. Raises `Broken`."""
    content = _text(data)
    end = _BODY.search(content)
    value = load(content[: end.start()] if end else content)
    try:
        return _head(value)
    except Misshapen as error:
        raise Broken(str(error), line_of(content, error.path)) from None


def sealed(data: bytes) -> bool:
    """Whether the recording is to the last byte as it was written."""
    return data[-SEAL:] == _seal(memoryview(data)[:-SEAL])


def _sealed(content: str) -> bytes:
    data = content.encode()
    return data + _seal(data)


def _seal(data: bytes | memoryview) -> bytes:
    return b"# checksum: %s\n" % blake2b(data, digest_size=16).hexdigest().encode()


SEAL = len(_seal(b""))


def _members(entry: Entry, shape: Shape, sides: Blobs, *, raw_request: bool, raw_reply: bool) -> dict[str, Any]:
    usage = entry.usage
    head = {
        "aicache": FORMAT,
        "key": plain(entry.key),
        "scrubbed": shape.scrubbed,
        "rules": list(shape.rules),
        "sequence": entry.sequence or None,
        "dialect": plain(entry.dialect),
        "host": plain(entry.host),
        "path": plain(entry.path),
        "model": plain(entry.model),
        "question": plain(entry.question),
        "recorded": _day(entry.created),
        "expires": None if entry.expires is None else round(entry.expires, 3),
        "form": entry.form.kind,
        "options": sorted(entry.form.options),
        "truncated": entry.truncated or None,
        "seconds": round(entry.seconds, 3),
        "usage": Flow({"input": usage.input, "output": usage.output, "cached": usage.cached}),
    }
    kept = {name: value for name, value in head.items() if value not in ("", None, [])}
    return (
        kept | _request(entry.request, sides, raw=raw_request) | {"reply": replies.written(entry, sides, raw=raw_reply)}
    )


def _request(request: bytes, sides: Blobs, *, raw: bool) -> dict[str, Any]:
    if not request:
        return {}
    if not raw:
        value = parse(request)
        if isinstance(value, dict) and canonical(value) == request:
            return {"request": out(value, sides)}
    try:
        return {"request-text": request.decode()}
    except UnicodeDecodeError:
        return {"request-base64": base64.b64encode(request).decode()}


def _entry(value: Any, side: Read, *, rekey: bool) -> tuple[Entry, Shape]:
    head = _head(value)
    only(value, _KNOWN)
    request = _read_request(value, side)
    key = _key(head.entry.key, request)
    if key != head.entry.key and not rekey:
        raise Misshapen(("request",), "is not the one of this key; `aicache scrub FOLDER` gives it a new key")
    reply = replies.read(take(value, ("reply",), dict), head.entry.form.kind, side)
    return replace(head.entry, key=key, request=request, reply=reply), head.shape


def _head(value: Any) -> Head:
    if not isinstance(value, dict):
        raise Misshapen((), "the file is no block of members")
    version = take(value, ("aicache",), int)
    if version != FORMAT:
        raise Misshapen(("aicache",), f"is format {version}; this version of aicache reads format {FORMAT}")
    expires = take(value, ("expires",), int, float, default=None)
    entry = Entry(
        key=text(value, ("key",)),
        dialect=text(value, ("dialect",), ""),
        host=text(value, ("host",), ""),
        model=text(value, ("model",), ""),
        form=Form(take(value, ("form",), str), frozenset(_texts(value, "options"))),
        reply=_NO_REPLY,
        created=_moment(take(value, ("recorded",), str)),
        expires=expires,
        usage=_usage(take(value, ("usage",), dict, default={})),
        seconds=take(value, ("seconds",), int, float, default=0.0),
        path=text(value, ("path",), ""),
        question=text(value, ("question",), ""),
        sequence=take(value, ("sequence",), int, default=0),
        truncated=take(value, ("truncated",), bool, default=False),
    )
    return Head(entry, Shape(take(value, ("scrubbed",), str, default=""), tuple(_texts(value, "rules"))))


def _texts(value: dict[str, Any], name: str) -> list[str]:
    found: list[Any] = take(value, (name,), list, default=[])
    if wrong := [number for number, each in enumerate(found) if not isinstance(each, str)]:
        raise Misshapen((name, wrong[0]), "is no text")
    return found


def _usage(value: dict[str, Any]) -> Usage:
    only(value, frozenset({"input", "output", "cached"}), ("usage",))
    return Usage(*(take(value, ("usage", name), int, default=0) for name in ("input", "output", "cached")))


def _read_request(value: dict[str, Any], side: Read) -> bytes:
    if "request" in value:
        try:
            return canonical(back(take(value, ("request",), dict), side))
        except ValueError as error:
            raise Misshapen(("request",), f"cannot be read: {error}") from None
    if "request-text" in value:
        return str(take(value, ("request-text",), str)).encode()
    try:
        return base64.b64decode(take(value, ("request-base64",), str, default=""), validate=True)
    except ValueError:
        raise Misshapen(("request-base64",), "is no base64") from None


def _key(key: str, request: bytes) -> str:
    """Return the key of *request*, which for anything but an identity is the *key* that it has."""
    if not _IDENTITY.match(request) or not _DIGEST.fullmatch(key):
        return key
    try:
        parse(request)
    except WireError:
        return key
    return fingerprint.key(request)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Broken("is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


@cache
def midnight(day: str) -> float:
    """Return the moment at which *day*, such as `2026-07-31`, began (UTC), Unix seconds. Raises `ValueError`."""
    if not _DATE.fullmatch(day):
        raise ValueError(day)
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()


def _moment(day: str) -> float:
    try:
        return midnight(day)
    except ValueError:
        raise Misshapen(("recorded",), f"is `{day}`; a day is written like 2026-07-31") from None


CUT = (
    "the file ends without its line `# checksum: ...`: it was cut, or somebody took that away; "
    "`aicache scrub FOLDER` takes it for whole"
)
_ENDED = re.compile(r"^# checksum:.*\s*\Z", re.MULTILINE)
_NO_REPLY = Reply(0, (), b"")
_BODY = re.compile(r"^(?:request|reply)", re.MULTILINE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{40}")
_IDENTITY = re.compile(rb'\{"aicache":')
_KNOWN = frozenset(
    {"aicache", "key", "scrubbed", "rules", "sequence", "dialect", "host", "path", "model", "question", "recorded"}
    | {
        "expires",
        "form",
        "options",
        "truncated",
        "seconds",
        "usage",
        "request",
        "request-text",
        "request-base64",
        "reply",
    }
)
