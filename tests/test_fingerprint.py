"""When two calls are the same: every documented field counts, spelling does not, and nothing collides."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Request
from llmcache.scope import Scope
from llmcache.wire import openai_chat

SCOPE = Scope(b"a secret")
BASE: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer sk-1"))


def request(body: Any = BASE, **changes: Any) -> Request:
    """Return a call of the chat dialect."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"method": "POST", "scheme": "https", "host": "api.openai.com", "port": 443}
    fields |= {"path": "/v1/chat/completions", "query": "", "headers": HEADERS, "body": raw}
    return Request(**(fields | changes))


def key_of(asked: Request, scope: Scope = SCOPE) -> str:
    """Return the key of a request that the dialect understands."""
    call = openai_chat.call(asked)
    assert not isinstance(call, Bypass), call
    return fingerprint.key(fingerprint.identity(call, scope))


def message(**more: Any) -> dict[str, Any]:
    """Return a body with one message."""
    return BASE | {"messages": [{"role": "user", "content": "hi"} | more]}


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

# Two bodies that differ only in the field named. The fields are those of OpenAI's "Create chat completion" page.
FIELDS: dict[str, tuple[Any, Any]] = {
    "model": (BASE, BASE | {"model": "gpt-4o-mini"}),
    "messages: one more": (BASE, BASE | {"messages": [*BASE["messages"], *BASE["messages"]]}),
    "messages: order": (
        BASE | {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]},
        BASE | {"messages": [{"role": "user", "content": "b"}, {"role": "system", "content": "a"}]},
    ),
    "message content": (BASE, message(content="hi!")),
    "message content: case": (BASE, message(content="Hi")),
    "message content: space": (BASE, message(content="hi ")),
    "message content: unicode form": (message(content="é"), message(content="e\u0301")),
    "message content: parts": (BASE, message(content=[{"type": "text", "text": "hi"}])),
    "message role": (BASE, message(role="developer")),
    "message name": (BASE, message(name="bob")),
    "message refusal": (BASE, message(refusal="no")),
    "message tool_call_id": (message(tool_call_id="a"), message(tool_call_id="b")),
    "message tool_calls": (BASE, message(tool_calls=[{"id": "a", "type": "function"}])),
    "message audio": (BASE, message(audio={"id": "a"})),
    "image": (
        message(content=[IMAGE]),
        message(content=[{**IMAGE, "image_url": {"url": "data:image/png;base64,AAAB"}}]),
    ),
    "image detail": (
        message(content=[IMAGE]),
        message(content=[{**IMAGE, "image_url": {**IMAGE["image_url"], "detail": "low"}}]),
    ),
    "frequency_penalty": (BASE, BASE | {"frequency_penalty": 0.5}),
    "function_call": (BASE, BASE | {"function_call": "none"}),
    "functions": (BASE, BASE | {"functions": [{"name": "f"}]}),
    "logit_bias": (BASE | {"logit_bias": {"1": 1}}, BASE | {"logit_bias": {"1": 2}}),
    "logprobs": (BASE, BASE | {"logprobs": True}),
    "max_completion_tokens": (BASE | {"max_completion_tokens": 10}, BASE | {"max_completion_tokens": 11}),
    "max_tokens": (BASE, BASE | {"max_tokens": 10}),
    "modalities": (BASE, BASE | {"modalities": ["text", "audio"]}),
    "audio": (BASE, BASE | {"audio": {"voice": "alloy", "format": "mp3"}}),
    "n": (BASE, BASE | {"n": 2}),
    "parallel_tool_calls": (BASE, BASE | {"parallel_tool_calls": False}),
    "prediction": (BASE, BASE | {"prediction": {"type": "content", "content": "x"}}),
    "presence_penalty": (BASE, BASE | {"presence_penalty": 1}),
    "reasoning_effort": (BASE | {"reasoning_effort": "low"}, BASE | {"reasoning_effort": "high"}),
    "response_format": (BASE, BASE | {"response_format": {"type": "json_object"}}),
    "seed": (BASE | {"seed": 1}, BASE | {"seed": 2}),
    "seed: beyond a double": (BASE | {"seed": 2**53}, BASE | {"seed": 2**53 + 1}),
    "seed: beyond 64 bits": (BASE | {"seed": 2**70}, BASE | {"seed": 2**70 + 1}),
    "service_tier": (BASE, BASE | {"service_tier": "flex"}),
    "stop": (BASE, BASE | {"stop": ["\n"]}),
    "stop: order": (BASE | {"stop": ["a", "b"]}, BASE | {"stop": ["b", "a"]}),
    "temperature": (BASE | {"temperature": 0}, BASE | {"temperature": 1}),
    "temperature: absent or null": (BASE, BASE | {"temperature": None}),
    "temperature: number or text": (BASE | {"temperature": 1}, BASE | {"temperature": "1"}),
    "true or one": (BASE | {"logprobs": True}, BASE | {"logprobs": 1}),
    "tool_choice": (BASE | {"tools": [TOOL]}, BASE | {"tools": [TOOL], "tool_choice": "required"}),
    "tools": (BASE, BASE | {"tools": [TOOL]}),
    "top_logprobs": (BASE, BASE | {"top_logprobs": 2}),
    "top_p": (BASE, BASE | {"top_p": 0.9}),
    "verbosity": (BASE, BASE | {"verbosity": "low"}),
    "web_search_options": (BASE, BASE | {"web_search_options": {}}),
    "vendor: top_k": (BASE | {"top_k": 1}, BASE | {"top_k": 2}),
    "vendor: unknown": (BASE, BASE | {"something_new": {"deep": [1]}}),
    "stream_options: unknown": (BASE, BASE | {"stream_options": {"something_new": True}}),
}
DENIED: dict[str, tuple[Any, Any]] = {
    "stream": (BASE, BASE | {"stream": True}),
    "stream_options": (BASE | {"stream": True}, BASE | {"stream": True, "stream_options": {"include_usage": True}}),
    "user": (BASE, BASE | {"user": "u-1"}),
    "metadata": (BASE | {"metadata": {"a": "1"}}, BASE | {"metadata": {"a": "2"}}),
    "safety_identifier": (BASE, BASE | {"safety_identifier": "s"}),
    "prompt_cache_key": (BASE, BASE | {"prompt_cache_key": "k"}),
    "prompt_cache_retention": (BASE, BASE | {"prompt_cache_retention": "24h"}),
    "store": (BASE, BASE | {"store": True}),
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_counts(field: str) -> None:
    """Rows B14, B15, B17, B22: two calls that differ in one field are two calls."""
    one, other = FIELDS[field]
    assert key_of(request(one)) != key_of(request(other))


@pytest.mark.parametrize("field", DENIED)
def test_the_deny_list_does_not_count(field: str) -> None:
    """What is declared meaningless makes no difference."""
    one, other = DENIED[field]
    assert key_of(request(one)) == key_of(request(other))


def test_no_two_variants_collide() -> None:
    """Every variant above has a key of its own (the permutation test of the identity)."""
    bodies = {json.dumps(body, sort_keys=True): body for pair in FIELDS.values() for body in pair}
    keys = [key_of(request(body)) for body in bodies.values()]
    assert len(set(keys)) == len(bodies)


ELSEWHERE = [
    pytest.param(request(host="other.example"), id="host"),
    pytest.param(request(port=8443), id="port"),
    pytest.param(request(scheme="http", port=80), id="scheme"),
    pytest.param(request(path="/v2/chat/completions"), id="path"),
    pytest.param(request(path="/openai/deployments/a/chat/completions"), id="azure deployment"),
    pytest.param(request(query="api-version=1"), id="query"),
    pytest.param(request(query="api-version=2"), id="query value"),
    pytest.param(request(headers=(*HEADERS, ("openai-beta", "x"))), id="openai-beta"),
    pytest.param(request(headers=(*HEADERS, ("openai-organization", "x"))), id="openai-organization"),
    pytest.param(request(headers=(*HEADERS, ("openai-project", "x"))), id="openai-project"),
    pytest.param(
        request(headers=(("content-type", "application/json"), ("authorization", "Bearer sk-2"))), id="credential"
    ),
]


@pytest.mark.parametrize("other", ELSEWHERE)
def test_where_and_who_count(other: Request) -> None:
    """Rows B16, B19: another place, another caller, another call."""
    assert key_of(other) != key_of(request())


def test_where_and_who_do_not_collide() -> None:
    """Each of them differs from each other, too."""
    keys = [key_of(parameter.values[0]) for parameter in ELSEWHERE]  # type: ignore[arg-type]
    assert len(set(keys)) == len(keys)


def test_spelling_does_not_count() -> None:
    """Row B20: key order, white space, escapes and the spelling of a number are no difference."""
    spellings = [
        b'{"model":"gpt-4o","messages":[{"role":"user","content":"h\xc3\xa9"}],"temperature":1}',
        b'{"messages":[{"content":"h\\u00e9","role":"user"}],"temperature":1.0,"model":"gpt-4o"}',
        b'\xef\xbb\xbf{ "temperature": 1e0,\n "model": "gpt-4o", "messages": [{"role":"user","content":"h\\u00E9"}]}',
    ]
    assert len({key_of(request(spelling)) for spelling in spellings}) == 1


def test_headers_that_do_not_count() -> None:
    """SDK telemetry, header order and case-folded names are no difference."""
    other = (("user-agent", "x"), ("x-stainless-lang", "js"), ("x-request-id", "7"), *reversed(HEADERS))
    assert key_of(request(headers=other)) == key_of(request())


def test_a_credential_in_the_query_is_scope_and_not_identity() -> None:
    """A key in the query parts callers, and stands nowhere in the identity."""
    one, other = request(query="api-version=1&api-key=SECRET1"), request(query="api-version=1&api-key=SECRET2")
    assert key_of(one) != key_of(other)
    assert key_of(one, Scope(None)) == key_of(other, Scope(None))
    call = openai_chat.call(one)
    assert not isinstance(call, Bypass)
    assert b"SECRET" not in fingerprint.identity(call, SCOPE)


def test_no_credential_is_in_the_identity() -> None:
    """What is stored of a request cannot leak who asked."""
    call = openai_chat.call(request(headers=(*HEADERS, ("api-key", "sk-2"), ("cookie", "session=sk-3"))))
    assert not isinstance(call, Bypass)
    assert b"sk-" not in fingerprint.identity(call, SCOPE)


def test_duplicate_keys_pass_through() -> None:
    """Row B23: readers disagree on which of two equal names counts, so such a body is never answered from the cache."""
    body = b'{"model":"a","model":"b","messages":[{"role":"user","content":"hi"}]}'
    assert openai_chat.call(request(body)) == Bypass("json-duplicate-key")


def test_the_key_is_stable() -> None:
    """A key of this version stays the same from release to release; a change has to raise VERSION."""
    assert key_of(request(), Scope(None)) == "a8fa8bc9c50a597e8f6c51a4561c9f467f07004d"


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=4), each, max_size=3)
)


@given(one=VALUES, other=VALUES)
def test_vendor_fields_collide_only_when_equal(one: Any, other: Any) -> None:
    """For any two JSON values of an unknown field: equal keys mean equal values."""
    same = key_of(request(BASE | {"vendor": one})) == key_of(request(BASE | {"vendor": other}))
    assert same == (normal(one) == normal(other))


def normal(value: Any) -> Any:
    """Tell booleans from numbers, which Python does not, and take 1.0 for 1, which JSON does."""
    match value:
        case bool() | None | str():
            return repr(value)
        case int() | float():
            return float(value) if abs(value) < 2**53 else value
        case list():
            return [normal(each) for each in value]
        case dict():
            return {name: normal(each) for name, each in value.items()}
    raise AssertionError(value)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_key_order_never_counts(order: tuple[int, ...]) -> None:
    """Members in any order are the same object, at every level."""
    names = ["model", "messages", "seed"]
    body = BASE | {"seed": 3}
    assert key_of(request({names[at]: body[names[at]] for at in order})) == key_of(request(body))
