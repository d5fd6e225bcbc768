"""Google's calls and replies to test with."""

from __future__ import annotations

import json
from typing import Any

from llmcache.chat import Call, Form, Reply, Request
from llmcache.wire import google

JSON, SSE, ARRAY = Form("json"), Form("sse"), Form("array")
AISTUDIO = "/v1beta/models/gemini-2.5-flash"
VERTEX = "/v1/projects/p/locations/global/publishers/google/models/"
ASK: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def request(body: Any = ASK, verb: str = "generateContent", query: str = "", **changes: Any) -> Request:
    """Return a POST to Google."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"method": "POST", "scheme": "https", "host": "generativelanguage.googleapis.com", "port": 443}
    fields |= {"path": f"{AISTUDIO}:{verb}", "query": query, "headers": (("content-type", "application/json"),)}
    return Request(**(fields | {"body": raw} | changes))


def call(body: Any = ASK, verb: str = "generateContent", query: str = "", **changes: Any) -> Call:
    """Return a call that the dialect understands."""
    found = google.call(request(body, verb, query, **changes))
    assert isinstance(found, Call), found
    return found


def reply(body: Any, kind: str = "application/json; charset=UTF-8", status: int = 200) -> Reply:
    """Return *body* as a reply that came in one chunk."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, (("content-type", kind),), raw, ((7, len(raw)),))


def chunk(parts: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk with one candidate."""
    candidate = {"content": {"parts": parts, "role": "model"}, **({"finishReason": finish} if finish else {}), **more}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash"}


def sse(*chunks: Any) -> Reply:
    """Return a stream of events."""
    return reply("".join(f"data: {json.dumps(each)}\r\n\r\n" for each in chunks).encode(), "text/event-stream")


DONE = chunk([{"text": "Hi"}], "STOP")
USAGE = {"promptTokenCount": 4, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "cachedContentTokenCount": 1}
TEXT = {"text": "hi"}
