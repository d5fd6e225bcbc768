"""Nothing secret reaches a recording: seeded in every place of a call, streamed in pieces too."""

from __future__ import annotations

import base64
import json

import pytest
from llmcache import build, config
from llmcache.capture import Exchange
from llmcache.chat import Entry, Form, Hit, Miss, Reply, Request
from llmcache.leaks import Scanner
from llmcache.stores.cassette_leaks import cleaned, found
from llmcache.wire import DIALECTS

CHAT = next(dialect for dialect in DIALECTS if dialect.NAME == "openai-chat")
SECRET = "gh" + "p_" + "a1B2c3D4e5" * 4
VALUE = "v4lue-of-the-environment"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder of recordings."""
    monkeypatch.setenv("MY_SECRET", VALUE)
    return tmp_path / "recordings"


def engine(place, more="", seen=None):
    """Return an engine as the configuration makes it; *seen* collects what it observes."""
    file = place.parent / "config.yaml"
    file.write_text(f"cache: {{type: cassette, path: {place}}}\n{more}")
    return build.build_engine(config.load(str(file)), (seen if seen is not None else []).append)


def request(text="hello", query="", head=(), **more):
    """Return a request that says *text*."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
    return Request(
        "POST", "https", "h.example", 443, "/v1/chat/completions", query, tuple(head), json.dumps(body).encode()
    )


def reply(text, head=()):
    """Return a JSON reply that says *text*."""
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    fields = (("content-type", "application/json"), *head)
    return Exchange(200, fields, ((1, json.dumps(answer).encode()),), 0.1, streamed=False)


def stream(pieces, size):
    """Return a stream whose events say *pieces*, cut into chunks of *size* bytes."""
    events = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
    chunks = tuple((at, body[at : at + size]) for at in range(0, len(body), size))
    return Exchange(200, (("content-type", "text/event-stream"),), chunks, 0.1, streamed=True)


def spelled(shape):
    """Return a stream that says the secret in pieces, each event spelled as *shape*, a format of one JSON text."""
    return sent(shape, *(event(piece) for piece in ["it is ", *SECRET]), event(finish="stop"))


def event(piece="", finish=None):
    """Return an event that says *piece*, as JSON."""
    return json.dumps({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": finish}]})


def sent(shape, *events):
    """Return the stream of *events*, each in a chunk of its own."""
    body = [(shape % each).encode() for each in events] + [b"data: [DONE]\n\n"]
    return Exchange(200, (("content-type", "text/event-stream"),), tuple(enumerate(body)), 0.1, streamed=True)


async def record(made, asked, exchange):
    """Let the call be recorded."""
    outcome, ticket = await made.lookup(CHAT, asked)
    assert isinstance(outcome, Miss)
    made.record(ticket, exchange)
    await made.settled()


def written(place):
    """Return all that is on the disk: the names of the files and their bytes."""
    return b"\n".join(str(path).encode() + path.read_bytes() for path in place.rglob("*") if path.is_file())


STOP = event(finish="stop")
FILE = base64.b64encode(f"{'notes ' * 400}my key is {SECRET}\n{'more ' * 100}".encode()).decode()
SEEDED = {
    "question": (request(f"my key is {SECRET}"), reply("ok"), "request.body.messages.0.content"),
    "another member": (request(tag=SECRET), reply("ok"), "request.body.tag"),
    "name of a member": (request(**{SECRET: 1}), reply("ok"), "request.body.name"),
    "query": (request(query=f"x={SECRET}"), reply("ok"), "request.query"),
    "meaningful header": (request(head=[("openai-project", SECRET)]), reply("ok"), "request.headers.openai-project"),
    "reply": (request(), reply(f"use {SECRET}"), "reply.body.choices.0.message.content"),
    "reply's header": (request(), reply("ok", [("x-request-id", SECRET)]), "reply.headers.x-request-id"),
    "event": (request(stream=True), stream(["it is", SECRET], 50), "reply.events.1.data.choices.0.delta.content"),
    "events": (
        request(stream=True),
        stream(["it is ", *SECRET], 7),
        "reply.events.data.choices.0.index 0.delta.content",
    ),
    "file": (request(file={"data": f"data:text/plain;base64,{FILE}"}), reply("ok"), "request.body.file.data"),
    "file in a reply": (request(), reply(FILE), "reply.body.choices.0.message.content"),
    "file in an event": (request(stream=True), stream(["x", FILE], 500), "reply.events.1.data.choices.0.delta.content"),
    "events with blanks before the end": (
        request(stream=True),
        sent("data: %s\n\n", *(event(piece)[:-1] + " " * (3 + at % 5) + "}" for at, piece in enumerate(SECRET)), STOP),
        "reply.events.data.choices.0.index 0.delta.content",
    ),
    "events written oddly": (
        request(stream=True),
        sent(
            "data: %s\n\n",
            *(event(piece).replace('{"delta"', '{ "delta"').replace(', "', ' , "') for piece in SECRET),
            STOP,
        ),
        "reply.events.data.choices.0.index 0.delta.content",
    ),
    "events without a blank": (
        request(stream=True),
        spelled("id:1\nevent:result\ndata:%s\n\n"),
        "reply.events.data.choices.0.index 0.delta.content",
    ),
    "environment": (request(f"my key is {VALUE}"), reply("ok"), "value of MY_SECRET at question"),
    "environment, in events": (request(stream=True), stream([VALUE[:5], VALUE[5:]], 99), "value of MY_SECRET"),
}


@pytest.mark.parametrize(("asked", "exchange", "where"), SEEDED.values(), ids=SEEDED.keys())
async def test_a_secret_is_not_written(place, caplog, asked, exchange, where):
    """A recording with a secret anywhere in it is not written, and the log says where, never what."""
    seen = []
    made = engine(place, seen=seen)
    await record(made, asked, exchange)
    await made.close()
    assert written(place) == b""
    assert [each.stored for each in seen] == ["secret-found"]
    assert where in caplog.text
    assert SECRET not in caplog.text
    assert VALUE not in caplog.text


async def test_credentials_are_never_written(place):
    """The credential of a call, in a header, a cookie or the query, is no part of a recording; that is no finding."""
    seen = []
    made = engine(place, seen=seen)
    for name in ("authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key", "x-custom"):
        head = [(name, f"Bearer {SECRET}")]
        await record(made, request(name, f"api-version=1&key={SECRET}", head), reply("ok", [("set-cookie", SECRET)]))
    await made.close()
    assert {each.stored for each in seen} == {"stored"}
    assert len(list(place.rglob("*.yaml"))) == 6
    assert SECRET.encode() not in written(place)


async def test_declared_secrets(place):
    """What the user declares secret is taken out on both sides: recorded without it, found with another or none."""
    more = "secrets: {paths: [account.token, messages.0.content], query: [session]}\n"
    made = engine(place, more)
    await record(made, request("hush-hush", "session=abc&v=1", account={"token": "hush", "id": 1}), reply("ok"))
    assert b"hush" not in written(place)
    assert b"session" not in written(place)
    again = request("something else", "v=1&session=xyz", account={"token": "other", "id": 1})
    assert isinstance((await made.lookup(CHAT, again))[0], Hit)
    other = request("something else", "v=1&session=xyz", account={"token": "other", "id": 2})
    assert isinstance((await made.lookup(CHAT, other))[0], Miss)
    await made.close()


async def test_allowed(place):
    """What the user allows is written."""
    made = engine(place, "secrets: {allow: [GitHub token]}\n")
    await record(made, request(f"my key is {SECRET}"), reply("ok"))
    await made.close()
    assert SECRET.encode() in written(place)


@pytest.mark.parametrize(("asked", "exchange"), [each[:2] for each in SEEDED.values()], ids=SEEDED.keys())
async def test_cleaned(place, asked, exchange):
    """A secret that is in an old recording is replaced by a placeholder wherever it is, in every piece of a stream."""
    made = engine(place, "secrets: {allow: [GitHub token, MY_SECRET]}\n")
    await record(made, asked, exchange)
    (entry,) = [each async for each in made.store.scan()]
    await made.close()
    scanner = Scanner({"MY_SECRET": VALUE})
    assert list(found(entry, scanner))
    clean = cleaned(entry, scanner)
    assert list(found(clean, scanner)) == []
    assert cleaned(clean, scanner) == clean
    assert (clean.key == entry.key) == (clean.request == entry.request)
    if any(base64.b64encode(b"notes " * 400) in text for text in (entry.request, entry.reply.body)):
        return
    assert b"<GitHub token>" in clean.request + clean.reply.body + clean.reply.header("x-request-id").encode() or (
        b"<value of MY_SECRET>" in clean.request + clean.reply.body
    )


@pytest.mark.parametrize(
    ("form", "media", "shape"),
    [
        ("array", "application/json", "%s"),
        ("array", "application/json", " %s\r\n"),
        ("raw", "text/event-stream", "data: %s\n\n"),
        ("raw", "application/x-ndjson", "%s\n"),
    ],
)
def test_in_pieces_of_any_stream(form, media, shape):
    """A secret that comes in pieces is found and cleaned in a list, and in a stream that is kept byte for byte."""
    pieces = [shape % json.dumps({"text": piece}) for piece in ["it is ", *SECRET, " ."]]
    body = f"[{','.join(pieces)}]" if form == "array" else "".join(pieces)
    reply = Reply(200, (("content-type", media),), body.encode())
    entry = Entry("k", "named", "h.example", "", Form(form), reply, 0.0)
    assert list(found(entry, Scanner({})))
    clean = cleaned(entry, Scanner({}))
    assert list(found(clean, Scanner({}))) == []
    assert b"<GitHub token>" in clean.reply.body
    assert clean.reply.body.count(b'"it is "') == 1
