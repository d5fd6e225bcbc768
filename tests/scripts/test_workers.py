"""`aicache serve --workers N`: processes behind one port that share a store."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from support.absent import missing
from support.command import Command
from support.redis_server import Server, binary
from support.upstream import Upstream
from test_verb_serve import ask, serving


def workers(parent: int) -> list[int]:
    """Return the processes that *parent* has started."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.fixture(autouse=True)
def linux() -> None:
    """Only its kernel shares a port out."""
    if not os.path.exists("/proc/self/task"):  # noqa: PTH110 - a question to the kernel
        missing("Linux")


def test_what_one_worker_stored_the_others_answer(aicache: Command, upstream: Upstream, tmp_path: Path):
    """Each connection goes to one of them; one Redis behind all makes every second call a hit, whoever has it."""
    if binary("redis7") is None:
        missing("redis-server")
    more = tmp_path / "c.yaml"
    more.write_text("deadlines: {store: 5s}\n")
    with (
        Server(tmp_path / "redis") as redis,
        serving(
            aicache, "--workers", "3", "--base-url", f"{upstream.url}/v1@0", "--config", str(more), "--store", redis.url
        ) as started,
    ):
        base = started.read_until("  base URL ").split()[2]
        assert len(workers(started.process.pid)) == 3
        for number in range(12):
            assert ask(base, f"question {number}") == "aicache; fwd=miss"
        deadline = time.monotonic() + 20
        while redis.command("DBSIZE") != b":12\r\n":
            assert time.monotonic() < deadline
        hits = [ask(base, f"question {number}") for number in range(12) for _ in range(3)]
        assert set(hits) == {"aicache; hit; detail=exact"}
        assert len(upstream.calls) == 12
        started.process.send_signal(signal.SIGINT)
        assert started.end() == 0
    answered = [int(count) for count in re.findall(r"aicache: calls: +(\d+)", started.output)]
    assert sum(answered) == 48
    assert len(answered) > 1
    assert started.output.count("Ctrl-C ends it.") == 1
    assert "Traceback" not in started.output


def test_one_that_dies_ends_all(aicache: Command, upstream: Upstream):
    """Whoever supervises sees an exit code, and nobody is left behind."""
    more = ("--base-url", "openai@0")  # https, for which mitmproxy alone would listen on UDP too
    with serving(aicache, "--workers", "2", "--base-url", f"{upstream.url}/v1@0", *more) as started:
        first, second = workers(started.process.pid)
        os.kill(first, signal.SIGKILL)
        assert started.end() == signal.SIGKILL
        assert not Path(f"/proc/{second}").exists()


def test_a_taken_port_and_a_store_that_nobody_shares(aicache: Command):
    """Both are one sentence and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = aicache("serve", "--workers", "2", "--port", str(port), "--base-url", "openai@0")
    assert (done.returncode, done.stderr.count("is taken")) == (1, 1)
    done = aicache("serve", "--workers", "2", "--port", "0", "--base-url", "openai@0", "--store", "memory")
    assert (done.returncode, done.stderr.count("--workers needs a store")) == (1, 1)
    assert "Traceback" not in done.stderr
