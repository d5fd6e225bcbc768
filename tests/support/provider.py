"""A provider that answers what the SDKs can ask for: tools, structured output, log probabilities, several choices.

Entry point: `provider`. Every answer has an id of its own, so a repeated id proves that nobody was asked again.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from support.upstream import Asked, Script

NUMBERS = itertools.count(1)
MODEL = "gpt-4o-mini-2024-07-18"
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 12,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
STREAM = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1"}
JSON = {"content-type": "application/json", "x-request-id": "req_1"}


def provider(asked: Asked) -> Script:
    """Answer a chat completion in the form asked for."""
    body = asked.json
    said = [choice(body, index) for index in range(body.get("n") or 1)]
    top = {"id": f"chatcmpl-{next(NUMBERS)}", "created": 1_700_000_000, "model": MODEL, "system_fingerprint": "fp_1"}
    if not body.get("stream"):
        return Script(
            json.dumps({**top, "object": "chat.completion", "choices": said, "usage": USAGE}).encode(), headers=JSON
        )
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    chunks = [{**top, "choices": [part], **({"usage": None} if usage else {})} for part in parts(said)]
    chunks += [{**top, "choices": [], "usage": USAGE}] if usage else []
    events = [
        b"data: " + json.dumps({"object": "chat.completion.chunk", **chunk}).encode() + b"\n\n" for chunk in chunks
    ]
    return Script([*events, b"data: [DONE]\n\n"], headers=STREAM, framing="chunked")


def choice(body: dict[str, Any], index: int) -> dict[str, Any]:
    """Return one choice of a JSON answer."""
    message: dict[str, Any] = {"role": "assistant", "content": text_of(body, index), "refusal": None}
    if body.get("tools"):
        message |= {"content": None, "tool_calls": [tool_call(0, "Paris"), tool_call(1, "Zürich")]}
    probabilities = None
    if body.get("logprobs"):
        probabilities = {"content": [token(word) for word in words(message["content"])], "refusal": None}
    finish = "tool_calls" if body.get("tools") else "stop"
    return {"index": index, "message": message, "logprobs": probabilities, "finish_reason": finish}


def text_of(body: dict[str, Any], index: int) -> str:
    """Return what is said: JSON where the call has a schema for it."""
    if body.get("response_format"):
        return '{"left": 6, "right": 7, "total": 13}'
    return f"Answer {index} to {body['messages'][-1]['content']!r}: «42» = 四十二 🙂"


def tool_call(at: int, city: str) -> dict[str, Any]:
    """Return one call of the weather tool."""
    arguments = json.dumps({"city": city, "units": ["C", "F"]}, ensure_ascii=False)
    return {"id": f"call_{at}", "type": "function", "function": {"name": "weather", "arguments": arguments}}


def token(word: str) -> dict[str, Any]:
    """Return the log probability of *word*, with one alternative."""
    own = {"token": word, "logprob": -0.25, "bytes": list(word.encode())}
    return {**own, "top_logprobs": [own, {"token": "?", "logprob": -3.0625, "bytes": [63]}]}


def words(text: str) -> list[str]:
    """Cut *text* into pieces like tokens; joined they are the text."""
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def parts(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the choices of a stream's chunks; those of several choices take turns, as the provider's do."""
    streams = [list(deltas(one)) for one in said]
    return [part for turn in itertools.zip_longest(*streams) for part in turn if part]


def deltas(one: dict[str, Any]) -> Any:
    """Yield the deltas of one choice."""
    message, index = one["message"], one["index"]

    def part(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    yield part({"role": "assistant", "content": None if message.get("tool_calls") else "", "refusal": None})
    for word in words(message["content"] or ""):
        yield part({"content": word}, logprobs={"content": [token(word)], "refusal": None} if one["logprobs"] else None)
    for at, call in enumerate(message.get("tool_calls", [])):
        function = call["function"]
        yield part({"tool_calls": [{"index": at, **call, "function": {"name": function["name"], "arguments": ""}}]})
        for piece in words(function["arguments"]):
            yield part({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield part({}, one["finish_reason"])
