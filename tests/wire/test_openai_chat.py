"""OpenAI chat completions: what is a call, what may be stored, and how one answer is written in both forms."""

from __future__ import annotations

import json
import re
from typing import Any

import chat_replies as make
import pytest
from chat_replies import MESSAGES, call, chunk, completion, json_reply, request, sse_reply, stream
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Usage
from llmcache.framing import parse_sse
from llmcache.wire import openai_chat
from llmcache.wire.chat_assemble import assemble
from llmcache.wire.chat_explode import MAX_PIECES, explode

JSON = Form("json")
SSE = Form("sse")
SSE_USAGE = Form("sse", frozenset({"usage"}))
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}
ANY = frozenset()


def understood(body: Any, **more: Any) -> Call:
    """Return the call that *body* makes."""
    found = openai_chat.call(request(body, **more))
    assert isinstance(found, Call)
    return found


def verdict(reply: Reply, finish: frozenset[str] = ANY, **members: Any) -> str:
    """Return `complete`, or why *reply* is not."""
    found = openai_chat.judge(call(**members), reply, finish)
    return found.reason if isinstance(found, Incomplete) else "complete"


# What is a call


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
        pytest.param({"messages": MESSAGES, "stream": "true"}, "", "stream-not-bool", id="B21-text"),
        pytest.param({"messages": MESSAGES, "stream": 1}, "", "stream-not-bool", id="B21-number"),
    ],
)
def test_what_is_no_call_is_passed_through(body: Any, kind: str, reason: str) -> None:
    """Rows B4, B6, B21, B23 and their like: a bypass with its reason, and no error."""
    assert Bypass(reason) == openai_chat.call(request(body, kind=kind))


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


# What may be stored: rows C

GOOD = [
    pytest.param(stream(chunk({"content": "Hi"}), chunk(finish="stop")), id="C1-one-event-a-chunk"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done="data: [DONE]"), id="C10-no-line-end"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done="data: [DONE]\n"), id="C10-no-blank-line"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done="data:[DONE]\r\n\r\n"), id="no-space-crlf"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done="data: [DONE]\n\n: bye\n\n\n"), id="comment-after"),
    pytest.param(stream(": ping\n\n", chunk({"content": "Hi"}, "stop"), ": ping\n\n"), id="C11-comments"),
    pytest.param(stream("retry: 10\n\n", "data:\n\n", chunk({"content": "Hi"}, "stop")), id="C11-retry-empty-data"),
    pytest.param(b"\xef\xbb\xbf" + stream(chunk({"content": "Hi"}, "stop")), id="C11-bom"),
    pytest.param(stream("event: x\r\n", chunk({"content": "Hi"}, "stop")), id="C11-event-line-crlf"),
    pytest.param(stream(chunk({"role": "assistant"}), chunk({"content": "Hi"}), chunk(finish="stop")), id="role-first"),
    pytest.param(
        stream({"choices": [], "prompt_filter_results": []}, chunk({"content": "Hi"}, "stop")), id="azure-no-choices"
    ),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), {"choices": [], "usage": USAGE}), id="usage-last"),
    pytest.param(stream(chunk({"content": "Say [DONE]"}), chunk(finish="stop")), id="C25-done-inside"),
    pytest.param(stream(chunk({"content": "[DONE]"}), chunk(finish="stop")), id="C25-done-as-text"),
    pytest.param(
        stream("data: {\ndata: " + json.dumps(chunk({"content": "Hi"}, "stop"))[1:] + "\n\n"), id="C20-multi-line"
    ),
    pytest.param(
        stream(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "stop", 1)), id="C17-choices-interleaved"
    ),
    pytest.param(stream(chunk({"refusal": "No."}, "stop")), id="refusal"),
    pytest.param(stream(chunk({"audio": {"id": "a", "transcript": "Hi"}}, "stop")), id="audio"),
    pytest.param(stream(chunk({"content": [{"type": "text", "text": "Hi"}]}, "stop")), id="C21-parts"),
    pytest.param(stream(chunk({"content": "a"}, "stop", id="1"), chunk({"content": "b"}, id="2")), id="ids-differ"),
]


@pytest.mark.parametrize("body", GOOD)
def test_a_whole_stream_is_complete(body: bytes) -> None:
    """Rows C1 to C11, C17, C20, C21, C25: what is whole is stored, however it is spelled."""
    assert verdict(sse_reply(body)) == "complete"


def _calls(*arguments: str) -> dict[str, Any]:
    calls = [
        {"index": at, "id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": text}}
        for at, text in enumerate(arguments)
    ]
    return {"tool_calls": calls}


def _error(message: str = "overloaded") -> dict[str, Any]:
    return {"error": {"message": message}}


BAD = [
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done=""), "truncated", id="C12-no-terminator"),
    pytest.param(stream(chunk({"content": "Hi"}), done=""), "truncated", id="C12-half"),
    pytest.param(stream(chunk({"content": "Hi"})), "truncated", id="no-finish-reason"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), done="data: [DON"), "truncated", id="C13-cut-terminator"),
    pytest.param(stream(chunk({"content": "Hi"}), 'data: {"id":', done=""), "truncated", id="C13-cut-event"),
    pytest.param(stream(chunk({"content": "é"}), done="data: é")[:-1], "truncated", id="C13-cut-in-utf8"),
    pytest.param(b"", "truncated", id="nothing"),
    pytest.param(stream(), "choices-missing", id="done-only"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), _error()), "error-event", id="C14-error"),
    pytest.param(stream("event: error\ndata: boom\n\n"), "error-event", id="C14-named-error"),
    pytest.param(stream("event: error\ndata: {}\n", done=""), "error-event", id="C14-named-error-unterminated"),
    pytest.param(stream(chunk({"content": "Hi"}, "length")), "finish-length", id="C15-length"),
    pytest.param(stream(chunk({"content": "Hi"}, "content_filter")), "finish-content_filter", id="C15-filter"),
    pytest.param(stream(chunk({"content": "Hi"}, "error")), "finish-error", id="openrouter-error"),
    pytest.param(stream(chunk({"content": "Hi"}, "new\nreason")), "finish-unknown", id="no-slug"),
    pytest.param(stream(chunk({"content": "Hi"}, {"type": "stop"})), "finish-unknown", id="no-text"),
    pytest.param(stream(chunk({"content": " \n\t"}, "stop")), "empty", id="C22-blank"),
    pytest.param(stream(chunk({"reasoning_content": "Hm."}, "stop")), "empty", id="reasoning-only"),
    pytest.param(stream(chunk(finish="stop")), "empty", id="nothing-said"),
    pytest.param(stream(chunk(_calls('{"a":'), "tool_calls")), "tool-arguments", id="C16-cut-call"),
    pytest.param(stream(chunk(_calls('{"a":'))), "truncated", id="C16-interrupted-call"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop")) + stream(chunk()), "after-done", id="more-after-done"),
    pytest.param(stream("data: nonsense\n\n"), "bad-event", id="no-json"),
    pytest.param(stream("data: [1]\n\n"), "bad-event", id="no-object"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), 'data: {"a":1,"a":2}\n\n'), "bad-event", id="duplicate"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop")).replace(b"Hi", b"\xff"), "bad-event", id="not-utf8"),
]


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_a_stream_that_is_not_whole_and_good_is_not_stored(body: bytes, reason: str) -> None:
    """Rows C12 to C16, C22: cut, failed, filtered and empty streams are told apart and refused."""
    assert reason == verdict(sse_reply(body))


@pytest.mark.parametrize("status", [201, 206, 301, 400, 401, 429, 500, 503])
def test_c18_only_200_is_stored(status: int) -> None:
    """Row C18: a good body under another status is not stored."""
    body = json_reply(completion())
    assert f"status-{status}" == verdict(Reply(status, body.headers, body.body))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(completion(), "complete", id="good"),
        pytest.param(b'{"choices":[', "not-json", id="cut"),
        pytest.param(b"<html>", "not-json", id="html"),
        pytest.param([], "not-an-object", id="list"),
        pytest.param(_error(), "error-body", id="error"),
        pytest.param(completion(error={"message": "x"}), "error-body", id="error-beside-choices"),
        pytest.param(completion(error=None), "complete", id="null-error"),
        pytest.param({}, "choices-missing", id="no-choices"),
        pytest.param(completion(choices=[]), "choices-missing", id="empty-choices"),
        pytest.param(completion(choices=["x"]), "choices-missing", id="choices-no-objects"),
        pytest.param(completion(finish="length"), "finish-length", id="C15-length"),
        pytest.param(completion(finish="content_filter"), "finish-content_filter", id="C15-filter"),
        pytest.param(completion(finish="insufficient_system_resource"), "finish-insufficient_system_resource", id="ds"),
        pytest.param(completion(finish=None), "truncated", id="null-finish"),
        pytest.param(completion(finish="eos"), "complete", id="together"),
        pytest.param(completion({"role": "assistant", "content": None}), "empty", id="C21-null"),
        pytest.param(completion({"role": "assistant", "content": " "}), "empty", id="C22-blank"),
        pytest.param(
            completion({"content": None, "function_call": {"name": "", "arguments": ""}}), "empty", id="blank"
        ),
        pytest.param(completion({"function_call": {"name": "f", "arguments": "{}"}}), "complete", id="function"),
        pytest.param(
            completion({"function_call": {"name": "f", "arguments": "{"}}), "tool-arguments", id="cut-function"
        ),
        pytest.param(completion({"content": None, **_calls("", "{}")}, "tool_calls"), "complete", id="C16-tool-calls"),
        pytest.param(completion(_calls("{}", "nope"), "tool_calls"), "tool-arguments", id="C16-bad-arguments"),
        pytest.param(
            completion({"tool_calls": [{"type": "custom", "custom": {"name": "sh", "input": "{ls"}}]}, "tool_calls"),
            "complete",
            id="custom-tools-are-free-text",
        ),
    ],
)
def test_a_json_body_is_judged_alike(body: Any, reason: str) -> None:
    """Rows C15, C16, C18, C21, C22 for whole bodies."""
    assert reason == verdict(json_reply(body))


@pytest.mark.parametrize(("asked", "reason"), [(1, "complete"), (2, "choices-missing"), (None, "complete")])
def test_the_number_of_choices_is_what_was_asked(asked: Any, reason: str) -> None:
    """A reply that lacks choices is not whole."""
    assert reason == verdict(json_reply(completion()), n=asked)


def test_further_finish_reasons_can_be_accepted() -> None:
    """What the user calls good enough is good enough."""
    assert verdict(json_reply(completion(finish="length")), frozenset({"length"})) == "complete"


@pytest.mark.parametrize(
    ("limit", "reason"), [({}, "complete"), ({"max_tokens": 4}, "complete"), ({"max_tokens": 3}, "finish-unnamed")]
)
def test_an_unnamed_finish_needs_a_proof(limit: Any, reason: str) -> None:
    """A provider that names no finish reason is believed when the usage is below the limit."""
    assert reason == verdict(json_reply(completion(finish="")), **limit)


def test_an_unnamed_finish_without_usage_is_not_believed() -> None:
    """Without a count nothing shows that the answer is whole."""
    assert verdict(json_reply(completion(finish="", usage=None))) == "finish-unnamed"


def test_a_mislabelled_stream_is_understood() -> None:
    """A gateway that calls a stream JSON, or a JSON body anything else, is judged by what it sent."""
    body = stream(chunk({"content": "Hi"}, "stop"))
    assert openai_chat.judge(call(), Reply(200, make.JSON, body), ANY) == Complete(Usage(), "m")
    assert Form("sse") == openai_chat.reply_form(call(), Reply(200, make.JSON, body))
    assert verdict(Reply(200, (), json_reply(completion()).body)) == "complete"


def test_the_form_of_a_reply_is_what_it_is() -> None:
    """A provider that answers a stream request with JSON is recorded as JSON."""
    asked = call(stream=True, stream_options={"include_usage": True})
    assert openai_chat.reply_form(asked, json_reply(completion())) == JSON
    assert openai_chat.reply_form(asked, sse_reply(stream())) == SSE_USAGE


@pytest.mark.parametrize(
    ("top", "usage"),
    [
        pytest.param({"usage": {"prompt_tokens": 5, "completion_tokens": 3}}, Usage(5, 3), id="openai"),
        pytest.param(
            {"usage": {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}},
            Usage(5, 3, 2),
            id="cached",
        ),
        pytest.param({"usage": {"prompt_tokens": 5, "prompt_cache_hit_tokens": 4}}, Usage(5, 0, 4), id="deepseek"),
        pytest.param({"usage": None, "x_groq": {"usage": {"prompt_tokens": 7}}}, Usage(7), id="groq"),
        pytest.param({"usage": {"prompt_tokens": "5", "completion_tokens": -1}}, Usage(), id="nonsense"),
        pytest.param({"usage": None}, Usage(), id="none"),
    ],
)
def test_usage_and_model_are_read(top: Any, usage: Usage) -> None:
    """Tokens are found wherever the provider counts them."""
    assert Complete(usage, "gpt-5-2026") == openai_chat.judge(call(), json_reply(completion(**top)), ANY)


@given(st.binary(max_size=60) | make.VALUES | make.VALUES.map(lambda value: completion(choices=[value])))
def test_judge_survives_any_json(body: Any) -> None:
    """Whatever a provider sends, there is a verdict."""
    assert isinstance(openai_chat.judge(call(), json_reply(body), ANY), Complete | Incomplete)


@given(st.lists(st.dictionaries(st.sampled_from(["delta", "index", "finish_reason"]), make.VALUES), max_size=3))
def test_judge_survives_any_chunks(choices: Any) -> None:
    """The same for streams, whose merging must not stumble over odd types; converting is done or `Lossy`."""
    odd = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 1}}, 5]}}, *choices]}
    reply = sse_reply(stream(odd, {"choices": choices}, chunk({"content": "Hi", "tool_calls": "x"}, "stop")))
    assert isinstance(openai_chat.judge(call(), reply, ANY), Complete | Incomplete)
    with pytest.raises(Lossy):
        openai_chat.convert(reply, SSE, JSON)


# One answer in both forms: rows R


@given(make.completions())
def test_a_json_body_survives_the_stream(body: dict[str, Any]) -> None:
    """Row R1: exploding a body and assembling the stream gives the same body, whatever vendors put into it."""
    raw = json_reply(body)
    there = openai_chat.convert(raw, JSON, SSE_USAGE)
    back = openai_chat.convert(there, SSE_USAGE, JSON)
    assert json.dumps(body, sort_keys=True) == json.dumps(json.loads(back.body), sort_keys=True)
    assert len(there.body) == sum(length for _, length in there.chunks)


@given(make.completions())
def test_r3_usage_only_when_asked_for(body: dict[str, Any]) -> None:
    """Row R3: usage is a last chunk without choices when asked for, else it is nowhere; the rest is byte-equal."""
    raw = json_reply(body)
    full = openai_chat.convert(raw, JSON, SSE_USAGE)
    chunks = [json.loads(event.data) for event in parse_sse(full.body)[:-1]]
    assert chunks[-1]["choices"] == []
    assert all(each["usage"] is None for each in chunks[:-1])
    plain = openai_chat.convert(raw, JSON, SSE)
    assert plain == openai_chat.convert(full, SSE_USAGE, SSE)


@given(make.completions())
def test_r6_chunks_are_what_clients_expect(body: dict[str, Any]) -> None:
    """Row R6: each chunk has the stream's fields, a delta and an index; `[DONE]` ends it; pieces are bounded."""
    events = parse_sse(b"".join(explode(body, SSE)))
    assert events[-1].data == "[DONE]"
    for event in events[:-1]:
        written = json.loads(event.data)
        assert (written["id"], written["object"]) == ("chatcmpl-1", "chat.completion.chunk")
        assert all(isinstance(each["delta"], dict) and "index" in each for each in written["choices"])
    texts = sum(isinstance(each, str) for choice in body["choices"] for each in choice["message"].values())
    calls = sum(len(choice["message"].get("tool_calls") or ()) for choice in body["choices"])
    assert len(events) <= 1 + (2 + 4) * len(body["choices"]) + MAX_PIECES * (texts + calls + 2 * len(body["choices"]))


@pytest.mark.parametrize(
    "text", ['ends with "', "\x1b\x0b\x7f\U000e0041", "\ud800", "a\r\nb\u2028c", "data: [DONE]\n\n"]
)
def test_r2_any_text_comes_back(text: str) -> None:
    """Row R2: control characters, quotes and lone surrogates are valid JSON and equal after decoding."""
    body = completion({"role": "assistant", "content": text})
    assert text == assemble(b"".join(explode(body, SSE)))["choices"][0]["message"]["content"]


def test_a_long_answer_comes_in_pieces() -> None:
    """Text is cut at word borders, and not into too many pieces."""
    body = completion({"role": "assistant", "content": "word " * 1000})
    deltas = [json.loads(each[6:])["choices"][0]["delta"] for each in explode(body, SSE)[:-1]]
    pieces = [delta["content"] for delta in deltas if delta.get("content")]
    assert 10 < len(pieces) <= MAX_PIECES
    assert all(piece.endswith(" ") for piece in pieces)


def test_log_probabilities_go_with_their_tokens() -> None:
    """Tokens that spell the content are cut as the content is."""
    tokens = [{"token": text, "logprob": -0.5, "bytes": None} for text in ("Hi", " there", "!")]
    body = completion()
    body["choices"][0]["logprobs"] = {"content": tokens, "refusal": None}
    choices = [json.loads(each[6:])["choices"][0] for each in explode(body, SSE)[:-1]]
    spoken = [each for each in choices if each["delta"].get("content")]
    assert [each["delta"]["content"] for each in spoken] == [
        "".join(token["token"] for token in each["logprobs"]["content"]) for each in spoken
    ]
    assert tokens == assemble(b"".join(explode(body, SSE)))["choices"][0]["logprobs"]["content"]


def test_calls_that_carry_their_position_are_not_lost() -> None:
    """DeepSeek and Mistral number tool calls in JSON too; every stream says that number, so nothing is lost."""
    calls = _calls("{}", '{"a":1}')
    body = completion({"role": "assistant", "content": "", **calls}, "tool_calls")
    deltas = [json.loads(each[6:])["choices"][0]["delta"] for each in explode(body, SSE)[:-1]]
    assert {0, 1} == {each["index"] for delta in deltas for each in delta.get("tool_calls", [])}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(completion(usage=None), "usage", id="no-usage"),
        pytest.param(completion(choices=[]), "choices", id="no-choices"),
        pytest.param(completion(choices=[{"index": 0}]), "choices", id="no-message"),
        pytest.param(completion({"tool_calls": [{"index": 3, "id": "a"}]}), "tool_calls", id="call-out-of-place"),
        pytest.param(completion({"tool_calls": ["x"]}), "tool_calls", id="call-no-object"),
        pytest.param(completion(obfuscation="abc"), "obfuscation", id="padding-in-json"),
        pytest.param(completion(object="chat.completion.chunk"), "object", id="calls-itself-chunk"),
        pytest.param([1], "body", id="no-object"),
    ],
)
def test_what_a_stream_cannot_carry_is_lossy(body: Any, field: str) -> None:
    """The conversion is refused with the name of the field."""
    with pytest.raises(Lossy, match=rf"^{re.escape(field)}$"):
        openai_chat.convert(json_reply(body), JSON, SSE_USAGE)


@pytest.mark.parametrize(
    ("events", "field"),
    [
        pytest.param([chunk({"content": "a"}, "stop")], "usage", id="no-usage"),
        pytest.param([chunk({"content": "a"}, "stop", usage=USAGE), chunk(id="other")], "id", id="two-ids"),
        pytest.param([chunk(usage=USAGE, x=[1]), chunk(x=[2])], "x", id="vendor-list-changes"),
        pytest.param([chunk({"x": "a"}, usage=USAGE), chunk({"x": "b"})], "delta.x", id="unknown-text"),
        pytest.param([chunk(finish="stop", usage=USAGE), chunk(finish="length")], "finish_reason", id="two-reasons"),
        pytest.param([chunk({"x": 1}, usage=USAGE), chunk({"x": True})], "delta.x", id="true-is-not-1"),
    ],
)
def test_chunks_that_contradict_each_other_are_lossy(events: Any, field: str) -> None:
    """What is not one body is not made one."""
    with pytest.raises(Lossy, match=rf"^{re.escape(field)}$"):
        openai_chat.convert(sse_reply(stream(*events)), SSE, JSON)


def _fragment(arguments: str, index: Any = 0, ident: str | None = None, name: str | None = None) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    call = {"function": function} | ({"id": ident} if ident is not None else {})
    return chunk({"tool_calls": [call | ({} if index is None else {"index": index})]})


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        pytest.param(
            [_fragment("", 0, "a", "f"), _fragment("", 1, "b", "g"), _fragment("{}", 1), _fragment("[]", 0)],
            [("a", "f", "[]"), ("b", "g", "{}")],
            id="openai-interleaved",
        ),
        pytest.param(
            [_fragment('{"x":1}', 0, "a", "f"), _fragment("{}", 0, "b", "f")],
            [("a", "f", '{"x":1}'), ("b", "f", "{}")],
            id="gemini-all-zero",
        ),
        pytest.param(
            [_fragment("{}", None, "a", "f"), _fragment("{}", None, "b", "g")],
            [("a", "f", "{}"), ("b", "g", "{}")],
            id="gemini-no-index",
        ),
        pytest.param(
            [_fragment("{}", 0, "", "f"), _fragment("{}", 0, "", "f")],
            [("", "f", "{}"), ("", "f", "{}")],
            id="gemini-no-ids",
        ),
        pytest.param(
            [_fragment('{"x"', 0, "a", "f"), _fragment(":1}", 0, "a", "f")],
            [("a", "f", '{"x":1}')],
            id="id-and-name-repeated",
        ),
        pytest.param([_fragment('{"x"', 0, "a", "f"), _fragment(":1}", 0, "")], [("a", "f", '{"x":1}')], id="blank-id"),
        pytest.param([_fragment("[", 0, "a", "f"), _fragment("]", None)], [("a", "f", "[]")], id="goes-on-unnumbered"),
        pytest.param(
            [_fragment("{}", 2, "b", "g"), _fragment("{}", 1, "a", "f")],
            [("a", "f", "{}"), ("b", "g", "{}")],
            id="sglang-other-numbers",
        ),
    ],
)
def test_tool_calls_are_gathered(fragments: Any, calls: Any) -> None:
    """Fragments find their call, also with providers that do not number them as OpenAI does."""
    body = assemble(stream(*fragments, chunk(finish="tool_calls")))
    found = body["choices"][0]["message"]["tool_calls"]
    assert calls == [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in found]
    assert not any("index" in each for each in found)


def test_two_fragments_in_one_chunk_are_one_call() -> None:
    """A chunk may bring more than one fragment of a call."""
    both = chunk({"tool_calls": [_fragment("[", 0, "a", "f"), _fragment("]", 0)]})
    both["choices"][0]["delta"]["tool_calls"] = [
        each["choices"][0]["delta"]["tool_calls"][0] for each in both["choices"][0]["delta"]["tool_calls"]
    ]
    assert assemble(stream(both))["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "[]"


def test_the_same_form_is_the_same_object() -> None:
    """Row R1: what was asked for as it was recorded is not touched."""
    reply = sse_reply(stream(chunk({"content": "Hi"}, "stop")))
    assert reply is openai_chat.convert(reply, SSE, SSE)
    assert reply is openai_chat.convert(reply, SSE_USAGE, SSE_USAGE)


def test_usage_is_cut_out_of_a_stream_and_nothing_else() -> None:
    """Comments, names, line ends and times stay; only the usage chunk and the nulls go."""
    null, last = chunk({"content": "Hé"}, "stop", usage=None), {"choices": [], "usage": USAGE}
    ending = 'event: x\r\ndata: {"choices": [{"index": 0}] , "usage" : null, "z": 1}\r\n\r\n: bye\n\n'
    body = stream(": hi\n\n", null, ending, last)
    reply = Reply(200, make.EVENTS, body, tuple((at, len(body[at : at + 7])) for at in range(0, len(body), 7)))
    found = openai_chat.convert(reply, SSE_USAGE, SSE)
    plain = json.dumps(null).replace(', "usage": null', "")
    kept = 'event: x\r\ndata: {"choices": [{"index": 0}] , "z": 1}\r\n\r\n: bye\n\n'
    assert stream(": hi\n\n", f"data: {plain}\n\n", kept) == found.body
    assert len(found.body) == sum(length for _, length in found.chunks)
    assert [when for when, _ in found.chunks] == sorted(when for when, _ in found.chunks)


def test_usage_that_came_unasked_is_served_to_who_asks() -> None:
    """Mistral, DeepSeek and Groq count without being asked."""
    reply = sse_reply(stream(chunk({"content": "Hi"}, "stop", usage=USAGE)))
    assert reply is openai_chat.convert(reply, SSE, SSE_USAGE)


def test_usage_that_never_came_is_lossy() -> None:
    """A stream recorded without usage cannot answer who asks for it."""
    with pytest.raises(Lossy, match="^usage$"):
        openai_chat.convert(sse_reply(stream(chunk({"content": "Hi"}, "stop"))), SSE, SSE_USAGE)


@pytest.mark.parametrize(
    ("recorded", "wanted", "kind"),
    [(JSON, SSE, "text/event-stream; charset=utf-8"), (SSE, JSON, "application/json")],
)
def test_the_content_type_follows_the_form(recorded: Form, wanted: Form, kind: str) -> None:
    """The other headers stay as they were."""
    body = stream(chunk({"content": "Hi"}, "stop", usage=USAGE)) if recorded.streamed else json_reply(completion()).body
    reply = Reply(200, (("content-type", "x/y"), ("x-request-id", "1")), body)
    assert (("x-request-id", "1"), ("content-type", kind)) == openai_chat.convert(reply, recorded, wanted).headers


def test_an_unknown_form_is_lossy() -> None:
    """Chat completions have two forms."""
    with pytest.raises(Lossy, match="^ndjson$"):
        openai_chat.convert(json_reply(completion()), JSON, Form("ndjson"))


def test_a_refusal_looks_like_openais_errors() -> None:
    """Clients raise their own exception from it, with our message and code."""
    found = json.loads(openai_chat.refusal("nothing recorded", "aicache_miss"))
    assert found == {
        "error": {"message": "nothing recorded", "type": "aicache_refusal", "param": None, "code": "aicache_miss"}
    }
