"""Traffic as other tools save it: a chat in a cassette of vcrpy and in an HTTP Archive, whole or with parts changed.

Entry points: `ASKED`, `ANSWERED`, `STREAM`, `vcr`, `interaction`, `har`, `archived`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from support.upstream import chat_chunks, chat_json

URL = "https://api.openai.com/v1/chat/completions"
ASKED = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Grüße?"}]})
ANSWERED = json.dumps(chat_json("Grüße!"), ensure_ascii=False)
STREAM = b"".join(chat_chunks("Grüße und Küsse")).decode()


def interaction(body: Any = None, *, asked: Any = ASKED, url: str = URL, code: int = 200, **headers: str) -> Any:
    """Return an interaction as vcrpy writes it; *body*: the response's."""
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "request": {"body": asked, "headers": {"content-type": ["application/json"]}, "method": "POST", "uri": url},
        "response": {
            "body": {"string": ANSWERED} if body is None else body,
            "headers": {name: [value] for name, value in fields.items()},
            "status": {"code": code, "message": "OK"},
        },
    }


def vcr(*interactions: Any) -> str:
    """Return the cassette, written as vcrpy does."""
    return yaml.dump({"interactions": list(interactions), "version": 1})


def archived(text: str = ANSWERED, *, asked: str = ASKED, status: int = 200, kind: str = "application/json") -> Any:
    """Return an entry of an archive as browsers write it."""
    return {
        "startedDateTime": "2026-01-02T03:04:05.000Z",
        "time": 1500.0,
        "request": {
            "method": "POST",
            "url": URL,
            "headers": [{"name": ":authority", "value": "api.openai.com"}, {"name": "accept-encoding", "value": "br"}],
            "postData": {"mimeType": "application/json", "text": asked},
        },
        "response": {
            "status": status,
            "httpVersion": "h2",
            "headers": [{"name": "Content-Type", "value": kind}, {"name": "content-encoding", "value": "br"}],
            "content": {"size": len(text), "mimeType": kind, "text": text},
        },
    }


def har(*entries: Any, creator: str = "WebInspector") -> str:
    """Return the archive."""
    log = {"version": "1.2", "creator": {"name": creator, "version": "1"}, "entries": list(entries)}
    return json.dumps({"log": log}, indent=1)
