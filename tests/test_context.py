"""What calls have in common: a hole where the question was, and nothing else left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Request
from llmcache.context import HOLE, context
from llmcache.question import QuestionRule
from llmcache.scope import Scope
from llmcache.wire import find

RULE = QuestionRule()


def call(path: str, body: dict[str, Any]) -> Call:
    """Return the call of a body."""
    head = (("content-type", "application/json"),)
    dialect = find("POST", path)
    assert dialect
    made = dialect.call(Request("POST", "https", "h", 443, path, "", head, json.dumps(body).encode()))
    assert not isinstance(made, Bypass)
    return made


def holed(path: str, body: dict[str, Any], rule: QuestionRule = RULE) -> Any:
    """Return the content with its hole, or the reason."""
    made, dialect = call(path, body), find("POST", path)
    assert dialect
    found = context(made, rule, rule.question(dialect, made))
    return found if isinstance(found, str) else found.content


CHAT = "/v1/chat/completions"
CASES = [
    (CHAT, {"model": "m", "messages": [{"role": "user", "content": "Q?"}]}),
    ("/v1/responses", {"model": "m", "input": "Q?"}),
    ("/v1/responses", {"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Q?"}]}]}),
    ("/v1/completions", {"model": "m", "prompt": "Q?"}),
    ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Q?"}]}),
    ("/v1beta/models/gemini-2.0-flash:generateContent", {"contents": [{"parts": [{"text": "Q?"}]}]}),
    ("/api/chat", {"model": "m", "messages": [{"role": "user", "content": "Q?"}]}),
    ("/api/generate", {"model": "m", "prompt": "Q?"}),
    ("/v2/chat", {"model": "m", "messages": [{"role": "user", "content": "Q?"}]}),
    (
        "/api/v1/services/aigc/text-generation/generation",
        {"model": "m", "input": {"messages": [{"role": "user", "content": "Q?"}]}},
    ),
    ("/model/m/converse", {"messages": [{"role": "user", "content": [{"text": "Q?"}]}]}),
]


@pytest.mark.parametrize(("path", "body"), CASES, ids=[path for path, _ in CASES])
def test_every_dialects_question_leaves_a_hole(path: str, body: dict[str, Any]) -> None:
    """One hole, and the rest as it was."""
    found = json.dumps(holed(path, body))
    assert found.count(json.dumps(HOLE)) == 1
    assert "Q?" not in found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "m", "input": "Q?"}),
        ("/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": "Q?"}]}),
        ("/api/embed", {"model": "m", "input": "Q?"}),
        ("/v1beta/models/gemini-embedding-001:embedContent", {"content": {"parts": [{"text": "Q?"}]}}),
        ("/v1beta/models/gemini-2.0-flash:countTokens", {"contents": [{"parts": [{"text": "Q?"}]}]}),
    ],
)
def test_what_is_answered_with_numbers_has_no_near_answer(path: str, body: dict[str, Any]) -> None:
    """The embedding of a near text is another one."""
    assert holed(path, body) == "not-a-question"


GENERATION = "/api/v1/services/aigc/text-generation/generation"
ASKED: dict[str, Any] = {"model": "m", "input": {"messages": [{"role": "user", "content": "Q?"}]}}


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (GENERATION, ASKED | {"parameters": {"tools": [{"type": "function"}]}}, "tools"),
        (GENERATION, ASKED | {"parameters": {"enable_search": True}}, "tools"),
        (CHAT, {"model": "m", "messages": [{"role": "user", "content": "Q?"}], "enable_search": True}, "tools"),
        (
            "/api/chat",
            {"model": "m", "messages": [{"role": "user", "content": "Q?", "images": ["x"]}]},
            "question-not-text",
        ),
        ("/api/generate", {"model": "m", "prompt": "Q?", "images": ["x"]}, "question-not-text"),
        ("/v1/completions", {"model": "m", "prompt": "Q?", "echo": True}, "not-a-question"),
    ],
)
def test_what_a_dialect_has_elsewhere_is_exact_only(path: str, body: dict[str, Any], reason: str) -> None:
    """Tools and pictures are found where the dialect has them; an answer that holds its question is no other's."""
    assert holed(path, body) == reason


def test_all_questions_leave_a_hole_each() -> None:
    """With `allQuestions` every user message may vary, and nothing else."""
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "same"},
        {"role": "user", "content": "two"},
    ]
    found = holed(CHAT, {"model": "m", "messages": messages}, QuestionRule("allQuestions"))
    assert [message["content"] for message in found["messages"]] == [HOLE, "same", HOLE]


def test_only_the_last_occurrence_is_the_question() -> None:
    """The same words in an earlier turn are context."""
    messages = [
        {"role": "user", "content": "Q?"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "Q?"},
    ]
    found = holed(CHAT, {"model": "m", "messages": messages})
    assert [message["content"] for message in found["messages"]] == ["Q?", "A", HOLE]


TEXTS = st.sampled_from(["a", "b", "aicache", "question", "m", '{"aicache":"question"}'])


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=2), TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=2), TEXTS)
def test_context_and_question_are_the_call(
    turns: list[tuple[str, str]], asked: str, others: list[tuple[str, str]], other: str
) -> None:
    """Two calls with the same context and the same question are the same call: nothing hides between the two."""

    def made(history: list[tuple[str, str]], text: str) -> tuple[bytes, bytes]:
        messages = [
            {"role": role, "content": each}
            for pair in history
            for role, each in zip(("user", "assistant"), pair, strict=True)
        ]
        one = call(CHAT, {"model": "m", "system": text, "messages": [*messages, {"role": "user", "content": text}]})
        left = context(one, RULE, text)
        assert not isinstance(left, str)
        return fingerprint.identity(left, Scope(None)) + b"|" + text.encode(), fingerprint.identity(one, Scope(None))

    (mine, my_call), (theirs, their_call) = made(turns, asked), made(others, other)
    assert (mine == theirs) == (my_call == their_call)
