"""Responses to test with: a plain call, a plain reply, and strategies for every reply that is valid."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from llmcache.chat import Bypass, Call, Reply, Request
from llmcache.wire import openai_responses

JSON = (("content-type", "application/json"),)
EVENTS = (("content-type", "text/event-stream; charset=utf-8"),)
BASE: dict[str, Any] = {"model": "gpt-5", "input": "Hello"}


def request(body: Any, path: str = "/v1/responses", query: str = "", **headers: str) -> Request:
    """Return a POST of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "https", "api.openai.com", 443, path, query, tuple(fields.items()), raw)


def call(**members: Any) -> Call:
    """Return a plain call with *members* added to its body."""
    found = openai_responses.call(request({**BASE, **members}))
    assert not isinstance(found, Bypass)
    return found


def message(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a message item; a plain one without *parts*."""
    content = list(parts) or [{"type": "output_text", "text": "Hi there!", "annotations": []}]
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content, **more}


def response(*output: dict[str, Any], **top: Any) -> dict[str, Any]:
    """Return a whole response with *output*; a plain message without."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-2026",
        "output": list(output) or [message()],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 3,
            "total_tokens": 8,
        },
        **top,
    }


def event(kind: str, **members: Any) -> bytes:
    """Return one event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def whole(body: Any) -> Reply:
    """Return *body* as a JSON reply."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(200, JSON, raw)


def stream(*events: bytes) -> Reply:
    """Return a reply that streams *events*."""
    return Reply(200, EVENTS, b"".join(events), tuple((0, len(each)) for each in events))


TEXT = st.text(st.characters(codec="utf-8"), max_size=80)
WORDS = st.text("ab \n", min_size=1, max_size=20)
ANNOTATION = st.fixed_dictionaries({"type": st.just("url_citation"), "url": WORDS, "start_index": st.integers(0, 9)})
TOKEN = st.fixed_dictionaries({"token": WORDS, "logprob": st.floats(-9, 0), "top_logprobs": st.just([])})
OUTPUT_TEXT = st.fixed_dictionaries(
    {"type": st.just("output_text"), "text": TEXT, "annotations": st.lists(ANNOTATION, max_size=2)},
    optional={"logprobs": st.none() | st.lists(TOKEN, max_size=3)},
)
SPELLED = st.lists(TOKEN, min_size=1, max_size=5).map(
    lambda tokens: {"type": "output_text", "text": "".join(token["token"] for token in tokens), "logprobs": tokens}
)
REFUSAL = st.fixed_dictionaries({"type": st.just("refusal"), "refusal": TEXT})
MESSAGE = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.just("assistant")}
    | {"content": st.lists(OUTPUT_TEXT | SPELLED | REFUSAL, max_size=3)},
    optional={"id": WORDS, "status": st.just("completed"), "phase": st.sampled_from(["commentary", "final_answer"])},
)
SUMMARY = st.fixed_dictionaries({"type": st.just("summary_text"), "text": TEXT})
THOUGHT = st.fixed_dictionaries({"type": st.just("reasoning_text"), "text": TEXT})
REASONING = st.fixed_dictionaries(
    {"type": st.just("reasoning"), "id": WORDS, "summary": st.lists(SUMMARY, max_size=2)},
    optional={"encrypted_content": st.none() | WORDS, "content": st.none() | st.lists(THOUGHT, max_size=2)},
)
CALL = st.fixed_dictionaries(
    {"type": st.just("function_call"), "call_id": WORDS, "name": WORDS}
    | {"arguments": st.dictionaries(WORDS, st.integers() | TEXT, max_size=3).map(json.dumps)},
    optional={"id": WORDS, "status": st.just("completed")},
)
CUSTOM = st.fixed_dictionaries({"type": st.just("custom_tool_call"), "call_id": WORDS, "name": WORDS, "input": TEXT})
BUILT_IN = st.sampled_from(
    [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "web_search_call", "id": "ws_1", "status": "failed"},
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["x"], "results": None},
        {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1 + 1", "outputs": []},
        {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": None, "outputs": None},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk="},
        {"type": "mcp_call", "id": "mcp_1", "arguments": "{}", "name": "f", "error": None, "output": "x"},
        {"type": "mcp_call", "id": "mcp_1", "arguments": "{}", "name": "f", "error": "down", "status": "failed"},
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": [{"name": "f"}]},
        {"type": "mcp_approval_request", "id": "mcpr_1", "arguments": "{}", "name": "f", "server_label": "s"},
        {"type": "computer_call", "id": "cu_1", "call_id": "c", "status": "completed", "action": {"type": "wait"}},
        {"type": "something_new", "content": "text", "arguments": 1, "summary": {}},
    ]
)
RESPONSES = st.builds(
    lambda output, top: response() | {"output": output} | top,
    st.lists(MESSAGE | REASONING | CALL | CUSTOM | BUILT_IN, min_size=1, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([1, 1.0, 0.5, None]),
            "usage": st.none(),
            "tools": st.just([{"type": "function", "name": "f"}]),
            "completed_at": st.integers(0, 9),
        },
    ),
)
"""Every response that is valid and completed."""
