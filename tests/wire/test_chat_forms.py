"""One answer in both forms, without loss: rows R of the conformance table."""

from __future__ import annotations

import json
from typing import Any

import chat_replies as make
import pytest
from chat_replies import calling, chunk, completion, json_reply, sse_reply, stream
from hypothesis import given
from llmcache.chat import Form, Lossy, Reply
from llmcache.framing import parse_sse
from llmcache.wire import openai_chat
from llmcache.wire.chat_assemble import assemble
from llmcache.wire.chat_explode import MAX_PIECES, explode

JSON = Form("json")
SSE = Form("sse")
SSE_USAGE = Form("sse", frozenset({"usage"}))
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


@make.STEADY
@given(make.completions())
def test_a_json_body_survives_the_stream(body: dict[str, Any]) -> None:
    """Row R1: exploding a body and assembling the stream gives the same body, whatever vendors put into it."""
    raw = json_reply(body)
    there = openai_chat.convert(raw, JSON, SSE_USAGE)
    back = openai_chat.convert(there, SSE_USAGE, JSON)
    assert json.dumps(body, sort_keys=True) == json.dumps(json.loads(back.body), sort_keys=True)
    assert len(there.body) == sum(length for _, length in there.chunks)


@make.STEADY
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


@make.STEADY
@given(make.completions())
def test_r6_chunks_are_what_clients_expect(body: dict[str, Any]) -> None:
    """Row R6: each chunk has the stream's fields, a delta and an index; `[DONE]` ends it; pieces are bounded."""
    events = parse_sse(b"".join(explode(body, SSE)))
    assert events[-1].data == "[DONE]"
    for event in events[:-1]:
        written = json.loads(event.data)
        assert (written["id"], written["object"]) == ("chatcmpl-1", "chat.completion.chunk")
        for each in written["choices"]:
            assert isinstance(each["delta"], dict)
            assert ("logprobs" in body["choices"][each["index"]]) == ("logprobs" in each)
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
    calls = calling("{}", '{"a":1}')
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
    with pytest.raises(Lossy) as caught:
        openai_chat.convert(json_reply(body), JSON, SSE_USAGE)
    assert field == str(caught.value)


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
    with pytest.raises(Lossy) as caught:
        openai_chat.convert(sse_reply(stream(*events)), SSE, JSON)
    assert field == str(caught.value)


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


def test_a_stream_was_created_when_it_began() -> None:
    """Azure's first chunk says 0, and some providers count on with the chunks: the first real time is the answer's."""
    assert assemble(stream(chunk(created=0), chunk(created=7), chunk(created=8)))["created"] == 7


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
    with pytest.raises(Lossy, match=r"^usage$"):
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
    with pytest.raises(Lossy, match=r"^ndjson$"):
        openai_chat.convert(json_reply(completion()), JSON, Form("ndjson"))
