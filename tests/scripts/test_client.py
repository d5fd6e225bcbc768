"""How a client is pointed at the proxy: base URLs, NO_PROXY, certificates."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from mitmproxy import connection, http
from mitmproxy.proxy.layers.http import HttpRequestHeadersHook
from mitmproxy.test import taddons, tflow
from verbs import _client, _upstream


@pytest.mark.parametrize(
    ("text", "origin", "path", "port"),
    [
        ("openai", "https://api.openai.com", "/v1", None),
        ("Groq@9000", "https://api.groq.com", "/openai/v1", 9000),
        ("https://llm.example:8443/a/b/", "https://llm.example:8443", "/a/b", None),
        ("http://127.0.0.1:11434@0", "http://127.0.0.1:11434", "/v1", 0),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434", "", None),
        ("http://[::1]:8000/v1", "http://[::1]:8000", "/v1", None),
    ],
)
def test_a_base_url_is_split_into_where_the_proxy_goes_and_what_the_client_sends(
    text: str, origin: str, path: str, port: int | None
):
    """Names are known, the path is the client's to keep, the local port stands behind an @."""
    base = _client.base_url(text)
    assert (base.origin, base.path, base.port) == (origin, path, port)


@pytest.mark.parametrize(
    "text", ["", "nobody", "ftp://x", "openai@", "openai@70000", "https://me:secret@llm.example/v1"]
)
def test_what_is_no_base_url_is_refused(text: str):
    """An unknown name, another scheme, a port that is none, or credentials in the URL."""
    with pytest.raises(argparse.ArgumentTypeError):
        _client.base_url(text)


@pytest.mark.parametrize(
    ("env", "localhost", "expected"),
    [
        ({}, False, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a.example, 127.0.0.1"}, False, "a.example,127.0.0.1,localhost,::1"),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, False, "a.example,b.example,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "localhost,a.example"}, True, "a.example"),
        ({}, True, ""),
    ],
)
def test_no_proxy_keeps_what_the_user_has(env: dict[str, str], localhost: bool, expected: str):
    """Loopback is added once, or taken out on request; nothing else of the user's changes."""
    assert _client.no_proxy(env, localhost=localhost) == expected


def test_a_bundle_without_the_users_roots_has_the_systems(tmp_path: Path):
    """Variables that name no file are passed over, and there are always some roots."""
    found = _client.trusted({"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert len(found) == 1
    assert b"BEGIN CERTIFICATE" in found[0].read_bytes()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("intern.example", True),
        ("a.intern.example", True),
        ("b.wild.example", True),
        ("notintern.example", False),
        ("api.openai.com", False),
    ],
)
def test_the_users_exceptions_hold_for_the_proxy_too(host: str, expected: bool):
    """This machine and what NO_PROXY names is reached without the other proxy."""
    assert _upstream.bypasses(host, ("intern.example", "*.wild.example")) == expected


async def test_who_is_behind_a_proxy_is_not_asked_past_it():
    """The way is known before the cache looks, which may send a copy that goes the same way."""
    (way,) = _upstream.addons({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "direct.invalid"})
    flow = tflow.tflow(req=http.Request.make("POST", "http://provider.invalid/v1/chat/completions"))
    flow.live, flow.server_conn = True, connection.Server(address=None)
    with taddons.context() as context:
        context.master.addons.invoke_addon_sync(way, HttpRequestHeadersHook(flow))
    assert flow.copy().server_conn.via == ("http", ("proxy.example", 3128))
    flow.request.host = "direct.invalid"  # the next call on the connection, whose server they share
    with taddons.context() as context:
        context.master.addons.invoke_addon_sync(way, HttpRequestHeadersHook(flow))
    assert flow.server_conn.via is None


def test_the_other_proxys_password_and_roots_are_taken_over(tmp_path: Path):
    """What the environment tells clients, the proxy in their stead has to know."""
    roots = tmp_path / "roots.pem"
    roots.touch()
    env = {"HTTPS_PROXY": "http://me:p%40ss@proxy.example:3128", "SSL_CERT_FILE": str(roots)}
    assert _upstream.options(env) == {"upstream_auth": "me:p@ss", "ssl_verify_upstream_trusted_ca": str(roots)}
    (way,) = _upstream.addons(env)
    assert way.via == ("http", ("proxy.example", 3128))
    assert _upstream.addons({}) == ()
    assert _upstream.addons({"ALL_PROXY": "socks5://proxy.example"}) == ()
