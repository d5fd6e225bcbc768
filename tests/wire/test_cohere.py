"""Cohere: what is a call and its identity, what becomes of odd replies, and both forms of any chat reply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire import cohere
from llmcache.wire.cohere_events import assemble, explode

SCOPE = Scope(b"a secret")
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer one"))
BASE: dict[str, Any] = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hi"}]}
JSON, STREAM = Form("json"), Form("sse")


def asked(body: Any = BASE, path: str = "/v2/chat", headers: tuple[tuple[str, str], ...] = HEADERS) -> Request:
    """Return a POST to Cohere."""
    return Request("POST", "https", "api.cohere.com", 443, path, "", headers, json.dumps(body).encode())


def understood(*arguments: Any, **named: Any) -> Call:
    """Return the call of a request that Cohere's dialect understands."""
    call = cohere.call(asked(*arguments, **named))
    assert isinstance(call, Call), call
    return call


def key(*arguments: Any, **named: Any) -> str:
    """Return the key of a request."""
    return fingerprint.key(fingerprint.identity(understood(*arguments, **named), SCOPE))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"stream": True}, id="stream"),
        pytest.param({"stream": False}, id="no stream"),
        pytest.param({"priority": 5}, id="priority"),
    ],
)
def test_what_is_no_identity(members: dict[str, Any]) -> None:
    """What only shapes or hurries the answer leaves the key as it is."""
    assert key() == key(BASE | members)


MEMBERS: dict[str, Any] = {
    "model": "command-r",
    "messages": [{"role": "user", "content": "ho"}],
    "tools": [],
    "strict_tools": True,
    "documents": ["a"],
    "citation_options": {"mode": "OFF"},
    "response_format": {"type": "json_object"},
    "safety_mode": "OFF",
    "max_tokens": 5,
    "stop_sequences": ["x"],
    "temperature": 0.5,
    "seed": 1,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "k": 1,
    "p": 0.5,
    "logprobs": True,
    "tool_choice": "REQUIRED",
    "thinking": {"type": "disabled"},
    "unknown": 1,
}


@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_identity(name: str) -> None:
    """Every member that may change the answer makes another key."""
    assert key() != key(BASE | {name: MEMBERS[name]})


def test_keys_and_paths_are_kept_apart() -> None:
    """Another key or another endpoint is another call."""
    other = (HEADERS[0], ("authorization", "Bearer two"))
    assert len({key(), key(headers=other), key(path="/v2/rerank"), key(path="/v2/embed")}) == 4


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        pytest.param({}, "/v2/chat", "no-messages", id="no messages"),
        pytest.param({"messages": "hi"}, "/v2/chat", "bad-messages", id="messages that are a text"),
        pytest.param(BASE | {"stream": 1}, "/v2/chat", "stream-not-bool", id="stream 1"),
        pytest.param([], "/v2/embed", "not-an-object", id="no object"),
        pytest.param({}, "/v2/embed", "empty-body", id="nothing"),
    ],
)
def test_what_is_passed_through(body: Any, path: str, reason: str) -> None:
    """What is no call that we understand is passed through with a reason."""
    assert Bypass(reason) == cohere.call(asked(body, path))


@pytest.mark.parametrize(
    ("body", "path", "question"),
    [
        pytest.param(BASE, "/v2/chat", "hi", id="text"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "/v2/chat", "hi", id="part"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "/v2/chat",
            '{"content":[{"type":"image_url"}],"role":"user"}',
            id="picture",
        ),
        pytest.param({"texts": ["a", "b"], "model": "m"}, "/v2/embed", "a\nb", id="embed"),
        pytest.param({"query": "q", "documents": ["d"]}, "/v2/rerank", "q", id="rerank"),
        pytest.param({"tokens": [1, 2]}, "/v1/detokenize", "[1,2]", id="tokens"),
        pytest.param({"images": ["x"]}, "/v2/embed", '{"images":["x"]}', id="nothing to read"),
    ],
)
def test_what_is_asked(body: Any, path: str, question: str) -> None:
    """The question is the last text, or what stands for it; it is never empty."""
    assert question == cohere.question(understood(body, path))


USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 5}, "tokens": {"input_tokens": 30, "output_tokens": 6}}
REPLY: dict[str, Any] = {
    "id": "c-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "ho"}]},
    "usage": USAGE,
}
CALLS = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
VERDICTS = {
    "chat": ("/v2/chat", REPLY, Complete(Usage(30, 6))),
    "tool call": (
        "/v2/chat",
        REPLY | {"finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": CALLS}},
        Complete(Usage(30, 6)),
    ),
    "cut by a limit": ("/v2/chat", REPLY | {"finish_reason": "MAX_TOKENS"}, Incomplete("finish-MAX_TOKENS")),
    "unknown end": ("/v2/chat", REPLY | {"finish_reason": "a b"}, Incomplete("finish-unknown")),
    "says nothing": ("/v2/chat", REPLY | {"message": {"role": "assistant", "content": []}}, Incomplete("empty")),
    "error": ("/v2/chat", {"id": "x", "message": "trial key"}, Incomplete("error-body")),
    "no end": ("/v2/chat", {"message": {"role": "assistant"}}, Incomplete("truncated")),
    "no object": ("/v2/chat", [], Incomplete("not-an-object")),
    "embeddings": (
        "/v2/embed",
        {"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 2}}},
        Complete(Usage(2)),
    ),
    "no embeddings": ("/v2/embed", {"embeddings": {}}, Incomplete("empty")),
    "embeddings that failed": ("/v2/embed", {"message": "invalid"}, Incomplete("error-body")),
    "ranking": ("/v2/rerank", {"results": [{"index": 0, "relevance_score": 0.5}]}, Complete()),
    "ranking of something else": ("/v2/rerank", {"data": []}, Incomplete("no-results")),
    "tokens": ("/v1/tokenize", {"tokens": [1], "token_strings": ["a"]}, Complete()),
}


@pytest.mark.parametrize(("path", "body", "verdict"), VERDICTS.values(), ids=VERDICTS.keys())
def test_a_body_is_judged(path: str, body: Any, verdict: Any) -> None:
    """Only what is whole, natural and says something is stored."""
    call = understood(BASE, path)
    assert verdict == cohere.judge(call, Reply(200, (), json.dumps(body).encode()), frozenset())
    assert Incomplete("status-429") == cohere.judge(call, Reply(429, (), json.dumps(body).encode()), frozenset())


def test_a_limit_may_be_accepted() -> None:
    """Further finish reasons are accepted when they are configured."""
    reply = Reply(200, (), json.dumps(REPLY | {"finish_reason": "MAX_TOKENS"}).encode())
    assert Complete(Usage(30, 6)) == cohere.judge(understood(), reply, frozenset({"MAX_TOKENS"}))


TEXT = st.text(max_size=80)
NAMES = st.text("abc", min_size=1, max_size=5)
MESSAGES = st.fixed_dictionaries(
    {"role": st.just("assistant")},
    optional={
        "tool_plan": TEXT,
        "content": st.lists(
            st.builds(lambda kind, text: {"type": kind, kind: text}, st.sampled_from(["text", "thinking"]), TEXT),
            min_size=1,
            max_size=3,
        ),
        "tool_calls": st.lists(
            st.builds(
                lambda name, text: {"id": name, "type": "function", "function": {"name": name, "arguments": text}},
                NAMES,
                TEXT,
            ),
            min_size=1,
            max_size=3,
        ),
        "citations": st.lists(
            st.builds(lambda at, text: {"start": at, "end": at + 1, "text": text, "sources": []}, st.integers(), TEXT),
            min_size=1,
            max_size=2,
        ),
    },
)


@settings(deadline=None, max_examples=80)
@given(MESSAGES, st.sampled_from(["COMPLETE", "TOOL_CALL", "STOP_SEQUENCE"]))
def test_any_reply_comes_back(message: dict[str, Any], reason: str) -> None:
    """A body becomes events that add up to it again."""
    body = REPLY | {"message": message, "finish_reason": reason}
    assert json.dumps(body, sort_keys=True) == json.dumps(assemble(explode(body)), sort_keys=True)


def written(*events: dict[str, Any], end: bytes = b"") -> Reply:
    """Return a stream of *events*."""
    frames = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events]
    body = b"".join(frames) + end
    return Reply(200, (("content-type", "text/event-stream"),), body, ((1, len(body)),))


EVENTS = explode(REPLY)


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n", b": bye\n\n"], ids=["nothing", "done", "comment"])
def test_what_may_follow_the_end(end: bytes) -> None:
    """A stream is whole at `message-end`, whatever marks its end besides."""
    reply = written(*EVENTS, end=end)
    assert Complete(Usage(30, 6)) == cohere.judge(understood(), reply, frozenset())
    assert REPLY == json.loads(cohere.convert(reply, STREAM, JSON).body)


@pytest.mark.parametrize("end", range(len(EVENTS)))
def test_a_stream_cut_at_any_event_is_not_stored(end: int) -> None:
    """Without `message-end` nothing is whole."""
    assert Incomplete("truncated") == cohere.judge(understood(), written(*EVENTS[:end]), frozenset())


@pytest.mark.parametrize(
    ("event", "field"),
    [
        pytest.param({"type": "news"}, "news", id="an unknown event"),
        pytest.param(
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"smell": "x"}}}},
            "smell",
            id="an unknown delta",
        ),
        pytest.param(
            {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": ["x"]}}},
            "content",
            id="a start that says something",
        ),
    ],
)
def test_what_a_body_cannot_say_is_replayed_as_a_stream_only(event: dict[str, Any], field: str) -> None:
    """A whole stream with something new in it is stored and replayed, but never written as a body that lacks it."""
    reply = written(*EVENTS[:2], event, *EVENTS[2:])
    assert isinstance(cohere.judge(understood(), reply, frozenset()), Complete)
    assert reply is cohere.convert(reply, STREAM, STREAM)
    with pytest.raises(Lossy, match=field):
        cohere.convert(reply, STREAM, JSON)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(REPLY | {"message": {"role": "assistant", "content": []}}, id="an empty list"),
        pytest.param(
            REPLY | {"logprobs": [{"text": "other", "token_ids": [1]}]}, id="log probabilities of another text"
        ),
        pytest.param({"embeddings": {"float": [[0.5]]}}, id="no chat"),
        pytest.param([], id="no object"),
    ],
)
def test_what_a_stream_cannot_say_is_replayed_as_a_body_only(body: Any) -> None:
    """A body that no stream can carry is never written as one."""
    with pytest.raises(Lossy):
        cohere.convert(Reply(200, (), json.dumps(body).encode()), JSON, STREAM)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": ["content-start"]}, id="a type that is a list"),
        pytest.param({"type": "content-delta", "index": 7, "delta": {}}, id="a delta of nothing"),
        pytest.param(
            {"type": "content-start", "index": [], "delta": {"message": {"content": {}}}}, id="a list for index"
        ),
        pytest.param({"type": "message-end", "delta": ["x"]}, id="an end that is a list"),
        pytest.param(
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "message": 1}}, id="a message of 1"
        ),
    ],
)
def test_misshapen_events_are_no_surprise(event: dict[str, Any]) -> None:
    """Events of another shape than documented are never an error of ours: judged, and converted or `Lossy`."""
    reply = written(*EVENTS[:-1], event, EVENTS[-1])
    cohere.judge(understood(), reply, frozenset())
    with pytest.raises(Lossy):
        cohere.convert(reply, STREAM, JSON)


@pytest.mark.parametrize("member", ["content", "tool_calls"])
@pytest.mark.parametrize("value", [1, True, "x", {"a": 1}], ids=str)
def test_misshapen_messages_are_not_stored(member: str, value: Any) -> None:
    """A message of another shape than documented is not good, and no error of ours."""
    reply = Reply(200, (), json.dumps(REPLY | {"message": {"role": "assistant", member: value}}).encode())
    assert isinstance(cohere.judge(understood(), reply, frozenset()), Incomplete)


def test_a_refusal_is_an_error_of_coheres() -> None:
    """The message stands where the SDK looks for it."""
    assert json.loads(cohere.refusal("m", "c")) == {"id": "c", "message": "m"}
