"""Chat completions to test with: a plain call, a plain reply, and strategies for every reply that is valid."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from llmcache.chat import Bypass, Call, Reply, Request
from llmcache.wire import openai_chat

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Property tests must not fail because the machine is busy."""

MESSAGES = [{"role": "user", "content": "Hello"}]
EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


def request(body: Any, path: str = "/v1/chat/completions", query: str = "", kind: str = "application/json") -> Request:
    """Return a POST of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "https", "api.openai.com", 443, path, query, (("content-type", kind),), raw)


def call(**members: Any) -> Call:
    """Return a plain call with *members* added to its body."""
    found = openai_chat.call(request({"model": "gpt-5", "messages": MESSAGES, **members}))
    assert not isinstance(found, Bypass)
    return found


def completion(message: Any = None, finish: Any = "stop", **top: Any) -> dict[str, Any]:
    """Return a whole chat completion with one choice."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-5-2026",
        "choices": [
            {
                "index": 0,
                "message": message or {"role": "assistant", "content": "Hi there!"},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        **top,
    }


def chunk(delta: Any = None, finish: Any = None, index: int = 0, **top: Any) -> dict[str, Any]:
    """Return one chunk with one choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **top}


def stream(*events: Any, done: str = "data: [DONE]\n\n") -> bytes:
    """Return a stream of *events* (text as it is, anything else as the JSON of a data line)."""
    written = [each if isinstance(each, str) else f"data: {json.dumps(each)}\n\n" for each in events]
    return ("".join(written) + done).encode()


def sse_reply(body: bytes) -> Reply:
    """Return *body* as a stream that came in one chunk."""
    return Reply(200, EVENTS, body, ((5, len(body)),))


def json_reply(body: Any) -> Reply:
    """Return *body* as a JSON reply."""
    return Reply(200, JSON, body if isinstance(body, bytes) else json.dumps(body).encode())


def calling(*arguments: str) -> dict[str, Any]:
    """Return the part of a message or delta that calls one function for each of *arguments*, numbered."""
    calls = [
        {"index": at, "id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": text}}
        for at, text in enumerate(arguments)
    ]
    return {"tool_calls": calls}


NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.text(max_size=6)
    | st.sampled_from(['"', "\ud800", "\x1b\x0b\x7f\U000e0041"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
EXTRAS = st.dictionaries(
    st.sampled_from(["x_vendor", "content_filter_results", "matched", "", "é"]), VALUES, max_size=2
)
TEXTS = st.text(max_size=200) | st.sampled_from(
    ["", " ", "[DONE]", "data: [DONE]\n\n", 'ends with "', "多" * 300, "a b " * 200]
)
MAYBE = st.none() | TEXTS
ARGUMENTS = st.sampled_from(["", "{}", '{"city": "Zürich", "days": [1, 2, 3]}', '{"text": "' + "word " * 100 + '"}'])
PARTS = st.lists(EXTRAS.map(lambda each: {"type": "text", "text": "part", **each}), max_size=3)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return dicts with any of *fields*."""
    return st.fixed_dictionaries({}, optional=fields)


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return one dict of several; the later counts."""
    return st.tuples(*parts).map(lambda each: {key: value for part in each for key, value in part.items()})


def _function(extras: dict[str, Any], arguments: str) -> dict[str, Any]:
    return {**extras, "type": "function", "function": {**extras, "name": "weather", "arguments": arguments}}


def _custom(extras: dict[str, Any], text: str) -> dict[str, Any]:
    return {**extras, "type": "custom", "custom": {"name": "shell", "input": text}}


TOOL_CALLS = st.lists(st.builds(_function, EXTRAS, ARGUMENTS) | st.builds(_custom, EXTRAS, TEXTS), max_size=3).map(
    lambda calls: [{"id": f"call_{at}", **each} for at, each in enumerate(calls)]
)

MESSAGE = joined(
    EXTRAS,
    st.just({"role": "assistant"}),
    optional(
        content=MAYBE | PARTS,
        refusal=MAYBE,
        reasoning=MAYBE,
        reasoning_content=MAYBE,
        reasoning_details=st.none()
        | st.lists(st.fixed_dictionaries({"type": st.just("reasoning.text"), "text": TEXTS})),
        annotations=st.none() | PARTS,
        images=PARTS,
        audio=st.none() | joined(EXTRAS, st.fixed_dictionaries({"id": TEXTS, "data": TEXTS, "transcript": TEXTS})),
        function_call=st.none() | st.fixed_dictionaries({"name": st.just("f"), "arguments": ARGUMENTS}),
        tool_calls=st.none() | TOOL_CALLS,
    ),
)
TOKENS = st.lists(
    st.fixed_dictionaries({"token": TEXTS, "logprob": st.floats(-9, 0), "top_logprobs": st.just([])}), max_size=5
)
LOGPROBS = st.none() | joined(EXTRAS, optional(content=st.none() | TOKENS, refusal=st.none() | TOKENS))


@st.composite
def choices(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """Return a choice; half of those with log probabilities have tokens that spell the content."""
    message = draw(MESSAGE)
    choice = {**draw(EXTRAS), "index": index, "message": message, **draw(optional(logprobs=LOGPROBS))}
    tokens = (choice.get("logprobs") or {}).get("content")
    if tokens and draw(st.booleans()):
        message["content"] = "".join(each["token"] for each in tokens)
    return {**choice, "finish_reason": draw(st.sampled_from(["stop", "tool_calls", "length", "", None]))}


@st.composite
def completions(draw: st.DrawFn) -> dict[str, Any]:
    """Return any valid chat completion: several choices, every field, vendor extras at every level."""
    top = draw(joined(EXTRAS, optional(system_fingerprint=MAYBE, service_tier=MAYBE, citations=PARTS)))
    body = completion(**top)
    body["choices"] = [draw(choices(index)) for index in range(draw(st.integers(1, 3)))]
    body["usage"] |= draw(EXTRAS)
    return body
