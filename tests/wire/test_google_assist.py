"""Gemini Code Assist: what the wrapping adds to Gemini's calls and replies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google_replies import ARRAY, DONE, JSON, SSE, reply, request
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy
from llmcache.context import exact_only
from llmcache.scope import Scope
from llmcache.wire import google, google_assist

INNER: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "session_id": "s-1"}
ASK: dict[str, Any] = {"model": "gemini-2.5-pro", "project": "p", "user_prompt_id": "u-1", "request": INNER}
NONE: frozenset[str] = frozenset()


def called(body: Any = ASK, verb: str = "generateContent", query: str = "") -> Call:
    """Return a call that the dialect understands."""
    found = google_assist.call(request(body, query=query, path=f"/v1internal:{verb}"))
    assert isinstance(found, Call), found
    return found


def key_of(call: Call) -> str:
    """Return the key of a call."""
    return fingerprint.key(fingerprint.identity(call, Scope(None)))


def inside(**members: Any) -> dict[str, Any]:
    """Return the call with *members* of what it wraps."""
    return ASK | {"request": INNER | members}


@pytest.mark.parametrize(
    "other", [ASK | {"user_prompt_id": "u-2"}, inside(session_id="s-2"), inside(labels={"a": "b"})]
)
def test_the_numbers_of_the_cli_are_no_identity(other: Any) -> None:
    """The CLI numbers its prompts and its runs: another number is no other call."""
    assert key_of(called()) == key_of(called(other))


@pytest.mark.parametrize(
    "other",
    [
        ASK | {"model": "gemini-2.5-flash"},
        ASK | {"project": "q"},
        ASK | {"enabled_credit_types": ["X"]},
        ASK | {"session_id": "outside"},
        inside(contents=[{"role": "user", "parts": [{"text": "ho"}]}]),
        inside(systemInstruction={"parts": [{"text": "x"}]}),
        inside(user_prompt_id="inside"),
    ],
)
def test_everything_else_is_identity(other: Any) -> None:
    """Model, project and whatever the call wraps make another call; a denied name counts in another place."""
    assert key_of(called()) != key_of(called(other))


def test_one_identity_for_every_form() -> None:
    """Asked for whole, as events or as an array, it is one call."""
    asked = [called(), called(verb="streamGenerateContent", query="alt=sse"), called(verb="streamGenerateContent")]
    assert [JSON, SSE, ARRAY] == [each.form for each in asked]
    assert len({key_of(each) for each in asked}) == 1


def test_what_it_wraps_is_what_is_asked() -> None:
    """The question, and what forbids a near answer, are looked for inside."""
    assert "hi" == google_assist.question(called())
    assert "" == exact_only(called())
    assert "tools" == exact_only(called(inside(tools=[{"functionDeclarations": []}])))


@pytest.mark.parametrize(
    ("body", "reason"), [({"model": "m"}, "no-request"), ({"request": {}}, "no-contents"), (b"{", "not-json")]
)
def test_what_is_no_call_is_passed_through(body: Any, reason: str) -> None:
    """What wraps nothing goes on untouched."""
    assert Bypass(reason) == google_assist.call(request(body, path="/v1internal:generateContent"))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"response": DONE, "traceId": "t"}, Complete(model="gemini-2.5-flash")),
        (DONE, Incomplete("empty")),
        ({"response": [DONE]}, Incomplete("empty")),
        ({"error": {"code": 429}}, Incomplete("error-body")),
        ([1], Incomplete("bad-event")),
    ],
)
def test_only_what_is_wrapped_is_an_answer(body: Any, found: Any) -> None:
    """An answer that is not where it belongs is none."""
    assert found == google_assist.judge(called(), reply(body), NONE)


def test_tokens_are_not_wrapped() -> None:
    """A count is a count, whatever asked for it."""
    asked = called({"request": {"model": "models/m", "contents": INNER["contents"]}}, "countTokens")
    assert "m" == asked.model
    assert isinstance(google_assist.judge(asked, reply({"totalTokens": 3}), NONE), Complete)


def test_what_contradicts_itself_is_lossy() -> None:
    """Chunks of two traces are no one body, and a body without what it wraps is no stream."""
    chunks = [{"response": DONE, "traceId": name} for name in "ab"]
    with pytest.raises(Lossy, match="traceId"):
        google_assist.convert(reply(chunks), ARRAY, JSON)
    with pytest.raises(Lossy, match="response"):
        google_assist.convert(reply({"traceId": "a"}), JSON, SSE)


def test_frames_change_and_nothing_else() -> None:
    """From events to an array no chunk is looked into; the same form gives the same object."""
    events = reply(b'data: {"response":{"x":1}}\r\n\r\n', "text/event-stream")
    assert [{"response": {"x": 1}}] == json.loads(google_assist.convert(events, SSE, ARRAY).body)
    assert events is google_assist.convert(events, SSE, SSE)
    with pytest.raises(Lossy):
        google_assist.convert(events, SSE, Form("ndjson"))


@pytest.mark.parametrize("reason", [1, "STOP"])
def test_reasons_may_be_numbers(reason: Any) -> None:
    """Vertex's library for Python asks for numbers (`$alt=json;enum-encoding=int`): a call of its own, stored alike."""
    one = google.call(request(query="%24alt=json%3Benum-encoding%3Dint"))
    two = google.call(request(query="alt=json"))
    assert isinstance(one, Call)
    assert isinstance(two, Call)
    assert key_of(one) != key_of(two)
    body = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": reason}]}
    assert isinstance(google.judge(one, reply(body), NONE), Complete)


@pytest.mark.parametrize(
    ("reason", "said"),
    [(0, "truncated"), (2, "finish-MAX_TOKENS"), (99, "finish-99"), (True, "finish-True"), (-1, "finish--1")],
)
def test_other_numbers_are_not_natural(reason: Any, said: str) -> None:
    """Only the number of STOP is an end."""
    body = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": reason}]}
    call = google.call(request(query="alt=json%3Benum-encoding%3Dint"))
    assert isinstance(call, Call)
    assert Incomplete(said) == google.judge(call, reply(body), NONE)
