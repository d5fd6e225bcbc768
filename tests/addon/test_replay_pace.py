"""Recorded streams at the pace at which they came, with no network: what comes from our own stage."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from pathlib import Path

import pytest
from support.asking import ask, post
from support.proxy import Mitmdump
from support.upstream import Asked, Script, Upstream, chat_chunks, openai

GAP = 0.8
"""Long enough that half of it is seen on a loaded machine, too."""


def recorded(folder: Path, settings: str) -> Mitmdump:
    """Record a stream whose last event came `GAP` seconds after the others; return the proxy that replays it."""
    gate = threading.Event()

    def held(asked: Asked) -> Script:
        script = openai(asked)
        script.gate = gate
        threading.Timer(GAP, gate.set).start()
        return script

    with Upstream(held) as upstream:
        mode = f"reverse:{upstream.url}"
        with Mitmdump(folder, modes=(mode,)) as proxy:
            post(proxy, ask(stream=True))
    (folder / "c.yaml").write_text(settings)
    return Mitmdump(folder, "--set", f"aicache_config={folder / 'c.yaml'}", modes=(mode,))


def pause(proxy: Mitmdump) -> float:
    """Return the seconds between the first events and the end of the replayed stream."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    head = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    connection.request("POST", "/v1/chat/completions", json.dumps(ask(stream=True)), head)
    response = connection.getresponse()
    chunks = chat_chunks("You said: What is 6 times 7?")
    assert response.read(sum(map(len, chunks[:-1]))) == b"".join(chunks[:-1])
    begun = time.monotonic()
    assert response.read() == chunks[-1]
    seconds = time.monotonic() - begun
    assert response.headers["cache-status"] == "aicache; hit; detail=exact"
    assert "age" in response.headers
    connection.close()
    return seconds


def test_a_replay_keeps_the_pauses(tmp_path: Path) -> None:
    """In replay mode, with nobody listening upstream, and with no connection but that to the stage."""
    with recorded(tmp_path, "mode: replay\nreplay: {speed: 1}\n") as proxy:
        assert pause(proxy) > GAP / 2
        assert post(proxy, ask("unknown", stream=True)).status == 424
        assert post(proxy, ask(stream=True), path="/v1/files").status == 424
    played = re.findall(r"server connect (\S+)", proxy.output)
    assert len(played) == 1
    assert played[0].startswith("127.0.0.1:")


@pytest.mark.parametrize("settings", ["replay: {speed: 100}\n", "replay: {speed: 1, maxGap: 1ms}\n"])
def test_a_replay_may_be_faster(tmp_path: Path, settings: str) -> None:
    """The bytes are the same."""
    with recorded(tmp_path, settings) as proxy:
        pause(proxy)
