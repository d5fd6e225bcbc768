"""Cohere's v1: what is passed through, generations in both forms, and forms that are not turned into each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.wire import cohere_v1

JSON, LINES = Form("json"), Form("ndjson")
META = {"billed_units": {"input_tokens": 3, "output_tokens": 2}}
GENERATED = {"id": "g", "prompt": "Say", "generations": [{"id": "1", "text": " hi", "finish_reason": "COMPLETE"}]}
CHAT: dict[str, Any] = {"text": "Hi", "generation_id": "g", "finish_reason": "COMPLETE", "meta": META}


def asked(body: Any, path: str = "/v1/chat", headers: tuple[tuple[str, str], ...] = ()) -> Call | Bypass:
    """Return what the dialect makes of *body*."""
    request = Request("POST", "https", "api.cohere.com", 443, path, "", headers, json.dumps(body).encode())
    return cohere_v1.call(request)


def called(body: Any, path: str = "/v1/chat", headers: tuple[tuple[str, str], ...] = ()) -> Call:
    """Return the call that *body* is."""
    found = asked(body, path, headers)
    assert isinstance(found, Call)
    return found


def told(*events: Any) -> Reply:
    """Return a stream of *events* as lines."""
    body = "".join(json.dumps(event) + "\n" for event in events)
    return Reply(200, (("content-type", "application/stream+json"),), body.encode())


def said(body: Any) -> Reply:
    """Return *body* as a reply in one piece."""
    return Reply(200, (("content-type", "application/json"),), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/v1/chat", {"message": "Hi", "conversation_id": "c"}, "conversation"),
        ("/v1/chat", {"messages": [{"role": "user", "content": "Hi"}]}, "no-message"),
        ("/v1/chat", {"message": "Hi", "stream": 1}, "stream-not-bool"),
        ("/v1/generate", {"message": "Hi"}, "no-prompt"),
        ("/v1/generate", [], "not-an-object"),
    ],
)
def test_passed_through(path: str, body: Any, reason: str) -> None:
    """A conversation that the provider keeps, and what is no call of Cohere's, goes by with its reason."""
    assert Bypass(reason) == asked(body, path)


def test_only_the_form_is_no_identity() -> None:
    """A call is the same as a stream and as JSON; any other member makes it another."""
    plain = called({"message": "Hi", "model": "m"})
    streamed = called({"message": "Hi", "model": "m", "stream": True})
    assert (plain.content, plain.form, streamed.form) == (streamed.content, JSON, LINES)
    assert plain.content != called({"message": "Hi", "model": "m", "seed": 1}).content
    assert called({"message": "Hi", "stream": True}, headers=(("accepts", "text/event-stream"),)).form == Form("sse")
    assert cohere_v1.question(plain) == "Hi"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Complete(Usage(3, 2))),
        ({"text": "", "search_queries": [{"text": "q"}]}, Complete(Usage(3, 2))),
        ({"text": "", "tool_calls": [{"name": "f", "parameters": {}}]}, Complete(Usage(3, 2))),
        ({"text": "", "tool_calls": [{"name": "f", "parameters": "{"}]}, Incomplete("tool-arguments")),
        ({"text": "\n"}, Incomplete("empty")),
        ({"text": None, "message": "down"}, Incomplete("error-body")),
        ({"finish_reason": None}, Incomplete("finish-unnamed")),
        ({"finish_reason": "ERROR_TOXIC"}, Incomplete("finish-ERROR_TOXIC")),
    ],
)
def test_a_chat_is_judged(change: dict[str, Any], verdict: Any) -> None:
    """A chat's response is good when it says or asks for something and ended by itself."""
    assert verdict == cohere_v1.judge(called({"message": "Hi"}), said(CHAT | change), frozenset())


def test_a_generation_is_judged() -> None:
    """A generation is good when every text that was asked for is there and ended by itself."""
    one, two = (
        called({"prompt": "Say"}, "/v1/generate"),
        called({"prompt": "Say", "num_generations": 2}, "/v1/generate"),
    )
    assert isinstance(cohere_v1.judge(one, said(GENERATED), frozenset()), Complete)
    assert Incomplete("generations-missing") == cohere_v1.judge(two, said(GENERATED), frozenset())
    cut = GENERATED | {"generations": [{"text": " hi", "finish_reason": "MAX_TOKENS"}]}
    assert Incomplete("finish-MAX_TOKENS") == cohere_v1.judge(one, said(cut), frozenset())
    assert isinstance(cohere_v1.judge(one, said(cut), frozenset({"MAX_TOKENS"})), Complete)


def test_a_stream_of_a_generation_is_kept_as_it_came() -> None:
    """A stream of a generation is whole at its last event, and is never written as JSON."""
    call = called({"prompt": "Say", "stream": True}, "/v1/generate")
    piece = {"event_type": "text-generation", "is_finished": False, "text": " hi"}
    end = {"event_type": "stream-end", "is_finished": True, "response": GENERATED}
    whole = told(piece, end)
    assert cohere_v1.reply_form(call, whole) == LINES
    assert isinstance(cohere_v1.judge(call, whole, frozenset()), Complete)
    assert Incomplete("truncated") == cohere_v1.judge(call, told(piece), frozenset())
    assert cohere_v1.convert(whole, LINES, LINES) is whole
    for reply, recorded, wanted in [(whole, LINES, JSON), (said(GENERATED), JSON, LINES)]:
        with pytest.raises(Lossy, match="response"):
            cohere_v1.convert(reply, recorded, wanted)


def test_what_contradicts_itself_is_not_converted() -> None:
    """A stream whose deltas are not its text is no JSON, and no chat becomes server-sent events."""
    stream = told({"event_type": "text-generation", "text": "Ho"}, {"event_type": "stream-end", "response": CHAT})
    with pytest.raises(Lossy, match="text"):
        cohere_v1.convert(stream, LINES, JSON)
    with pytest.raises(Lossy, match="sse"):
        cohere_v1.convert(said(CHAT), JSON, Form("sse"))


def test_a_refusal_looks_like_coheres() -> None:
    """Clients of Cohere show the message of a refusal."""
    assert json.loads(cohere_v1.refusal("nothing recorded", "aicache"))["message"] == "nothing recorded"
