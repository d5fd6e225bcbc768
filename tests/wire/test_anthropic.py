"""Anthropic requests: what is a call, what is its identity, what does it ask; and counting tokens."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from llmcache import fingerprint, wire
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request
from llmcache.scope import Scope
from llmcache.wire import anthropic, anthropic_count

SCOPE = Scope(b"a secret")
BASE: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
HEADERS = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"), ("x-api-key", "sk-ant-1"))
VERTEX = "/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5%4020250929"
COUNT = "/v1/messages/count_tokens"
JSON = (("content-type", "application/json"),)


def request(body: Any = BASE, **changes: Any) -> Request:
    """Return a POST to the Messages API."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"method": "POST", "scheme": "https", "host": "api.anthropic.com", "port": 443}
    fields |= {"path": "/v1/messages", "query": "", "headers": HEADERS, "body": raw}
    return Request(**(fields | changes))


def understood(body: Any = BASE, **changes: Any) -> Call:
    """Return the call of a request that its dialect understands."""
    asked = request(body, **changes)
    dialect = wire.find(asked.method, asked.path)
    assert dialect is not None
    call = dialect.call(asked)
    assert isinstance(call, Call), call
    return call


def key(body: Any = BASE, **changes: Any) -> str:
    """Return the key of a request."""
    return fingerprint.key(fingerprint.identity(understood(body, **changes), SCOPE))


def said(*blocks: Any) -> dict[str, Any]:
    """Return a body whose last message has *blocks*."""
    return BASE | {"messages": [{"role": "user", "content": list(blocks)}]}


TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
MCP = {"type": "url", "name": "wiki", "url": "https://mcp.example.com/mcp"}

# Two bodies that differ only in the field named: the fields of Anthropic's "Create a Message" pages, beta included.
FIELDS: dict[str, tuple[Any, Any]] = {
    "model": (BASE, BASE | {"model": "claude-opus-4-1"}),
    "max_tokens": (BASE, BASE | {"max_tokens": 65}),
    "messages: one more": (BASE, BASE | {"messages": [*BASE["messages"], {"role": "assistant", "content": "{"}]}),
    "message role": (BASE, BASE | {"messages": [{"role": "assistant", "content": "hi"}]}),
    "message content: blocks": (BASE, said(TEXT)),
    "message content: space": (said(TEXT), said(TEXT | {"text": "hi "})),
    "block cache_control": (said(TEXT), said(TEXT | {"cache_control": {"type": "ephemeral"}})),
    "block citations": (said(TEXT), said(TEXT | {"citations": [{"type": "char_location"}]})),
    "blocks: order": (said(TEXT, IMAGE), said(IMAGE, TEXT)),
    "image": (said(IMAGE), said(IMAGE | {"source": IMAGE["source"] | {"data": "AAAB"}})),
    "tool result": (
        said({"type": "tool_result", "tool_use_id": "a", "content": "1"}),
        said({"type": "tool_result", "tool_use_id": "a", "content": "2"}),
    ),
    "thinking signature": (
        said({"type": "thinking", "thinking": "", "signature": "a"}),
        said({"type": "thinking", "thinking": "", "signature": "b"}),
    ),
    "system": (BASE | {"system": "a"}, BASE | {"system": "b"}),
    "system: blocks": (BASE | {"system": "a"}, BASE | {"system": [{"type": "text", "text": "a"}]}),
    "cache_control": (BASE, BASE | {"cache_control": {"type": "ephemeral"}}),
    "container": (BASE | {"container": "a"}, BASE | {"container": "b"}),
    "context_management": (BASE, BASE | {"context_management": {"edits": []}}),
    "diagnostics": (BASE, BASE | {"diagnostics": {"previous_message_id": "msg_1"}}),
    "fallbacks": (BASE, BASE | {"fallbacks": "default"}),
    "inference_geo": (BASE, BASE | {"inference_geo": "us"}),
    "mcp_servers": (BASE | {"mcp_servers": [MCP]}, BASE | {"mcp_servers": [MCP | {"name": "docs"}]}),
    "mcp token": (BASE | {"mcp_servers": [MCP]}, BASE | {"mcp_servers": [MCP | {"authorization_token": "a"}]}),
    "mcp token: value": (
        BASE | {"mcp_servers": [MCP | {"authorization_token": "a"}]},
        BASE | {"mcp_servers": [MCP | {"authorization_token": "b"}]},
    ),
    "output_config": (BASE, BASE | {"output_config": {"effort": "low"}}),
    "output_format": (BASE, BASE | {"output_format": {"type": "json_schema", "schema": {}}}),
    "service_tier": (BASE, BASE | {"service_tier": "standard_only"}),
    "speed": (BASE, BASE | {"speed": "fast"}),
    "stop_sequences: order": (BASE | {"stop_sequences": ["a", "b"]}, BASE | {"stop_sequences": ["b", "a"]}),
    "temperature": (BASE, BASE | {"temperature": 0.5}),
    "temperature: absent or null": (BASE, BASE | {"temperature": None}),
    "thinking": (BASE, BASE | {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    "tool_choice": (BASE | {"tool_choice": {"type": "auto"}}, BASE | {"tool_choice": {"type": "any"}}),
    "tools": (BASE, BASE | {"tools": [TOOL]}),
    "tool description": (BASE | {"tools": [TOOL]}, BASE | {"tools": [TOOL | {"description": "d"}]}),
    "top_k": (BASE, BASE | {"top_k": 5}),
    "top_p": (BASE, BASE | {"top_p": 0.9}),
    "unknown": (BASE, BASE | {"x_new": 1}),
}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        pytest.param(path, field, id=f"{path.rpartition('/')[2]}-{field}")
        for path in ("/v1/messages", COUNT, VERTEX + ":rawPredict")
        for field in FIELDS
        if not (field == "model" and path.startswith(VERTEX))  # there it is in the path
    ],
)
def test_every_field_counts(path: str, field: str) -> None:
    """Two bodies that differ in one field have two keys, whether a message or a count is asked for."""
    left, right = FIELDS[field]
    assert key(left, path=path) != key(right, path=path)


@pytest.mark.parametrize("field", [*anthropic.DENIED])
def test_what_is_denied_does_not_count(field: str) -> None:
    """A member of the declared deny-list changes nothing."""
    value = {"stream": True, "metadata": {"user_id": "u"}}.get(field, "x")
    assert key() == key(BASE | {field: value})


def test_spelling_does_not_count() -> None:
    """The order of keys, white space, escapes and the spelling of numbers are no difference."""
    spelled = b'{ "messages":[{"content":"\\u0068i","role":"user"}],"max_tokens":6.4e1,\n"model":"claude-sonnet-4-5"}'
    assert key() == key(spelled)


@pytest.mark.parametrize(
    ("headers", "query", "same"),
    [
        pytest.param((("anthropic-beta", "a,b"),), "", False, id="beta"),
        pytest.param((("anthropic-workspace-id", "w"),), "", False, id="workspace"),
        pytest.param((("anthropic-user-profile-id", "u"),), "", False, id="profile"),
        pytest.param((), "beta=true", False, id="beta-in-query"),
        pytest.param((("anthropic-dangerous-direct-browser-access", "true"),), "", True, id="browser"),
        pytest.param((("x-stainless-retry-count", "1"), ("user-agent", "curl")), "", True, id="sdk"),
    ],
)
def test_which_headers_count(headers: Any, query: str, same: bool) -> None:
    """Headers that change the meaning count, those of an SDK or a browser do not."""
    assert same == (key() == key(headers=HEADERS + headers, query=query))


def test_another_version_or_credential_is_another_call() -> None:
    """`anthropic-version`, `x-api-key` and `authorization` keep calls apart, and no credential is in the identity."""
    others = [
        (("anthropic-version", "2023-06-01"), ("x-api-key", "sk-ant-2")),
        (("anthropic-version", "2024-01-01"), ("x-api-key", "sk-ant-1")),
        (("anthropic-version", "2023-06-01"), ("authorization", "Bearer sk-ant-1")),
    ]
    keys = {key(), *(key(headers=JSON + headers) for headers in others)}
    assert len(keys) == 4
    assert b"sk-ant" not in fingerprint.identity(understood(), SCOPE)


@pytest.mark.parametrize("lines", [*itertools.permutations(["a,b", " c , a"])], ids=["there", "back"])
def test_betas_are_a_set(lines: tuple[str, ...]) -> None:
    """The order, repetition and lines of `anthropic-beta` are no difference."""
    call = understood(headers=JSON + tuple(("anthropic-beta", line) for line in lines))
    assert call.headers == (("anthropic-beta", "a,b,c"),)


def test_a_token_for_an_mcp_server_is_stored_nowhere() -> None:
    """It is a credential in the body: the identity has its digest, and whatever stands beside it."""
    call = understood(BASE | {"mcp_servers": [MCP | {"authorization_token": "s3cret"}, "odd"]})
    identity = fingerprint.identity(call, SCOPE)
    assert b"s3cret" not in identity
    assert b"https://mcp.example.com/mcp" in identity
    assert b"s3cret" in call.request.body


@pytest.mark.parametrize(
    ("body", "changes", "reason"),
    [
        pytest.param(BASE, {"path": "/v1/messages/batches"}, "batches", id="batches"),
        pytest.param(b"", {"path": "/v1/messages/batches/b1/results", "method": "GET"}, "batches", id="batch-results"),
        pytest.param(b"{", {}, "not-json", id="broken"),
        pytest.param([1], {}, "not-an-object", id="array"),
        pytest.param({"model": "m"}, {}, "no-messages", id="no-messages"),
        pytest.param({"messages": []}, {}, "no-messages", id="empty-messages"),
        pytest.param({"messages": "hi"}, {}, "bad-messages", id="messages-text"),
        pytest.param({"messages": [{"content": "hi"}]}, {}, "bad-messages", id="no-role"),
        pytest.param(BASE | {"stream": "true"}, {}, "stream-not-bool", id="stream-text"),
        pytest.param({"messages": []}, {"path": COUNT}, "no-messages", id="count-no-messages"),
        pytest.param(b"{", {"path": COUNT}, "not-json", id="count-broken"),
    ],
)
def test_what_is_passed_through(body: Any, changes: dict[str, Any], reason: str) -> None:
    """What is no call of ours goes on untouched, with a reason."""
    asked = request(body, **changes)
    dialect = wire.find(asked.method, asked.path)
    assert dialect is not None
    assert dialect.call(asked) == Bypass(reason)


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        pytest.param("/v1/messages", BASE, "claude-sonnet-4-5", id="anthropic"),
        pytest.param("/v1/messages", BASE | {"model": 7}, "", id="no-text"),
        pytest.param(VERTEX + ":rawPredict", BASE, "claude-sonnet-4-5@20250929", id="vertex"),
        pytest.param(VERTEX + ":streamRawPredict", BASE, "claude-sonnet-4-5@20250929", id="vertex-stream"),
    ],
)
def test_the_model_that_is_asked_for(path: str, body: Any, model: str) -> None:
    """It stands in the body, or in Vertex' path."""
    assert model == understood(body, path=path).model


def test_both_verbs_of_vertex_are_one_call() -> None:
    """One entry answers `rawPredict` and `streamRawPredict`; another model or project is another call."""
    whole, streamed = (understood(path=VERTEX + verb) for verb in (":rawPredict", ":streamRawPredict"))
    assert whole.path == streamed.path
    assert key(path=VERTEX + ":rawPredict") != key(path=VERTEX.replace("sonnet", "opus") + ":rawPredict")


def test_the_body_says_which_form() -> None:
    """`stream` asks for server-sent events."""
    assert [understood(BASE | {"stream": each}).form for each in (True, False, None)] == [
        Form("sse"),
        Form("json"),
        Form("json"),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Hello", "Hello", id="text"),
        pytest.param([TEXT, {"type": "text", "text": "there"}], "hi\nthere", id="text-blocks"),
        pytest.param([], "", id="no-blocks"),
        pytest.param(None, "", id="null"),
        pytest.param([{"type": "image", "a": 1}], '[{"a":1,"type":"image"}]', id="image"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", COUNT])
def test_the_question_is_the_last_message(content: Any, text: str, path: str) -> None:
    """Text as it is, text blocks joined, anything else as its JSON text."""
    messages = [{"role": "user", "content": "earlier"}, {"role": "user", "content": content}]
    call = understood(BASE | {"messages": messages}, path=path)
    dialect = next(each for each in wire.DIALECTS if each.NAME == call.dialect)
    assert dialect is not None
    assert text == dialect.question(call)


def test_a_refusal_looks_like_anthropics_errors() -> None:
    """Clients raise their own exception from it, with our message and code."""
    expected = {"type": "error", "error": {"type": "aicache_miss", "message": "nothing recorded"}}
    assert expected == json.loads(anthropic.refusal("nothing recorded", "aicache_miss"))
    assert expected == json.loads(anthropic_count.refusal("nothing recorded", "aicache_miss"))


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        pytest.param(200, b'{"input_tokens": 14}', Complete(), id="count"),
        pytest.param(200, b'{"input_tokens": 14, "context_management": {}}', Complete(), id="more-members"),
        pytest.param(200, b'{"input_tokens": "14"}', Incomplete("empty"), id="no-number"),
        pytest.param(200, b"[]", Incomplete("empty"), id="no-object"),
        pytest.param(200, b'{"input_tok', Incomplete("not-json"), id="cut"),
        pytest.param(200, b'{"type":"error","error":{}}', Incomplete("error-body"), id="error"),
        pytest.param(429, b'{"input_tokens": 14}', Incomplete("status-429"), id="status"),
    ],
)
def test_when_a_count_is_stored(status: int, body: bytes, verdict: Any) -> None:
    """Only a whole count is stored."""
    call = understood(path=COUNT)
    assert verdict == anthropic_count.judge(call, Reply(status, JSON, body), frozenset())


def test_a_count_has_one_form() -> None:
    """It comes back as the same object, and as no stream."""
    reply = Reply(200, JSON, b'{"input_tokens": 14}')
    assert reply is anthropic_count.convert(reply, Form("json"), Form("json"))
    assert anthropic_count.reply_form(understood(path=COUNT), reply) == Form("json")
    with pytest.raises(Lossy):
        anthropic_count.convert(reply, Form("json"), Form("sse"))
