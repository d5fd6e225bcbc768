"""OpenAI Responses: what is a call, what is its identity, when is a reply good, and how is it written again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses_replies as make
from chat_replies import STEADY, VALUES
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.framing import parse_sse
from llmcache.scope import Scope
from llmcache.wire import openai_responses
from responses_replies import BASE, event, message, request, response, stream, whole

JSON = Form("json")
SSE = Form("sse")
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"{", "not-json", id="no-json"),
        pytest.param([], "not-an-object", id="list"),
        pytest.param({}, "no-input", id="nothing-asked"),
        pytest.param({"input": []}, "no-input", id="empty-input"),
        pytest.param({"input": 1}, "bad-input", id="number"),
        pytest.param({"input": ["x"]}, "bad-input", id="item-no-object"),
        pytest.param(BASE | {"background": True}, "background", id="background"),
        pytest.param(BASE | {"conversation": "conv_1"}, "conversation", id="conversation"),
        pytest.param(BASE | {"conversation": {"id": "conv_1"}}, "conversation", id="conversation-object"),
        pytest.param(BASE | {"stream": "true"}, "stream-not-bool", id="stream-text"),
    ],
)
def test_what_is_no_call_is_passed_through(body: Any, reason: str) -> None:
    """What cannot be read, and what depends on a state that changes, goes on untouched with its reason."""
    assert Bypass(reason) == openai_responses.call(request(body))


@STEADY
@given(st.binary() | VALUES)
def test_no_body_breaks_call(body: Any) -> None:
    """Any bytes and any JSON give a call or a bypass."""
    assert isinstance(openai_responses.call(request(body)), Call | Bypass)


def key_of(asked: Request) -> str:
    """Return the key of a request."""
    found = openai_responses.call(asked)
    assert not isinstance(found, Bypass), found
    return fingerprint.key(fingerprint.identity(found, Scope(b"a secret")))


FIELDS: dict[str, Any] = {
    "model": "gpt-5-mini",
    "input": [{"role": "user", "content": "Hello"}],
    "instructions": "Be brief.",
    "previous_response_id": "resp_1",
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 10,
    "max_tool_calls": 1,
    "parallel_tool_calls": False,
    "prompt": {"id": "pmpt_1", "version": "2"},
    "reasoning": {"effort": "low"},
    "service_tier": "flex",
    "temperature": 0,
    "text": {"format": {"type": "json_object"}},
    "tool_choice": "none",
    "tools": [{"type": "web_search"}],
    "top_logprobs": 2,
    "top_p": 0.5,
    "truncation": "auto",
    "context_management": [{"type": "compaction"}],
    "moderation": {"model": "omni"},
    "a field of tomorrow": 1,
    "stream_options": {"a field of tomorrow": True},
}
"""Field -> a value that makes another call. The fields are those of OpenAI's "Create a model response" page."""


@pytest.mark.parametrize("name", FIELDS)
def test_every_documented_field_is_identity(name: str) -> None:
    """A call that differs in one field has another key."""
    assert key_of(request(BASE)) != key_of(request(BASE | {name: FIELDS[name]}))


@pytest.mark.parametrize("name", openai_responses.DENIED)
def test_the_deny_list_is_no_identity(name: str) -> None:
    """What is declared meaningless does not make another call."""
    value = True if name == "stream" else "x"
    assert key_of(request(BASE)) == key_of(request(BASE | {name: value}))


def test_spelling_is_no_identity() -> None:
    """The order of keys, white space, padding and a key in the query do not make another call."""
    body = json.dumps(dict(reversed(BASE.items())), indent=2).encode()
    options = BASE | {"stream": True, "stream_options": {"include_obfuscation": False}}
    assert key_of(request(BASE)) == key_of(request(body)) == key_of(request(options))


@pytest.mark.parametrize(
    "other",
    [
        request(BASE, path="/openai/v1/responses"),
        request(BASE, query="api-version=2026-01-01"),
        request(BASE, openai_project="p"),
        request(BASE, openai_organization="o"),
        request(BASE, openai_beta="b"),
        request(BASE, authorization="Bearer other"),
    ],
    ids=["path", "api-version", "project", "organization", "beta", "credential"],
)
def test_where_and_who_is_identity(other: Request) -> None:
    """Path, API version, project and credential make another call."""
    assert key_of(request(BASE)) != key_of(other)


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        ({"input": "Why?"}, "Why?"),
        ({"input": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}, "b"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "b"}] * 2}]}, "b\nb"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "21 °C"}]}, "21 °C"),
        ({"input": [{"type": "item_reference", "id": "i"}]}, '{"id":"i","type":"item_reference"}'),
        ({"input": None, "prompt": {"id": "p"}}, '{"id":"p"}'),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            '[{"file_id":"f","type":"input_image"}]',
        ),
    ],
)
def test_the_question_is_the_last_item(members: dict[str, Any], asked: str) -> None:
    """A text is itself; what is no text is asked as JSON, so that every call has a question."""
    assert asked == openai_responses.question(make.call(**members))


GOOD = stream(event("response.created", response={}), event("response.completed", response=response()))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(whole(response()), id="json"),
        pytest.param(GOOD, id="stream"),
        pytest.param(Reply(200, make.EVENTS, GOOD.body + b"data: [DONE]\n\n"), id="done-appended"),
        pytest.param(Reply(200, make.EVENTS, GOOD.body.rstrip()), id="last-blank-line-missing"),
        pytest.param(Reply(200, make.JSON, b": keep-alive\n\n" + GOOD.body), id="comment-and-wrong-type"),
    ],
)
def test_a_whole_answer_is_complete(reply: Reply) -> None:
    """A response that completed is stored with its usage and model, whatever its form."""
    assert Complete(Usage(5, 3, 2), "gpt-5-2026") == openai_responses.judge(make.call(), reply, NONE)


CALLED = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    "item",
    [
        CALLED,
        CALLED | {"arguments": ""},
        CALLED | {"status": "in_progress", "caller": {"type": "program", "id": "p"}},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "free text"},
        {"type": "image_generation_call", "id": "i", "status": "completed", "result": "aGk="},
        {"type": "mcp_approval_request", "id": "m", "arguments": "{}", "name": "f"},
        {"type": "computer_call", "id": "c", "action": {"type": "wait"}},
        message({"type": "refusal", "refusal": "No."}),
        {"type": "of_tomorrow"},
    ],
    ids=lambda item: item["type"],
)
def test_what_asks_or_answers_is_an_answer(item: dict[str, Any]) -> None:
    """Calls for the client's tools, pictures and refusals are answers without a text."""
    thought = {"type": "reasoning", "id": "r", "summary": []}
    assert isinstance(openai_responses.judge(make.call(), whole(response(thought, item)), NONE), Complete)


INCOMPLETE = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
BROKEN: dict[str, tuple[Reply, str]] = {
    "status": (Reply(429, make.JSON, b"{}"), "status-429"),
    "no json": (whole(b"<html>"), "not-json"),
    "list": (whole([]), "not-an-object"),
    "error": (whole({"error": {"message": "x"}}), "error-body"),
    "failed": (whole(response(status="failed")), "error-body"),
    "cancelled": (whole(response(status="cancelled")), "finish-cancelled"),
    "queued": (whole(response(status="queued")), "truncated"),
    "in progress": (whole(response(status="in_progress")), "truncated"),
    "no status": (whole({"output": [message()]}), "finish-unknown"),
    "incomplete": (whole(INCOMPLETE), "finish-max_output_tokens"),
    "incomplete without a reason": (whole(response(status="incomplete")), "finish-unknown"),
    "no output": (whole(response() | {"output": []}), "empty"),
    "reasoning only": (whole(response({"type": "reasoning", "summary": []})), "empty"),
    "search only": (whole(response({"type": "web_search_call", "status": "completed"})), "empty"),
    "blank text": (whole(response(message({"type": "output_text", "text": " \n"}))), "empty"),
    "bad item": (whole(response() | {"output": ["x"]}), "bad-output"),
    "cut message": (whole(response(message(status="incomplete"))), "truncated"),
    "cut arguments": (whole(response(CALLED | {"arguments": '{"a": '})), "tool-arguments"),
    "error event": (
        stream(event("error", message="x"), event("response.completed", response=response())),
        "error-event",
    ),
    "error payload": (stream(b'data: {"error": {"message": "x"}}\n\n'), "error-event"),
    "failed event": (stream(event("response.failed", response=response(status="failed"))), "error-event"),
    "incomplete event": (stream(event("response.incomplete", response=INCOMPLETE)), "finish-max_output_tokens"),
    "no end": (stream(event("response.created", response={})), "truncated"),
    "nothing": (Reply(200, make.EVENTS, b""), "truncated"),
    "only done": (stream(b"data: [DONE]\n\n"), "truncated"),
    "no object": (stream(event("response.created"), b"data: 1\n\n"), "bad-event"),
    "end without response": (stream(event("response.completed")), "bad-event"),
    "goes on": (stream(event("response.completed", response=response()), event("response.created")), "after-done"),
    "no utf-8": (stream(event("response.completed", response=response()).replace(b"Hi", b"\xff")), "bad-event"),
}


@pytest.mark.parametrize(("reply", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_whole_and_good_is_not_stored(reply: Reply, reason: str) -> None:
    """Failed, cut, unfinished and empty answers are refused, each with its reason."""
    assert Incomplete(reason) == openai_responses.judge(make.call(), reply, NONE)


@pytest.mark.parametrize("reply", [BROKEN["incomplete"][0], BROKEN["incomplete event"][0]], ids=["json", "stream"])
def test_a_configured_reason_is_accepted(reply: Reply) -> None:
    """Who wants answers that hit the limit stored gets them."""
    finish = frozenset({"max_output_tokens"})
    assert isinstance(openai_responses.judge(make.call(), reply, finish), Complete)


@STEADY
@given(make.RESPONSES)
def test_a_response_becomes_a_stream_and_comes_back(body: dict[str, Any]) -> None:
    """Any valid response, written as a stream, is put together to itself, and is judged as it was."""
    reply = whole(body)
    there = openai_responses.convert(reply, JSON, SSE)
    back = openai_responses.convert(there, SSE, JSON)
    assert json.dumps(body) == json.dumps(json.loads(back.body))
    assert openai_responses.judge(make.call(), reply, NONE) == openai_responses.judge(make.call(), there, NONE)


@STEADY
@given(make.RESPONSES)
def test_a_written_stream_is_one_that_a_client_can_follow(body: dict[str, Any]) -> None:
    """Events are numbered in order and named, and the deltas of each text add up to what its `done` event says."""
    there = openai_responses.convert(whole(body), JSON, SSE)
    spelled: dict[tuple[Any, ...], str] = {}
    for number, sent in enumerate(parse_sse(there.body)):
        told = json.loads(sent.data)
        assert (number, sent.event) == (told["sequence_number"], told["type"])
        kind, _, last = told["type"].rpartition(".")
        place = (kind, *(told.get(name) for name in ("output_index", "content_index", "summary_index")))
        if last == "delta":
            spelled[place] = spelled.get(place, "") + told["delta"]
        elif last == "done" and (fields := {"text", "refusal", "arguments", "input", "code"} & told.keys()):
            assert [told[name] for name in fields] == [spelled.pop(place, "")]
    assert spelled == {}


@STEADY
@given(make.RESPONSES, st.data())
def test_a_stream_cut_between_events_is_incomplete(body: dict[str, Any], data: st.DataObject) -> None:
    """Until its last event has come, nothing is stored."""
    there = openai_responses.convert(whole(body), JSON, SSE)
    ends = [sent.end for sent in parse_sse(there.body)]
    cut = data.draw(st.sampled_from([0, *ends[:-1]]))
    reply = Reply(200, make.EVENTS, there.body[:cut])
    assert Incomplete("truncated") == openai_responses.judge(make.call(), reply, NONE)


def test_output_that_only_the_items_tell_is_found() -> None:
    """ChatGPT's Codex backend ends with an empty output: the items that were finished are the answer."""
    done = [
        event("response.output_item.done", output_index=at, item=item) for at, item in ((1, message()), (0, CALLED))
    ]
    reply = stream(*done, event("response.completed", response=response() | {"output": []}))
    assert isinstance(openai_responses.judge(make.call(), reply, NONE), Complete)
    assert response(CALLED, message()) == json.loads(openai_responses.convert(reply, SSE, JSON).body)


def test_deltas_that_say_something_else_are_lossy() -> None:
    """A stream whose deltas and last event disagree has no one body."""
    delta = event("response.output_text.delta", output_index=0, content_index=0, delta="Bye")
    reply = stream(delta, event("response.completed", response=response()))
    with pytest.raises(Lossy, match="output_text"):
        openai_responses.convert(reply, SSE, JSON)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (response(status="queued"), "status"),
        (response() | {"output": None}, "output"),
        (response() | {"output": [1]}, "output"),
        (response(message(content=[1])), "content"),
        (response({"type": "reasoning", "summary": "x"}), "summary"),
        ([], "body"),
    ],
)
def test_what_no_stream_can_carry_is_lossy(body: Any, field: str) -> None:
    """A body that is no finished response is never written as a stream."""
    with pytest.raises(Lossy, match=field):
        openai_responses.convert(whole(body), JSON, SSE)


@pytest.mark.parametrize("form", [JSON, SSE], ids=["json", "sse"])
def test_the_same_form_is_the_same_object(form: Form) -> None:
    """Nothing is rewritten for who asks as it was recorded."""
    assert GOOD is openai_responses.convert(GOOD, form, form)


def test_numbers_stay_as_they_were_sent() -> None:
    """1.0 does not become 1 on its way through a stream."""
    there = openai_responses.convert(whole(response(temperature=1.0)), JSON, SSE)
    assert b'"temperature":1.0' in openai_responses.convert(there, SSE, JSON).body


def test_a_refusal_is_an_openai_error() -> None:
    """The SDK shows the message of an error in OpenAI's own shape."""
    error = json.loads(openai_responses.refusal("nothing recorded", "no_recording"))["error"]
    assert ("nothing recorded", "no_recording") == (error["message"], error["code"])
