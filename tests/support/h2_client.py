"""An HTTP/2 client with many streams on one connection: `Connection(port).ask(body)`, then `until`.

It speaks TLS, which mitmdump takes at its base-URL entrance, and believes any certificate.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import h2.config
import h2.connection
import h2.events


@dataclass
class Stream:
    """What one stream has brought so far."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: bool = False


class Connection:
    """One connection to loopback."""

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self.streams: dict[int, Stream] = {}
        self._send()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _send(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def ask(self, body: Any, path: str = "/v1/chat/completions") -> Stream:
        """Send a call and return its stream."""
        number = self._h2.get_next_available_stream_id()
        raw = json.dumps(body).encode()
        head = [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "127.0.0.1")]
        head += [("content-type", "application/json"), ("content-length", str(len(raw)))]
        self._h2.send_headers(number, [*head, ("authorization", "Bearer sk-test")])
        self._h2.send_data(number, raw, end_stream=True)
        stream = self.streams[number] = Stream()
        self._send()
        return stream

    def leave(self, stream: Stream) -> None:
        """Reset one stream."""
        number = next(number for number, one in self.streams.items() if one is stream)
        self._h2.reset_stream(number, error_code=8)  # CANCEL
        self._send()

    def until(self, reached: Callable[[Stream], bool]) -> None:
        """Read until every stream has *reached* what is waited for."""
        while not all(reached(stream) for stream in self.streams.values()):
            data = self._socket.recv(65_536)
            assert data, "the proxy closed the connection"
            for event in self._h2.receive_data(data):
                self._take(event)
            self._send()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self.streams[event.stream_id].headers = dict(event.headers)
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.streams[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.streams[event.stream_id].reset = True
            case _:
                pass
