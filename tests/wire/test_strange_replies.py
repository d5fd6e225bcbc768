"""Google and Ollama: whatever a request or reply holds, there is a call or a bypass, a verdict, a form or a loss."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import LEAVES, STEADY
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request
from llmcache.wire import Dialect, google, ollama

NAMES = {
    "google": [
        "contents",
        "content",
        "parts",
        "requests",
        "instances",
        "generateContentRequest",
        "candidates",
        "text",
        "index",
        "finishReason",
        "functionCall",
        "args",
        "promptFeedback",
        "blockReason",
        "usageMetadata",
        "embeddings",
        "values",
        "groundingMetadata",
        "groundingChunks",
        "error",
        "thought",
        "totalTokens",
        "generationConfig",
    ],
    "ollama": [
        "model",
        "messages",
        "prompt",
        "input",
        "role",
        "content",
        "message",
        "done",
        "done_reason",
        "response",
        "thinking",
        "tool_calls",
        "function",
        "arguments",
        "logprobs",
        "embedding",
        "embeddings",
        "error",
        "stream",
    ],
}
FEW = settings(STEADY, max_examples=50)
WORDS = st.sampled_from(["STOP", "stop", "hi", "model", "user", "SAFETY"])
PATHS = {
    "google": [
        f"/v1beta/models/m:{verb}"
        for verb in ("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "countTokens")
    ]
    + ["/v1/publishers/google/models/m:predict"],
    "ollama": list(ollama.PATHS),
}
FORMS = {"google": ["json", "sse", "array"], "ollama": ["json", "ndjson"]}


def values(name: str) -> st.SearchStrategy[Any]:
    """Return JSON values that look somewhat like the protocol."""
    names = st.sampled_from(NAMES[name])
    return st.recursive(
        LEAVES | WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
        max_leaves=20,
    )


def objects(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return JSON objects that look somewhat like the protocol."""
    return st.dictionaries(st.sampled_from(NAMES[name]), values(name), max_size=6)


def request(path: str, body: Any) -> Request:
    """Return a POST of *body*."""
    return Request("POST", "https", "h", 443, path, "", (), json.dumps(body).encode())


def written(chunks: list[Any], form: str) -> bytes:
    """Write *chunks* in a form, well or not."""
    texts = [json.dumps(chunk) for chunk in chunks]
    match form:
        case "sse":
            return "".join(f"data: {text}\n\n" for text in texts).encode()
        case "ndjson":
            return "".join(f"{text}\n" for text in texts).encode()
        case "array":
            return f"[{','.join(texts)}]".encode()
    return texts[0].encode()


CALLS = {
    "google": request(PATHS["google"][0], {"contents": [{"parts": [{"text": "hi"}]}]}),
    "ollama": request("/api/chat", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
}
both = pytest.mark.parametrize("dialect", [google, ollama], ids=lambda dialect: dialect.NAME)


@both
@FEW
@given(st.data())
def test_any_request_is_a_call_or_passed_through(dialect: Dialect, data: st.DataObject) -> None:
    """A body of any shape is understood, with a question, or let go with a reason."""
    path = data.draw(st.sampled_from(PATHS[dialect.NAME]))
    found = dialect.call(request(path, data.draw(values(dialect.NAME) | objects(dialect.NAME))))
    assert isinstance(found, Call | Bypass)
    assert isinstance(found, Bypass) or isinstance(dialect.question(found), str)


@both
@FEW
@given(st.data())
def test_any_reply_has_a_verdict_and_a_form(dialect: Dialect, data: st.DataObject) -> None:
    """A reply of any shape is judged; it converts to every form of the dialect, or says what would be lost."""
    form = data.draw(st.sampled_from(FORMS[dialect.NAME]))
    chunks = data.draw(st.lists(objects(dialect.NAME) | values(dialect.NAME), min_size=1, max_size=3))
    reply = Reply(200, (), written(chunks, form), ())
    call = dialect.call(CALLS[dialect.NAME])
    assert isinstance(call, Call)
    assert isinstance(dialect.judge(call, reply, frozenset()), Complete | Incomplete)
    found = dialect.reply_form(call, reply)
    for wanted in FORMS[dialect.NAME]:
        try:
            assert isinstance(dialect.convert(reply, found, Form(wanted)), Reply)
        except Lossy:
            assert wanted != found.kind
