"""Golden files: each stream is judged, becomes its JSON body, and each body becomes a stream that means the same.

`tests/data/wire/<dialect>/<case>.request.json` holds method, url, headers and body, and asks for the fullest stream.
`<case>.stream` is the reply as it came; `<case>.response.json` is the same answer as one body.
Instead of a body, `<case>.incomplete` names the reason why the stream must not be stored.
Adding a file adds a test, for every dialect in `wire.DIALECTS`.
"""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from llmcache import wire
from llmcache.chat import Call, Complete, Form, Incomplete, Lossy, Reply, Request
from llmcache.framing import Event, SseParser

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "wire"
SAMPLES = ROOT.parent / "shared" / "data" / "wire"
JSON = Form("json")
TYPES = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "array": "application/json",
    "eventstream": "application/vnd.amazon.eventstream",
}


def beside(path: Path, ending: str) -> Path:
    """Return the file of the same case with another ending."""
    return path.with_name(path.name.removesuffix(".request.json") + ending)


CASES = [
    pytest.param(dialect, path, id=f"{dialect.NAME}-{path.name.removesuffix('.request.json')}")
    for dialect in wire.DIALECTS
    for path in sorted((GOLDEN / dialect.NAME).glob("*.request.json"))
]
WHOLE = [case for case in CASES if beside(case.values[1], ".response.json").exists()]
PASSED = {"openai-responses-json-2"}
"""Samples that are passed through: a background call, whose reply is only that it waits."""
ONE_FORM = {"anthropic-count-tokens", "embeddings", "moderations", "rerank"}
"""Dialects without streams."""
ONE_FORM_SAMPLES = {
    *(f"bedrock-invoke-json-{at}" for at in (1, 2, 3, 4)),
    *(f"count-tokens-json-{at}" for at in (1, 2, 4)),
    "embeddings-json-4",
}
"""Samples without streams of dialects with streams: embeddings, tokens."""


def samples() -> Iterator[Any]:
    """Yield every recorded sample whose request line some dialect claims, whatever its folder is called."""
    for path in sorted(SAMPLES.glob("*/*.json")):
        asked = json.loads(path.read_bytes())["request"]
        name = f"{path.parent.name}-{path.stem}"
        if (dialect := wire.find(asked["method"], urlsplit(asked["url"]).path)) and name not in PASSED:
            yield pytest.param(dialect, path, id=name)


RECORDED = [*samples()] or [
    pytest.param(None, None, marks=pytest.mark.skip(reason="the recorded samples are not beside this checkout"))
]


def called(dialect: wire.Dialect, written: dict[str, Any]) -> Call:
    """Return the call that a request file describes, found as the proxy finds it."""
    url = urlsplit(written["url"])
    headers = tuple(dict(written["headers"]).items())
    body = json.dumps(written["body"]).encode()
    request = Request(written["method"], url.scheme, url.hostname or "", 443, url.path, url.query, headers, body)
    assert dialect is wire.find(request.method, request.path)
    found = dialect.call(request)
    assert isinstance(found, Call)
    return found


def streamed(call: Call, body: bytes, sizes: list[int]) -> Reply:
    """Return the reply to *call* that came in chunks of *sizes* bytes."""
    chunks = tuple(enumerate(sizes))
    return Reply(200, (("content-type", TYPES[call.form.kind]),), body, chunks)


def sent(response: dict[str, Any]) -> bytes:
    """Return the bytes of a sample's reply; those of a binary framing are kept in base64."""
    return b64decode(response["base64"]) if "base64" in response else response["text"].encode()


def cuts(body: bytes) -> list[list[int]]:
    """Return ways to cut *body* into chunks: whole, byte by byte, and at random, inside characters too."""
    dice = random.Random(len(body))  # repeatable on purpose
    ways = [[len(body)], [1] * len(body)]
    for _ in range(5):
        borders = sorted({0, len(body), *(dice.randrange(len(body) + 1) for _ in range(20))})
        ways.append([stop - start for start, stop in pairwise(borders)])
    return ways


def fed(body: bytes, sizes: list[int]) -> list[Event]:
    """Return the events of *body* fed in chunks of *sizes* bytes."""
    parser, events, at = SseParser(), [], 0
    for size in sizes:
        events += parser.feed(body[at : at + size])
        at += size
    return events + parser.close()


def canonical(value: Any) -> str:
    """Return a text that is equal for equal JSON values only."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(("dialect", "path"), CASES)
def test_a_stream_is_judged(dialect: wire.Dialect, path: Path) -> None:
    """A golden stream is complete, or not for the reason that its file names."""
    call = called(dialect, json.loads(path.read_bytes()))
    body = beside(path, ".stream").read_bytes()
    verdict = dialect.judge(call, streamed(call, body, [len(body)]), frozenset())
    refused = beside(path, ".incomplete")
    if refused.exists():
        assert Incomplete(refused.read_text().strip()) == verdict
    else:
        assert isinstance(verdict, Complete)
        assert verdict.usage.output > 0
        assert verdict.model or call.model


@pytest.mark.parametrize(("dialect", "path"), WHOLE)
def test_every_prefix_of_a_stream_is_incomplete(dialect: wire.Dialect, path: Path) -> None:
    """A stream cut anywhere before its last event's data ends is not stored, but where HTTP says that it is whole."""
    call = called(dialect, json.loads(path.read_bytes()))
    body = beside(path, ".stream").read_bytes()
    whole = len(body if call.form.kind == "eventstream" else body.rstrip())  # a checksum may look like a space
    for end in range(0, whole, max(1, whole // 150)):
        verdict = dialect.judge(call, streamed(call, body[:end], [end]), frozenset())
        assert isinstance(verdict, Incomplete) or not verdict.marked, body[:end]
    last = dialect.judge(call, streamed(call, body, [len(body)]), frozenset())
    assert isinstance(last, Complete)
    if last.marked:
        assert last == dialect.judge(call, streamed(call, body[:whole], [whole]), frozenset())


@pytest.mark.parametrize(("dialect", "path"), WHOLE)
def test_a_stream_is_its_body(dialect: wire.Dialect, path: Path) -> None:
    """However its chunks were cut, a golden stream converts to the golden body."""
    golden = beside(path, ".response.json")
    call = called(dialect, json.loads(path.read_bytes()))
    body = beside(path, ".stream").read_bytes()
    for sizes in cuts(body):
        reply = dialect.convert(streamed(call, body, sizes), call.form, JSON)
        assert canonical(json.loads(golden.read_bytes())) == canonical(json.loads(reply.body))


@pytest.mark.parametrize(("dialect", "path"), WHOLE)
def test_a_body_becomes_a_stream_and_comes_back(dialect: wire.Dialect, path: Path) -> None:
    """A golden body is complete, becomes a complete stream with the same usage and model, and comes back equal."""
    golden = beside(path, ".response.json")
    call = called(dialect, json.loads(path.read_bytes()))
    raw = Reply(200, (("content-type", "application/json"),), golden.read_bytes())
    there = dialect.convert(raw, JSON, call.form)
    back = dialect.convert(there, call.form, JSON)
    assert canonical(json.loads(raw.body)) == canonical(json.loads(back.body))
    verdicts = [dialect.judge(call, reply, frozenset()) for reply in (raw, there, back)]
    assert isinstance(verdicts[0], Complete)
    assert [verdicts[0]] * 3 == verdicts
    assert len(there.body) == sum(length for _, length in there.chunks)


@pytest.mark.parametrize(("dialect", "path"), WHOLE)
def test_less_asked_for_is_less_sent(dialect: wire.Dialect, path: Path) -> None:
    """A stream without its options is complete too, its chunks add up, and it is asked for with a call of its own."""
    call = called(dialect, json.loads(path.read_bytes()))
    body = beside(path, ".stream").read_bytes()
    for sizes in cuts(body):
        reply = dialect.convert(streamed(call, body, sizes), call.form, Form(call.form.kind))
        assert isinstance(dialect.judge(call, reply, frozenset()), Complete)
        assert len(reply.body) == sum(length for _, length in reply.chunks)
        assert len(reply.body) <= len(body)


@pytest.mark.parametrize(("dialect", "path"), CASES)
def test_events_do_not_depend_on_chunks(dialect: wire.Dialect, path: Path) -> None:
    """An event stream fed byte by byte or cut at random gives the events of the whole."""
    if called(dialect, json.loads(path.read_bytes())).form.kind != "sse":
        pytest.skip("no server-sent events")
    body = beside(path, ".stream").read_bytes()
    whole, *others = (fed(body, sizes) for sizes in cuts(body))
    assert whole
    assert all(whole == other for other in others)


@pytest.mark.parametrize(("dialect", "path"), RECORDED)
def test_recorded_traffic_is_stored_and_converted(dialect: wire.Dialect, path: Path) -> None:
    """What providers really sent is complete, converts to the other form, and a JSON body comes back equal."""
    sample = json.loads(path.read_bytes())
    call = called(dialect, sample["request"])
    headers = tuple((name, value) for name, value in sample["response"]["headers"])
    body = sent(sample["response"])
    reply = Reply(sample["response"]["status"], headers, body, ((1, len(body)),))
    form = dialect.reply_form(call, reply)
    assert isinstance(dialect.judge(call, reply, frozenset()), Complete)
    assert reply is dialect.convert(reply, form, form)
    if dialect.NAME in ONE_FORM or f"{path.parent.name}-{path.stem}" in ONE_FORM_SAMPLES:
        return
    other = fullest(dialect, reply, form)
    if not form.streamed:
        assert canonical(json.loads(body)) == canonical(
            json.loads(dialect.convert(other, dialect.reply_form(call, other), JSON).body)
        )


FULL = [Form("sse", frozenset({"usage"})), Form("sse"), Form("ndjson"), Form("array"), Form("eventstream")]


def fullest(dialect: wire.Dialect, reply: Reply, form: Form) -> Reply:
    """Return *reply* as JSON when it is a stream, else as the first stream form that the dialect writes."""
    if form.streamed:
        return dialect.convert(reply, form, JSON)
    for wanted in FULL:
        try:
            return dialect.convert(reply, form, wanted)
        except Lossy as error:
            last = error
    raise last
