"""A provider on loopback: raw sockets, so that a test decides every byte, every pause and every way to break off."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.body)


@dataclass
class Script:
    """What the upstream answers."""

    body: bytes | list[bytes] = b""
    """One body, or the chunks of a stream."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    framing: str = "length"
    """`length`, `chunked`, or `eof` (the end of the connection is the end of the body)."""
    cut: str = ""
    """After the last chunk: `` ends well, `fin` closes without an end, `rst` resets."""
    gate: threading.Event | None = None
    """Held back before the last chunk until this is set."""
    late: threading.Event | None = None
    """Held back before the head until this is set."""
    head: bytes | None = None
    """Sent in place of head and body, before the `cut`; empty for nothing at all."""


def chat_json(text: str, **more: Any) -> dict[str, Any]:
    """Return a chat completion that says *text*."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{**choice, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        "system_fingerprint": "fp_1",
        **more,
    }


def chat_chunks(text: str, *, usage: bool = False) -> list[bytes]:
    """Return the events of a streamed chat completion that says *text*, one word an event."""
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini-2024-07-18",
    }
    more: dict[str, Any] = {"usage": None} if usage else {}

    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + json.dumps({**head, "choices": [choice], **more}, ensure_ascii=False).encode() + b"\n\n"

    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    events = [event({"role": "assistant", "content": "", "refusal": None})]
    events += [event({"content": word}) for word in words]
    events.append(event({}, "stop"))
    if usage:
        counts = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
        events.append(b"data: " + json.dumps({**head, "choices": [], "usage": counts}).encode() + b"\n\n")
    return [*events, b"data: [DONE]\n\n"]


def openai(asked: Asked) -> Script:
    """Answer as a chat provider does, in the form that was asked for: the answer repeats the question."""
    body = asked.json
    last = body["messages"][-1]["content"]
    text = f"You said: {last if isinstance(last, str) else json.dumps(last)}"
    if body.get("stream"):
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return Script(chat_chunks(text, usage=usage), headers={"content-type": "text/event-stream"}, framing="chunked")
    return Script(json.dumps(chat_json(text), ensure_ascii=False).encode())


class Upstream:
    """The server: `answer` decides, `calls` remembers."""

    def __init__(
        self,
        answer: Callable[[Asked], Script] = openai,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.answer = answer
        self.calls: list[Asked] = []
        self._tls = tls
        self._listener = listener
        """A bound socket to use instead of a free port on loopback, such as one of another network namespace."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening; may be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._listener or socket.create_server(("127.0.0.1", self.port))
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=listener, ssl=self._tls, limit=2**27)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio does it itself but for listeners made elsewhere; without, each body waits 40 ms for an ACK.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while asked := await self._read(reader):
                self.calls.append(asked)
                if not await self._write(writer, self.answer(asked)):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            return
        finally:
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Asked | None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = line.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(method, path, headers, body)

    async def _write(self, writer: asyncio.StreamWriter, script: Script) -> bool:
        chunks = script.body if isinstance(script.body, list) else [script.body]
        framing = {
            "length": f"content-length: {sum(map(len, chunks))}\r\n",
            "chunked": "transfer-encoding: chunked\r\n",
        }
        fields = "".join(f"{name}: {value}\r\n" for name, value in script.headers.items())
        head = f"HTTP/1.1 {script.status} X\r\n{fields}{framing.get(script.framing, '')}\r\n".encode()
        if script.late:
            await asyncio.get_running_loop().run_in_executor(None, script.late.wait, 30)
        writer.write(head if script.head is None else script.head)
        for at, chunk in enumerate(chunks if script.head is None else ()):
            if script.gate and at == len(chunks) - 1:
                await writer.drain()
                await asyncio.get_running_loop().run_in_executor(None, script.gate.wait, 30)
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if script.framing == "chunked" else chunk)
            await writer.drain()
            await asyncio.sleep(0)
        if script.cut == "rst":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if script.cut == "fin" or script.framing == "eof":
            return False
        writer.write(b"0\r\n\r\n" if script.framing == "chunked" else b"")
        await writer.drain()
        return True
