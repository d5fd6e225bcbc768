"""Expired answers through a real mitmdump: instead of a failure, and while they are asked for anew."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.asking import Answer, ask, post
from support.proxy import Mitmdump
from support.upstream import Asked, Script, Upstream, chat_json, openai


def proxy(folder: Path, upstream: Upstream, settings: str) -> Mitmdump:
    """Return a proxy whose answers live for a second, with *settings* of what is stale."""
    file = folder / "c.yaml"
    file.write_text(f"cache: {{type: memory, cacheTTL: 1, {settings}}}\n")
    return Mitmdump(folder / "proxy", "--set", f"aicache_config={file}", modes=(f"reverse:{upstream.url}",))


def when(running: Mitmdump, body: object, wanted: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is as *wanted*, which time alone brings about."""
    deadline = time.monotonic() + 15
    while not wanted(answer := post(running, body)):
        assert time.monotonic() < deadline, answer.cache
    return answer


def failure(status: int) -> Callable[[Asked], Script]:
    """Return a provider that fails."""
    return lambda _: Script(b'{"error": {"message": "no"}}', status=status)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_failing_provider_is_stood_in_for(tmp_path: Path, upstream: Upstream, stream: bool) -> None:
    """429 and 5xx become the old answer, marked; another error is the client's; a good reply is taken."""
    body = ask(stream=True) if stream else ask()
    with proxy(tmp_path, upstream, "staleIfError: 600") as running:
        first = post(running, body)
        running.wait_for("miss unknown, stored")
        upstream.answer = failure(503)
        stale = when(running, body, lambda answer: "detail=exact" not in answer.cache)
        assert (stale.status, stale.body) == (200, first.body)
        assert stale.cache.startswith("aicache; fwd=stale; detail=stale-if-error; fwd-status=503; ttl=")
        assert (int(stale.headers["age"]) >= 1, "warning" in stale.headers) == (True, False)
        assert stale.headers["content-type"] == first.headers["content-type"]
        upstream.answer = failure(429)
        assert post(running, body).body == first.body
        upstream.answer = failure(401)
        assert post(running, body).status == 401
        upstream.answer = openai
        assert post(running, body).cache == "aicache; fwd=stale"
        running.wait_for("miss stale, stored")


def test_a_provider_that_is_gone_is_stood_in_for(tmp_path: Path, upstream: Upstream) -> None:
    """Nobody takes the connection: the old answer; without one, mitmproxy's 502 as ever."""
    with proxy(tmp_path, upstream, "staleIfError: 600") as running:
        first = post(running, ask())
        running.wait_for("miss unknown, stored")
        upstream.stop()
        stale = when(running, ask(), lambda answer: "detail=exact" not in answer.cache)
        assert (stale.status, stale.body) == (200, first.body)
        assert stale.cache.startswith("aicache; fwd=stale; detail=stale-if-error; ttl=")
        assert post(running, ask("new")).status == 502


def test_a_stale_answer_is_refreshed_once(tmp_path: Path, upstream: Upstream) -> None:
    """Many callers are served at once, one refresh goes out with a caller's credential, and its answer is the next."""
    gate = threading.Event()

    def slow(asked: Asked) -> Script:
        return Script(json.dumps(chat_json("a new answer")).encode(), gate=gate) if asked else Script()

    with proxy(tmp_path, upstream, "staleWhileRevalidate: 600") as running:
        post(running, ask())
        running.wait_for("miss unknown, stored")
        upstream.answer = slow
        stale = when(running, ask(), lambda answer: "detail=exact" not in answer.cache)
        assert stale.cache.startswith("aicache; hit; detail=stale-while-revalidate; ttl=")
        with ThreadPoolExecutor(8) as pool:
            others = list(pool.map(lambda _: post(running, ask()), range(16)))
        assert {other.body for other in others} == {stale.body}
        gate.set()
        running.wait_for("miss refresh, stored")
        fresh = post(running, ask())
        assert b"a new answer" in fresh.body
        assert len(upstream.calls) == 2
        assert [call.headers["authorization"] for call in upstream.calls] == ["Bearer sk-test"] * 2
        assert "Traceback" not in running.output
