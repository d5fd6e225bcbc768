"""In replay mode nothing leaves, whatever a client tries: counted where it would arrive, and where it would pass."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from support import network
from support.certificates import Authority
from support.chats import CHATS, ask
from support.clients import Chat, fetch
from support.network import FORWARD, NAME, PROVIDER, REVERSE, ROUTER, Network
from support.places import Place, local_provider, loopback, router
from support.provider import provider
from support.upstream import Upstream

REPLAY = ("--set", "aicache_mode=replay")
SECONDS = 2
FOREIGN = "203.0.113.7"
"""An address that nobody has (RFC 5737)."""


def connect(at: tuple[str, int], target: str) -> socket.socket:
    """Return a tunnel to *target* through the proxy, or raise `ConnectionError` when it makes none."""
    tunnel = socket.create_connection(at, SECONDS)
    tunnel.sendall(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    answer = tunnel.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        tunnel.close()
        raise ConnectionError(answer.decode())
    return tunnel


def say(at: tuple[str, int], data: bytes) -> bytes:
    """Send *data* and return what comes back."""
    with socket.create_connection(at, SECONDS) as stream:
        return exchange(stream, data)


def say_in_tunnel(at: tuple[str, int], target: str, data: bytes) -> bytes:
    """Send *data* as it is through a tunnel to *target*."""
    try:
        with connect(at, target) as tunnel:
            return exchange(tunnel, data)
    except ConnectionError as refused:
        return str(refused).encode()


def say_in_tls(at: tuple[str, int], target: str, data: bytes, name: str | None = None, tunnel: bool = True) -> bytes:
    """Send *data* in TLS to *target*; with the server *name* given, or none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        plain = connect(at, target) if tunnel else socket.create_connection(at, SECONDS)
        with plain, context.wrap_socket(plain, server_hostname=name) as stream:
            return exchange(stream, data)
    except (ConnectionError, ssl.SSLError) as refused:
        return str(refused).encode()


def exchange(stream: socket.socket, data: bytes) -> bytes:
    """Send *data* and return what comes until the other side closes, falls silent or breaks off."""
    got = b""
    try:
        stream.sendall(data)
        while piece := stream.recv(65536):
            got += piece
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    return got


def get(target: str, host: str, more: str = "") -> bytes:
    """Return a GET that closes."""
    return f"GET {target} HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n".encode()


PROXY, BASE = (ROUTER, FORWARD), (ROUTER, REVERSE)
UPGRADE = "upgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n"
DNS_QUESTION = b"\x00\x1b\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x04evil\x04test\x00\x00\x01\x00\x01"
ATTEMPTS: dict[str, Callable[[], bytes]] = {
    "another path": lambda: say(BASE, get("/v1/models", NAME)),
    "plain HTTP to a foreign name": lambda: say(PROXY, get("http://evil.test/", "evil.test")),
    "plain HTTP to a foreign address": lambda: say(PROXY, get(f"http://{FOREIGN}/", FOREIGN)),
    "TLS to a foreign name": lambda: say_in_tls(PROXY, "evil.test:443", get("/", "evil.test"), "evil.test"),
    "TLS to a foreign address": lambda: say_in_tls(PROXY, f"{FOREIGN}:443", get("/", FOREIGN)),
    "TLS under another name": lambda: say_in_tls(PROXY, f"{NAME}:443", get("/", "evil.test"), "evil.test"),
    "TCP in a tunnel": lambda: say_in_tunnel(PROXY, f"{NAME}:443", b"SSH-2.0-client\r\n"),
    "TCP to a foreign name": lambda: say_in_tunnel(PROXY, "evil.test:22", b"SSH-2.0-client\r\n"),
    "HTTP in a tunnel": lambda: say_in_tunnel(PROXY, "evil.test:80", get("/", "evil.test")),
    "WebSocket": lambda: say_in_tls(PROXY, f"{NAME}:443", get("/v1/realtime", NAME, UPGRADE), NAME),
    "transparent TLS": lambda: say_in_tls((PROVIDER, 443), "", get("/", NAME), NAME, tunnel=False),
    "transparent TLS without a name": lambda: say_in_tls((PROVIDER, 443), "", get("/", NAME), tunnel=False),
    "transparent TLS to a foreign address": lambda: say_in_tls((FOREIGN, 443), "", get("/", "x"), tunnel=False),
    "transparent HTTP": lambda: say((FOREIGN, 80), get("/", "evil.test")),
    "transparent TCP": lambda: say((PROVIDER, 22), b"SSH-2.0-client\r\n"),
    "transparent DNS": lambda: say((PROVIDER, 53), DNS_QUESTION),
}


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    """The three namespaces."""
    network.need()
    with Network() as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of the provider."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def upstream(net: Network, authority: Authority) -> Iterator[Upstream]:
    """The provider, at its name and port 443."""
    with Upstream(provider, tls=authority.server(NAME), listener=net.listener()) as server:
        yield server


@pytest.fixture(scope="module")
def effective(
    net: Network, tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream
) -> set[str]:
    """The attempts that do send packets where they may: with the cache off."""
    found = set()
    with router(net, tmp_path_factory.mktemp("off"), authority, upstream, "--set", "aicache_mode=off"):
        for name, attempt in ATTEMPTS.items():
            left = net.left()
            network.inside(net.client, attempt)
            found |= {name} if net.left() > left else set()
    return found


@pytest.fixture(scope="module")
def replaying(
    net: Network,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    upstream: Upstream,
    effective: set[str],
) -> Iterator[Place]:
    """A router in replay mode that knows the calls of `FORMS`; *effective* comes first, for it uses the same ports."""
    folder = tmp_path_factory.mktemp("replaying")
    with router(net, folder, authority, upstream) as place:
        assert [place.curl("forward-1.1", chat).status for chat in FORMS.values()] == [200, 200]
    with router(net, folder, authority, upstream, *REPLAY) as place:
        yield place


WAYS = ["forward-1.1", "forward-2", "reverse-1.1", "reverse-2", "transparent-1.1", "transparent-2"]


FORMS = {"json": CHATS["json"], "stream": CHATS["stream with usage"]}


@pytest.mark.parametrize("chat", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("way", WAYS)
def test_calls_known_or_not_send_no_packet(replaying: Place, net: Network, way: str, chat: Chat) -> None:
    """Hits and refusals alike are answered without a packet towards the provider."""
    left, asked = net.left(), len(replaying.upstream.calls)
    assert replaying.curl(way, chat).cache == "aicache; hit; detail=exact"
    assert replaying.curl(way, Chat({**chat.call, **ask("Something else?")})).status == 424
    assert (net.left(), len(replaying.upstream.calls)) == (left, asked)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_no_attempt_of_a_client_sends_a_packet(replaying: Place, net: Network, effective: set[str], name: str) -> None:
    """Not a connection, not a question to the DNS: what sends packets with the cache off sends none in replay."""
    assert name in effective
    left = net.left()
    answer = network.inside(net.client, ATTEMPTS[name])
    assert b" 200 OK" not in answer
    assert net.left() == left


class Doorbell:
    """A listening socket that counts who connects."""

    def __init__(self) -> None:
        self.rung = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.rung += 1
            visitor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@contextmanager
def guarded(folder: Path, authority: Authority, *options: str) -> Iterator[tuple[tuple[str, int], Doorbell]]:
    """Yield the address of a forward proxy, and a door that a client may try to reach through it."""
    with (
        local_provider(authority) as upstream,
        loopback(folder, authority, upstream, *options) as place,
        Doorbell() as door,
    ):
        yield ("127.0.0.1", place.proxy.ports[0]), door


def knock(at: tuple[str, int], port: int) -> None:
    """Try everything that could open a connection to a port of this machine."""
    target = f"localhost:{port}"
    say(at, get(f"http://{target}/", target))
    say_in_tunnel(at, target, b"SSH-2.0-client\r\n")
    say_in_tunnel(at, target, get("/", target))
    say_in_tls(at, target, get("/", target), "localhost")
    fetch(Path("/dev/null"), "--insecure", "--http2", "--proxy", f"http://127.0.0.1:{at[1]}", f"https://{target}/")


@pytest.mark.parametrize(("mode", "reached"), [("off", True), ("replay", False)])
def test_no_door_is_reached(tmp_path: Path, authority: Authority, mode: str, reached: bool) -> None:
    """The same without namespaces: the door of a foreign server is reached with the cache off, never in replay."""
    with guarded(tmp_path, authority, "--set", f"aicache_mode={mode}") as (at, door):
        knock(at, door.port)
        assert (door.rung > 0) == reached
