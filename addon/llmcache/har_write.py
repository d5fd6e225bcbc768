"""Stored entries -> an HTTP Archive 1.2, which browsers' tools open and `traffic.har` reads back.

Requests are as they were keyed; what `restated` cannot put back stands as its identity, and is not read back.
A stream's times and chunk borders stand in a member of our own, which others ignore.
Entry points: `HEAD`, `written` for each entry, with a comma between them, `TAIL`.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from . import lanes
from .chat import Entry, Headers, Reply, Request
from .control import HEADER
from .fingerprint import DEFAULT_PORTS
from .restated import call_of
from .traffic.har import CHUNKS, PARTIAL

HEAD = '{"log": {"version": "1.2", "creator": {"name": "aicache", "version": "0.1"}, "entries": [\n'
TAIL = "\n]}}\n"


def written(entry: Entry) -> str:
    """Return the archive's entry of *entry*, as JSON on one line."""
    time = max(0.0, entry.seconds) * 1000
    found = {
        "startedDateTime": datetime.fromtimestamp(entry.created, UTC).isoformat(),
        "time": time,
        "request": _request(entry),
        "response": _response(entry.reply),
        "cache": {},
        "timings": {"send": 0, "wait": time, "receive": 0},
        "comment": f"aicache {entry.key}",
    }
    return json.dumps(found)


def _request(entry: Entry) -> dict[str, Any]:
    found = call_of(entry)
    if found:
        request = found[1].request
    else:
        request = Request("POST", "https", entry.host, 443, entry.path or "/", "", (), entry.request)
    port = "" if request.port == DEFAULT_PORTS[request.scheme] else f":{request.port}"
    query = f"?{request.query}" if request.query else ""
    return {
        "method": request.method,
        "url": f"{request.scheme}://{_bracketed(request.host)}{port}{request.path}{query}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _fields((*request.headers, *_scope(entry))),
        "queryString": [],
        "headersSize": -1,
        "bodySize": len(request.body),
        "postData": {"mimeType": "application/json", "params": [], **_text(request.body)},
        **({} if found else {PARTIAL: True}),
    }


def _scope(entry: Entry) -> Headers:
    """Return the headers that ask for the part of the store in which *entry* is: its lane, and its namespace."""
    try:
        scope = json.loads(entry.request)["scope"]
        asked, lane = str(scope.get("asked", "")), str(scope.get("lane", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    named = ((lanes.HEADER, quote(lane, safe="")),) if lane else ()
    return (*named, (HEADER, f"namespace={asked}")) if asked else named


def _bracketed(host: str) -> str:
    """Return *host* as it stands in a URL: an address of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _response(reply: Reply) -> dict[str, Any]:
    body = reply.body
    content = {"size": len(body), "mimeType": reply.header("content-type"), **_text(body)}
    if reply.chunks:
        content[CHUNKS] = [list(chunk) for chunk in reply.chunks]
    # That a body is whole was seen when it was recorded, and is said by its length.
    headers = (*reply.headers, ("content-length", str(len(body))))
    return {
        "status": reply.status,
        "statusText": "OK",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _fields(headers),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(body),
    }


def _fields(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _text(body: bytes) -> dict[str, str]:
    """Return *body* as text, or as base64 where it is none."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}
