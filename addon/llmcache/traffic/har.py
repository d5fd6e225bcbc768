"""HTTP Archive 1.2: what browsers, and mitmproxy's `savehar`, save of the traffic that they saw.

Bodies are text, or base64 (`content.encoding`), with content codings undone whatever the headers say.
mitmproxy reads text without a charset as Latin-1, which is undone here; everybody else as UTF-8.
Source: W3C, "HTTP Archive (HAR) format"; Jan Odvarko, "HAR 1.2 Spec". Entry point: `read`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from . import Found, Gap, Interaction, Misplaced, Unreadable, exchange_of, fields, framed, request_of
from .places import starts

CHUNKS = "_chunks"
"""Our own member of `content`: (milliseconds, bytes) of each chunk of a stream."""
PARTIAL = "_partial"
"""Our own member of `request`: its body is not what was sent, because that was not kept."""


def read(text: str, name: str) -> Iterator[Found]:
    """Yield what is in the archive *text*, of the file *name*. Raises `Unreadable`."""
    try:
        whole = json.loads(text)
        log = _take(whole, "log", dict)
        entries = _take(log, "entries", list)
    except json.JSONDecodeError as error:
        raise Unreadable(f"{name}:{error.lineno}: this is not JSON: {error.msg}") from None
    except RecursionError:
        raise Unreadable(f"{name}:1: is nested too deeply") from None
    except Misplaced as error:
        raise Unreadable(f"{name}:1: this is no HTTP Archive: {error}") from None
    creator = log.get("creator")
    latin = isinstance(creator, dict) and creator.get("name") == "mitmproxy"
    for number, (entry, line) in enumerate(zip(entries, starts(text, "log", "entries"), strict=True), 1):
        where = f"{name}:{line}: entry {number}"
        try:
            yield _entry(entry, where, latin=latin)
        except (ValueError, OverflowError) as error:
            raise Unreadable(f"{where}: {error}") from None


def _entry(entry: Any, where: str, *, latin: bool) -> Found:
    asked, answered = _take(entry, "request", dict), _take(entry, "response", dict)
    status = _take(answered, "status", int, float)
    content = _take(answered, "content", dict, default={})
    if status <= 0:
        return Gap(where, "no-reply")
    if asked.get(PARTIAL):
        return Gap(where, "request-not-kept")
    if not isinstance(content.get("text"), str):
        return Gap(where, "no-body")
    headers = _fields(answered)
    version = str(answered.get("httpVersion", ""))
    exchange = exchange_of(
        int(status),
        headers,
        _bytes(content, dict(headers).get("content-type", ""), latin=latin),
        _seconds(_take(entry, "time", int, float, default=0)),
        _chunks(content),
        whole=framed(headers) or version.lower().startswith(("h2", "h3", "http/2", "http/3")),
    )
    return Interaction(where, _request(asked, latin=latin), exchange, _moment(entry.get("startedDateTime")))


def _seconds(milliseconds: float) -> float:
    """Return the time that a reply took; what is no time is none."""
    return milliseconds / 1000 if 0 < milliseconds < math.inf else 0.0


def _request(asked: dict[str, Any], *, latin: bool) -> Any:
    headers = tuple((name, text) for name, text in _fields(asked) if name != "content-encoding")
    posted = asked.get("postData")
    body = b""
    if isinstance(posted, dict) and isinstance(posted.get("text"), str):
        body = _bytes(posted, str(posted.get("mimeType", "")), latin=latin)
    return request_of(_take(asked, "method", str), _take(asked, "url", str), headers, body)


def _fields(message: dict[str, Any]) -> Any:
    pairs = []
    for each in _take(message, "headers", list, default=[]):
        if not isinstance(each, dict) or "name" not in each:
            raise Misplaced("`headers` is no list of names and values")
        pairs.append((each["name"], each.get("value", "")))
    return fields(pairs)


def _bytes(content: dict[str, Any], media_type: str, *, latin: bool) -> bytes:
    """Return the bytes that the text stands for."""
    text = content["text"]
    if content.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Misplaced(f"its base64 cannot be read: {error}") from None
    if latin and "json" not in media_type and "charset" not in media_type:
        try:
            raw = str(text).encode("latin-1")
            raw.decode()
        except UnicodeError:
            pass
        else:
            return raw
    return str(text).encode("utf-8", "surrogatepass")


def _chunks(content: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    found = content.get(CHUNKS)
    whole = isinstance(found, list) and all(
        isinstance(each, list) and [type(number) for number in each] == [int, int] and min(each) >= 0 for each in found
    )
    return tuple((when, length) for when, length in found or ()) if whole else ()


def _moment(text: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment.timestamp()


def _take(value: Any, name: str, *types: type, default: Any = ...) -> Any:
    found = value.get(name, default) if isinstance(value, dict) else ...
    if found is ...:
        raise Misplaced(f"there is no `{name}`")
    if type(found) not in types and found is not default:
        raise Misplaced(f"`{name}` is not as it should be ({type(found).__name__})")
    return found
