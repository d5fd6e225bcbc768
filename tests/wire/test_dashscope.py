"""DashScope's own protocol: what is a call and its identity, odd replies, and any reply in all three forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire import dashscope
from llmcache.wire.dashscope_forms import assemble, explode

SCOPE = Scope(b"a secret")
AIGC = "/api/v1/services/aigc/text-generation/generation"
EMBED = "/api/v1/services/embeddings/text-embedding/text-embedding"
RANK = "/api/v1/services/rerank/text-rerank/text-rerank"
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer one"))
SSE = (*HEADERS, ("x-dashscope-sse", "enable"))
BASE: dict[str, Any] = {
    "model": "qwen-plus",
    "input": {"messages": [{"role": "user", "content": "hi"}]},
    "parameters": {"result_format": "message"},
}
JSON, PIECES, GROWING = Form("json"), Form("sse"), Form("sse", frozenset({"cumulative"}))
FORMS = [pytest.param(PIECES, id="pieces"), pytest.param(GROWING, id="growing")]


def asked(body: Any = BASE, path: str = AIGC, headers: tuple[tuple[str, str], ...] = HEADERS) -> Request:
    """Return a POST to DashScope."""
    return Request("POST", "https", "dashscope.aliyuncs.com", 443, path, "", headers, json.dumps(body).encode())


def understood(*arguments: Any, **named: Any) -> Call:
    """Return the call of a request that the dialect understands."""
    call = dashscope.call(asked(*arguments, **named))
    assert isinstance(call, Call), call
    return call


def key(*arguments: Any, **named: Any) -> str:
    """Return the key of a request."""
    return fingerprint.key(fingerprint.identity(understood(*arguments, **named), SCOPE))


def streaming(incremental: bool | None = None, model: str = "qwen-plus") -> Call:
    """Return a call for a stream of a kind; None for one that leaves it to the model."""
    parameters = BASE["parameters"] | ({} if incremental is None else {"incremental_output": incremental})
    return understood(BASE | {"model": model, "parameters": parameters}, headers=SSE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"headers": SSE}, id="stream"),
        pytest.param({"headers": (*HEADERS, ("accept", "text/event-stream"))}, id="stream by accept"),
        pytest.param({"body": BASE | {"parameters": BASE["parameters"] | {"incremental_output": True}}}, id="pieces"),
        pytest.param({"headers": (*HEADERS, ("user-agent", "dashscope/1.25"))}, id="user agent"),
    ],
)
def test_what_is_no_identity(change: dict[str, Any]) -> None:
    """The form of the answer leaves the key as it is."""
    assert key() == key(**change)


def test_only_the_form_among_the_parameters_is_no_parameters() -> None:
    """A call that says nothing else is the call without parameters."""
    bare = {name: value for name, value in BASE.items() if name != "parameters"}
    assert key(bare) == key(bare | {"parameters": {"incremental_output": False}})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"body": BASE | {"model": "qwen-max"}}, id="model"),
        pytest.param({"body": BASE | {"input": {"prompt": "hi"}}}, id="input"),
        pytest.param({"body": BASE | {"parameters": {"result_format": "text"}}}, id="result format"),
        pytest.param({"body": BASE | {"parameters": BASE["parameters"] | {"seed": 1}}}, id="seed"),
        pytest.param({"body": BASE | {"parameters": BASE["parameters"] | {"enable_search": True}}}, id="search"),
        pytest.param({"body": BASE | {"unknown": 1}}, id="unknown member"),
        pytest.param({"path": AIGC.replace("text", "multimodal")}, id="service"),
        pytest.param({"headers": (*HEADERS, ("x-dashscope-workspace", "w"))}, id="workspace"),
        pytest.param({"headers": (HEADERS[0], ("authorization", "Bearer two"))}, id="key"),
    ],
)
def test_what_is_identity(change: dict[str, Any]) -> None:
    """Every member and header that may change the answer makes another key."""
    assert key() != key(**change)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(asked(headers=(*HEADERS, ("x-dashscope-async", "enable"))), "async", id="a task"),
        pytest.param(asked(headers=(*HEADERS, ("x-dashscope-encryptionkey", "{}"))), "encrypted", id="encrypted"),
        pytest.param(asked({"model": "m"}), "no-input", id="no input"),
        pytest.param(asked({"input": "hi"}), "bad-input", id="input that is a text"),
        pytest.param(asked({"input": {"prompt": "hi"}, "parameters": []}), "bad-input", id="parameters in a list"),
        pytest.param(
            asked(BASE | {"parameters": {"incremental_output": 1}}), "incremental-not-bool", id="no truth value"
        ),
        pytest.param(asked([]), "not-an-object", id="no object"),
    ],
)
def test_what_is_passed_through(request_: Request, reason: str) -> None:
    """What is no call that we understand is passed through with a reason."""
    assert Bypass(reason) == dashscope.call(request_)


@pytest.mark.parametrize(
    ("given_", "question"),
    [
        pytest.param(BASE["input"], "hi", id="message"),
        pytest.param({"prompt": "hi"}, "hi", id="prompt"),
        pytest.param({"messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]}, "a\nb", id="parts"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"image": "x"}]}]},
            '{"content":[{"image":"x"}],"role":"user"}',
            id="picture",
        ),
        pytest.param({"texts": ["a", "b"]}, "a\nb", id="texts"),
        pytest.param({"query": "q", "documents": ["d"]}, "q", id="query"),
        pytest.param({"contents": [{"text": "a"}]}, '{"contents":[{"text":"a"}]}', id="anything else"),
    ],
)
def test_what_is_asked(given_: Any, question: str) -> None:
    """The question is the last text, or what stands for it; it is never empty."""
    assert question == dashscope.question(understood(BASE | {"input": given_}))


@pytest.mark.parametrize(
    ("call", "form"),
    [
        pytest.param(understood(), JSON, id="JSON"),
        pytest.param(streaming(True), PIECES, id="pieces"),
        pytest.param(streaming(False), GROWING, id="growing"),
        pytest.param(streaming(), Form("sse", frozenset({"cumulative", "unsaid"})), id="unsaid"),
        pytest.param(streaming(model="qwq-plus"), Form("sse", frozenset({"unsaid"})), id="unsaid, of a thinking model"),
        pytest.param(understood(path=EMBED, headers=SSE), JSON, id="vectors are no stream"),
    ],
)
def test_the_form_that_is_asked_for(call: Call, form: Form) -> None:
    """Headers ask for a stream; a parameter, or else the model, says of which kind."""
    assert form == call.form


USAGE = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}


def reply(message: Any, reason: Any = "stop", **more: Any) -> dict[str, Any]:
    """Return a body with one choice."""
    choice = {"message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"output": {"choices": [choice]}, "usage": USAGE, "request_id": "r", **more}


CALLS = [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
VERDICTS = {
    "text": (AIGC, reply({"content": "ho"}), Complete(Usage(3, 5))),
    "without choices": (
        AIGC,
        {"output": {"text": "ho", "finish_reason": "stop"}, "usage": USAGE},
        Complete(Usage(3, 5)),
    ),
    "tool call": (AIGC, reply({"content": "", "tool_calls": CALLS}, "tool_calls"), Complete(Usage(3, 5))),
    "cut by a limit": (AIGC, reply({"content": "ho"}, "length"), Incomplete("finish-length")),
    "not finished": (AIGC, reply({"content": "ho"}, "null"), Incomplete("truncated")),
    "says nothing": (AIGC, reply({"content": " "}), Incomplete("empty")),
    "reasoning only": (AIGC, reply({"content": "", "reasoning_content": "hm"}), Incomplete("empty")),
    "a picture": (AIGC, reply({"content": [{"image": "u"}]}), Incomplete("expiring-url")),
    "text in a picture": (
        AIGC,
        reply({"content": [{"text": "A", "ocr_result": {"words": []}}]}),
        Complete(Usage(3, 5)),
    ),
    "a box and a text": (AIGC, reply({"content": [{"box": "<ref>"}, {"text": "A"}]}), Complete(Usage(3, 5))),
    "a box only": (AIGC, reply({"content": [{"box": "<ref>"}]}), Incomplete("empty")),
    "no parts": (AIGC, reply({"content": ["A"]}), Incomplete("bad-content")),
    "speech": (AIGC, {"output": {"audio": {"url": "u"}, "finish_reason": "stop"}}, Incomplete("expiring-url")),
    "error": (AIGC, {"code": "Throttling", "message": "slow down"}, Incomplete("error-body")),
    "nothing": (AIGC, {}, Incomplete("truncated")),
    "no object": (AIGC, [], Incomplete("not-an-object")),
    "vectors": (EMBED, {"output": {"embeddings": [{}]}, "usage": {"total_tokens": 4}}, Complete(Usage(4))),
    "no vectors": (EMBED, {"output": {}}, Incomplete("no-embeddings")),
    "ranking": (RANK, {"output": {"results": [{"index": 0}]}}, Complete()),
}


@pytest.mark.parametrize(("path", "body", "verdict"), VERDICTS.values(), ids=VERDICTS.keys())
def test_a_body_is_judged(path: str, body: Any, verdict: Any) -> None:
    """Only what is whole, natural and says something is stored."""
    call = understood(BASE, path)
    assert verdict == dashscope.judge(call, Reply(200, (), json.dumps(body).encode()), frozenset())
    assert Incomplete("status-500") == dashscope.judge(call, Reply(500, (), json.dumps(body).encode()), frozenset())


TEXT = st.text(min_size=1, max_size=80).filter(lambda text: text != "null")
MESSAGES = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXT | st.just("") | st.builds(lambda text: [{"text": text}], TEXT)},
    optional={"reasoning_content": TEXT, "tool_calls": st.just(CALLS)},
)
BODIES = st.one_of(
    st.builds(
        lambda messages: [
            {"index": at, "message": message, "finish_reason": "stop"} for at, message in enumerate(messages)
        ],
        st.lists(MESSAGES, min_size=1, max_size=2),
    ).map(lambda choices: {"choices": choices}),
    st.builds(lambda text: {"text": text, "finish_reason": "stop"}, TEXT),
).map(lambda output: {"output": output, "usage": USAGE, "request_id": "r"})


@pytest.mark.parametrize("growing", [False, True], ids=["pieces", "growing"])
@settings(deadline=None, max_examples=60)
@given(body=BODIES)
def test_any_reply_comes_back(growing: bool, body: dict[str, Any]) -> None:
    """A body becomes a stream of either kind that adds up to it again."""
    again = assemble(explode(body, growing=growing), growing=growing)
    assert json.dumps(body, sort_keys=True) == json.dumps(again, sort_keys=True)


def stream(*texts: str, last: str = "stop") -> Reply:
    """Return a stream whose events say *texts*, the last of them finished."""
    reasons = ["null"] * (len(texts) - 1) + [last]
    bodies = [reply({"content": text}, reason) for text, reason in zip(texts, reasons, strict=True)]
    body = b"".join(
        b"id:1\nevent:result\n:HTTP_STATUS/200\ndata:" + json.dumps(each).encode() + b"\n\n" for each in bodies
    )
    return Reply(200, (("content-type", "text/event-stream;charset=UTF-8"),), body, ((1, len(body)),))


TEXTS = ("I", "I am", "I am Qwen.", "I am Qwen.")
KINDS = {
    "asked to grow, grows": (False, stream(*TEXTS), True),
    "asked to grow, comes in pieces": (False, stream("I", " am", " Qwen.", ""), False),
    "asked for pieces, looks as if it grew": (True, stream("1", "11", "111", "1111"), False),
    "unsaid, grows": (None, stream(*TEXTS), True),
    "unsaid, comes in pieces": (None, stream("I", " am", " Qwen.", ""), False),
}


@pytest.mark.parametrize(("incremental", "sent", "grows"), KINDS.values(), ids=KINDS.keys())
def test_the_kind_of_a_stream_is_seen(incremental: bool | None, sent: Reply, grows: bool) -> None:
    """Models do not always send the kind of stream that was asked for; the texts say what it is."""
    assert grows == ("cumulative" in dashscope.reply_form(streaming(incremental), sent).options)


def test_a_thinking_model_that_grows_is_seen() -> None:
    """Where pieces are only expected, enough growth proves the contrary."""
    call = streaming(model="qwen3-max")
    assert "cumulative" in dashscope.reply_form(call, stream("I", *TEXTS, "I am Qwen. Hi")).options
    assert "cumulative" not in dashscope.reply_form(call, stream("ha", "ha", "!")).options


@pytest.mark.parametrize("wanted", FORMS)
def test_one_recording_answers_every_form(wanted: Form) -> None:
    """A stream of either kind becomes the other one, and the body that both add up to."""
    sent = stream(*TEXTS)
    other = dashscope.convert(sent, GROWING, wanted)
    assert (other is sent) == (wanted == GROWING)
    body = json.loads(dashscope.convert(other, wanted, JSON).body)
    assert reply({"content": "I am Qwen."}) == body
    call = streaming(wanted == PIECES)
    assert dashscope.judge(call, other, frozenset()) == Complete(Usage(3, 5))
    assert wanted == dashscope.reply_form(call, other)


def test_what_was_left_to_the_model_comes_back_as_it_came() -> None:
    """A call that does not say its kind of stream gets the recording of such a call, whatever it was."""
    call, sent = streaming(), stream("I", " am", " Qwen.", "")
    recorded = dashscope.reply_form(call, sent)
    assert recorded != call.form
    assert sent is dashscope.convert(sent, recorded, call.form)


@pytest.mark.parametrize("end", range(3))
def test_a_stream_cut_at_any_event_is_not_stored(end: int) -> None:
    """Until an event says how it finished nothing is whole."""
    cut = stream(*TEXTS[: end + 1], last="null")
    assert Incomplete("truncated") == dashscope.judge(streaming(False), cut, frozenset())


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param(stream("I am", "You are"), "content", id="a text that is taken back"),
    ],
)
def test_what_contradicts_itself_is_no_body(sent: Reply, field: str) -> None:
    """Growing texts that do not grow are never made one."""
    with pytest.raises(Lossy, match=field):
        dashscope.convert(sent, GROWING, JSON)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"output": {"embeddings": []}}, id="vectors"),
        pytest.param({"output": {"choices": [{"finish_reason": "stop"}]}}, id="no message"),
        pytest.param([], id="no object"),
    ],
)
@pytest.mark.parametrize("wanted", FORMS)
def test_what_a_stream_cannot_say_is_replayed_as_a_body_only(body: Any, wanted: Form) -> None:
    """A body that no stream can carry is never written as one."""
    with pytest.raises(Lossy):
        dashscope.convert(Reply(200, (), json.dumps(body).encode()), JSON, wanted)


@pytest.mark.parametrize("value", [1, True, ["x"], [1], {"a": 1}, {"choices": [1]}], ids=str)
@pytest.mark.parametrize("where", ["output", "choices", "message", "content", "tool_calls", "finish_reason"])
def test_misshapen_replies_are_not_stored(where: str, value: Any) -> None:
    """A reply of another shape than documented is not good, and no error of ours, whole or in a stream."""
    body = reply({"content": ""})
    choice = body["output"]["choices"][0]
    places = {"output": body, "choices": body["output"], "message": choice, "finish_reason": choice}
    places.get(where, choice["message"])[where] = value
    events = [reply({"content": ""}, "null"), body]
    frames = b"".join(b"data:" + json.dumps(each).encode() + b"\n\n" for each in events)
    for raw in (json.dumps(body).encode(), frames):
        assert isinstance(dashscope.judge(streaming(True), Reply(200, (), raw), frozenset()), Incomplete)
        dashscope.reply_form(streaming(), Reply(200, (), raw))


def test_a_refusal_is_an_error_of_dashscopes() -> None:
    """Code and message stand where the SDK looks for them."""
    assert json.loads(dashscope.refusal("m", "c")) == {"code": "c", "message": "m", "request_id": ""}


def test_every_choice_that_was_asked_for_must_be_there() -> None:
    """Two answers were asked for: one is not the answer."""
    call = understood(BASE | {"parameters": {"n": 2}})
    one = reply({"content": "ho"})
    two = one | {"output": {"choices": one["output"]["choices"] * 2}}
    replies = [Reply(200, (), json.dumps(each).encode()) for each in (one, two)]
    verdicts = [dashscope.judge(call, each, frozenset()) for each in replies]
    assert verdicts == [Incomplete("choices-missing"), Complete(Usage(3, 5))]
