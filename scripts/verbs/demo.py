"""See it work in ten seconds, without a key and without a network.

A stand-in provider on this machine answers slowly on purpose; real requests go to it through the real proxy: a
question, the same once more, the same asked for as a stream, a changed question, and that once more.
Nothing is kept: the store is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = """\
example:
  aicache demo
"""

QUESTION = "Why is the sky blue?"
CHANGED = "Why is the sky red in the evening?"
ANSWERS = {
    QUESTION: "Air scatters blue light far more than red, so blue reaches you from every side.",
    CHANGED: "Low light crosses so much air that only the red is left when it arrives.",
}
"""What the stand-in knows."""

THINKING = 0.5
"""Seconds before its first word."""
WRITING = 1.0
"""Seconds for all its words."""

MODEL = "gpt-4o-mini"
BAR = 26
"""Width of the longest bar."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the story."""

    title: str
    question: str
    stream: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a step."""

    step: Step
    seconds: float
    text: str
    status: str
    """The answer's `Cache-Status`."""

    @property
    def hit(self) -> bool:
        """Whether the cache answered."""
        return "; hit" in self.status


STORY = (
    Step("a question", QUESTION, stream=False),
    Step("the same question", QUESTION, stream=False),
    Step("the same, as a stream", QUESTION, stream=True),
    Step("a changed question", CHANGED, stream=True),
    Step("the changed one again", CHANGED, stream=True),
)
"""A miss, a hit, the other form, a miss that streams, a hit of a stream."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The demo has no options."""


def main(args: argparse.Namespace) -> int:  # noqa: ARG001 - every verb gets its arguments
    """Tell the story; return 0 when it came out as it should."""
    return asyncio.run(_demo())


async def _demo() -> int:
    from . import _log  # noqa: PLC0415 - needs the environment
    from ._proxy import Entrance, Settings, open_proxy  # noqa: PLC0415 - needs the environment

    _log.to_stderr()
    with tempfile.TemporaryDirectory(prefix="aicache-demo-") as folder:
        # The user's own settings and certificates stay out of it: no template, no scope key, no certificate.
        empty = Path(folder) / "config.yaml"
        empty.write_text("scope: shared\n")
        provider = await asyncio.start_server(_answer, "127.0.0.1", 0)
        entrance = Entrance(f"reverse:http://127.0.0.1:{provider.sockets[0].getsockname()[1]}", 0)
        defaults = {"confdir": folder}
        settings = Settings((entrance,), config=str(empty), mode="cache", store="memory", defaults=defaults)
        async with provider, open_proxy(settings) as proxy:
            told = [await _tell(proxy.ports[0], step) for step in STORY]
    picture(told)
    return 0 if [one.hit for one in told] == [False, True, True, False, True] else 1


async def _tell(port: int, step: Step) -> Told:
    """Send one request as any client would, and show the answer as it comes."""
    live = sys.stdout.isatty()
    print(f"{step.title}: ", end="", flush=True)
    told = await asyncio.to_thread(_ask, port, step, live=live)
    print(("" if live and step.stream else told.text) + f"  [{told.seconds * 1000:.0f} ms]", flush=True)
    # A reply is stored in the background; the next step must find it.
    await asyncio.sleep(0.2)
    return told


def _ask(port: int, step: Step, *, live: bool) -> Told:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    messages = [{"role": "user", "content": step.question}]
    body = json.dumps({"model": MODEL, "messages": messages, "stream": step.stream})
    started = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    response = connection.getresponse()
    text = _streamed(response, live=live) if step.stream else _said(json.loads(response.read()), "message")
    seconds = time.perf_counter() - started
    connection.close()
    return Told(step, seconds, text, response.headers.get("cache-status", ""))


def _streamed(response: http.client.HTTPResponse, *, live: bool) -> str:
    words = []
    for line in response:
        data = line.removeprefix(b"data: ").strip()
        if data.startswith(b"{"):
            words.append(_said(json.loads(data), "delta"))
            print(words[-1] if live else "", end="", flush=True)
    return "".join(words)


def _said(body: dict[str, Any], part: str) -> str:
    return str(body["choices"][0][part].get("content") or "")


def picture(told: list[Told]) -> None:
    """Print who answered and how long it took, as a table with bars."""
    from rich.console import Console  # noqa: PLC0415 - needs the environment
    from rich.table import Table  # noqa: PLC0415 - needs the environment

    longest = max(one.seconds for one in told)
    table = Table(title="\nWho answered, and how long it took", title_justify="left")
    for name in ("request", "answered by", "time", ""):
        table.add_column(name, justify="right" if name == "time" else "left", no_wrap=True)
    for one in told:
        color, who = ("green", "cache") if one.hit else ("yellow", "provider")
        bar = "█" * max(1, round(one.seconds / longest * BAR)) if one.seconds > longest / BAR else "▏"
        table.add_row(one.step.title, who, f"{one.seconds * 1000:,.0f} ms", bar, style=color)
    console = Console()
    console.print(table)
    console.print(_moral(told))


def _moral(told: list[Told]) -> str:
    slow = [one.seconds for one in told if not one.hit]
    fast = [one.seconds for one in told if one.hit]
    if not slow or not fast:
        return "That is not how it should have been: the cache does not work here."
    times = sum(slow) / len(slow) * len(fast) / sum(fast)
    away = f"{len(fast)} of {len(told)} calls never left this machine, each about {times:,.0f} times as fast."
    return f"{away}\nNext: aicache run -- YOUR COMMAND"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a slow OpenAI: one request a connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").lower().split("\r\n")[1:] if ": " in line)
    body = json.loads(await reader.readexactly(int(fields["content-length"])))
    answer = ANSWERS[body["messages"][-1]["content"]]
    kind = "text/event-stream" if body.get("stream") else "application/json"
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode())
    await writer.drain()
    await asyncio.sleep(THINKING)
    await (_write_stream if body.get("stream") else _write_json)(writer, answer)
    writer.close()
    await writer.wait_closed()


async def _write_stream(writer: asyncio.StreamWriter, answer: str) -> None:
    words = [f"{word} " for word in answer.split(" ")]
    words[-1] = words[-1].strip()
    for event in [_chunk({"role": "assistant", "content": ""}), *(_chunk({"content": word}) for word in words)]:
        writer.write(event)
        await writer.drain()
        await asyncio.sleep(WRITING / len(words))
    writer.write(_chunk({}, "stop") + b"data: [DONE]\n\n")
    await writer.drain()


async def _write_json(writer: asyncio.StreamWriter, answer: str) -> None:
    await asyncio.sleep(WRITING)
    message = {"role": "assistant", "content": answer, "refusal": None}
    counts = {"prompt_tokens": 14, "completion_tokens": 18, "total_tokens": 32}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    writer.write(json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": counts}).encode())
    await writer.drain()


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return f"data: {json.dumps({**_HEAD, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n".encode()


_HEAD = {"id": "chatcmpl-demo", "created": 1_700_000_000, "model": MODEL}
