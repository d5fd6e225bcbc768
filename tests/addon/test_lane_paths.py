"""A lane in the path of a call through the real proxy: taken off in every mode, and only where recordings are."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest
from support.asking import ask, post
from support.proxy import Mitmdump
from support.upstream import Upstream

PATH = "/s/tests%2Fx.py%3A%3Aa/v1/chat/completions"


@pytest.mark.parametrize(
    ("mode", "store", "expected"),
    [
        pytest.param("cache", "cassette:recordings", "/v1/chat/completions?api-version=1", id="recordings"),
        pytest.param("off", "cassette:recordings", "/v1/chat/completions?api-version=1", id="recordings, off"),
        pytest.param("cache", "memory", f"{PATH}?api-version=1", id="another store"),
    ],
)
def test_the_provider_sees_its_own_path(
    tmp_path: Path, upstream: Upstream, mode: str, store: str, expected: str
) -> None:
    """The lane never reaches the provider, nor its header; where there are no recordings the path is not ours."""
    options = ("--set", f"aicache_store={store}", "--set", f"aicache_mode={mode}")
    with Mitmdump(tmp_path, *options, modes=(f"reverse:{upstream.url}",)) as proxy:
        post(proxy, ask(), f"{PATH}?api-version=1", **{"x-aicache-scope": "tests/x.py::a"} if mode == "cache" else {})
    (asked,) = upstream.calls
    assert asked.path == expected
    assert "x-aicache-scope" not in asked.headers
    lanes = {path.name for path in (tmp_path / "recordings").glob("*")}
    assert lanes == ({"tests-x-py-a"} if expected != PATH and mode == "cache" and "cassette" in store else set())


def test_two_lanes_at_once_are_refused_or_passed(tmp_path: Path, upstream: Upstream) -> None:
    """A path and a header that do not agree are not guessed about: the call passes by."""
    with Mitmdump(tmp_path, "--set", "aicache_store=cassette:recordings", modes=(f"reverse:{upstream.url}",)) as proxy:
        assert post(proxy, ask(), PATH, **{"x-aicache-scope": "b"}).cache == (
            "aicache; fwd=bypass; detail=control-malformed"
        )


def test_a_control_call_names_the_lane_of_those_that_name_none(tmp_path: Path, upstream: Upstream) -> None:
    """For clients that can set neither a header nor a base URL; a lane of their own goes before it."""
    with Mitmdump(tmp_path, "--set", "aicache_store=cassette:recordings", "--set", "aicache_mode=record") as proxy:

        def through(method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
            connection.request(method, url, body, {"content-type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, response.read().decode().strip()

        scope, chat = "http://aicache.local/scope", f"{upstream.url}/v1/chat/completions"
        assert through("GET", scope) == (200, "")
        assert through("PUT", scope, b"one") == (200, "one")
        assert through("PUT", scope, b"\x01")[0] == 400
        assert through("POST", chat, json.dumps(ask()).encode())[0] == 200
        assert through("POST", chat, json.dumps(ask()).encode(), **{"x-aicache-scope": "two"})[0] == 200
        assert through("DELETE", scope) == (200, "")
        assert through("GET", "http://aicache.local/")[0] == 404
        proxy.wait_for("stored", 2)
    assert {path.name for path in (tmp_path / "recordings").glob("*")} == {"one", "two"}
    assert len(upstream.calls) == 2
