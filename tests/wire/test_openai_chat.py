"""OpenAI chat completions: what is a call, what is its identity, and what does it ask."""

from __future__ import annotations

import json
from typing import Any

import chat_replies as make
import pytest
from chat_replies import MESSAGES, call, request
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Bypass, Call, Form
from llmcache.wire import openai_chat

JSON = Form("json")
SSE = Form("sse")
SSE_USAGE = Form("sse", frozenset({"usage"}))


def understood(body: Any, **more: Any) -> Call:
    """Return the call that *body* makes."""
    found = openai_chat.call(request(body, **more))
    assert isinstance(found, Call)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions",
        "/openai/v1/chat/completions",
        "/compatible-mode/v1/chat/completions",
        "/api/v1/chat/completions",
        "/inference/v1/chat/completions",
    ],
)
def test_every_prefix_is_claimed(path: str) -> None:
    """OpenAI's path is known under the prefixes of Azure and the compatible providers."""
    assert openai_chat.matches("POST", path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/chat/completions/chatcmpl-1"),
        ("POST", "/v1/xchat/completions2"),
        ("DELETE", "/v1/chat/completions"),
    ],
)
def test_other_request_lines_are_not_claimed(method: str, path: str) -> None:
    """Stored completions, other APIs and other methods pass."""
    assert not openai_chat.matches(method, path)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=UTF-8", ""])
def test_b5_media_types_are_case_insensitive(kind: str) -> None:
    """Row B5: a JSON content type in any spelling, or none at all, is a call."""
    assert understood({"messages": MESSAGES}, kind=kind)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        pytest.param({"messages": MESSAGES}, "text/plain", "not-json", id="B4-text-plain"),
        pytest.param({"messages": MESSAGES}, "multipart/form-data; boundary=x", "not-json", id="multipart"),
        pytest.param(b"{invalid", "application/json", "not-json", id="B6-invalid"),
        pytest.param(b"", "", "not-json", id="empty"),
        pytest.param(b"\xff\xfe", "application/json", "json-not-utf8", id="not-utf8"),
        pytest.param(b'{"messages":[],"messages":[]}', "application/json", "json-duplicate-key", id="B23-duplicate"),
        pytest.param(b"[" * 9999, "application/json", "json-too-deep", id="deep"),
        pytest.param([], "application/json", "not-an-object", id="list"),
        pytest.param({"prompt": "x"}, "application/json", "no-messages", id="another-api"),
        pytest.param({"messages": []}, "application/json", "no-messages", id="no-messages"),
        pytest.param({"messages": None}, "application/json", "no-messages", id="null-messages"),
        pytest.param({"messages": "x"}, "application/json", "bad-messages", id="text-for-messages"),
        pytest.param({"messages": ["x"]}, "application/json", "bad-messages", id="text-for-a-message"),
        pytest.param({"messages": [{"content": "x"}]}, "application/json", "bad-messages", id="no-role"),
        pytest.param({"messages": [{"role": 1}]}, "application/json", "bad-messages", id="role-no-text"),
    ],
)
def test_what_is_no_call_is_passed_through(body: Any, kind: str, reason: str) -> None:
    """Rows B4, B6, B23 and their like: a bypass with its reason, and no error."""
    assert Bypass(reason) == openai_chat.call(request(body, kind=kind))


STREAM_FLAGS = [
    ("true", True),
    ("True", True),
    ("1", True),
    (1, True),
    (0.5, True),
    ("false", False),
    ("yes", False),
    (0, False),
    ([], False),
]


@pytest.mark.parametrize(("flag", "streamed"), STREAM_FLAGS)
def test_an_odd_stream_flag_is_read_as_higress_does_and_is_a_call_of_its_own(flag: Any, streamed: bool) -> None:
    """Row B21: the form is GJSON's reading; what the provider makes of it nobody knows, so it is identity."""
    odd, plain = (openai_chat.call(request({"messages": MESSAGES, "stream": each})) for each in (flag, streamed))
    assert isinstance(odd, Call)
    assert isinstance(plain, Call)
    assert odd.form == plain.form
    assert odd.content != plain.content


@make.STEADY
@given(st.binary() | make.VALUES)
def test_no_body_breaks_call(body: Any) -> None:
    """Any bytes and any JSON give a call or a bypass."""
    assert isinstance(openai_chat.call(request(body)), Call | Bypass)


@pytest.mark.parametrize(
    ("members", "form"),
    [
        ({}, JSON),
        ({"stream": None}, JSON),
        ({"stream": False, "stream_options": {"include_usage": True}}, JSON),
        ({"stream": True}, SSE),
        ({"stream": True, "stream_options": None}, SSE),
        ({"stream": True, "stream_options": {"include_usage": False}}, SSE),
        ({"stream": True, "stream_options": {"include_usage": True}}, SSE_USAGE),
    ],
)
def test_the_form_is_what_was_asked_for(members: Any, form: Form) -> None:
    """`stream` and `include_usage` decide the form and nothing else."""
    assert form == call(**members).form
    assert call().content == call(**members).content


@pytest.mark.parametrize("name", openai_chat.DENIED)
def test_the_deny_list_is_no_identity(name: str) -> None:
    """What does not change the answer does not change the content."""
    value = True if name == "stream" else {"a": "b"}
    assert call().content == call(**{name: value}).content


@pytest.mark.parametrize(
    "members",
    [
        {"model": "other"},
        {"messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]},
        {"messages": [{"role": "user", "content": "Hello "}]},
        {"temperature": 0},
        {"max_tokens": 5},
        {"tools": []},
        {"response_format": {"type": "json_object"}},
        {"unknown_field": None},
        {"stream_options": {"continuous_usage_stats": True}},
    ],
    ids=lambda members: next(iter(members)),
)
def test_everything_else_is_identity(members: Any) -> None:
    """Rows B14, B15, B17: a difference in any other field, unknown ones too, is a difference in content."""
    assert call().content != call(**members).content


def test_credentials_are_in_no_part_of_the_identity() -> None:
    """Keys in the query or in headers are left out; what chooses the answer stays, in its order."""
    found = understood({"messages": MESSAGES}, query="api-version=2024-10-21&API-KEY=s3cret&code=s3cret&a=1&a=2&b=")
    assert found.query == (("api-version", "2024-10-21"), ("a", "1"), ("a", "2"), ("b", ""))
    assert "s3cret" not in repr((found.path, found.query, found.headers, found.content))


def test_headers_that_change_the_meaning_are_kept() -> None:
    """Organization, project and beta are identity; authorization and attribution are not."""
    headers = (
        ("content-type", "application/json"),
        ("openai-project", "p"),
        ("authorization", "Bearer s3cret"),
        ("http-referer", "https://example.com"),
        ("openai-beta", "x=1"),
    )
    plain = request({"messages": MESSAGES})
    found = openai_chat.call(type(plain)(**{**{f: getattr(plain, f) for f in plain.__slots__}, "headers": headers}))
    assert isinstance(found, Call)
    assert found.headers == (("openai-beta", "x=1"), ("openai-project", "p"))


def test_two_broken_escapes_stay_two_values() -> None:
    """Query parameters that are no UTF-8 do not fall together."""
    left = understood({"messages": MESSAGES}, query="a=%ff").query
    assert left != understood({"messages": MESSAGES}, query="a=%fe").query


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Hello", "Hello", id="text"),
        pytest.param("", "", id="B7-empty"),
        pytest.param(None, "", id="null"),
        pytest.param([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb", id="text-parts"),
        pytest.param(
            [{"type": "image_url", "image_url": {"url": "u"}}],
            '[{"image_url":{"url":"u"},"type":"image_url"}]',
            id="B22-image",
        ),
        pytest.param({"a": 1}, '{"a":1}', id="object"),
        pytest.param(1.0, "1", id="number"),
    ],
)
def test_the_question_is_the_last_message(content: Any, text: str) -> None:
    """Text as it is, text parts joined, anything else as its JSON text."""
    messages = [{"role": "user", "content": "earlier"}, {"role": "user", "content": content}]
    assert text == openai_chat.question(call(messages=messages))


def test_a_message_without_content_asks_nothing() -> None:
    """An assistant turn with tool calls only has no question."""
    assert openai_chat.question(call(messages=[{"role": "assistant", "tool_calls": []}])) == ""


def test_a_refusal_looks_like_openais_errors() -> None:
    """Clients raise their own exception from it, with our message and code."""
    found = json.loads(openai_chat.refusal("nothing recorded", "aicache_miss"))
    assert found == {
        "error": {"message": "nothing recorded", "type": "aicache_refusal", "param": None, "code": "aicache_miss"}
    }


def test_vertex_has_one_path_for_chats_and_fill_ins() -> None:
    """On Vertex the path names the model, both verbs ask the same, and a body without messages fills in."""
    where = "/v1/projects/p/locations/l/publishers/mistralai/models/codestral%402"
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    whole, streamed = (understood(chat, path=where + verb) for verb in (":rawPredict", ":streamRawPredict"))
    assert (whole.model, whole.path) == ("codestral@2", where + ":rawPredict") == (streamed.model, streamed.path)
    assert openai_chat.question(whole) == "Hi"
    assert openai_chat.question(understood({"prompt": "def f("}, path=where + ":rawPredict")) == "def f("
    assert Bypass("no-prompt") == openai_chat.call(request({"document": {}}, path=where + ":rawPredict"))
