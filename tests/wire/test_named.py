"""Traffic that nobody knows but the user: byte for byte, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from llmcache.capture import Exchange
from llmcache.chat import Bypass, Call, Complete, Form, Hit, Incomplete, Lossy, Miss, Reply, Request
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from llmcache.wire import named

WAV = (("content-type", "audio/wav"),)


def request(body: bytes = b"{}", content_type: str = "application/json", **changes: Any) -> Request:
    """Return a request to an endpoint of the user's."""
    fields = {"method": "POST", "scheme": "https", "host": "h", "port": 443, "path": "/tts/v1", "query": ""}
    return Request(**(fields | {"headers": (("content-type", content_type),), "body": body} | changes))


def form(boundary: str, file: bytes = b"RIFF") -> Request:
    """Return a form with a field and a file."""
    parts = [
        b'content-disposition: form-data; name="voice"\r\n\r\nanna',
        b'content-disposition: form-data; name="f"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n' + file,
    ]
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return request(body, f"multipart/form-data; boundary={boundary}")


def content_of(asked: Request) -> Any:
    """Return what of the request is identity."""
    call = named.call(asked)
    assert isinstance(call, Call)
    return call.content, call.query, call.headers


SAME = [
    pytest.param(request(b'{"a":1,"b":2}'), request(b'{ "b": 2.0, "a": 1 }'), id="JSON spelled otherwise"),
    pytest.param(form("one"), form("another"), id="boundary"),
    pytest.param(request(query="key=SECRET1"), request(query="key=SECRET2"), id="a credential is scope, not identity"),
]
OTHER = [
    pytest.param(request(b'{"a":1}'), request(b'{"a":2}'), id="JSON"),
    pytest.param(form("one"), form("one", b"RIFG"), id="a byte of a file"),
    pytest.param(request(b"abc", "text/plain"), request(b"abd", "text/plain"), id="bytes"),
    pytest.param(request(b"abc", "text/plain"), request(b"abc", "text/html"), id="type"),
    pytest.param(request(query="a=1"), request(query="a=2"), id="query"),
    pytest.param(request(), request(headers=(("accept", "audio/mpeg"),)), id="what is accepted"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_the_same_call(one: Request, two: Request) -> None:
    """Spelling and boundaries do not count."""
    assert content_of(one) == content_of(two)


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_another_call(one: Request, two: Request) -> None:
    """Everything that may matter counts."""
    assert content_of(one) != content_of(two)


def test_what_can_be_read_two_ways_passes() -> None:
    """A body with a key twice is not answered from a cache here either."""
    assert named.call(request(b'{"a":1,"a":2}')) == Bypass("json-duplicate-key")


def test_verdicts() -> None:
    """Status 200 with something in it; the engine sees to it that HTTP marked the end."""
    call = named.call(request())
    assert isinstance(call, Call)
    none: frozenset[str] = frozenset()
    assert named.judge(call, Reply(200, WAV, b"RIFF"), none) == Complete()
    assert named.judge(call, Reply(200, WAV, b""), none) == Incomplete("empty")
    assert named.judge(call, Reply(404, WAV, b"x"), none) == Incomplete("status-404")
    with pytest.raises(Lossy):
        named.convert(Reply(200, WAV, b"x"), Form("raw"), Form("json"))


async def asked(engine: Engine, exchange: Exchange) -> Any:
    """Let a call miss, record *exchange*, and ask again."""
    dialect = engine.claims("POST", "h", "/tts/v1")
    assert dialect is named
    _, ticket = await engine.lookup(dialect, request())
    assert ticket
    engine.record(ticket, exchange)
    await engine.settled()
    return (await engine.lookup(dialect, request()))[0]


async def test_bytes_come_back() -> None:
    """A reply whose end HTTP marked is a hit with the same bytes and borders."""
    engine = Engine(MemoryStore(9, 10**6, "lru"), Scope(None), Rules(paths=("/tts/*",)))
    hit = await asked(engine, Exchange(200, WAV, ((1, b"RI"), (2, b"FF")), 0.1, streamed=True))
    assert isinstance(hit, Hit)
    assert (hit.reply.body, hit.reply.chunks) == (b"RIFF", ((1, 2), (2, 2)))


async def test_an_end_that_nobody_marked_is_none() -> None:
    """A connection that closed may have broken: bytes have no last event to tell."""
    engine = Engine(MemoryStore(9, 10**6, "lru"), Scope(None), Rules(paths=("/tts/*",)))
    exchange = Exchange(200, WAV, ((1, b"RIFF"),), 0.1, streamed=True, whole=False)
    assert await asked(engine, exchange) == Miss("unknown")


def test_only_named_paths_are_claimed() -> None:
    """Without `match.paths` unknown traffic is none of ours; a dialect comes first."""
    engine = Engine(MemoryStore(9, 10**6, "lru"), Scope(None), Rules(paths=("*",)))
    assert engine.claims("GET", "h", "/anything") is named
    chat = engine.claims("POST", "h", "/v1/chat/completions")
    assert chat
    assert chat.NAME == "openai-chat"
    assert Engine(engine.store, Scope(None)).claims("GET", "h", "/anything") is None
