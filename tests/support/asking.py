"""A plain HTTP client that asks a proxy through its base-URL entrance: `post(proxy, ask("..."))`."""

from __future__ import annotations

import http.client
import json
from typing import Any

from support.proxy import Mitmdump


class Answer:
    """A reply as the client has it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.body = response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def cache(self) -> str:
        """Our word on it."""
        return self.headers.get("cache-status", "")


def post(proxy: Mitmdump, body: Any, path: str = "/v1/chat/completions", **headers: str) -> Answer:
    """Ask through the base-URL entrance."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    fields = {"content-type": "application/json", "authorization": "Bearer sk-test"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request("POST", path, raw, fields)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def ask(text: str = "What is 6 times 7?", **more: Any) -> dict[str, Any]:
    """Return a chat request."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}
