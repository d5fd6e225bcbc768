"""Two tenants never see each other's answers, whatever one of them sends: forged headers, names, prefixes, bodies."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Request
from llmcache.control import Control
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat

SECRET = b"secret"
FORGED = ['a","asked":"b', 'a"},"x":{"', "a\x00b", "a\nb", "a:b", "a/b", "\\", '"', "a\u2028", ""]
"""Names that imitate what stands between the parts of an identity, and none at all."""


def request(body: dict[str, Any] | None = None, credential: str = "sk-1", host: str = "h", **more: str) -> Request:
    """Return a call."""
    given_body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | (body or {})
    fields = (("authorization", f"Bearer {credential}"), *((k.replace("_", "-"), v) for k, v in more.items()))
    return Request("POST", "https", host, 443, "/v1/chat/completions", "", fields, json.dumps(given_body).encode())


def key(asked: Request, scope: Scope, namespace: str = "") -> str:
    """Return the key of a call."""
    call = openai_chat.call(asked)
    assert not isinstance(call, Bypass)
    return fingerprint.key(fingerprint.identity(call, scope, namespace))


def test_no_two_tenants_have_a_key_in_common() -> None:
    """Credential, configured and asked namespace each tell tenants apart, also where they imitate each other."""
    keys = [
        key(request(credential=credential), Scope(secret, name), asked)
        for credential, secret, name, asked in product(("sk-1", "sk-2"), (SECRET, b"other"), FORGED, FORGED)
    ]
    assert len(set(keys)) == len(keys)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_a_name_is_not_two(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Parts are never glued together: equal keys have equal parts."""
    keys = [key(request(), Scope(SECRET, name), asked) for name, asked in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


json_values = st.recursive(st.none() | st.text() | st.integers(-9, 9), lambda inner: st.lists(inner, max_size=2))
fields = st.sampled_from(["scope", "namespace", "asked", "credential", "aicache", "headers", "key"])
bodies = st.dictionaries(fields, json_values | st.dictionaries(fields, st.text(), max_size=3), max_size=4)


@given(bodies, bodies)
def test_a_crafted_body_leads_nowhere(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A body that names scopes, credentials or namespaces stays a body."""
    theirs = key(request(one, credential="sk-2"), Scope(SECRET, "theirs"))
    assert key(request(other), Scope(SECRET, "mine"), "theirs") != theirs
    assert key(request(other), Scope(SECRET, "theirs")) != theirs


@pytest.mark.parametrize("scope", [Scope(SECRET, "mine"), Scope(None, "mine")], ids=["credential", "shared"])
def test_a_request_never_leaves_its_configured_namespace(scope: Scope) -> None:
    """Asking for a name that is configured elsewhere is not being there, also where credentials are shared."""
    theirs = Scope(scope.secret, "theirs")
    assert key(request(), scope, "theirs") != key(request(), theirs)
    assert key(request(), scope, "theirs") != key(request(), theirs, "theirs")
    assert key(request(), scope, "theirs") == key(request(), scope, "theirs")


@pytest.mark.parametrize("name", ["x-aicache-namespace", "x-aicache-scope", "x-aicache-credential", "namespace"])
def test_other_headers_do_not_move_a_call(name: str) -> None:
    """Only the one documented header is heard."""
    forged = request(**{name.replace("-", "_"): "theirs"})
    assert key(forged, Scope(SECRET, "mine")) == key(request(), Scope(SECRET, "mine"))
    assert key(forged, Scope(SECRET, "mine")) != key(request(), Scope(SECRET, "theirs"))


def test_hosts_have_namespaces() -> None:
    """The first glob that fits counts, the name that stands alone is for the others; a Host header changes nothing."""
    scope = Scope(None, "rest", (("api.a.com", "a"), ("*.a.com", "b"), ("*.com", "c")))
    hosts = {"api.a.com": "a", "x.a.com": "b", "x.com": "c", "x.org": "rest"}
    assert hosts == {host: scope.of(request(host=host))["namespace"] for host in hosts}
    assert scope.of(request(host="x.org", host_="api.a.com"))["namespace"] == "rest"


@pytest.mark.parametrize("rules", [Rules(header_namespaces=False), Rules(higress_prefix="p:")], ids=["off", "higress"])
async def test_a_namespace_that_cannot_be_had_is_a_bypass(rules: Rules) -> None:
    """Who asks to be kept apart is never answered from the common cache instead."""
    engine = Engine(MemoryStore(9, 10**6, "lru"), Scope(SECRET), rules)
    outcome, ticket = await engine.lookup(openai_chat, request(), Control(namespace="a"))
    assert (outcome, ticket) == (Bypass("namespace-not-allowed"), None)
