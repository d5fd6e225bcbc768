"""The stage behind a tunnel: the client speaks TLS to a provider that speaks TLS, and mitmdump reads it."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from pathlib import Path
from threading import Event

import pytest
from support.asking import ask
from support.certificates import Authority
from support.proxy import Mitmdump
from support.upstream import Asked, Script, Upstream, chat_chunks, openai

CHUNKS = chat_chunks("You said: What is 6 times 7?")
SETTINGS = "admit: {truncated: true}\n"


def between(folder: Path, authority: Authority, settings: str) -> Mitmdump:
    """Return a proxy that trusts the provider's authority."""
    file = folder / "c.yaml"
    file.write_text(SETTINGS + settings)
    trusted = f"ssl_verify_upstream_trusted_ca={authority.path}"
    return Mitmdump(folder, "--set", f"aicache_config={file}", "--set", trusted)


def tunnel(proxy: Mitmdump, port: int) -> http.client.HTTPSConnection:
    """Return a connection to the provider through a tunnel."""
    context = ssl.create_default_context(cafile=str(proxy.ca))
    connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=20)
    connection.set_tunnel("localhost", port)
    return connection


def asked(connection: http.client.HTTPConnection, text: str = "What is 6 times 7?") -> http.client.HTTPResponse:
    """Return the stream that answers, of which the head is there."""
    head = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    connection.request("POST", "/v1/chat/completions", json.dumps(ask(text, stream=True)), head)
    return connection.getresponse()


class Provider:
    """Holds the last piece of a stream back, and breaks one off that is asked for so."""

    def __init__(self) -> None:
        self.gate = Event()

    def __call__(self, call: Asked) -> Script:
        """Answer."""
        script = openai(call)
        script.gate = self.gate
        if call.json["messages"][0]["content"] == "break":
            script.body, script.cut = CHUNKS[:3], "rst"
        return script


def test_a_follower_in_a_tunnel(tmp_path: Path) -> None:
    """It has the leader's stream while that comes, and its connection goes on to the provider afterwards."""
    authority, provider = Authority(tmp_path / "authority"), Provider()
    with (
        Upstream(provider, tls=authority.server("localhost")) as upstream,
        between(tmp_path, authority, "") as proxy,
    ):
        first, second = (tunnel(proxy, upstream.port) for _ in range(2))
        leader = asked(first)
        begun = leader.read(len(CHUNKS[0]))
        follower = asked(second)
        assert follower.headers["cache-status"] == "aicache; fwd=miss; collapsed"
        assert follower.read(len(CHUNKS[0])) == begun
        provider.gate.set()
        assert follower.read() == leader.read() == b"".join(CHUNKS[1:])
        assert asked(second, "Another?").read() == b"".join(chat_chunks("You said: Another?"))
        assert len(upstream.calls) == 2
        first.close()
        second.close()


def test_a_replay_in_a_tunnel(tmp_path: Path) -> None:
    """Recorded pace and recorded breaks, with no provider: no connection is opened but those to the stage."""
    authority, provider = Authority(tmp_path / "authority"), Provider()
    provider.gate.set()
    with Upstream(provider, tls=authority.server("localhost")) as upstream:
        port = upstream.port
        with between(tmp_path, authority, "") as proxy:
            connection = tunnel(proxy, port)
            asked(connection).read()
            connection.close()
            came = broken(proxy, port, "aicache; fwd=miss")
    with between(tmp_path, authority, "mode: replay\nreplay: {speed: 1}\n") as proxy:
        connection = tunnel(proxy, port)
        for _ in range(2):
            answer = asked(connection)
            assert (answer.read(), answer.headers["cache-status"]) == (b"".join(CHUNKS), "aicache; hit; detail=exact")
        connection.close()
        assert broken(proxy, port, "aicache; hit; detail=truncated") == came
    opened = re.findall(r"server connect (\S+)", proxy.output)
    assert len(opened) == 3
    assert all(address.startswith("127.0.0.1:") and not address.endswith(f":{port}") for address in opened)


def broken(proxy: Mitmdump, port: int, word: str) -> bytes:
    """Return what comes of a stream that breaks off."""
    connection = tunnel(proxy, port)
    answer = asked(connection, "break")
    assert answer.headers["cache-status"] == word
    with pytest.raises(http.client.IncompleteRead) as error:
        answer.read()
    connection.close()
    return error.value.partial
