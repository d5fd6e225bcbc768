"""Identical calls at the same time through a real mitmdump: one call upstream, and nobody suffers for another."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.asking import Answer, ask, post
from support.h2_client import Connection
from support.proxy import Mitmdump
from support.reader import Reader
from support.upstream import Asked, Script, Upstream, chat_chunks, openai

COLLAPSED = "aicache; fwd=miss; collapsed"
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


MODELS = (f"model-of-test-{number:04}" for number in itertools.count())


class Provider:
    """Answers as a provider does, but holds the last piece of its first answer back until `gate` is set.

    It has a model of its own, so that the tests of this file can share a proxy and not its answers.
    """

    def __init__(self) -> None:
        self.gate, self.asked = threading.Event(), threading.Event()
        self.calls = 0
        self.model = next(MODELS)
        self._proxy: Mitmdump | None = None
        self._clients = 0
        self.first: dict[str, Any] = {}
        """What is different about the first answer."""

    def __call__(self, asked: Asked) -> Script:
        """Answer."""
        self.calls += 1
        script = openai(asked)
        if self.calls == 1:
            script.gate = self.gate
            for name, value in self.first.items():
                setattr(script, name, value)
        self.asked.set()
        return script

    def ask(self, text: str = "What is 6 times 7?", **more: Any) -> dict[str, Any]:
        """Return a request that only this provider gets."""
        return ask(text, model=self.model, **more)

    def behind(self, proxy: Mitmdump) -> None:
        """Count the clients of *proxy* from now on."""
        self._proxy, self._clients = proxy, proxy.output.count("client connect")

    def wait_for_clients(self, count: int) -> None:
        """Return when *count* clients have come."""
        assert self._proxy
        self._proxy.wait_for("client connect", self._clients + count)


@pytest.fixture
def provider() -> Provider:
    """The provider."""
    return Provider()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mitmdump, Upstream]]:
    """One proxy before one address for the tests of this file."""
    with (
        Upstream() as upstream,
        Mitmdump(tmp_path_factory.mktemp("proxy"), modes=(f"reverse:{upstream.url}",)) as running,
    ):
        yield running, upstream


@pytest.fixture
def proxy(shared: tuple[Mitmdump, Upstream], provider: Provider) -> Iterator[Mitmdump]:
    """A mitmdump before the provider."""
    running, upstream = shared
    upstream.answer = provider
    provider.behind(running)
    yield running
    provider.gate.set()


def reader(proxy: Mitmdump, body: Any) -> Reader:
    """Return a client that has asked for a stream."""
    return Reader(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20), body)


@pytest.mark.parametrize("leader", [{}, STREAM], ids=["json leads", "a stream leads"])
def test_a_hundred_calls_make_one(proxy: Mitmdump, provider: Provider, leader: Any) -> None:
    """JSON and streams mixed: the provider is asked once, and all of a form get the same bytes."""
    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(post, proxy, provider.ask(**leader))]
        assert provider.asked.wait(20)
        followers: list[Any] = [provider.ask() if number % 2 else provider.ask(**STREAM) for number in range(99)]
        answers += [pool.submit(post, proxy, body) for body in followers]
        provider.wait_for_clients(100)
        provider.gate.set()
        found = [answer.result() for answer in answers]
    assert provider.calls == 1
    assert {answer.status for answer in found} == {200}
    for body in (provider.ask(), provider.ask(**STREAM)):
        same = {
            answer.body
            for sent, answer in zip([provider.ask(**leader), *followers], found, strict=True)
            if sent == body
        }
        assert len(same) == 1
    assert {answer.cache for answer in found[1:]} <= {COLLAPSED, "aicache; hit; detail=exact"}
    assert COLLAPSED in {answer.cache for answer in found[1:]}


def test_a_late_follower_has_at_once_what_has_arrived(proxy: Mitmdump, provider: Provider) -> None:
    """Then each chunk as it comes, the end included: the leader's bytes."""
    chunks = chat_chunks("You said: What is 6 times 7?")
    leader = reader(proxy, provider.ask(stream=True))
    begun = leader.events(len(chunks) - 1)
    follower = reader(proxy, provider.ask(stream=True))
    assert follower.cache == COLLAPSED
    assert follower.events(len(chunks) - 1) == begun
    provider.gate.set()
    assert follower.rest() == leader.rest() == chunks[-1]
    assert provider.calls == 1
    assert post(proxy, provider.ask(stream=True)).cache == "aicache; hit; detail=exact"


FAILURES = [
    pytest.param({"status": 500, "body": b'{"error": {}}'}, id="500"),
    pytest.param({"status": 400, "body": b'{"error": {}}'}, id="400"),
    pytest.param({"head": b"", "cut": "rst"}, id="reset"),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_leader_that_fails_spoils_nothing(proxy: Mitmdump, provider: Provider, failure: Any) -> None:
    """Its client gets the error; of those who waited one asks anew, for all."""
    late = threading.Event()
    provider.first = {**failure, "late": late, "gate": None}
    with ThreadPoolExecutor(10) as pool:
        leader = pool.submit(post, proxy, provider.ask())
        assert provider.asked.wait(20)
        followers = [pool.submit(post, proxy, provider.ask()) for _ in range(9)]
        provider.wait_for_clients(10)
        late.set()
        found = [follower.result() for follower in followers]
        assert leader.result().status == failure.get("status", 502)
    assert [answer.status for answer in found] == [200] * 9
    assert provider.calls == 2


def leaving(proxy: Mitmdump, provider: Provider) -> tuple[Reader, Reader]:
    """Return the leader of a stream, and one who follows it; both have the first event."""
    leader = reader(proxy, provider.ask(stream=True))
    first = leader.events(1)
    follower = reader(proxy, provider.ask(stream=True))
    assert follower.events(1) == first
    return leader, follower


def test_when_the_leaders_client_leaves_the_next_one_leads(proxy: Mitmdump, provider: Provider) -> None:
    """Who waited for it is answered by a second call."""
    leader = reader(proxy, provider.ask(stream=True))
    leader.events(1)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(post, proxy, provider.ask()) for _ in range(4)]
        provider.wait_for_clients(5)
        leader.leave()
        answers = [answer.result() for answer in waiting]
    provider.gate.set()
    assert [answer.status for answer in answers] == [200] * 4
    assert provider.calls == 2


def test_when_upstream_dies_followers_see_what_the_leader_sees(proxy: Mitmdump, provider: Provider) -> None:
    """Half a stream is half a stream for all, and is not stored."""
    provider.first = {"cut": "fin", "body": chat_chunks("You said: What is 6 times 7?")[:3]}
    leader, follower = leaving(proxy, provider)
    provider.gate.set()
    for reader in (leader, follower):
        with pytest.raises(http.client.IncompleteRead):
            reader.rest()
    assert post(proxy, provider.ask(stream=True)).cache == "aicache; fwd=miss"


def test_a_follower_that_leaves_disturbs_nobody(proxy: Mitmdump, provider: Provider) -> None:
    """The leader and the other followers go on."""
    leader, follower = leaving(proxy, provider)
    other = reader(proxy, provider.ask(stream=True))
    follower.leave()
    provider.gate.set()
    assert b"".join([other.events(1), other.rest()]).endswith(leader.rest())
    assert provider.calls == 1


def test_fifty_streams_on_one_connection(proxy: Mitmdump, provider: Provider) -> None:
    """HTTP/2: all of them flow at the same time, though mitmproxy opens five connections to an address at the most."""
    chunks = chat_chunks("You said: What is 6 times 7?")
    begun = sum(map(len, chunks[:-1]))
    with Connection(proxy.port) as connection:
        leader = connection.ask(provider.ask(stream=True))
        connection.until(lambda stream: len(stream.body) >= begun)
        for _ in range(49):
            connection.ask(provider.ask(stream=True))
        connection.until(lambda stream: len(stream.body) >= begun)
        provider.gate.set()
        connection.until(lambda stream: stream.ended)
        assert {stream.body for stream in connection.streams.values()} == {b"".join(chunks)}
        assert {stream.headers["cache-status"] for stream in connection.streams.values() if stream is not leader} == {
            COLLAPSED
        }
    assert provider.calls == 1


def test_a_stream_that_is_reset_is_a_client_that_left(proxy: Mitmdump, provider: Provider) -> None:
    """One stream of HTTP/2 is given up, the connection stays: the next one leads."""
    with Connection(proxy.port) as connection:
        leader = connection.ask(provider.ask(stream=True))
        connection.until(lambda stream: bool(stream.body))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, proxy, provider.ask())
            provider.wait_for_clients(2)
            connection.leave(leader)
            assert waiting.result().status == 200
    provider.gate.set()
    assert provider.calls == 2


def test_a_parent_proxy_hears_of_one_call_only(tmp_path: Path, provider: Provider) -> None:
    """In upstream mode followers are played to without it; what comes after them still goes through it."""
    with Upstream(provider) as parent, Mitmdump(tmp_path, modes=(f"upstream:{parent.url}",)) as proxy:
        first = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        second = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        leader = through(first, provider.ask(stream=True))
        leader.readline()
        follower = through(second, provider.ask(stream=True))
        provider.gate.set()
        assert Answer(follower).cache == COLLAPSED
        assert Answer(through(second, provider.ask("Another?"))).cache == "aicache; fwd=miss"
        first.close()
        second.close()
        assert [asked.path for asked in parent.calls] == ["http://llm.test/v1/chat/completions"] * 2
        assert not [name for asked in parent.calls for name in asked.headers if "aicache" in name]


def through(connection: http.client.HTTPConnection, body: Any) -> http.client.HTTPResponse:
    """Ask for *body* at a host that only the parent proxy knows."""
    head = {"content-type": "application/json", "host": "llm.test"}
    connection.request("POST", "http://llm.test/v1/chat/completions", json.dumps(body), head)
    return connection.getresponse()


def test_a_stream_without_usage_answers_its_own_form_only(proxy: Mitmdump, provider: Provider) -> None:
    """JSON calls and streams with usage need what it does not have: one more call serves all of those."""
    bare, done = ask(stream=True), b"data: [DONE]\n\n"
    bodies = [ask(), bare, ask(**STREAM)] * 5
    with ThreadPoolExecutor(16) as pool:
        leader = pool.submit(post, proxy, bare)
        assert provider.asked.wait(20)
        followers = [pool.submit(post, proxy, body) for body in bodies]
        proxy.wait_for("client connect", 16)
        provider.gate.set()
        found = [follower.result() for follower in followers]
        assert leader.result().body.endswith(done)
    assert provider.calls == 2
    assert [answer.status for answer in found] == [200] * 15
    forms = [{answer.body for sent, answer in zip(bodies, found, strict=True) if sent == body} for body in bodies[:3]]
    assert (len(forms[0]), len(forms[2])) == (1, 1)
    assert all(body.endswith(done) for body in forms[1] | forms[2])
    assert b"completion_tokens" in forms[2].pop()
