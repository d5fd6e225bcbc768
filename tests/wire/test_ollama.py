"""Ollama's oddities: streams unless told otherwise, lines of JSON, paths that other products have too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import EXTRAS, STEADY, TEXTS, VALUES, joined, optional
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request
from llmcache.scope import Scope
from llmcache.wire import ollama

JSON, LINES = Form("json"), Form("ndjson")
SCOPE = Scope(b"a secret")
CHAT: dict[str, Any] = {"model": "gemma4", "messages": [{"role": "user", "content": "hi"}]}
PROMPT = {"model": "gemma4", "prompt": "hi"}
EMBED = {"model": "embeddinggemma", "input": ["one", "two"]}
METRICS = {"total_duration": 9, "load_duration": 1, "prompt_eval_count": 4, "eval_count": 3, "eval_duration": 5}
BODY: dict[str, Any] = {
    "model": "gemma4",
    "created_at": "2026-08-04T08:52:19.385406455-07:00",
    "message": {"role": "assistant", "content": "Hi there"},
    "done": True,
    "done_reason": "stop",
    **METRICS,
}


def request(body: Any = CHAT, path: str = "/api/chat", kind: str = "application/json") -> Request:
    """Return a POST to a local server."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "http", "localhost", 11434, path, "", (("content-type", kind),), raw)


def call(body: Any = CHAT, path: str = "/api/chat") -> Call:
    """Return a call that the dialect understands."""
    found = ollama.call(request(body, path))
    assert isinstance(found, Call), found
    return found


def key(body: Any, path: str = "/api/chat") -> str:
    """Return the key of a call."""
    return fingerprint.key(fingerprint.identity(call(body, path), SCOPE))


def reply(body: Any, kind: str = "application/json; charset=utf-8", status: int = 200) -> Reply:
    """Return *body* as a reply that came in one piece."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, (("content-type", kind),), raw, ((7, len(raw)),))


def lines(*each: Any) -> Reply:
    """Return a stream of lines."""
    return reply("".join(json.dumps(one) + "\n" for one in each).encode(), "application/x-ndjson")


# ---- calls

FORMS = [
    pytest.param("/api/chat", CHAT, LINES, id="chat: nothing said"),
    pytest.param("/api/chat", CHAT | {"stream": None}, LINES, id="chat: null"),
    pytest.param("/api/chat", CHAT | {"stream": True}, LINES, id="chat: true"),
    pytest.param("/api/chat", CHAT | {"stream": False}, JSON, id="chat: false"),
    pytest.param("/api/generate", PROMPT, LINES, id="generate: nothing said"),
    pytest.param("/api/generate", PROMPT | {"stream": False}, JSON, id="generate: false"),
    pytest.param("/api/embed", EMBED, JSON, id="embed"),
    pytest.param("/api/embeddings", PROMPT, JSON, id="embeddings"),
]


@pytest.mark.parametrize(("path", "body", "form"), FORMS)
def test_a_stream_unless_told_otherwise(path: str, body: Any, form: Form) -> None:
    """A call that does not say `stream` gets one, except for vectors; the form is no identity."""
    assert form == call(body, path).form
    assert key(body, path) == key({name: value for name, value in body.items() if name != "stream"}, path)


FIELDS = {
    "model": "qwen3",
    "format": "json",
    "options": {"temperature": 0},
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "think": "high",
    "logprobs": True,
    "top_logprobs": 2,
    "truncate": False,
    "shift": False,
    "_debug_render_only": True,
    "something_new": 0,
}
TURNS = {
    "content": {"content": "hi!"},
    "role": {"role": "system"},
    "images": {"images": ["AAAA"]},
    "thinking": {"thinking": "hm"},
    "tool_calls": {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
    "tool_name": {"tool_name": "f"},
    "tool_call_id": {"tool_call_id": "1"},
}
PROMPTED = {
    "prompt": "hi!",
    "suffix": "}",
    "system": "Be brief",
    "template": "{{ .Prompt }}",
    "context": [1, 2],
    "raw": True,
    "images": ["AAAA"],
}
PAIRS = (
    {f"chat: {name}": ("/api/chat", CHAT, CHAT | {name: value}) for name, value in FIELDS.items()}
    | {
        f"message: {name}": ("/api/chat", CHAT, CHAT | {"messages": [CHAT["messages"][0] | more]})
        for name, more in TURNS.items()
    }
    | {f"generate: {name}": ("/api/generate", PROMPT, PROMPT | {name: value}) for name, value in PROMPTED.items()}
    | {
        f"embed: {name}": ("/api/embed", EMBED, EMBED | {name: value})
        for name, value in {"input": ["two", "one"], "dimensions": 9, "truncate": False, "options": {"a": 1}}.items()
    }
)


@pytest.mark.parametrize(("path", "one", "other"), PAIRS.values(), ids=PAIRS)
def test_every_field_counts(path: str, one: Any, other: Any) -> None:
    """Two calls that differ in one documented field, or an unknown one, have different keys."""
    assert key(one, path) != key(other, path)


@pytest.mark.parametrize(("name", "value"), [("stream", False), ("keep_alive", "10m"), ("keep_alive", 0)])
def test_what_is_denied_does_not_count(name: str, value: Any) -> None:
    """How long a model stays loaded is not what it says."""
    assert name in ollama.DENIED
    assert key(CHAT) == key(CHAT | {name: value})


QUESTIONS = [
    pytest.param("/api/chat", CHAT, "hi", id="chat"),
    pytest.param("/api/generate", PROMPT, "hi", id="generate"),
    pytest.param("/api/embed", EMBED, "one\ntwo", id="embed"),
    pytest.param("/api/embed", EMBED | {"input": "one"}, "one", id="embed one"),
    pytest.param("/api/embeddings", PROMPT, "hi", id="embeddings"),
    pytest.param(
        "/api/chat",
        CHAT | {"messages": [{"role": "user", "content": "", "images": ["AA"]}]},
        '{"content":"","images":["AA"],"role":"user"}',
        id="a picture",
    ),
]


@pytest.mark.parametrize(("path", "body", "asked"), QUESTIONS)
def test_the_question(path: str, body: Any, asked: str) -> None:
    """The question is the last message, the prompt, or everything that is to be embedded."""
    assert asked == ollama.question(call(body, path))


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_what_curl_sends(kind: str) -> None:
    """The documentation's `curl -d` says that its JSON is a form, and the server does not mind."""
    assert isinstance(ollama.call(request(CHAT, kind=kind)), Call)


PASSED = [
    pytest.param("/api/chat", b"{", "not-json", id="not json"),
    pytest.param("/api/chat", [], "not-an-object", id="array"),
    pytest.param("/api/chat", CHAT | {"messages": []}, "no-messages", id="chat: load a model"),
    pytest.param("/api/generate", {"model": "m"}, "no-prompt", id="generate: load a model"),
    pytest.param("/api/generate", {"model": "m", "keep_alive": 0, "prompt": ""}, "no-prompt", id="unload"),
    pytest.param("/api/embed", {"model": "m", "input": []}, "no-prompt", id="embed: nothing"),
    pytest.param("/api/embed", {"model": "m", "input": [1]}, "not-ollama", id="embed: tokens"),
    pytest.param("/api/chat", CHAT | {"stream": 1}, "stream-not-bool", id="stream is a number"),
    pytest.param("/api/chat", {"id": "c", "messages": CHAT["messages"]}, "not-ollama", id="a web app's: no model"),
    pytest.param(
        "/api/chat",
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        "not-ollama",
        id="a web app's: parts",
    ),
    pytest.param("/api/generate", {"model": "m", "prompt": ["a"]}, "not-ollama", id="a web app's: prompts"),
]


@pytest.mark.parametrize(("path", "body", "reason"), PASSED)
def test_what_is_passed_through(path: str, body: Any, reason: str) -> None:
    """Loading a model asks nothing, and other products have these paths too."""
    assert Bypass(reason) == ollama.call(request(body, path))


# ---- verdicts

CALLING = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}
BAD = [
    pytest.param(BODY | {"done": False}, "truncated", id="not done"),
    pytest.param(BODY | {"done_reason": "length"}, "finish-length", id="too long"),
    pytest.param(BODY | {"done_reason": "unload"}, "finish-unload", id="unloaded"),
    pytest.param({name: value for name, value in BODY.items() if name != "done_reason"}, "finish-unnamed", id="old"),
    pytest.param(BODY | {"message": {"role": "assistant", "content": " "}}, "empty", id="blank"),
    pytest.param(BODY | {"message": CALLING | {"tool_calls": [{}]}}, "tool-arguments", id="no function"),
    pytest.param({"error": "out of memory"}, "error", id="error"),
]


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_what_is_not_stored(body: Any, reason: str) -> None:
    """Anything but a natural end with something said is not stored, as JSON or in a stream."""
    assert Incomplete(reason + "-body" * (reason == "error")) == ollama.judge(call(), reply(body), frozenset())
    assert Incomplete(reason + "-event" * (reason == "error")) == ollama.judge(call(), lines(body), frozenset())


def test_what_is_stored() -> None:
    """A natural end with an answer or a tool call is; tokens are counted and the model is named."""
    for body in (BODY, BODY | {"message": CALLING}):
        for each in (reply(body), lines(body)):
            verdict = ollama.judge(call(), each, frozenset())
            assert isinstance(verdict, Complete)
            assert (4, 3, "gemma4") == (verdict.usage.input, verdict.usage.output, verdict.model)


def test_further_finish_reasons() -> None:
    """The configuration may accept others."""
    assert isinstance(ollama.judge(call(), reply(BODY | {"done_reason": "length"}), frozenset({"length"})), Complete)


def test_a_status_is_a_reason() -> None:
    """An answer with another status than 200 is none."""
    assert Incomplete("status-404") == ollama.judge(call(), reply({"error": "no model"}, status=404), frozenset())


VECTORS = [
    pytest.param("/api/embed", EMBED, {"model": "m", "embeddings": [[0.1], [1e-9]]}, None, id="two"),
    pytest.param("/api/embed", EMBED, {"model": "m", "embeddings": [[0.1]]}, "truncated", id="one of two"),
    pytest.param("/api/embed", EMBED, {"model": "m", "embeddings": [[0.1], []]}, "empty", id="an empty one"),
    pytest.param("/api/embed", EMBED, {"model": "m"}, "empty", id="none"),
    pytest.param("/api/embed", EMBED | {"input": "x"}, {"model": "m", "embeddings": [[0.1]]}, None, id="of a text"),
    pytest.param("/api/embeddings", PROMPT, {"embedding": [0.1], "model": "m"}, None, id="old endpoint"),
    pytest.param("/api/embeddings", PROMPT, {"embedding": [], "model": "m"}, "empty", id="old endpoint, empty"),
]


@pytest.mark.parametrize(("path", "body", "answer", "reason"), VECTORS)
def test_vectors(path: str, body: Any, answer: Any, reason: str | None) -> None:
    """Vectors are stored when there is one for each input and none is empty."""
    verdict = ollama.judge(call(body, path), reply(answer), frozenset())
    assert (Complete(model="m") if reason is None else Incomplete(reason)) == verdict


def test_cut_at_any_border_is_incomplete() -> None:
    """Only the line that says `done` makes a stream whole."""
    whole = ollama.convert(reply(BODY), JSON, LINES)
    assert len(whole.chunks) > 2
    at = 0
    for _, length in whole.chunks[:-1]:
        at += length
        assert Incomplete("truncated") == ollama.judge(call(), lines_of(whole.body[:at]), frozenset())
    assert isinstance(ollama.judge(call(), whole, frozenset()), Complete)


def lines_of(body: bytes) -> Reply:
    """Return *body* as a stream."""
    return reply(body, "application/x-ndjson")


# ---- forms

CALLS = st.lists(joined(EXTRAS, st.just({"function": {"index": 0, "name": "f", "arguments": {"a": 1.0}}})), max_size=3)
LOGPROBS = st.lists(st.fixed_dictionaries({"token": TEXTS, "logprob": st.floats(-9, 0)}), max_size=4)
TOP = joined(
    EXTRAS,
    st.just({name: value for name, value in BODY.items() if name != "message"}),
    optional(logprobs=LOGPROBS, context=st.lists(st.integers(), max_size=3), remote_model=TEXTS, remote_host=TEXTS),
)
MESSAGE = joined(
    EXTRAS,
    st.fixed_dictionaries({"role": st.just("assistant"), "content": TEXTS}),
    optional(thinking=TEXTS),
    optional(tool_calls=CALLS, images=VALUES),
)
CHATS = st.tuples(TOP, MESSAGE).map(lambda each: {**each[0], "message": each[1]})
TEXTS_GENERATED = joined(TOP, st.fixed_dictionaries({"response": TEXTS}), optional(thinking=TEXTS, tool_calls=CALLS))


@st.composite
def spelled(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a chat whose log probabilities spell its content, as the server has them."""
    tokens = draw(LOGPROBS)
    message = {**draw(MESSAGE), "content": "".join(token["token"] for token in tokens)}
    return {**draw(TOP), "message": message, "logprobs": tokens}


@STEADY
@given(CHATS | TEXTS_GENERATED | spelled())
def test_a_json_body_survives_the_stream(body: dict[str, Any]) -> None:
    """Exploding a body and assembling the lines gives the same body, whatever is in it."""
    there = ollama.convert(reply(body), JSON, LINES)
    back = ollama.convert(there, LINES, JSON)
    assert json.dumps(body, sort_keys=True) == json.dumps(json.loads(back.body), sort_keys=True)
    assert len(there.body) == sum(length for _, length in there.chunks)


@STEADY
@given(CHATS | spelled())
def test_lines_are_what_clients_expect(body: dict[str, Any]) -> None:
    """Each line names model and time and has a message; only the last is done and measures."""
    written = [json.loads(line) for line in ollama.convert(reply(body), JSON, LINES).body.splitlines()]
    for line in written:
        assert {"model", "created_at", "message", "done"} <= line.keys()
        assert {"role", "content"} <= line["message"].keys()
    assert [line["done"] for line in written] == [False] * (len(written) - 1) + [True]
    assert [line for line in written if "eval_count" in line] == written[-1:]


LOST = [
    pytest.param([BODY | {"done": False}], "done", id="not done"),
    pytest.param([BODY | {"done": False, "model": "other"}, BODY], "model", id="two models"),
    pytest.param([BODY | {"done": False, "message": "hi"}, BODY], "message", id="no message"),
    pytest.param([BODY | {"done": False, "x": 1}, BODY | {"x": True}], "x", id="an unknown member, twice"),
]


@pytest.mark.parametrize(("each", "field"), LOST)
def test_what_cannot_be_one_body(each: Any, field: str) -> None:
    """What contradicts itself is a miss, never a guess."""
    with pytest.raises(Lossy, match=field):
        ollama.convert(lines(*each), LINES, JSON)


@pytest.mark.parametrize("wanted", ["sse", "array"])
def test_no_other_form(wanted: str) -> None:
    """Ollama streams lines and nothing else."""
    with pytest.raises(Lossy, match=wanted):
        ollama.convert(reply(BODY), JSON, Form(wanted))


MISLABELED = [
    pytest.param(lines(BODY), LINES, id="lines"),
    pytest.param(reply(lines(BODY | {"done": False}, BODY).body), LINES, id="lines called json"),
    pytest.param(reply(BODY), JSON, id="json"),
    pytest.param(reply(json.dumps(BODY, indent=2).encode()), JSON, id="json on many lines"),
]


@pytest.mark.parametrize(("answer", "form"), MISLABELED)
def test_a_reply_is_what_it_is(answer: Reply, form: Form) -> None:
    """The form is read from the reply: a server that answers otherwise than asked is understood."""
    assert form == ollama.reply_form(call(), answer)


def test_a_refusal_is_an_error_of_ollamas() -> None:
    """Ollama's SDKs show what stands in `error`."""
    assert json.loads(ollama.refusal("nothing recorded", "c")) == {"error": "nothing recorded", "code": "c"}
