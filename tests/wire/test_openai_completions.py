"""OpenAI's legacy completions: what is a call, when is a reply good, and how is it written in the other form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import STEADY, VALUES
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.framing import parse_sse
from llmcache.scope import Scope
from llmcache.wire import completions

JSON = Form("json")
SSE = Form("sse")
SSE_USAGE = Form("sse", frozenset({"usage"}))
NONE: frozenset[str] = frozenset()
BASE: dict[str, Any] = {"model": "davinci", "prompt": "Once"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def request(body: Any) -> Request:
    """Return a POST of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = (("content-type", "application/json"),)
    return Request("POST", "https", "api.openai.com", 443, "/v1/completions", "", fields, raw)


def call(**members: Any) -> Call:
    """Return a plain call with *members* added to its body."""
    found = completions.call(request(BASE | members))
    assert isinstance(found, Call)
    return found


def choice(text: str = " upon a time", index: int = 0, **more: Any) -> dict[str, Any]:
    """Return one choice."""
    return {"text": text, "index": index, "logprobs": None, "finish_reason": "stop", **more}


def completion(*choices: dict[str, Any], **top: Any) -> dict[str, Any]:
    """Return a whole completion."""
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "davinci-002"}
    return {**head, "choices": list(choices) or [choice()], "usage": USAGE, **top}


def whole(body: Any) -> Reply:
    """Return *body* as a JSON reply."""
    return Reply(200, (("content-type", "application/json"),), json.dumps(body).encode())


def stream(*chunks: Any, done: str = "data: [DONE]\n\n") -> Reply:
    """Return a reply that streams *chunks*."""
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + done
    return Reply(200, (("content-type", "text/event-stream"),), body.encode(), ((0, len(body)),))


WORDS = st.text("ab \né", min_size=1, max_size=8)
TOKENS = st.lists(WORDS, min_size=1, max_size=4).map(
    lambda words: {
        "text": "".join(words),
        "logprobs": {
            "tokens": words,
            "token_logprobs": [-0.5] * len(words),
            "top_logprobs": [{word: -0.5} for word in words],
            "text_offset": list(range(len(words))),
        },
    }
)
PLAIN = st.builds(lambda text: {"text": text, "logprobs": None}, st.text(st.characters(codec="utf-8"), max_size=60))
COMPLETIONS = st.builds(
    lambda choices, top: (
        completion(*({**each, "index": at, "finish_reason": "stop"} for at, each in enumerate(choices))) | top
    ),
    st.lists(TOKENS | PLAIN, min_size=1, max_size=3),
    st.fixed_dictionaries({}, optional={"system_fingerprint": st.none() | WORDS, "created": st.just(2.0)}),
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not-json"),
        ({}, "no-prompt"),
        ({"prompt": ""}, "no-prompt"),
        ({"prompt": 1}, "no-prompt"),
        (BASE | {"stream": 1}, "stream-not-bool"),
    ],
)
def test_what_is_no_call_is_passed_through(body: Any, reason: str) -> None:
    """A bypass with its reason, and no error."""
    assert Bypass(reason) == completions.call(request(body))


@STEADY
@given(st.binary() | VALUES)
def test_no_body_breaks_call(body: Any) -> None:
    """Any bytes and any JSON give a call or a bypass."""
    assert isinstance(completions.call(request(body)), Call | Bypass)


FIELDS: dict[str, Any] = {
    "model": "babbage-002",
    "prompt": ["Once"],
    "best_of": 2,
    "echo": True,
    "frequency_penalty": 1,
    "logit_bias": {"1": 1},
    "logprobs": 2,
    "max_tokens": 3,
    "n": 2,
    "presence_penalty": 1,
    "seed": 1,
    "stop": "x",
    "suffix": "x",
    "temperature": 0,
    "top_p": 0.5,
    "guided_json": {},
}
"""Field -> a value that makes another call. The fields are those of OpenAI's page, and one of vLLM's."""


@pytest.mark.parametrize("name", FIELDS)
def test_every_documented_field_is_identity(name: str) -> None:
    """A call that differs in one field has another identity."""
    scope = Scope(None)
    assert fingerprint.identity(call(), scope) != fingerprint.identity(call(**{name: FIELDS[name]}), scope)


def test_the_form_is_no_identity() -> None:
    """A stream, with usage or without, is the same call."""
    asked = call(stream=True, stream_options={"include_usage": True})
    assert (SSE_USAGE, call().content) == (asked.form, asked.content)


@pytest.mark.parametrize(
    ("prompt", "asked"), [("Once", "Once"), (["a", "b"], "a\nb"), ([1, 2], "[1,2]"), ([[1], [2]], "[[1],[2]]")]
)
def test_the_question_is_the_prompt(prompt: Any, asked: str) -> None:
    """Several prompts are lines, tokens are JSON."""
    assert asked == completions.question(call(prompt=prompt))


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ({}, 1),
        ({"n": 2}, 2),
        ({"n": 2, "best_of": 3}, 2),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
    ],
)
def test_as_many_choices_as_were_asked_for(members: dict[str, Any], count: int) -> None:
    """`n` for each prompt, and a list of tokens is one prompt; fewer or more are not stored."""
    asked = call(**members)
    replies = [whole(completion(*(choice(index=at) for at in range(many)))) for many in (count, count + 1)]
    assert Complete(Usage(5, 3), "davinci-002") == completions.judge(asked, replies[0], NONE)
    assert Incomplete("choices-missing") == completions.judge(asked, replies[1], NONE)


CHUNK = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice()]}
BROKEN = {
    "status": (Reply(500, (), b""), "status-500"),
    "list": (whole([]), "not-an-object"),
    "error": (whole({"error": "x"}), "error-body"),
    "no choices": (whole(completion() | {"choices": []}), "choices-missing"),
    "length": (whole(completion(choice(finish_reason="length"))), "finish-length"),
    "unfinished": (whole(completion(choice(finish_reason=None))), "truncated"),
    "empty": (whole(completion(choice("  "))), "empty"),
    "no done": (stream(CHUNK, done=""), "truncated"),
    "half an event": (stream(CHUNK, done='data: {"a'), "truncated"),
    "after done": (stream(CHUNK, done="data: [DONE]\n\ndata: {}\n\n"), "after-done"),
    "error event": (stream(CHUNK, {"error": {"message": "x"}}), "error-event"),
    "bad event": (stream(CHUNK, 1), "bad-event"),
}


@pytest.mark.parametrize(("reply", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_whole_and_good_is_not_stored(reply: Reply, reason: str) -> None:
    """Errors, cut and empty answers are refused, each with its reason."""
    assert Incomplete(reason) == completions.judge(call(), reply, NONE)


def test_a_configured_reason_is_accepted() -> None:
    """Who wants answers that hit the limit stored gets them."""
    reply = whole(completion(choice(finish_reason="length")))
    assert isinstance(completions.judge(call(), reply, frozenset({"length"})), Complete)


@STEADY
@given(COMPLETIONS)
def test_a_completion_becomes_a_stream_and_comes_back(body: dict[str, Any]) -> None:
    """Any valid completion, written as a stream, is put together to itself, log probabilities included."""
    there = completions.convert(whole(body), JSON, SSE_USAGE)
    back = completions.convert(there, SSE_USAGE, JSON)
    assert json.dumps(body, sort_keys=True) == json.dumps(json.loads(back.body), sort_keys=True)


@STEADY
@given(COMPLETIONS, st.data())
def test_a_stream_cut_between_events_is_incomplete(body: dict[str, Any], data: st.DataObject) -> None:
    """Until `[DONE]` has come, nothing is stored."""
    there = completions.convert(whole(body), JSON, SSE)
    cut = data.draw(st.sampled_from([0, *(sent.end for sent in parse_sse(there.body)[:-1])]))
    reply = Reply(200, there.headers, there.body[:cut])
    assert Incomplete("truncated") == completions.judge(call(n=len(body["choices"])), reply, NONE)


def test_usage_is_there_when_it_was_asked_for() -> None:
    """Usage leaves a stream without loss, and is not invented where it was never sent."""
    full = completions.convert(whole(completion()), JSON, SSE_USAGE)
    less = completions.convert(full, SSE_USAGE, SSE)
    assert b"usage" not in less.body
    assert isinstance(completions.judge(call(), less, NONE), Complete)
    for wanted in (SSE_USAGE, JSON):
        with pytest.raises(Lossy, match="usage"):
            completions.convert(less, SSE, wanted)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"choices": None, "usage": USAGE}, "choices"),
        (completion(usage=None), "usage"),
        (completion(choice(text=1)), "choices"),
    ],
)
def test_what_no_stream_can_carry_is_lossy(body: Any, field: str) -> None:
    """What is no completion is never written as a stream."""
    with pytest.raises(Lossy, match=field):
        completions.convert(whole(body), JSON, SSE_USAGE)


def test_chunks_that_disagree_are_lossy() -> None:
    """Two models cannot have written one answer."""
    with pytest.raises(Lossy, match="model"):
        completions.convert(stream(CHUNK, CHUNK | {"model": "other"}), SSE, JSON)
