"""Clients on kept-alive connections, in raw HTTP/1.1 so that they cost little: throughput, time to the first byte."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable

Body = Callable[[int], bytes]
"""The request body of the n-th call."""

CHATS = "/v1/chat/completions"

_serial = itertools.count(int(time.time() * 1000))


def chat(question: str, *, system: str = "You are helpful. " * 20, stream: bool = False) -> bytes:
    """Return a chat request as SDKs write it."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    body = {"model": "gpt-4o-mini", "temperature": 0.2, "messages": messages, "stream": stream}
    return json.dumps(body, separators=(",", ":")).encode()


def same(**more: object) -> Body:
    """Return a body that is always the same."""
    raw = chat("the one question", **more)  # type: ignore[arg-type]  # `chat` names them
    return lambda _: raw


def fresh(*, stream: bool = False) -> Body:
    """Return a body that was never asked before."""
    return lambda _: chat(f"question {next(_serial)}", stream=stream)


def throughput(port: int, body: Body, calls: int, clients: int = 8) -> float:
    """Return calls a second of *clients* connections that make *calls* in all."""

    async def run() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(_client(port, body, calls // clients) for _ in range(clients)))
        return calls / (time.perf_counter() - started)

    return asyncio.run(run())


def first_bytes(port: int, body: Body, calls: int, path: str = CHATS) -> list[float]:
    """Return the seconds from sending a call to the first byte of its body, one call at a time."""

    async def run() -> list[float]:
        times: list[float] = []
        await _client(port, body, calls, times, path)
        return times

    return asyncio.run(run())


async def _client(port: int, body: Body, calls: int, times: list[float] | None = None, path: str = CHATS) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    for number in range(calls):
        sent = time.perf_counter()
        first = await exchange(reader, writer, body(number), path)
        if times is not None:
            times.append(first - sent)
    writer.close()


async def first_byte(port: int, raw: bytes, path: str) -> tuple[float, float]:
    """Make one call on a connection of its own; return when it was sent, and when the first byte of its body came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    sent = time.perf_counter()
    first = await exchange(reader, writer, raw, path)
    writer.close()
    return sent, first


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes, path: str = CHATS) -> float:
    """Make one call, which must be answered with 200, and read all of it; return when the first byte of its body came.

    Raises `OSError` or `asyncio.IncompleteReadError` where the connection breaks.
    """
    writer.write(HEAD % (path.encode(), len(raw)) + raw)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b" 200 " in head, head
    at = head.find(b"content-length:")
    if at >= 0:
        rest = int(head[at + 15 :].split(b"\r\n", 1)[0])
        await reader.readexactly(1)
        first = time.perf_counter()
        await reader.readexactly(rest - 1)
        return first
    return await _chunks(reader)


async def _chunks(reader: asyncio.StreamReader) -> float:
    size = int(await reader.readline(), 16)
    first = time.perf_counter()
    while size:
        await reader.readexactly(size + 2)
        size = int(await reader.readline(), 16)
    await reader.readline()
    return first


HEAD = (
    b"POST %s HTTP/1.1\r\nhost: api.openai.com\r\ncontent-type: application/json\r\naccept: application/json\r\n"
    b"authorization: Bearer sk-bench\r\nuser-agent: OpenAI/Python 3.52.0\r\nx-stainless-lang: python\r\n"
    b"content-length: %d\r\n\r\n"
)
