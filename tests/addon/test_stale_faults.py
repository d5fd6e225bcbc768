"""A provider that breaks off, says nothing or is not there, through a real mitmdump: who has an old answer gets it."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.absent import missing
from support.asking import Answer, ask, post
from support.certificates import Authority
from support.h2_client import Connection
from support.proxy import Mitmdump
from support.redis_server import Server, binary, free_port
from support.upstream import Asked, Script, Upstream, chat_chunks, openai

SETTINGS = "deadlines: {staleIfError: 1500ms, store: 5s}\ncache: {cacheTTL: 1, staleIfError: 600, near: {seconds: 0}}\n"
STALE = "aicache; fwd=stale; detail=stale-if-error; ttl="
MODELS = (f"model-{number:04}" for number in itertools.count())


@dataclass(frozen=True)
class Asking:
    """A call whose answer has expired, and that answer."""

    body: dict[str, Any]
    old: bytes

    def holds(self, answer: Answer) -> bool:
        """Whether it is the old answer, marked so."""
        return (answer.status, answer.body) == (200, self.old) and answer.cache.startswith(STALE)


@dataclass
class World:
    """A proxy before a provider, both shared by the tests of this file; each has a model of its own.

    It has two more entrances: before a provider that speaks TLS, and behind a parent proxy.
    """

    proxy: Mitmdump
    upstream: Upstream
    secure: Upstream
    answers: dict[str, Callable[[Asked], Script]]
    expired: dict[str, list[Asking]]
    """By what they ask for, and how."""

    def take(self, answer: Callable[[Asked], Script], kind: str = "json") -> Asking:
        """Return a call whose answer has expired, and which the provider answers by *answer* from now on."""
        asking = self.expired[kind].pop()
        self.answers[asking.body["model"]] = answer
        return asking

    def calls(self, asking: Asking) -> int:
        """Return how often the provider was asked since the answer has expired."""
        return sum(call.json["model"] == asking.body["model"] for call in self.upstream.calls) - 1


def proxy(folder: Path, store: str, *modes: str, more: str = "", options: tuple[str, ...] = ()) -> Mitmdump:
    """Return a proxy whose answers expire after a second and stand in for ten minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.yaml").write_text(SETTINGS + more)
    given = ("--set", f"aicache_config={folder / 'c.yaml'}", "--set", f"aicache_store={store}")
    return Mitmdump(folder, *given, *options, modes=modes)


def expired(ask_for: Callable[..., Answer], bodies: list[dict[str, Any]]) -> list[Asking]:
    """Ask everything once, and return when its time is over; who asks for that goes upstream for nothing."""
    found = [Asking(body, ask_for(body).body) for body in bodies]
    deadline = time.monotonic() + 15
    for body in bodies:
        while ask_for(body, x_aicache_control="only-if-cached").status == 200:
            assert time.monotonic() < deadline
    return found


def through(port: int, body: Any, host: str = "", **headers: str) -> Answer:
    """Ask at another entrance; with *host* as a proxy is asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    head = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", f"{host}/v1/chat/completions", json.dumps(body), head)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


HOST = "http://api.provider.invalid"
"""Whom only the parent proxy knows."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world, with answers that have all expired."""
    folder = tmp_path_factory.mktemp("world")
    known, answers = Authority(folder / "known"), dict[str, Callable[[Asked], Script]]()

    def answer(asked: Asked) -> Script:
        return answers.get(asked.json["model"], openai)(asked)

    with Upstream(answer) as upstream, Upstream(answer, tls=known.server("127.0.0.1")) as secure:
        ports = [free_port() for _ in range(3)]
        modes = (
            f"reverse:{upstream.url}@127.0.0.1:{ports[0]}",
            f"reverse:{secure.url}@127.0.0.1:{ports[1]}",
            f"upstream:{upstream.url}@127.0.0.1:{ports[2]}",
        )
        trust = ("--set", f"ssl_verify_upstream_trusted_ca={known.path}")
        with proxy(folder, "memory", *modes, options=trust) as running:
            running.ports = ports  # it has noted them as they opened
            ways: dict[str, tuple[int, Callable[..., Answer]]] = {
                "json": (14, partial(post, running)),
                "stream": (30, partial(post, running)),
                "tls": (3, partial(through, ports[1])),
                "parent": (2, partial(through, ports[2], host=HOST)),
            }
            found = {}
            for kind, (count, way) in ways.items():
                more = {"stream": True} if kind == "stream" else {}
                found[kind] = expired(way, [ask(model=next(MODELS), **more) for _ in range(count)])
            yield World(running, upstream, secure, answers, found)
            assert "Traceback" not in running.output
            assert "crashed" not in running.output


def breaks(cut: str = "fin", head: bytes = b"") -> Callable[[Asked], Script]:
    """Return a provider that says *head* and ends the connection."""
    return lambda _: Script(head=head, cut=cut)


HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"choices": ['
FAULTS = [
    pytest.param(breaks("fin"), id="closed"),
    pytest.param(breaks("rst"), id="reset"),
    pytest.param(breaks("rst", b"HTTP/1.1 200 OK\r\ncontent-ty"), id="reset in the head"),
    pytest.param(breaks("fin", b"SSH-2.0-OpenSSH_9.6\r\n"), id="no HTTP"),
]


@pytest.mark.parametrize("kind", ["json", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_connection_that_breaks_before_the_reply(world: World, fault: Any, kind: str) -> None:
    """The old answer, and no error of the proxy's; it is kept, and the next good reply takes its place."""
    asking = world.take(fault, kind)
    for _ in range(2):
        assert asking.holds(answer := post(world.proxy, asking.body))
    assert int(answer.headers["age"]) >= 1
    world.answers.clear()
    assert post(world.proxy, asking.body).cache == "aicache; fwd=stale"
    assert world.calls(asking) == 3


def test_a_whole_answer_that_breaks_off(world: World) -> None:
    """The client has nothing of it yet, so that the old one can still take its place."""
    asking = world.take(breaks("rst", HALF))
    assert asking.holds(post(world.proxy, asking.body))


@pytest.mark.parametrize("kind", ["json", "stream"])
def test_a_provider_that_says_nothing(world: World, kind: str) -> None:
    """The old answer after `deadlines.staleIfError`; what is answered later is recorded all the same."""
    late = threading.Event()

    def slow(asked: Asked) -> Script:
        script = openai(asked)
        script.late = late
        return script

    asking = world.take(slow, kind)
    assert asking.holds(post(world.proxy, asking.body))
    late.set()
    world.proxy.wait_for_line(asking.body["model"], "miss refresh, stored")
    assert post(world.proxy, asking.body).cache == "aicache; hit; detail=exact"
    assert world.calls(asking) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("kind", ["json", "stream"])
def test_a_provider_that_says_so(world: World, status: int, kind: str) -> None:
    """Its error becomes the old answer, and the status is told."""
    asking = world.take(lambda _: Script(b'{"error": {"message": "no"}}', status=status), kind)
    answer = post(world.proxy, asking.body)
    assert (answer.status, answer.body) == (200, asking.old)
    assert answer.cache.startswith(f"aicache; fwd=stale; detail=stale-if-error; fwd-status={status}; ttl=-")


@pytest.mark.parametrize("kind", ["json", "stream"])
@pytest.mark.parametrize("body", [b'{"error": 1}', b""], ids=["body", "empty"])
def test_what_is_the_callers_fault_is_told_him(world: World, kind: str, body: bytes) -> None:
    """401 with its body and its headers."""
    head = {"content-type": "application/json", "www-authenticate": "Bearer"}
    asking = world.take(lambda _: Script(body, status=401, headers=head), kind)
    answer = post(world.proxy, asking.body)
    assert (answer.status, answer.body, answer.headers["www-authenticate"]) == (401, body, "Bearer")
    assert answer.cache == "aicache; fwd=stale"


class Reader:
    """A client that reads a stream as it comes."""

    def __init__(self, proxy: Mitmdump, body: Any) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        head = {"content-type": "application/json", "authorization": "Bearer sk-test", "x-aicache-control": "ttl=600"}
        self.connection.request("POST", "/v1/chat/completions", json.dumps(body), head)

    def begin(self) -> http.client.HTTPResponse:
        """Return the answer, of which there is a head."""
        self.response = self.connection.getresponse()
        return self.response

    def leave(self) -> None:
        """Hang up."""
        if self.connection.sock:
            self.connection.sock.close()
        self.connection.close()


def test_a_good_stream_flows(world: World) -> None:
    """Each chunk when it comes, under the provider's own head; its credential and nothing of ours was sent."""
    gate, chunks = threading.Event(), chat_chunks("You said: this flows")
    head = {"content-type": "text/event-stream", "X-Request-Id": "req_1", "Set-Cookie": "a=b"}
    asking = world.take(lambda _: Script(chunks, headers=head, framing="chunked", gate=gate), "stream")
    reader = Reader(world.proxy, asking.body)
    answer = reader.begin()
    assert answer.read(len(begun := b"".join(chunks[:-1]))) == begun
    gate.set()
    assert answer.read() == chunks[-1]
    reader.leave()
    assert [answer.headers[name] for name in ("x-request-id", "set-cookie", "cache-status")] == [
        "req_1",
        "a=b",
        "aicache; fwd=stale",
    ]
    assert "connection" not in answer.headers
    world.proxy.wait_for_line(asking.body["model"], "miss stale, stored")
    assert post(world.proxy, asking.body).cache == "aicache; hit; detail=exact"
    sent = world.upstream.calls[-1]
    assert sent.headers["authorization"] == "Bearer sk-test"
    assert not [name for name in sent.headers if "aicache" in name]


def test_a_stream_that_breaks_off_does_so_for_the_client(world: World) -> None:
    """What came, and then the break; the old answer is there for the next."""
    chunks = chat_chunks("You said: half of it")
    head = {"content-type": "text/event-stream"}
    asking = world.take(
        lambda _: Script(chunks[:-2], headers=head, framing="chunked", cut="rst"),
        "stream",
    )
    reader = Reader(world.proxy, asking.body)
    with pytest.raises(http.client.IncompleteRead):
        reader.begin().read()
    reader.leave()
    world.answers[asking.body["model"]] = breaks()
    assert asking.holds(post(world.proxy, asking.body))


@pytest.mark.parametrize("begun", [False, True], ids=["before the reply", "in it"])
def test_a_client_that_leaves(world: World, begun: bool) -> None:
    """The reply is recorded, and nothing breaks."""
    late, chunks = threading.Event(), chat_chunks("You said: nobody is there")

    def slow(asked: Asked) -> Script:
        script = Script(chunks, headers={"content-type": "text/event-stream"}, framing="chunked")
        if begun:
            script.gate = late
        else:
            script.late = late
        arrived.set()
        assert asked
        return script

    arrived = threading.Event()
    asking = world.take(slow, "stream")
    gone = world.proxy.output.count("client disconnect")
    reader = Reader(world.proxy, asking.body)
    assert arrived.wait(20)
    if begun:
        reader.begin()
    reader.leave()
    world.proxy.wait_for("client disconnect", gone + 1)
    late.set()
    world.proxy.wait_for_line(asking.body["model"], "miss stale, stored")
    assert post(world.proxy, asking.body).body == b"".join(chunks)


def test_many_callers_wait_once(world: World) -> None:
    """One call goes out; when nothing comes of it, all of them have the old answer at the same time."""
    late = threading.Event()
    asking = world.take(lambda _: Script(late=late, head=b"", cut="rst"))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(world.proxy, asking.body), range(20)))
    late.set()
    assert all(asking.holds(answer) for answer in answers)
    assert world.calls(asking) == 1


def test_whose_leader_fails_has_the_old_answer(world: World) -> None:
    """Who waited for the call that broke does not ask once more."""
    arrived, late = threading.Event(), threading.Event()

    def broken(_: Asked) -> Script:
        arrived.set()
        return Script(late=late, head=b"", cut="rst")

    asking = world.take(broken)
    came = world.proxy.output.count("client connect")
    with ThreadPoolExecutor(10) as pool:
        leader = pool.submit(post, world.proxy, asking.body)
        assert arrived.wait(20)
        others = [pool.submit(post, world.proxy, asking.body) for _ in range(9)]
        world.proxy.wait_for("client connect", came + 10)
        late.set()
        assert all(asking.holds(each.result()) for each in (leader, *others))
    assert world.calls(asking) <= 2  # one may have come when it was over


def test_whose_leader_breaks_asks_by_himself(world: World) -> None:
    """With no old answer: who waited sees nothing of the break, in either form."""
    arrived, late, model = threading.Event(), threading.Event(), next(MODELS)
    count = itertools.count()

    def first_breaks(asked: Asked) -> Script:
        if next(count):
            return openai(asked)
        arrived.set()
        return Script(late=late, head=b"", cut="rst")

    world.answers[model] = first_breaks
    came = world.proxy.output.count("client connect")
    with ThreadPoolExecutor(10) as pool:
        leader = pool.submit(post, world.proxy, ask(model=model, stream=True))
        assert arrived.wait(20)
        others = [
            pool.submit(post, world.proxy, ask(model=model, **({"stream": True} if each % 2 else {})))
            for each in range(9)
        ]
        world.proxy.wait_for("client connect", came + 10)
        late.set()
        assert leader.result().status == 502
        assert {each.result().status for each in others} == {200}


def test_http2(world: World) -> None:
    """Many streams on one connection, some with an old answer and some with a new one."""
    good = [world.take(openai, "stream") for _ in range(8)]
    bad = [world.take(breaks("rst"), "stream") for _ in range(8)]
    with Connection(world.proxy.port) as client:
        streams = [client.ask(asking.body) for asking in (*good, *bad)]
        client.until(lambda stream: stream.ended)
    assert [stream.body for stream in streams] == [asking.old for asking in (*good, *bad)]
    said = [stream.headers["cache-status"] for stream in streams]
    assert said[:8] == ["aicache; fwd=stale"] * 8
    assert all(each.startswith(STALE) for each in said[8:])


def test_tls_that_fails(world: World, tmp_path: Path) -> None:
    """Another's certificate, and no TLS at all, instead of the provider: the old answer, and nobody else is asked."""
    ask_it = partial(through, world.proxy.ports[1])
    assert ask_it(world.take(openai, "tls").body).cache == "aicache; fwd=stale"
    world.secure.stop()
    for tls in (Authority(tmp_path).server("127.0.0.1"), None):
        asking, other = world.take(openai, "tls"), Upstream(tls=tls)
        other.port = world.secure.port
        with other:
            assert asking.holds(ask_it(asking.body))
        assert other.calls == []


def test_behind_a_parent_proxy(world: World) -> None:
    """The copy goes by way of it, even where it is not the first mode."""
    ask_it = partial(through, world.proxy.ports[2], host=HOST)
    asking = world.take(breaks("rst"), "parent")
    assert asking.holds(ask_it(asking.body))
    assert ask_it(world.take(openai, "parent").body).cache == "aicache; fwd=stale"
    assert [call.path for call in world.upstream.calls[-2:]] == [f"{HOST}/v1/chat/completions"] * 2


def test_two_processes(tmp_path: Path, upstream: Upstream) -> None:
    """Who waits for the call of another process waits no longer for it than for a provider."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as server:
        mode, more = f"reverse:{upstream.url}", "scope: {secret: s}\nflights: {acrossProcesses: true}\n"
        with (
            proxy(tmp_path / "1", server.url, mode, more=more) as one,
            proxy(tmp_path / "2", server.url, mode, more=more) as two,
        ):
            asking = expired(partial(post, one), [ask()])[0]
            count, late = len(upstream.calls), threading.Event()
            upstream.answer = lambda _: Script(late=late, head=b"", cut="rst")
            with ThreadPoolExecutor(20) as pool:
                found = list(pool.map(lambda each: post(two if each % 2 else one, asking.body), range(20)))
            assert all(asking.holds(answer) for answer in found)
            assert len(upstream.calls) == count + 1
            late.set()
