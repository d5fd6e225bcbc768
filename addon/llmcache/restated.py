"""A stored identity -> the request that would be keyed so again: for export, and to know a call without its client.

What is no identity (credentials, the deny-lists) is gone; how the answer was written is put back from its form.
A body that is not stored whole, such as a sound file, cannot be put back. Entry points: `request_of`, `call_of`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from . import fingerprint, wire
from .chat import Call, Entry, Headers, Request
from .jsontext import canonical
from .scope import Scope
from .wire import named
from .wire.dashscope import CUMULATIVE, FORM, UNSAID


def request_of(entry: Entry) -> Request | None:
    """Return the request that *entry* answers, asked in the form in which it was recorded; None if it is not known."""
    try:
        identity: dict[str, Any] = json.loads(entry.request)
        scheme, _, authority = str(identity["origin"]).partition("://")
        port = int(authority.removeprefix(entry.host).lstrip(":") or fingerprint.DEFAULT_PORTS[scheme])
        path, query, headers, body = _formed(entry, identity)
        asked = urlencode(query, errors="surrogateescape")
        head = (("content-type", "application/json"), *headers)
        return Request(str(identity["method"]), scheme, entry.host, port, path, asked, head, canonical(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def call_of(entry: Entry) -> tuple[wire.Dialect, Call] | None:
    """Return the call that *entry* answers, and its dialect; None unless it surely is the one that was keyed."""
    request = request_of(entry)
    dialect = next((each for each in (*wire.DIALECTS, named) if entry.dialect == each.NAME), None)
    call = dialect.call(request) if dialect and request else None
    if dialect is None or not isinstance(call, Call):
        return None
    same = fingerprint.identity(call, Scope(None)) == canonical({**json.loads(entry.request), "scope": {}})
    return (dialect, call) if same else None


def _formed(entry: Entry, identity: dict[str, Any]) -> tuple[str, list[Any], Headers, Any]:
    """Return path, query, headers and body as they ask for the form of *entry*, each dialect in its way."""
    path, query, body = str(identity["path"]), [tuple(pair) for pair in identity["query"]], identity["body"]
    headers = tuple(sorted((str(name), str(value)) for name, value in identity["headers"].items()))
    streamed = entry.form.streamed
    for whole, flowing in VERBS.get(entry.dialect, {}).items():
        if streamed and path.endswith(whole):
            path = path.removesuffix(whole) + flowing
    if entry.dialect in MEMBER and isinstance(body, dict) and (streamed or entry.dialect == "ollama"):
        body = body | {"stream": streamed}
        if "usage" in entry.form.options:
            body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    match entry.dialect, entry.form.kind:
        case (("google" | "google-code-assist"), "sse"):
            query.append(("alt", "sse"))
        case "cohere-v1", "sse":
            headers = (*headers, ("accepts", "text/event-stream"))
        case "dashscope", "sse":
            headers, body = (*headers, ("x-dashscope-sse", "enable")), _incremental(entry, body)
    return path, query, headers, body


def _incremental(entry: Entry, body: Any) -> Any:
    """Return *body* with the kind of stream that was asked for, where it was."""
    if UNSAID in entry.form.options or not isinstance(body, dict):
        return body
    asked = body.get("parameters")
    kind = {FORM: CUMULATIVE not in entry.form.options}
    return {**body, "parameters": {**(asked if isinstance(asked, dict) else {}), **kind}}


MEMBER = frozenset(
    {
        "openai-chat",
        "openai-responses",
        "openai-completions",
        "anthropic",
        "google-interactions",
        "ollama",
        "cohere",
        "cohere-v1",
    }
)
"""Dialects in which a member `stream` asks for a stream."""
VERBS = {
    "google": {":generateContent": ":streamGenerateContent"},
    "google-code-assist": {":generateContent": ":streamGenerateContent"},
    "openai-chat": {":rawPredict": ":streamRawPredict"},
    "bedrock-converse": {"/converse": "/converse-stream"},
    "bedrock-invoke": {"/invoke": "/invoke-with-response-stream"},
    "anthropic": {":rawPredict": ":streamRawPredict"},
}
"""Dialects in which the path asks for it: the end of a whole answer's, and of a stream's."""
