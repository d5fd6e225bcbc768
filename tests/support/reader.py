"""A client that reads a stream as it comes, and may hang up in the middle: `Reader(HTTPConnection(...), ask(...))`."""

from __future__ import annotations

import http.client
import json
from typing import Any


class Reader:
    """A client that has asked for a stream at *path* and has its head; *connection* is its own."""

    def __init__(self, connection: http.client.HTTPConnection, body: Any, path: str = "/v1/chat/completions") -> None:
        self._connection = connection
        head = {"content-type": "application/json", "authorization": "Bearer sk-test"}
        connection.request("POST", path, json.dumps(body), head)
        self._response = connection.getresponse()
        self.cache = self._response.headers["cache-status"]

    def events(self, count: int) -> bytes:
        """Return the next *count* events."""
        return b"".join(self._response.readline() for _ in range(2 * count))

    def rest(self) -> bytes:
        """Return everything else. Raises `IncompleteRead` for a stream that broke off."""
        found = self._response.read()
        self.leave()
        return found

    def leave(self) -> None:
        """Hang up."""
        self._response.close()
        self._connection.close()
