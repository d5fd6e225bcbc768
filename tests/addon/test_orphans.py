"""A leader's client leaves while others read its stream: they read it to its end, and the provider is asked once."""

from __future__ import annotations

import http.client
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from support.asking import ask, post
from support.certificates import Authority
from support.h2_client import Connection
from support.proxy import Mitmdump
from support.reader import Reader
from support.upstream import Asked, Script, Upstream, chat_chunks, openai

TEXT = "What is 6 times 7?"
CHUNKS = chat_chunks(f"You said: {TEXT}")
STREAM = ask(TEXT, stream=True)
CALL = "/v1/chat/completions"


@dataclass
class Provider:
    """Holds the last piece of a stream back until `gate` is set; other answers come at once."""

    gate: threading.Event = field(default_factory=threading.Event)
    breaks: bool = False
    """Whether its streams end in the middle."""

    def __call__(self, asked: Asked) -> Script:
        """Answer."""
        script = openai(asked)
        if asked.json.get("stream"):
            script.gate = self.gate
            if self.breaks:
                script.body, script.cut = script.body[:4], "fin"
        return script


Enter = Callable[[], http.client.HTTPConnection]


@dataclass
class Place:
    """A provider behind a proxy, and a way in; at the end of a test nothing waits for the provider."""

    provider: Provider
    upstream: Upstream
    proxy: Mitmdump
    enter: Enter
    path: str = CALL

    def read(self) -> Reader:
        """Return a new client that reads the stream, and has its first event."""
        reader = Reader(self.enter(), STREAM, self.path)
        assert reader.events(1) == CHUNKS[0]
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.provider.gate.set()

    def lose(self, leader: Reader) -> None:
        """Let the leader's client leave; return when the proxy has heard of it."""
        before = self.proxy.output.count("client disconnect")
        leader.leave()
        self.proxy.wait_for("client disconnect", before + 1)

    def read_what_is_given_up(self, connection: Connection) -> Reader:
        """Return a reader of the stream that led on *connection*, which goes on without it."""
        leader = connection.ask(STREAM)
        connection.until(lambda stream: bool(stream.body))
        reader = self.read()
        connection.leave(leader)
        leader.ended = True
        return reader


@pytest.fixture
def provider() -> Provider:
    """The provider."""
    return Provider()


def plain(port: int) -> http.client.HTTPConnection:
    """Return a connection without TLS."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=20)


@pytest.fixture
def place(tmp_path: Path, provider: Provider) -> Iterator[Place]:
    """Yield a base-URL entrance."""
    with (
        Upstream(provider) as upstream,
        Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy,
        Place(provider, upstream, proxy, lambda: plain(proxy.port)) as made,
    ):
        yield made


@pytest.fixture
def parent(tmp_path: Path, provider: Provider) -> Iterator[Place]:
    """Yield a proxy in front of a parent proxy, which is asked for a host that only it knows."""
    with (
        Upstream(provider) as upstream,
        Mitmdump(tmp_path, modes=(f"upstream:{upstream.url}",)) as proxy,
        Place(provider, upstream, proxy, lambda: plain(proxy.port), f"http://llm.test{CALL}") as made,
    ):
        yield made


@pytest.fixture
def tunnel(tmp_path: Path, provider: Provider) -> Iterator[Place]:
    """Yield a tunnel, in which the client speaks TLS to a provider that speaks TLS."""
    authority = Authority(tmp_path / "authority")
    trusted = "--set", f"ssl_verify_upstream_trusted_ca={authority.path}"
    with (
        Upstream(provider, tls=authority.server("localhost")) as upstream,
        Mitmdump(tmp_path, *trusted) as proxy,
    ):

        def enter() -> http.client.HTTPConnection:
            context = ssl.create_default_context(cafile=str(proxy.ca))
            connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=20)
            connection.set_tunnel("localhost", upstream.port)
            return connection

        with Place(provider, upstream, proxy, enter) as made:
            yield made


@pytest.mark.parametrize("entrance", ["place", "parent", "tunnel"])
def test_readers_read_on(entrance: str, request: pytest.FixtureRequest) -> None:
    """They have the stream to its last byte, who waited for it is answered, and it is recorded: one call upstream."""
    place: Place = request.getfixturevalue(entrance)
    leader, first, second = (place.read() for _ in range(3))
    place.lose(leader)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(place.read)
        assert late.result().cache == "aicache; fwd=miss; collapsed"
        place.provider.gate.set()
        assert first.rest() == second.rest() == late.result().rest() == b"".join(CHUNKS[1:])
    again = place.read()
    assert again.cache == "aicache; hit; detail=exact"
    assert again.rest() == b"".join(CHUNKS[1:])
    assert len(place.upstream.calls) == 1


def test_who_waits_for_json_waits_on(place: Place) -> None:
    """A call that cannot read the stream is answered from its recording, as it would be with the leader there."""
    leader, reader = place.read(), place.read()
    with ThreadPoolExecutor(1) as pool:
        usage = {"stream_options": {"include_usage": True}}
        place.proxy.wait_for("client connect", 2)
        waiting = pool.submit(post, place.proxy, STREAM)
        other = pool.submit(post, place.proxy, ask(TEXT, stream=True, **usage))
        place.proxy.wait_for("client connect", 3)
        place.lose(leader)
        place.provider.gate.set()
        assert reader.rest() == b"".join(CHUNKS[1:])
        assert waiting.result().body == b"".join(CHUNKS)
        assert other.result().status == 200


def test_one_stream_of_many_is_given_up(place: Place) -> None:
    """HTTP/2: its connection goes on, before and after the orphan's end."""
    with Connection(place.proxy.port) as connection:
        reader = place.read_what_is_given_up(connection)
        for text in ("another", "and another"):
            other = connection.ask(ask(text))
            connection.until(lambda stream: stream.ended)
            assert other.headers[":status"] == "200"
            place.provider.gate.set()
            if text == "another":
                assert reader.rest() == b"".join(CHUNKS[1:])
    assert len(place.upstream.calls) == 3


def test_a_connection_of_many_streams_closes(place: Place) -> None:
    """HTTP/2: what is read elsewhere goes on."""
    with Connection(place.proxy.port) as connection:
        connection.ask(STREAM)
        connection.until(lambda stream: bool(stream.body))
        reader = place.read()
    place.proxy.wait_for("client disconnect")
    place.provider.gate.set()
    assert reader.rest() == b"".join(CHUNKS[1:])
    assert len(place.upstream.calls) == 1


STREAMING = """
def responseheaders(flow):
    flow.response.stream = True
"""


@pytest.mark.parametrize("whole", [True, False], ids=["the connection closes", "its streams are given up"])
def test_http2_to_the_provider(tmp_path: Path, provider: Provider, whole: bool) -> None:
    """Of two streams on one connection to the provider the orphan goes on, and the one that nobody reads is ended."""
    (script := tmp_path / "streaming.py").write_text(STREAMING)
    with (
        Upstream(provider) as upstream,
        Mitmdump(tmp_path / "provider", modes=(f"reverse:{upstream.url}",), addon=script) as front,
        Mitmdump(
            tmp_path / "proxy", "--set", "ssl_insecure=true", modes=(f"reverse:https://127.0.0.1:{front.port}",)
        ) as proxy,
        Connection(proxy.port) as reading,
        Place(provider, upstream, proxy, lambda: plain(proxy.port)),
    ):
        with Connection(proxy.port) as leaving:
            given_up = [leaving.ask(STREAM), leaving.ask(ask("another", stream=True))]
            leaving.until(lambda stream: bool(stream.body))
            reader = reading.ask(STREAM)
            reading.until(lambda stream: bool(stream.body))
            for stream in () if whole else given_up:
                leaving.leave(stream)
            if not whole:
                front.wait_for("stream reset by client")
        front.wait_for("stream reset by client")
        provider.gate.set()
        reading.until(lambda stream: stream.ended)
        assert reader.body == b"".join(CHUNKS)
        assert len(upstream.calls) == 2


def test_the_last_reader_leaves(place: Place) -> None:
    """Nobody pays for what nobody reads: the call upstream ends at once, and half a stream is not stored."""
    leader, reader = place.read(), place.read()
    place.lose(leader)
    reader.leave()
    place.proxy.wait_for_line("server disconnect", f":{place.upstream.port}")
    place.provider.gate.set()
    again = place.read()
    assert again.cache == "aicache; fwd=miss"
    assert again.rest() == b"".join(CHUNKS[1:])


def test_the_last_reader_of_a_given_up_stream_leaves(place: Place) -> None:
    """HTTP/2: the connection upstream is closed with the next piece, and the client's own goes on."""
    with Connection(place.proxy.port) as connection:
        reader = place.read_what_is_given_up(connection)
        connection.ask(ask("another"))
        connection.until(lambda stream: stream.ended)
        before = place.proxy.output.count("client disconnect")
        reader.leave()
        place.proxy.wait_for("client disconnect", before + 1)
        connection.ask(ask("and one more"))  # our stage hears of it meanwhile
        connection.until(lambda stream: stream.ended)
        place.provider.gate.set()
        place.proxy.wait_for_line("server disconnect", f":{place.upstream.port}")
        connection.ask(ask("and another"))
        connection.until(lambda stream: stream.ended)
    assert place.read().cache == "aicache; fwd=miss"


def test_an_orphan_breaks_off(place: Place) -> None:
    """Half a stream is half a stream for its readers, too, and is not stored."""
    place.provider.breaks = True
    leader, reader = place.read(), place.read()
    place.lose(leader)
    place.provider.gate.set()
    with pytest.raises(http.client.IncompleteRead):
        reader.rest()
    assert place.read().cache == "aicache; fwd=miss"


def test_the_proxy_ends_with_an_orphan(place: Place) -> None:
    """It does not wait for the stream."""
    leader, reader = place.read(), place.read()
    place.lose(leader)
    assert place.proxy.stop(signal.SIGTERM) == 0
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reader.rest()
