"""What a reply says, dialect by dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache.chat import BARE, Entry, Form, Reply
from llmcache.wire import anthropic, openai_chat
from llmcache.wire.said import said, text
from support.upstream import chat_chunks

CASES = {
    "openai-chat": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}}]},
    "completions": {"choices": [{"index": 0, "text": "Paris"}]},
    "responses": {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "Paris"}]},
        ]
    },
    "anthropic": {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Paris"}]},
    "google": {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "Paris"}]}}]},
    "ollama-chat": {"message": {"role": "assistant", "content": "Paris"}, "done": True},
    "ollama-generate": {"response": "Paris", "done": True},
    "cohere": {"id": "1", "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris"}]}},
    "cohere-v1": {"text": "Paris", "finish_reason": "COMPLETE", "chat_history": []},
    "cohere-v1-generate": {"generations": [{"id": "1", "text": "Paris", "finish_reason": "COMPLETE"}]},
    "google-interactions": {
        "steps": [
            {"type": "thought", "summary": [{"type": "text", "text": "hm"}]},
            {"type": "model_output", "content": [{"type": "text", "text": "Paris"}]},
        ]
    },
    "dashscope": {"output": {"choices": [{"message": {"role": "assistant", "content": "Paris"}}]}},
    "dashscope-text": {"output": {"text": "Paris", "finish_reason": "stop"}},
    "bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "Paris"}]}}},
}


@pytest.mark.parametrize("body", CASES.values(), ids=CASES)
def test_the_text_is_found(body: dict[str, Any]) -> None:
    """Without thoughts, labels and numbers."""
    assert text(body) == "Paris"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"choices": [{"message": {"content": "x", "tool_calls": [{"id": "1"}]}}]}, id="tool-call"),
        pytest.param({"content": [{"type": "tool_use", "name": "f"}]}, id="anthropic-tool"),
        pytest.param({"steps": [{"type": "function_call", "name": "f"}]}, id="interactions-tool"),
        pytest.param({"choices": [{"message": {"content": None, "refusal": "no"}}]}, id="refusal"),
        pytest.param({"data": [{"embedding": [0.1]}]}, id="embedding"),
        pytest.param([1], id="no-object"),
        pytest.param({"choices": []}, id="nothing"),
    ],
)
def test_what_is_no_text_alone_has_none(body: Any) -> None:
    """Such answers are not compared."""
    assert text(body) is None


def entry(form: Form, body: bytes) -> Entry:
    """Return an entry with a reply."""
    return Entry("k", "openai-chat", "h", "m", form, Reply(200, (("content-type", "text/event-stream"),), body), 0.0)


def test_streams_are_put_together_first() -> None:
    """A stream says what its JSON form says."""
    body = b"".join(chat_chunks("Paris", usage=True))
    assert said(openai_chat, entry(Form("sse", frozenset({"usage"})), body)) == "Paris"


def test_a_bare_answer_is_itself() -> None:
    """Higress' records are the text."""
    assert said(openai_chat, entry(BARE, b"Paris")) == "Paris"


def test_what_cannot_be_read_has_no_text() -> None:
    """Nothing raises."""
    assert said(anthropic, entry(Form("json"), json.dumps("x").encode())) is None
    assert said(anthropic, entry(Form("json"), b"{")) is None
