"""`aicache serve`: it says how to reach it, answers both ways in, and ends well."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import Command, Started
from support.upstream import Upstream


@contextmanager
def serving(aicache: Command, *args: str, **env: str) -> Iterator[Started]:
    """Run the proxy on a free port until it says that it is there."""
    with aicache.start("serve", "--port", "0", "--store", f"sqlite:{aicache.store}", *args, **env) as started:
        started.read_until("Ctrl-C ends it.")
        yield started


def ask(base: str, question: str = "hello", proxy: str = "") -> str:
    """Ask over *base*, through *proxy* if given; return the answer's `Cache-Status`."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}).encode()
    request = urllib.request.Request(f"{base}/chat/completions", body, {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
    with opener.open(request, timeout=20) as response:
        return response.headers["cache-status"]


def test_both_ways_in_share_one_store(aicache: Command, upstream: Upstream):
    """A miss through the base URL is a hit through the proxy; each call has a line, and the end a summary."""
    with serving(aicache, "--base-url", f"{upstream.url}/v1@0") as started:
        proxy = started.read_until("  proxy ").split()[-1]
        base = started.read_until("  base URL ").split()[2]
        assert ask(base) == "aicache; fwd=miss"
        started.read_until("miss unknown, stored")
        assert ask(f"{upstream.url}/v1", proxy=proxy).startswith("aicache; hit; detail=exact")
        started.process.send_signal(signal.SIGINT)
        assert started.end() == 0
        assert "aicache: calls:      2 (1 hit, 1 miss)" in started.output
        assert "Traceback" not in started.output


def test_the_start_says_how_to_point_a_client_at_it(aicache: Command, upstream: Upstream, home):
    """The lines to paste hold real addresses and files that exist."""
    with serving(aicache, "--mode", "record", "--base-url", f"{upstream.url}/api/v1@0") as started:
        base = started.read_until("  base URL ").split()
        assert base[-1] == f"{upstream.url}/api/v1"
        assert f"export OPENAI_BASE_URL={base[2]}" in started.output
        assert started.lines[0].startswith("aicache: mode record, store <SqliteStore")
        bundle = started.read_until("export SSL_CERT_FILE=").partition("SSL_CERT_FILE=")[2].split()[0]
        assert (home / ".mitmproxy" / "mitmproxy-ca-cert.pem").read_text().strip() in Path(bundle).read_text()


@pytest.mark.parametrize("flag", ["--port", "--base-url"])
def test_a_taken_port_is_said_with_the_flag_that_changes_it(aicache: Command, flag: str):
    """A port in use ends the start with exit code 1 and one sentence, whichever entrance it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = (str(port), "openai@0") if flag == "--port" else ("0", f"openai@{port}")
        done = aicache("serve", "--store", "memory", "--port", ports[0], "--base-url", ports[1])
    assert done.returncode == 1
    assert done.stderr.startswith(f"aicache: port {port} on 127.0.0.1 is taken; choose another with {flag}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_a_signal_ends_it_well(aicache: Command, upstream: Upstream, number: signal.Signals):
    """Ctrl-C and a service manager's SIGTERM are the normal end: exit code 0, no stack."""
    with serving(aicache, "--base-url", f"{upstream.url}@0") as started:
        started.process.send_signal(number)
        assert started.end() == 0
        assert "no LLM call came through" in started.output
        assert "Traceback" not in started.output


def test_several_providers_have_a_port_each(aicache: Command):
    """--base-url may be given again; names are known."""
    with serving(aicache, "--base-url", "groq@0", "--base-url", "deepseek@0") as started:
        lines = [line.split() for line in started.lines if line.startswith("  base URL")]
        assert [line[-1] for line in lines] == ["https://api.groq.com/openai/v1", "https://api.deepseek.com/v1"]
        assert [line[2].partition("/")[2][1:].partition("/")[2] for line in lines] == ["openai/v1", "v1"]
        assert len({line[2] for line in lines}) == 2


def test_two_entrances_on_one_port_are_a_mistake(aicache: Command):
    """A clash that the user wrote is said, without a stack."""
    done = aicache("serve", "--store", "memory", "--port", "8081", "--base-url", "openai@8081")
    assert done.returncode == 1
    assert "same address: 127.0.0.1:8081" in done.stderr
    assert "Traceback" not in done.stderr
