"""A chat provider that costs next to nothing: `python provider.py PORT BODY_FILE`.

`/v1/chat/completions` answers the file. A body that asks for a stream gets an event at once and the rest 5 ms later; a
path that ends in `/huge/chat/completions` streams 20 MB;
one in `/slow/chat/completions` sends an event each 20 ms after 0.1 s.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

EVENT = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
)
FIRST = EVENT % (b"first", b"null")
REST = EVENT % (b" and the rest", b"null") * 20 + EVENT % (b"", b'"stop"') + b"data: [DONE]\n\n"
BIG = EVENT % (b"x" * 65_000, b"null")
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SLOW = [FIRST, *[EVENT % (b" and on", b"null")] * 25, EVENT % (b"", b'"stop"') + b"data: [DONE]\n\n"]
BEFORE, BETWEEN = 0.1, 0.02
"""Seconds before the first event of a slow stream, and between two."""
HUGE_EVENTS = 308  # of 65 kB: 20 MB


def chunk(data: bytes) -> bytes:
    """Return *data* as a chunk of HTTP/1.1."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self, body: bytes) -> None:
        self._reply = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            asked = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head, asked)

    def _answer(self, head: bytes, asked: bytes) -> None:
        if b"/huge/" in head:
            self._transport.write(STREAM + chunk(BIG) * HUGE_EVENTS + chunk(REST) + b"0\r\n\r\n")
        elif b"/slow/" in head:
            self._transport.write(STREAM)
            later = asyncio.get_running_loop().call_later
            for at, event in enumerate(SLOW):
                last = b"0\r\n\r\n" if event is SLOW[-1] else b""
                later(BEFORE + at * BETWEEN, self._transport.write, chunk(event) + last)
        elif b'"stream":true' in asked:
            self._transport.write(STREAM + chunk(FIRST))
            asyncio.get_running_loop().call_later(0.005, self._transport.write, chunk(REST) + b"0\r\n\r\n")
        else:
            self._transport.write(self._reply)


async def main(port: int, body: bytes) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Provider(body), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
