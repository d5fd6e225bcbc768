"""Amazon Bedrock: what is a call and its identity, what becomes of odd replies, and both forms of any reply."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint, wire
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire import bedrock, bedrock_converse, bedrock_invoke
from llmcache.wire.converse_events import assemble, explode

SCOPE = Scope(b"a secret")
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1"
PATH = f"/model/{MODEL}%3A0/converse"
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261120/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature={}"
HEADERS = (
    ("content-type", "application/json"),
    ("authorization", SIGNED.format("AKIA1", "abc")),
    ("x-amz-date", "20261120T000000Z"),
    ("x-amz-security-token", "one"),
    ("amz-sdk-invocation-id", "1"),
    ("amz-sdk-request", "attempt=1"),
)
TEXT = {"text": "hi"}
BASE: dict[str, Any] = {"messages": [{"role": "user", "content": [TEXT]}], "inferenceConfig": {"maxTokens": 64}}
INVOKE: dict[str, Any] = {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "hi"}]}
JSON, STREAM = Form("json"), Form("eventstream")


def asked(body: Any = BASE, path: str = PATH, headers: tuple[tuple[str, str], ...] = HEADERS) -> Request:
    """Return a POST to Bedrock."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "https", "bedrock-runtime.us-east-1.amazonaws.com", 443, path, "", headers, raw)


def understood(*arguments: Any, **named: Any) -> Call:
    """Return the call of a request that its dialect understands."""
    request = asked(*arguments, **named)
    dialect = wire.find(request.method, request.path)
    assert dialect is not None
    call = dialect.call(request)
    assert isinstance(call, Call), call
    return call


def spoken(call: Call) -> wire.Dialect:
    """Return the dialect of a call."""
    return {each.NAME: each for each in (bedrock_converse, bedrock_invoke)}[call.dialect]


def key(*arguments: Any, **named: Any) -> str:
    """Return the key of a request."""
    return fingerprint.key(fingerprint.identity(understood(*arguments, **named), SCOPE))


def with_header(name: str, value: str) -> tuple[tuple[str, str], ...]:
    """Return the headers with one more or one changed."""
    return (*(pair for pair in HEADERS if pair[0] != name), (name, value))


SAME = {
    "stream": {"path": f"/model/{MODEL}%3A0/converse-stream"},
    "model id not encoded": {"path": f"/model/{MODEL}:0/converse"},
    "model id encoded otherwise": {"path": f"/model/{MODEL.replace('-', '%2d')}%3a0/converse"},
    "request metadata": {"body": BASE | {"requestMetadata": {"team": "a"}}},
    "signature": {"headers": with_header("authorization", SIGNED.format("AKIA1", "def"))},
    "date": {"headers": with_header("x-amz-date", "20261121T000000Z")},
    "session token": {"headers": with_header("x-amz-security-token", "two")},
    "retry": {"headers": with_header("amz-sdk-request", "attempt=2; max=3")},
    "order of members": {"body": dict(reversed(BASE.items()))},
    "content hash": {"headers": with_header("x-amz-content-sha256", "e3b0")},
}
OTHER = {
    "message": {"body": BASE | {"messages": [{"role": "user", "content": [{"text": "ho"}]}]}},
    "system": {"body": BASE | {"system": [TEXT]}},
    "inferenceConfig": {"body": BASE | {"inferenceConfig": {"maxTokens": 65}}},
    "toolConfig": {"body": BASE | {"toolConfig": {"tools": []}}},
    "guardrailConfig": {"body": BASE | {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}}},
    "additionalModelRequestFields": {"body": BASE | {"additionalModelRequestFields": {"top_k": 5}}},
    "additionalModelResponseFieldPaths": {"body": BASE | {"additionalModelResponseFieldPaths": ["/stop_sequence"]}},
    "promptVariables": {"body": BASE | {"promptVariables": {"a": TEXT}}},
    "performanceConfig": {"body": BASE | {"performanceConfig": {"latency": "optimized"}}},
    "serviceTier": {"body": BASE | {"serviceTier": {"type": "flex"}}},
    "outputConfig": {"body": BASE | {"outputConfig": {"textFormat": {"type": "json_schema"}}}},
    "unknown member": {"body": BASE | {"new": 1}},
    "model": {"path": "/model/us.amazon.nova-micro-v1%3A0/converse"},
    "access key": {"headers": with_header("authorization", SIGNED.format("AKIA2", "abc"))},
    "bearer key": {"headers": with_header("authorization", "Bearer one")},
    "guardrail header": {"headers": with_header("x-amzn-bedrock-guardrailidentifier", "g")},
    "invoke": {"path": f"/model/{MODEL}%3A0/invoke"},
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
def test_what_is_no_identity(change: dict[str, Any]) -> None:
    """What only signs, repeats, labels or shapes a call leaves its key as it is."""
    assert key() == key(**change)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
def test_what_is_identity(change: dict[str, Any]) -> None:
    """Every member and header that may change the answer makes another key."""
    assert key() != key(**change)


def test_bearer_keys_are_kept_apart() -> None:
    """A bearer key is a credential like an access key."""
    one, two = (key(headers=with_header("authorization", f"Bearer {name}")) for name in ("one", "two"))
    assert one != two


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        pytest.param({}, {"path": f"/model/{MODEL}/invoke-with-response-stream"}, True, id="stream"),
        pytest.param({}, {"body": INVOKE | {"metadata": {"user_id": "u"}}}, True, id="end user"),
        pytest.param({}, {"headers": with_header("accept", "application/json")}, True, id="accept JSON"),
        pytest.param({}, {"headers": with_header("content-type", "application/octet-stream")}, True, id="bytes"),
        pytest.param({}, {"headers": with_header("accept", "image/png")}, False, id="accept another"),
        pytest.param({}, {"path": f"/model/{MODEL}/count-tokens"}, False, id="counting"),
        pytest.param({}, {"body": INVOKE | {"anthropic_beta": ["x"]}}, False, id="beta"),
        pytest.param({"body": {"metadata": 1}}, {"body": {"metadata": 2}}, False, id="another vendor's metadata"),
    ],
)
def test_the_identity_of_an_invocation(left: dict[str, Any], right: dict[str, Any], same: bool) -> None:
    """A vendor's body is identity as a whole, but for an end user's id of Anthropic's."""
    base = {"body": INVOKE, "path": f"/model/{MODEL}/invoke"}
    assert same == (key(**(base | left)) == key(**(base | left | right)))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(asked(b"{"), "not-json", id="no JSON"),
        pytest.param(asked([]), "not-an-object", id="no object"),
        pytest.param(asked({}), "no-messages", id="no messages"),
        pytest.param(asked({"messages": [{"role": "user", "content": "hi"}]}), "bad-messages", id="text for blocks"),
        pytest.param(asked({}, f"/model/{MODEL}/invoke"), "empty-body", id="invoke nothing"),
        pytest.param(
            asked(b"\x89PNG", f"/model/{MODEL}/invoke", (("content-type", "image/png"),)), "not-json", id="a picture"
        ),
    ],
)
def test_what_is_passed_through(request_: Request, reason: str) -> None:
    """What is no call that we understand is passed through with a reason."""
    dialect = wire.find("POST", request_.path)
    assert dialect is not None
    assert Bypass(reason) == dialect.call(request_)


@pytest.mark.parametrize(
    ("body", "path", "question"),
    [
        pytest.param(BASE, PATH, "hi", id="text"),
        pytest.param({"messages": [{"role": "user", "content": [TEXT, TEXT]}]}, PATH, "hi\nhi", id="two texts"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "t"}}]}]},
            PATH,
            '[{"toolResult":{"toolUseId":"t"}}]',
            id="a tool's result",
        ),
        pytest.param(INVOKE, "/model/m/invoke", "hi", id="messages"),
        pytest.param({"inputText": "hi"}, "/model/m/invoke", "hi", id="Titan"),
        pytest.param({"texts": ["hi"]}, "/model/m/invoke", '{"texts":["hi"]}', id="embedding"),
    ],
)
def test_what_is_asked(body: Any, path: str, question: str) -> None:
    """The question is the last text, or what stands for it; it is never empty."""
    call = understood(body, path)
    assert question == spoken(call).question(call)


def judged(call: Call, body: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Any:
    """Return the verdict on a JSON reply."""
    return spoken(call).judge(call, Reply(status, headers, json.dumps(body).encode()), frozenset())


CALL, INVOKED = understood(), understood(INVOKE, f"/model/{MODEL}/invoke")
REPLY = {
    "output": {"message": {"role": "assistant", "content": [TEXT]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 18, "cacheReadInputTokens": 10},
    "metrics": {"latencyMs": 1},
}
VERDICTS = {
    "Converse": (CALL, REPLY, Complete(Usage(13, 5, 10))),
    "Converse: cut by a limit": (CALL, REPLY | {"stopReason": "max_tokens"}, Incomplete("finish-max_tokens")),
    "Converse: error": (CALL, {"message": "Too many requests"}, Incomplete("error-body")),
    "Converse: something else": (CALL, {"a": 1}, Incomplete("no-output")),
    "Converse: no object": (CALL, [], Incomplete("not-an-object")),
    "Titan": (
        INVOKED,
        {"inputTextTokenCount": 3, "results": [{"tokenCount": 5, "outputText": "ho", "completionReason": "FINISH"}]},
        Complete(Usage(3)),
    ),
    "Llama": (
        INVOKED,
        {"generation": "ho", "prompt_token_count": 3, "generation_token_count": 5, "stop_reason": "stop"},
        Complete(Usage(3, 5)),
    ),
    "Llama: cut by a limit": (INVOKED, {"generation": "ho", "stop_reason": "length"}, Incomplete("finish-length")),
    "Mistral": (INVOKED, {"outputs": [{"text": "ho", "stop_reason": "stop"}]}, Complete()),
    "Jamba": (INVOKED, {"choices": [{"message": {"content": "ho"}, "finish_reason": "stop"}]}, Complete()),
    "Jurassic": (
        INVOKED,
        {"completions": [{"data": {"text": "ho"}, "finishReason": {"reason": "endoftext"}}]},
        Complete(),
    ),
    "Command": (INVOKED, {"generations": [{"text": "ho", "finish_reason": "COMPLETE"}]}, Complete()),
    "Claude's text completion": (INVOKED, {"completion": "ho", "stop_reason": "stop_sequence"}, Complete()),
    "reasoning only": (
        INVOKED,
        {"choices": [{"message": {"reasoning_content": "hm", "content": ""}, "finish_reason": "stop"}]},
        Incomplete("empty"),
    ),
    "rerank": (INVOKED, {"results": [{"index": 0, "relevance_score": 0.5}]}, Complete()),
    "pictures": (INVOKED, {"images": ["iVBO"], "finish_reasons": [None]}, Complete()),
    "pictures held back": (
        INVOKED,
        {"images": ["iVBO"], "finish_reasons": ["Filter reason: prompt"]},
        Incomplete("finish-unnamed"),
    ),
    "no vector": (INVOKED, {"embedding": []}, Incomplete("finish-unnamed")),
    "unknown vendor": (INVOKED, {"answer": "ho"}, Incomplete("finish-unnamed")),
    "error member": (INVOKED, {"images": [], "error": "blocked"}, Incomplete("error-body")),
}


@pytest.mark.parametrize(("call", "body", "verdict"), VERDICTS.values(), ids=VERDICTS.keys())
def test_a_body_is_judged(call: Call, body: Any, verdict: Any) -> None:
    """Only what is whole, natural and says something is stored, whatever its vendor."""
    assert verdict == judged(call, body)


def test_usage_may_stand_in_headers() -> None:
    """Where a vendor counts nothing, Bedrock's headers do."""
    headers = (("x-amzn-bedrock-input-token-count", "3"), ("x-amzn-bedrock-output-token-count", "5"))
    body = {"outputs": [{"text": "ho", "stop_reason": "stop"}]}
    assert Complete(Usage(3, 5)) == judged(INVOKED, body, headers=headers)


@pytest.mark.parametrize("call", [CALL, INVOKED], ids=["converse", "invoke"])
@pytest.mark.parametrize("status", [400, 424, 429, 500])
def test_only_success_is_stored(call: Call, status: int) -> None:
    """A reply with another status is not stored, however good it looks."""
    assert Incomplete(f"status-{status}") == judged(call, REPLY, status)


NAMES = st.text("abc", min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda each: st.lists(each, max_size=2)
)
BLOCKS = st.one_of(
    st.builds(lambda text: {"text": text}, st.text(max_size=80)),
    st.builds(
        lambda name, value: {"toolUse": {"toolUseId": name, "name": name, "input": value}},
        NAMES,
        st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    ),
    st.builds(
        lambda text, end: {"reasoningContent": {"reasoningText": {"text": text, **end}}},
        st.text(max_size=40),
        st.sampled_from([{}, {"signature": "c2ln"}]),
    ),
    st.just({"reasoningContent": {"redactedContent": "RXFB"}}),
    st.builds(
        lambda content, titles: {"citationsContent": {**content, "citations": titles}},
        st.just({}) | st.builds(lambda text: {"content": [{"text": text}]}, st.text(max_size=40)),
        st.lists(st.builds(lambda title: {"title": title}, NAMES), min_size=1, max_size=2),
    ),
    st.just({"toolResult": {"toolUseId": "t", "status": "success", "content": [{"json": {"a": 1}}]}}),
    st.just({"image": {"format": "png", "source": {"bytes": "iVBO"}}}),
)
REPLIES = st.builds(
    lambda blocks, reason, more: (
        REPLY | {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": reason} | more
    ),
    st.lists(BLOCKS, max_size=4),
    st.sampled_from(["end_turn", "tool_use", "stop_sequence"]),
    st.sampled_from([{}, {"trace": {"guardrail": {}}}, {"additionalModelResponseFields": {"a": [1.0]}}]),
)


@settings(deadline=None, max_examples=80)
@given(REPLIES)
def test_any_reply_comes_back(body: dict[str, Any]) -> None:
    """A body becomes events that add up to it again, and frames that carry the same events."""
    events = explode(body)
    assert json.dumps(body, sort_keys=True) == json.dumps(assemble(events), sort_keys=True)
    reply = bedrock.as_stream(Reply(200, (), b"{}"), events)
    assert events == list(bedrock.events(reply.body))


def event(name: str, **payload: Any) -> bytes:
    """Return a frame."""
    return bedrock.frame(name, payload)


END = event("messageStop", stopReason="end_turn") + event("metadata", usage=REPLY["usage"], metrics={"latencyMs": 1})
START = event("messageStart", role="assistant") + event("contentBlockDelta", contentBlockIndex=0, delta=TEXT)
ODDITIES = {
    "an unknown event": (START + event("news", a=1) + END, "news"),
    "an unknown delta": (
        START + event("contentBlockDelta", contentBlockIndex=1, delta={"smell": "x"}) + END,
        "content",
    ),
    "a picture in pieces": (
        START + 2 * event("contentBlockDelta", contentBlockIndex=1, delta={"image": {"source": {"bytes": "iV"}}}) + END,
        "image",
    ),
    "two stops": (START + event("messageStop", stopReason="end_turn") + END, "stopReason"),
    "a member more": (START + event("contentBlockStop", contentBlockIndex=0, note=1) + END, "note"),
}


@pytest.mark.parametrize(("stream", "field"), ODDITIES.values(), ids=ODDITIES.keys())
def test_what_a_body_cannot_say_is_replayed_as_a_stream_only(stream: bytes, field: str) -> None:
    """A whole stream with something new in it is stored and replayed, but never written as a body that lacks it."""
    reply = Reply(200, (("content-type", bedrock.MEDIA_TYPE),), stream, ((1, len(stream)),))
    assert isinstance(bedrock_converse.judge(CALL, reply, frozenset()), Complete)
    assert reply is bedrock_converse.convert(reply, STREAM, STREAM)
    with pytest.raises(Lossy, match=field):
        bedrock_converse.convert(reply, STREAM, JSON)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([{"video": {"format": "mp4"}}], id="a block without deltas"),
        pytest.param([{"text": "a", "note": 1}], id="a text with more"),
        pytest.param([{"citationsContent": {"content": [TEXT, TEXT], "citations": [{}]}}], id="two cited texts"),
        pytest.param([{"citationsContent": {"content": [], "citations": [{}]}}], id="no cited text, in a list"),
        pytest.param("text", id="no blocks"),
    ],
)
def test_what_a_stream_cannot_say_is_replayed_as_a_body_only(content: Any) -> None:
    """A body that no stream can carry is never written as one."""
    body = REPLY | {"output": {"message": {"role": "assistant", "content": content}}}
    with pytest.raises(Lossy):
        bedrock_converse.convert(Reply(200, (), json.dumps(body).encode()), JSON, STREAM)


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param({"generation": "ho", "stop_reason": "stop"}, id="Llama"),
        pytest.param({"outputs": [{"text": "ho", "stop_reason": "stop"}]}, id="Mistral"),
    ],
)
def test_other_vendors_are_replayed_as_they_came(vendor: dict[str, Any]) -> None:
    """What we cannot put together is replayed in its own form and in no other."""
    frame = event("chunk", bytes=base64.b64encode(json.dumps(vendor).encode()).decode(), p="abc")
    stream = Reply(200, (("content-type", bedrock.MEDIA_TYPE),), frame, ((1, len(frame)),))
    assert stream is bedrock_invoke.convert(stream, STREAM, STREAM)
    with pytest.raises(Lossy, match="vendor"):
        bedrock_invoke.convert(stream, STREAM, JSON)
    with pytest.raises(Lossy, match="vendor"):
        bedrock_invoke.convert(Reply(200, (), json.dumps(vendor).encode()), JSON, STREAM)


def test_a_refusal_is_an_error_of_bedrocks() -> None:
    """The message stands where the SDKs look for it."""
    assert {"__type": "ModelErrorException", "message": "m", "code": "c"} == json.loads(bedrock.refusal("m", "c"))
