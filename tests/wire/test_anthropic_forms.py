"""Anthropic replies: one answer in both forms without loss, and the oddities of gateways."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import chat_replies as make
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage, WireError
from llmcache.wire import anthropic
from llmcache.wire.anthropic_assemble import assemble
from llmcache.wire.anthropic_explode import explode
from llmcache.wire.anthropic_verdict import judge_body, judge_events

JSON, SSE = Form("json"), Form("sse")
NONE: frozenset[str] = frozenset()


def message(*content: Any, **members: Any) -> dict[str, Any]:
    """Return a whole message; without *content* it says hello."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [*content] or [{"type": "text", "text": "Hello there"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 3},
        **members,
    }


def events(*content: Any, **members: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a message."""
    return explode(message(*content, **members))


def stream(payloads: Any) -> bytes:
    """Return *payloads* as server-sent events."""
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in payloads).encode()


def delta(index: int, **members: Any) -> tuple[str, dict[str, Any]]:
    """Return a `content_block_delta`."""
    return "content_block_delta", {"type": "content_block_delta", "index": index, "delta": members}


def call() -> Call:
    """Return a plain call."""
    body = b'{"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
    found = anthropic.call(Request("POST", "https", "api.anthropic.com", 443, "/v1/messages", "", (), body))
    assert isinstance(found, Call)
    return found


def verdict(body: bytes, content_type: str = "text/event-stream", status: int = 200) -> Any:
    """Return what is thought of a reply."""
    return anthropic.judge(call(), Reply(status, (("content-type", content_type),), body), NONE)


BLOCKS = st.one_of(
    make.joined(
        make.EXTRAS,
        st.fixed_dictionaries({"type": st.just("text"), "text": make.TEXTS}),
        make.optional(citations=st.none() | st.lists(make.EXTRAS, max_size=3)),
    ),
    make.joined(
        make.EXTRAS,
        st.fixed_dictionaries({"type": st.just("thinking"), "thinking": make.TEXTS}),
        make.optional(signature=make.MAYBE),
    ),
    make.joined(
        make.EXTRAS,
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]),
                "id": make.TEXTS,
                "name": make.TEXTS,
                "input": make.VALUES,
            }
        ),
    ),
    make.joined(
        make.EXTRAS, st.just({"type": "compaction"}), make.optional(content=make.MAYBE, encrypted_content=make.MAYBE)
    ),
    make.joined(make.EXTRAS, st.fixed_dictionaries({"type": make.TEXTS, "content": make.VALUES, "data": make.TEXTS})),
)
MESSAGES = st.builds(
    lambda extras, late, content, usage: message(
        **{**extras, **late, "content": content, "usage": {"input_tokens": 1, "output_tokens": 7, **usage}}
    ),
    make.EXTRAS,
    make.optional(
        stop_reason=make.MAYBE,
        stop_sequence=make.MAYBE,
        stop_details=make.VALUES,
        container=make.VALUES,
        context_management=make.VALUES,
    ),
    st.lists(BLOCKS, max_size=4),
    make.joined(
        make.EXTRAS,
        make.optional(cache_creation=make.VALUES, server_tool_use=make.VALUES, iterations=make.VALUES),
    ),
)


@make.STEADY
@given(MESSAGES)
def test_a_body_survives_the_stream(body: dict[str, Any]) -> None:
    """Exploding any valid message and assembling its events gives the same body, through bytes and back too."""
    before = deepcopy(body)
    again = assemble(explode(body))
    assert make_text(body) == make_text(again)
    there = anthropic.convert(Reply(200, (), json.dumps(body).encode()), JSON, SSE)
    back = anthropic.convert(there, SSE, JSON)
    assert make_text(body) == make_text(json.loads(back.body))
    assert len(there.body) == sum(length for _, length in there.chunks)
    assert before == body


def make_text(value: Any) -> str:
    """Return a text that is equal for equal JSON values only."""
    return json.dumps(value, sort_keys=True)


@make.STEADY
@given(MESSAGES)
def test_events_are_what_clients_expect(body: dict[str, Any]) -> None:
    """A stream begins empty and unfinished, opens and closes each block in turn, and ends with reason and usage."""
    payloads = explode(body)
    assert all(name == payload["type"] for name, payload in payloads)
    first, last = payloads[0][1]["message"], payloads[-2][1]
    assert ([], None) == (first["content"], first["stop_reason"])
    assert (body["stop_reason"], 7) == (last["delta"]["stop_reason"], last["usage"]["output_tokens"])
    assert payloads[-1] == ("message_stop", {"type": "message_stop"})
    borders = [payload["index"] for name, payload in payloads if name in ("content_block_start", "content_block_stop")]
    assert borders == [index for index in range(len(body["content"])) for _ in range(2)]


def test_every_cut_between_events_is_incomplete() -> None:
    """A stream that ends after any event but the last is not stored."""
    whole = events(
        {"type": "thinking", "thinking": "Hm. Hm.", "signature": "s"},
        {"type": "text", "text": "Two words", "citations": [{"a": 1}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Zürich"}},
        stop_reason="tool_use",
    )
    assert [isinstance(verdict(stream(whole[:end])), Complete) for end in range(len(whole) + 1)] == [False] * len(
        whole
    ) + [True]


def test_usage_counts_what_the_prompt_cache_read_and_wrote() -> None:
    """`input_tokens` are the rest beside the cache; all three are input, and what was read is cached."""
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 7}
    assert judge_body(message(usage=usage), NONE) == Complete(Usage(123, 7, 100), "claude")


def test_an_accepted_finish_is_complete() -> None:
    """A stop reason that the user accepts is good, in both forms."""
    cut = message(stop_reason="max_tokens")
    accepted = frozenset({"max_tokens"})
    assert isinstance(judge_body(cut, accepted), Complete)
    assert isinstance(judge_events(explode(cut), accepted), Complete)
    assert judge_body(cut, NONE) == Incomplete("finish-max_tokens")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param([1], "not-an-object", id="array"),
        pytest.param({"type": "error", "error": {"type": "overloaded_error"}}, "error-body", id="error"),
        pytest.param(message(content=None), "content-missing", id="no-content"),
        pytest.param(message(content=["x"]), "content-missing", id="content-text"),
        pytest.param(message(content=[]), "empty", id="empty"),
        pytest.param(message({"type": "redacted_thinking", "data": "x"}), "empty", id="thinking-only"),
        pytest.param(message(stop_reason=None), "truncated", id="unfinished"),
        pytest.param(message(stop_reason="refusal"), "finish-refusal", id="refusal"),
        pytest.param(message(stop_reason="a b"), "finish-unknown", id="odd-reason"),
        pytest.param(message(stop_reason=1), "finish-unknown", id="number-reason"),
    ],
)
def test_what_is_not_stored(body: Any, reason: str) -> None:
    """A JSON body that is not certainly good has a reason."""
    assert verdict(json.dumps(body).encode(), "application/json") == Incomplete(reason)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        pytest.param(b"{", "application/json", 200, "not-json", id="cut-json"),
        pytest.param(b"", "text/event-stream", 200, "truncated", id="empty-stream"),
        pytest.param(b"event: error\ndata: overloaded\n\n", "", 200, "error-event", id="error-in-words"),
        pytest.param(b"event: ping\ndata: {\n\n", "", 200, "bad-event", id="bad-json"),
        pytest.param(b"event: ping\ndata: \xff\n\n", "", 200, "bad-event", id="no-utf8"),
        pytest.param(stream(events()[:1] * 2 + events()[1:]), "", 200, "bad-event", id="two-starts"),
        pytest.param(stream(events()[1:]), "", 200, "bad-event", id="no-start"),
        pytest.param(
            stream([*events()[:2], delta(0, type="text_delta", text=None), *events()[2:]]),
            "",
            200,
            "bad-event",
            id="no-text",
        ),
        pytest.param(stream(events()), "", 529, "status-529", id="status"),
    ],
)
def test_what_is_no_reply(body: bytes, content_type: str, status: int, reason: str) -> None:
    """Broken bytes, events out of order and failures are not stored."""
    assert verdict(body, content_type, status) == Incomplete(reason)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("data: [DONE]\n\n", id="done"),
        pytest.param("event: data\ndata: [DONE]\n\n", id="openrouter-done"),
        pytest.param(": OPENROUTER PROCESSING\n\n", id="comment"),
        pytest.param('event: ping\ndata: {"type": "ping"}\n\n', id="ping"),
    ],
)
def test_what_gateways_send_after_the_end(more: str) -> None:
    """`[DONE]` as OpenAI has it, comments and pings change nothing."""
    body = stream(events()) + more.encode()
    assert isinstance(verdict(body), Complete)
    there = anthropic.convert(Reply(200, (), body), SSE, JSON)
    assert message() == json.loads(there.body)


def test_names_of_events_are_not_needed() -> None:
    """A gateway that sends no `event` line is understood by its payloads, as is Bedrock, which has no names."""
    assert message() == assemble(("", payload) for _, payload in events())


def test_bedrocks_metrics_are_no_part_of_the_answer() -> None:
    """Bedrock adds its metrics to `message_stop`; a JSON answer has them in headers."""
    *most, (name, payload) = events()
    assert message() == assemble([*most, (name, payload | {"amazon-bedrock-invocationMetrics": {"a": 1}})])


def test_a_progress_hint_is_no_part_of_the_answer() -> None:
    """`estimated_tokens` of a thinking delta is for a display only (Anthropic, beta thinking-token-count)."""
    thinking = {"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "text", "text": "Hi"}
    first, opened, *rest = events(*thinking)
    hint = delta(0, type="thinking_delta", thinking="", estimated_tokens=50)
    assert message(*thinking) == assemble([first, opened, hint, *rest])


def test_a_late_member_replaces_what_the_start_said() -> None:
    """After a fallback `message_delta` says `input_transformations` anew."""
    *most, (name, late), stop = events(input_transformations=[{"type": "a"}])
    assert message(input_transformations=[{"type": "a"}]) == assemble([*most, (name, late), stop])
    changed = assemble([*most, (name, late | {"input_transformations": [{"type": "b"}]}), stop])
    assert changed == message(input_transformations=[{"type": "b"}])


def test_nothing_is_taken_away_by_a_null() -> None:
    """What a later event says null of stays as it was; what it says again counts."""
    late = {
        "type": "message_delta",
        "delta": {"stop_reason": None},
        "usage": {"input_tokens": None, "output_tokens": 9},
    }
    whole = events()
    found = assemble([*whole[:-1], ("message_delta", late), whole[-1]])
    assert ("end_turn", {"input_tokens": 5, "output_tokens": 9}) == (found["stop_reason"], found["usage"])


@pytest.mark.parametrize(
    ("event", "field"),
    [
        pytest.param(("news", {"type": "news"}), "news", id="unknown-event"),
        pytest.param(("", {}), "event", id="no-type"),
        pytest.param(delta(0, type="audio_delta", audio="AAA"), "delta.audio_delta", id="unknown-delta"),
        pytest.param(delta(0, type="text_delta", text="a", mood="b"), "delta.mood", id="unknown-member"),
        pytest.param(delta(0, type="signature_delta", signature="b"), "delta.signature", id="two-signatures"),
        pytest.param(
            ("content_block_delta", delta(0, type="text_delta", text="a")[1] | {"x": 1}),
            "content_block_delta.x",
            id="unknown-beside-delta",
        ),
    ],
)
def test_what_a_body_cannot_carry_is_lossy(event: Any, field: str) -> None:
    """The stream is stored and served as it is, and no body is made of it."""
    whole = events({"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "text", "text": "Hi"})
    at = next(at for at, (name, _) in enumerate(whole) if name == "content_block_stop")
    body = stream([*whole[:at], event, *whole[at:]])
    assert isinstance(verdict(body), Complete)
    with pytest.raises(Lossy) as caught:
        anthropic.convert(Reply(200, (), body), SSE, JSON)
    assert field == str(caught.value)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(message(usage=None), "usage", id="no-usage"),
        pytest.param(message(usage={"input_tokens": 1}), "usage", id="no-output-tokens"),
        pytest.param(message(content="Hi"), "content", id="content-text"),
        pytest.param(
            {k: v for k, v in message().items() if k != "stop_reason"} | {"content": [1]}, "content", id="one"
        ),
        pytest.param(message({"type": "fallback", "to": {"model": "b"}}), "model", id="fallback-to-another"),
        pytest.param([1], "body", id="no-object"),
    ],
)
def test_what_a_stream_cannot_carry_is_lossy(body: Any, field: str) -> None:
    """The conversion is refused with the name of the member."""
    with pytest.raises(Lossy) as caught:
        anthropic.convert(Reply(200, (), json.dumps(body).encode()), JSON, SSE)
    assert field == str(caught.value)


@pytest.mark.parametrize("wanted", [Form("ndjson"), Form("eventstream")])
def test_other_forms_are_not_spoken(wanted: Form) -> None:
    """There is JSON and there are server-sent events."""
    with pytest.raises(Lossy):
        anthropic.convert(Reply(200, (), b"{}"), JSON, wanted)


def test_a_stream_without_usage_is_no_body() -> None:
    """A gateway that counts nothing can be replayed as a stream only."""
    silent = [(name, {key: value for key, value in payload.items() if key != "usage"}) for name, payload in events()]
    silent[0] = ("message_start", {"type": "message_start", "message": message(content=[], usage=None)})
    with pytest.raises(Lossy) as caught:
        anthropic.convert(Reply(200, (), stream(silent)), SSE, JSON)
    assert str(caught.value) == "usage"


def test_tool_input_that_is_no_json_makes_no_body() -> None:
    """A stream whose tool input does not parse raises with the slug that the verdict has."""
    whole = events({"type": "tool_use", "id": "t", "name": "f", "input": {}}, stop_reason="tool_use")
    broken = [*whole[:2], delta(0, type="input_json_delta", partial_json='{"a": '), *whole[2:]]
    with pytest.raises(WireError, match="tool-arguments"):
        assemble(broken)
    assert judge_events(broken, NONE) == Incomplete("tool-arguments")
