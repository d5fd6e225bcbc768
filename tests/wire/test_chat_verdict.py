"""What of a provider's replies may be stored: rows C of the conformance table."""

from __future__ import annotations

import json
from typing import Any

import chat_replies as make
import pytest
from chat_replies import call, calling, chunk, completion, json_reply, sse_reply, stream
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Complete, Form, Incomplete, Lossy, Reply, Usage
from llmcache.wire import openai_chat

JSON = Form("json")
SSE = Form("sse")
SSE_USAGE = Form("sse", frozenset({"usage"}))
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}
ANY = frozenset()


def verdict(reply: Reply, finish: frozenset[str] = ANY, **members: Any) -> str:
    """Return `complete`, or why *reply* is not."""
    found = openai_chat.judge(call(**members), reply, finish)
    return found.reason if isinstance(found, Incomplete) else "complete"


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
    pytest.param(stream(chunk({"content": "Hi"}, "stop"), 'data: {"a":1,"a":2}\n\n'), id="duplicate-key"),
    pytest.param(stream(chunk({"content": "\ud800"}, "stop")), id="lone-surrogate"),
    pytest.param(stream(chunk({"content": "a"}, "stop", id="1"), chunk({"content": "b"}, id="2")), id="ids-differ"),
]


@pytest.mark.parametrize("body", GOOD)
def test_a_whole_stream_is_complete(body: bytes) -> None:
    """Rows C1 to C11, C17, C20, C21, C25: what is whole is stored, however it is spelled."""
    assert verdict(sse_reply(body)) == "complete"


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
    pytest.param(stream(chunk({"content": "Hi"}, "stop", x_groq={"error": "stopped"})), "error-event", id="C14-groq"),
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
    pytest.param(stream(chunk(calling('{"a":'), "tool_calls")), "tool-arguments", id="C16-cut-call"),
    pytest.param(stream(chunk(calling('{"a":'))), "truncated", id="C16-interrupted-call"),
    pytest.param(stream(chunk({"content": "Hi"}, "stop")) + stream(chunk()), "after-done", id="more-after-done"),
    pytest.param(stream("data: nonsense\n\n"), "bad-event", id="no-json"),
    pytest.param(stream("data: [1]\n\n"), "bad-event", id="no-object"),
    pytest.param(stream(chunk(json.loads('{"x":' * 150 + "1" + "}" * 150), "stop")), "empty", id="deep"),
    pytest.param(stream('data: {"x":' + "[" * 300 + "]" * 300 + "}\n\n"), "bad-event", id="too-deep"),
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
        pytest.param(completion(finish="normal"), "complete", id="qianfan"),
        pytest.param(completion({"role": "assistant", "content": None}), "empty", id="C21-null"),
        pytest.param(completion({"role": "assistant", "content": " "}), "empty", id="C22-blank"),
        pytest.param(
            completion({"content": None, "function_call": {"name": "", "arguments": ""}}), "empty", id="blank"
        ),
        pytest.param(completion({"function_call": {"name": "f", "arguments": "{}"}}), "complete", id="function"),
        pytest.param(
            completion({"function_call": {"name": "f", "arguments": "{"}}), "tool-arguments", id="cut-function"
        ),
        pytest.param(completion({"content": None, **calling("", "{}")}, "tool_calls"), "complete", id="C16-tool-calls"),
        pytest.param(completion(calling("{}", "nope"), "tool_calls"), "tool-arguments", id="C16-bad-arguments"),
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


@make.STEADY
@given(st.binary(max_size=60) | make.VALUES | make.VALUES.map(lambda value: completion(choices=[value])))
def test_judge_survives_any_json(body: Any) -> None:
    """Whatever a provider sends, there is a verdict."""
    assert isinstance(openai_chat.judge(call(), json_reply(body), ANY), Complete | Incomplete)


@make.STEADY
@given(st.lists(st.dictionaries(st.sampled_from(["delta", "index", "finish_reason"]), make.VALUES), max_size=3))
def test_judge_survives_any_chunks(choices: Any) -> None:
    """The same for streams, whose merging must not stumble over odd types; converting is done or `Lossy`."""
    odd = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 1}}, 5]}}, *choices]}
    reply = sse_reply(stream(odd, {"choices": choices}, chunk({"content": "Hi", "tool_calls": "x"}, "stop")))
    assert isinstance(openai_chat.judge(call(), reply, ANY), Complete | Incomplete)
    with pytest.raises(Lossy):
        openai_chat.convert(reply, SSE, JSON)
