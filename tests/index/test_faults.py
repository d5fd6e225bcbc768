"""Every index that is asked over a network, opened as the configuration names it, before a server that is not well.

Vectors that cannot be compared are in `test_congruence`, damaged files of the others in `test_local` and `test_graph`.
"""

from __future__ import annotations

import re
import socketserver
import threading

import pytest
from llmcache import build_similar
from llmcache.chat import BackendError
from llmcache.config import load
from support.indexes import point, vectors
from test_similar import ASKED, World

A = "a" * 32
KEY, QUESTION = "a secret key", "what does my doctor say"
HTTP = ("chroma", "dashvector", "elasticsearch", "lindorm", "milvus", "pinecone", "qdrant", "weaviate")
RESP = ("redis", "redis, engine: query", "tair")
KINDS = {**dict.fromkeys(HTTP, "http"), **dict.fromkeys(RESP, "resp"), "pgvector": "postgres"}


def http(status: str, body: bytes = b"", more: str = "") -> bytes:
    """Return an answer over HTTP."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


def postgres(code: str, words: str) -> bytes:
    """Return a refusal of PostgreSQL ("Message formats", ErrorResponse)."""
    body = f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode()
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


FAULTS = {
    "garbage": {"http": http("200 OK", b"<html>"), "resp": b"<html>\r\n", "postgres": b"<html>"},
    "refused": {
        "http": http("401 Unauthorized"),
        "resp": b"-NOAUTH Authentication required.\r\n",
        "postgres": postgres("28P01", "password authentication failed"),
    },
    "quota": {
        "http": http("429 Too Many Requests", more="retry-after: 0\r\n"),
        "resp": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "postgres": postgres("53300", "sorry, too many clients already"),
    },
    "half a body": {
        "http": b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"res',
        "resp": b"*3\r\n$9\r\nabc",
        "postgres": b"R\0\0",
    },
    "not a word": dict.fromkeys(("http", "resp", "postgres"), b""),
}
COMMANDS = re.compile(rb"(?:^|\r\n)\*\d+\r\n")
"""Where one begins in what a Redis hears, which may be several."""
ENDS = {"half a body", "not a word", "garbage"}
"""After which the server closes the connection."""


@pytest.fixture
def server():
    """A server that answers each thing that it hears with `said`, if anything, and may close the connection then."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self):
            while heard := self.request.recv(2**20):
                if self.server.silent:
                    self.server.gate.wait()
                    return
                self.request.sendall(self.server.said * (len(COMMANDS.findall(heard)) or 1))
                if self.server.ends:
                    return

    running = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
    running.daemon_threads, running.block_on_close = True, False
    running.said, running.ends, running.silent, running.gate = b"", False, False, threading.Event()
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.gate.set()
    running.shutdown()
    running.server_close()


@pytest.fixture(params=KINDS)
def opened(request, server, tmp_path):
    """Return the protocol of an index, and what opens it on the server with a patience of milliseconds."""
    protocol = KINDS[request.param]
    scheme = {"resp": "redis", "postgres": "postgresql"}.get(protocol, protocol)
    user, database = ("user:a%20secret%20key@", "/d") if protocol == "postgres" else ("", "")
    where = f"url: '{scheme}://{user}127.0.0.1:{server.server_address[1]}{database}'"

    def make(timeout=2000):
        more = f"collectionID: answers, apiKey: {KEY}, timeout: {timeout}, threshold: 0.9, thresholdRelation: gt"
        rest = "embedding: {type: ollama}\ncache: {type: memory}\n"
        (tmp_path / "c.yaml").write_text(f"vector: {{type: {request.param}, {where}, {more}}}\n{rest}")
        return build_similar.open_index(load(str(tmp_path / "c.yaml")))

    return protocol, make


async def faults(index):
    """Search, store and forget; each must fail, and say so without a key or a text. Return what they say."""
    [vector] = vectors(1)
    messages = []
    for work in (index.nearest(A, vector, 1), index.add(A, [point(1, vector, QUESTION)]), index.remove(A, ["0" * 32])):
        with pytest.raises(BackendError) as caught:
            await work
        messages.append(str(caught.value))
        assert KEY not in messages[-1]
        assert QUESTION not in messages[-1]
    await index.close()
    return messages


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told(server, opened, fault):
    """Garbage, refusals, a used-up quota, half a body and silence are one kind of error, whatever was asked."""
    protocol, make = opened
    server.said, server.ends = FAULTS[fault][protocol], fault in ENDS
    assert all(await faults(make()))


async def test_a_slow_server_costs_its_timeout(server, opened):
    """A server that never answers is given up after `timeout`, and the message says that it took too long."""
    server.silent = True
    assert all("time" in message or "too long" in message for message in await faults(opened[1](timeout=100)))


@pytest.mark.parametrize("fault", ["garbage", "refused"])
async def test_a_fault_is_a_miss_and_the_exact_tier_goes_on(server, opened, fault):
    """A question whose neighbors cannot be asked goes upstream; the same question is then answered exactly."""
    protocol, make = opened
    server.said, server.ends = FAULTS[fault][protocol], fault in ENDS
    world = World(index=make())
    await world.teach(ASKED)
    assert world.reasons() == ["semantic-error"]
    hit, _ = await world.ask(ASKED)
    assert hit.kind == "exact"
    await world.engine.close()
