"""Streams that a provider broke off, through a real mitmdump: recorded as they came, and broken off again."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from threading import Event

import pytest
from support.asking import ask, post
from support.h2_client import Connection
from support.proxy import Mitmdump
from support.upstream import Asked, Script, Upstream, chat_chunks

CHUNKS = chat_chunks("You said: What is 6 times 7?")[:4]
TRUNCATED = "aicache; hit; detail=truncated"
SETTINGS = "admit: {truncated: true}\nreplay: {speed: %s}\n"


def cut(way: str) -> Upstream:
    """Return a provider that breaks each stream off after the same events."""

    def answer(_: Asked) -> Script:
        return Script(list(CHUNKS), headers={"content-type": "text/event-stream"}, framing="chunked", cut=way)

    return Upstream(answer)


def proxy(folder: Path, mode: str, upstream: str, speed: int = 0) -> Mitmdump:
    """Return a proxy in *mode*."""
    file = folder / "c.yaml"
    file.write_text(f"mode: {mode}\n{SETTINGS % speed}")
    return Mitmdump(folder, "--set", f"aicache_config={file}", modes=(f"reverse:{upstream}",))


def got(running: Mitmdump) -> tuple[str, bytes]:
    """Return our word on a stream that breaks off, and what the client had of it before."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    head = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    connection.request("POST", "/v1/chat/completions", json.dumps(ask(stream=True)), head)
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    connection.close()
    return response.headers["cache-status"], broken.value.partial


@pytest.mark.parametrize("way", ["fin", "rst"])
def test_what_broke_off_breaks_off_again(tmp_path: Path, way: str) -> None:
    """In `cache` mode each call goes upstream; in `replay` the client has the same bytes and the same error."""
    with cut(way) as upstream, proxy(tmp_path, "cache", upstream.url) as running:
        url, live = upstream.url, [got(running) for _ in range(2)]
        running.wait_for("stored-truncated", 2)
        assert [word for word, _ in live] == ["aicache; fwd=miss"] * 2
        assert len(upstream.calls) == 2
    came = live[1][1]
    assert b"".join(CHUNKS).startswith(came)
    assert came
    for speed in (0, 1):
        with proxy(tmp_path, "replay", url, speed) as running:
            assert got(running) == (TRUNCATED, came)
            assert post(running, ask()).status == 424
            if speed == 0:
                over_http2(running, came)


def over_http2(running: Mitmdump, came: bytes) -> None:
    """A stream of HTTP/2 is reset; the connection and the others on it go on."""
    with Connection(running.port) as connection:
        streams = [connection.ask(ask(stream=True)) for _ in range(3)]
        connection.until(lambda stream: stream.reset)
        assert [(stream.body, stream.headers["cache-status"]) for stream in streams] == [(came, TRUNCATED)] * 3
        assert not any(stream.ended for stream in streams)


def test_a_client_that_left_is_no_truncation(tmp_path: Path) -> None:
    """What the client did not wait for says nothing about the provider."""
    whole = Script(chat_chunks("yes"), headers={"content-type": "text/event-stream"}, framing="chunked")
    with Upstream(lambda _: whole) as upstream, proxy(tmp_path, "cache", upstream.url) as running:
        whole.gate = Event()
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request("POST", "/v1/chat/completions", json.dumps(ask(stream=True)))
        response = connection.getresponse()
        response.readline()
        response.close()
        connection.close()
        running.wait_for("not stored: truncated")
        whole.gate.set()
