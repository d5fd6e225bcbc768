"""Google's Interactions: what is passed through, what is identity, what is asked, and what only one form can say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.wire import find, interactions

PATH = "/v1beta/interactions"
JSON, SSE = Form("json"), Form("sse")
TEXT: dict[str, Any] = {"type": "model_output", "content": [{"text": "Hi", "type": "text"}]}
USAGE = {"total_input_tokens": 5, "total_cached_tokens": 2, "total_output_tokens": 3, "total_thought_tokens": 4}


def asked(body: Any, path: str = PATH, headers: tuple[tuple[str, str], ...] = ()) -> Call | Bypass:
    """Return what the dialect makes of *body*."""
    raw = json.dumps(body).encode()
    return interactions.call(Request("POST", "https", "generativelanguage.googleapis.com", 443, path, "", headers, raw))


def called(**members: Any) -> Call:
    """Return the call with *members* beside a model and an input."""
    found = asked({"model": "m", "input": "Hi", **members})
    assert isinstance(found, Call)
    return found


def said(*steps: Any, **members: Any) -> Reply:
    """Return the JSON reply of *steps*."""
    body = {"id": "i", "status": "completed", "usage": USAGE, "steps": list(steps), "model": "m", **members}
    return Reply(200, (("content-type", "application/json"),), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"model": "m", "input": "Hi", "background": True}, "background"),
        ({"agent": "deep-research", "input": "Hi"}, "agent"),
        ({"model": "m", "input": "Hi", "environment": "remote"}, "environment"),
        ({"model": "m"}, "no-input"),
        ({"model": "m", "input": "Hi", "stream": "yes"}, "stream-not-bool"),
        (["Hi"], "not-an-object"),
    ],
)
def test_passed_through(body: Any, reason: str) -> None:
    """What goes on at the provider, and what asks nothing, goes by with its reason."""
    assert Bypass(reason) == asked(body)


def test_kept_interactions_are_not_claimed() -> None:
    """An interaction that is read again, cancelled or forgotten is nobody's."""
    project = "/v1beta1/projects/p/locations/global/interactions"
    assert [find("POST", path) for path in (PATH, project)] == [interactions] * 2
    for method, path in [("GET", f"{PATH}/i"), ("POST", f"{PATH}/i/cancel"), ("GET", PATH), ("POST", "/interactions")]:
        assert find(method, path) is None


def test_all_but_the_form_and_the_labels_is_identity() -> None:
    """A call is the same as a stream and with other labels; any other member and the revision make it another."""
    plain = called()
    assert plain.content == called(stream=True, labels={"team": "a"}).content
    for member in ({"store": False}, {"previous_interaction_id": "i"}, {"something_new": 1}):
        assert plain.content != called(**member).content
    revised = asked({"model": "m", "input": "Hi"}, headers=(("api-revision", "2026-05-20"),))
    assert isinstance(revised, Call)
    assert revised.headers == (("api-revision", "2026-05-20"),)


@pytest.mark.parametrize(
    ("given", "question"),
    [
        ("Hi", "Hi"),
        ([{"type": "text", "text": "Hi"}], "Hi"),
        ([TEXT, {"type": "user_input", "content": [{"type": "text", "text": "And?"}]}], "And?"),
        ([{"type": "image", "data": "aQ=="}], '{"data":"aQ==","type":"image"}'),
    ],
)
def test_the_last_input_is_the_question(given: Any, question: str) -> None:
    """The question is the text of the last input, else its JSON."""
    assert question == interactions.question(called(input=given))


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (said(TEXT), Complete(Usage(5, 7, 2), "m")),
        (said({"type": "model_output", "content": [{"type": "image", "data": "aQ=="}]}), Complete(Usage(5, 7, 2), "m")),
        (said({"type": "function_call", "arguments": {}}, status="requires_action"), Complete(Usage(5, 7, 2), "m")),
        (said({"type": "function_call", "arguments": "{"}, status="requires_action"), Incomplete("tool-arguments")),
        (said({"type": "thought"}, {"type": "google_search_call"}), Incomplete("empty")),
        (said({"type": "model_output", "content": [{"type": "text", "text": "\n"}]}), Incomplete("empty")),
        (said(TEXT, status="in_progress"), Incomplete("truncated")),
        (said(TEXT, status="incomplete"), Incomplete("finish-incomplete")),
        (said(TEXT, status=None), Incomplete("finish-unknown")),
        (said(TEXT, errors=[{"code": 13}]), Incomplete("error-body")),
        (Reply(429, (), b"{}"), Incomplete("status-429")),
        (Reply(200, (), b"<html>"), Incomplete("not-json")),
    ],
)
def test_a_body_is_judged(reply: Reply, verdict: Any) -> None:
    """An interaction is good when it is over, ended by itself, and says or asks for something."""
    assert verdict == interactions.judge(called(), reply, frozenset())


@pytest.mark.parametrize(
    "step",
    [
        {"type": "google_search_call", "arguments": {"queries": ["sky"]}, "search_type": "web_search"},
        {"type": "model_output", "content": [TEXT["content"][0], TEXT["content"][0]]},
        {"type": "model_output", "content": [{"type": "image", "data": "aQ=="}]},
        {"type": "thought", "summary": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ],
)
def test_what_only_one_form_says_is_not_converted(step: dict[str, Any]) -> None:
    """Steps that a stream says otherwise, and parts that it has no borders for, stay in the form that came."""
    reply = said(step, TEXT)
    assert isinstance(interactions.judge(called(), reply, frozenset()), Complete)
    with pytest.raises(Lossy):
        interactions.convert(reply, JSON, SSE)
