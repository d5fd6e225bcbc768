"""The client of services that we ask: what it sends, what it bears, and what it says of a fault."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from llmcache import httpclient
from llmcache.chat import BackendError
from llmcache.httpclient import HttpClient, Manners, reading
from support.certificates import Authority
from support.redis_server import free_port
from support.upstream import Asked, Script, Upstream

KEY = "sk-very-secret"
QUESTION = "what does my doctor say"


def client(server: Upstream, timeout: float = 5.0) -> HttpClient:
    """Return a client with a key."""
    return HttpClient("testdb", server.url, {"authorization": f"Bearer {KEY}"}, timeout)


def says(*scripts: Script) -> Callable[[Asked], Script]:
    """Answer with these in turn, then with the last."""
    waiting = list(scripts)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


async def fault(server: Upstream, answer: Callable[[Asked], Script], timeout: float = 5.0, **more: bool) -> str:
    """Return the message of a call that fails."""
    server.answer = answer
    http = client(server, timeout)
    with pytest.raises(BackendError) as caught:
        await http.ask("POST", "/search", {"q": QUESTION}, **more)
    await http.close()
    message = str(caught.value)
    assert KEY not in message
    assert QUESTION not in message
    assert caught.value.__cause__ is None
    return message


async def test_what_is_sent_and_read(upstream: Upstream) -> None:
    """Body and answer are JSON, vectors of numpy included, and the key goes along."""
    upstream.answer = says(Script(b'{"found": [1]}'))
    http = client(upstream)
    answer = await http.ask("PUT", "/points?wait=true", {"v": np.array([0.1, 0.5], np.float32)})
    await http.close()
    asked = upstream.calls[0]
    assert (200, {"found": [1]}) == (answer.status, answer.body)
    assert ("PUT", "/points?wait=true") == (asked.method, asked.path)
    assert {"v": [0.1, 0.5]} == json.loads(asked.body)
    assert f"Bearer {KEY}" == asked.headers["authorization"]
    assert "application/json" == asked.headers["content-type"]


async def test_the_proxy_of_the_environment_is_not_used(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment may be ourselves: calls go straight to the service."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    upstream.answer = says(Script(b"{}"))
    http = client(upstream)
    assert {} == (await http.ask("GET", "/")).body
    await http.close()


async def test_neither_redirects_nor_cookies_are_followed(upstream: Upstream) -> None:
    """A redirect could carry the key to a stranger, a cookie one user's session to another."""
    moved = Script(b"", 307, {"location": f"{upstream.url}/elsewhere", "set-cookie": "a=b"})
    assert "answered 307: it sends elsewhere" in await fault(upstream, says(moved))
    http = client(upstream)
    upstream.answer = says(Script(b"{}", headers={"set-cookie": "a=b"}))
    await http.ask("GET", "/")
    await http.ask("GET", "/")
    await http.close()
    assert ["/search", "/", "/"] == [call.path for call in upstream.calls]
    assert not any("cookie" in call.headers for call in upstream.calls)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_asked_once_more(upstream: Upstream, status: int) -> None:
    """What may be repeated is sent a second time after a busy moment, and not a third."""
    upstream.answer = says(Script(b"", status, {"retry-after": "0"}), Script(b"[7]"))
    http = client(upstream)
    assert [7] == (await http.ask("POST", "/", {})).body
    await http.close()
    upstream.calls.clear()
    assert f"answered {status}" in await fault(upstream, says(Script(b"", status, {"retry-after": "0"})))
    assert 2 == len(upstream.calls)


async def test_manners_are_the_caller_s(upstream: Upstream) -> None:
    """How often a call is sent, and after which statuses, is for whom the client serves to say."""
    upstream.answer = says(Script(b"", 500, {"retry-after": "0"}))
    http = HttpClient("testdb", upstream.url, manners=Manners(tries=4, busy=frozenset({500})))
    with pytest.raises(BackendError, match="answered 500"):
        await http.ask("POST", "/", {})
    await http.close()
    assert 4 == len(upstream.calls)


@pytest.mark.parametrize("written", ["", "environment"], ids=["named", "environment"])
async def test_a_proxy_is_used_where_it_is_named(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A proxy that is named, or that of the environment on demand, carries the call."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", upstream.url)
    upstream.answer = says(Script(b"[1]"))
    http = HttpClient("testdb", "http://db.example:6333", manners=Manners(proxy=written or upstream.url))
    assert [1] == (await http.ask("GET", "/x")).body
    await http.close()
    assert "http://db.example:6333/x" == upstream.calls[0].path


async def test_what_may_not_be_repeated_is_sent_once(upstream: Upstream) -> None:
    """A call that changes something each time is not repeated."""
    assert "answered 503" in await fault(upstream, says(Script(b"", 503)), repeat=False)
    assert 1 == len(upstream.calls)


async def test_no_time_for_another_try(upstream: Upstream) -> None:
    """A service that wants to be left alone longer than the deadline is not waited for."""
    busy = Script(b"", 429, {"retry-after": "3000"})
    assert "too many calls" in await fault(upstream, says(busy))
    assert 1 == len(upstream.calls)


async def test_a_connection_that_was_closed_meanwhile(upstream: Upstream) -> None:
    """A pooled connection that the service has closed costs a second try, and no fault."""
    upstream.answer = says(Script(b"{}", cut="fin"), Script(b"{}", cut="rst"), Script(b"[1]"))
    http = client(upstream)
    assert [{}, {}, [1]] == [(await http.ask("GET", "/")).body for _ in range(3)]
    await http.close()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(Script(b"<html>hello</html>"), "no JSON", id="garbage"),
        pytest.param(Script(b'{"a": [1,'), "no JSON", id="half of the JSON"),
        pytest.param(Script([b'{"a"', b": 1"], framing="chunked", cut="fin"), "broke off", id="half of the chunks"),
        pytest.param(Script(b"{}", headers={"content-length": "50"}, framing="eof"), "broke off", id="half of a body"),
        pytest.param(Script(b'{"error": "no such key"}', 401), "answered 401: check the key", id="401"),
        pytest.param(Script(b"", 403), "answered 403: the key may not", id="403"),
        pytest.param(Script(b"not json", 500), "answered 500", id="500"),
        pytest.param(Script(b"", 418), "answered 418", id="a status without a remedy"),
    ],
)
async def test_faults_of_the_service(upstream: Upstream, script: Script, message: str) -> None:
    """Whatever comes back instead of an answer is a `BackendError` that says what happened, and where."""
    found = await fault(upstream, says(script))
    assert message in found
    assert f"testdb at 127.0.0.1:{upstream.port}" in found


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"root_cause": [], "type": "a", "reason": "the index is\n read only"}, "status": 400},
        {"error": "InvalidArgumentError", "message": "the index is read only"},
        {"error": [{"message": "the index is read only"}]},
        {"status": {"error": "the index is read only"}, "time": 0.0},
        {"code": 3, "message": "the index is read only", "details": []},
        "the index is read only",
    ],
    ids=["elasticsearch", "chroma", "weaviate", "qdrant", "pinecone", "text"],
)
async def test_the_words_of_the_service(upstream: Upstream, body: object) -> None:
    """They are shown where nothing that was sent is a user's text, and only there."""
    script = Script(json.dumps(body).encode(), 400)
    assert "the index" not in await fault(upstream, says(script))
    assert "answered 400 (the index is read only)" in await fault(upstream, says(script), show=True)


async def test_a_slow_service(upstream: Upstream) -> None:
    """The deadline holds for an answer that does not begin, and for one that does not end."""
    gate = threading.Event()
    for script in (Script(b"{}", gate=gate), Script([b"{", b"}"], framing="chunked", gate=gate)):
        assert "did not answer in time" in await fault(upstream, says(script), timeout=0.2)
    gate.set()


async def test_nobody_is_there() -> None:
    """A port that nobody listens on, and a name that does not exist, are faults with a remedy."""
    for url in (f"http://user:{KEY}@127.0.0.1:{free_port()}", f"https://127.0.0.1:{free_port()}"):
        http = HttpClient("testdb", url, timeout=2)
        with pytest.raises(BackendError, match="cannot be reached: check that it runs") as caught:
            await http.ask("GET", "/")
        assert KEY not in str(caught.value)
        await http.close()


async def test_tls(tmp_path: Path) -> None:
    """Who signed the certificate must be trusted, and may be named."""
    authority = Authority(tmp_path)
    with Upstream(says(Script(b"{}")), tls=authority.server("127.0.0.1")) as server:
        http = HttpClient("testdb", server.url, timeout=5)
        with pytest.raises(BackendError, match="cannot be reached with TLS: check its certificate"):
            await http.ask("GET", "/")
        await http.close()
        http = HttpClient("testdb", server.url, timeout=5, verify=str(authority.path))
        assert {} == (await http.ask("GET", "/")).body
        await http.close()


async def test_an_answer_without_end(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer over the bound is not kept in memory."""
    monkeypatch.setattr(httpclient, "MOST_BYTES", 2**20)
    assert "more than 1 MiB" in await fault(upstream, says(Script([b"1" * 2**19] * 3, framing="chunked")))


async def test_what_is_no_json_is_not_sent(upstream: Upstream) -> None:
    """A body that is no JSON is refused at our side."""
    http = client(upstream)
    with pytest.raises(BackendError, match="was not asked"):
        await http.ask("POST", "/", {"a": object()})
    await http.close()
    assert [] == upstream.calls


async def test_many_at_once_and_the_loop_goes_on(upstream: Upstream) -> None:
    """More calls than threads wait for their turn, while the loop does other work."""
    gate = threading.Event()
    upstream.answer = says(Script(b"{}", gate=gate))
    http = client(upstream)
    calls = [asyncio.create_task(http.ask("GET", "/")) for _ in range(30)]
    while len(upstream.calls) < httpclient.THREADS:
        await asyncio.sleep(0)
    gate.set()
    assert 30 == len(await asyncio.gather(*calls))
    await http.close()


async def test_closing(upstream: Upstream) -> None:
    """A client may be closed twice and before use, and says afterwards that it was closed."""
    http = client(upstream)
    assert f"<HttpClient testdb at 127.0.0.1:{upstream.port}: not used yet>" == repr(http)
    await http.close()
    await http.close()
    with pytest.raises(BackendError, match="closed"):
        await http.ask("GET", "/")
    assert repr(http).endswith(": closed>")


@pytest.mark.parametrize(
    "error", [KeyError("x"), IndexError(), TypeError(), ValueError(), AttributeError(), ZeroDivisionError()]
)
def test_reading_what_is_not_understood(error: Exception) -> None:
    """Whatever goes wrong while an answer is taken apart is the service's fault."""
    with pytest.raises(BackendError, match="testdb answered what is not understood"), reading("testdb"):
        raise error
