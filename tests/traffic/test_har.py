"""HTTP Archives of browsers and of mitmproxy, and ours: what is written is read back, to the byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Entry, Form, Reply
from llmcache.control import read_control
from llmcache.har_write import HEAD, TAIL, written
from llmcache.jsontext import canonical
from llmcache.traffic import Gap, Interaction, Unreadable, har
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.test import tflow, tutils
from support.saved import ANSWERED, ASKED, STREAM, archived
from support.saved import har as archive


def only(text: str) -> Interaction:
    """Return the one interaction in an archive."""
    (found,) = har.read(text, "x.har")
    assert isinstance(found, Interaction)
    return found


def body(found: Interaction) -> bytes:
    """Return the bytes that came."""
    return b"".join(piece for _, piece in found.exchange.pieces)


def test_a_browsers_archive():
    """Codings are undone whatever the headers say; names that HTTP/2 begins with a colon are no headers."""
    found = only(archive(archived()))
    assert (ASKED.encode(), ANSWERED.encode()) == (found.request.body, body(found))
    assert (("accept-encoding", "br"),) == found.request.headers
    assert (("content-type", "application/json"),) == found.exchange.headers
    assert (1767323045.0, 1.5, True) == (found.moment, found.exchange.seconds, found.exchange.whole)
    assert ("api.openai.com", 443, "/v1/chat/completions") == (
        found.request.host,
        found.request.port,
        found.request.path,
    )


def test_base64():
    """Bytes that are no text."""
    made = archived(kind="application/vnd.amazon.eventstream")
    made["response"]["content"] |= {"text": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64"}
    assert b"\x00\xff" == body(only(archive(made)))


@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8", "application/json"])
def test_mitmproxys_archive(kind: str):
    """A stream without a charset is read as Latin-1 there; the bytes come back all the same."""
    flow = tflow.tflow(
        req=tutils.treq(method=b"POST", content=ASKED.encode()),
        resp=tutils.tresp(headers=((b"content-type", kind.encode()),), content=STREAM.encode()),
    )
    flow.request.headers["content-type"] = "application/json"
    found = only(json.dumps(SaveHar().make_har([flow])))
    assert (ASKED.encode(), STREAM.encode()) == (found.request.body, body(found))


def test_a_browsers_text_is_never_taken_for_latin():
    """Only mitmproxy does that: what reads like it from others is what it says."""
    assert "Ã¼".encode() == body(only(archive(archived("Ã¼", kind="text/event-stream"))))
    assert "ü".encode() == body(only(archive(archived("Ã¼", kind="text/event-stream"), creator="mitmproxy")))
    assert "ü€".encode() == body(only(archive(archived("ü€", kind="text/event-stream"), creator="mitmproxy")))


@pytest.mark.parametrize(
    ("change", "reason"), [({"status": 0}, "no-reply"), ({"content": {}}, "no-body")], ids=["status", "content"]
)
def test_gaps(change: Any, reason: str):
    """What did not come, or was not saved, is passed over."""
    made = archived()
    made["response"] |= change
    (found,) = har.read(archive(made), "x.har")
    assert isinstance(found, Gap)
    assert reason == found.reason


@pytest.mark.parametrize("version", ["HTTP/1.1", ""])
def test_a_body_without_an_end_is_not_whole(version: str):
    """HTTP/1.1 without length and chunks ends where the connection does."""
    made = archived()
    made["response"]["httpVersion"] = version
    assert not only(archive(made)).exchange.whole
    made["response"]["headers"].append({"name": "Transfer-Encoding", "value": "chunked"})
    assert only(archive(made)).exchange.whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('{"log":\n{', "x:2: this is not JSON", id="no JSON"),
        pytest.param("[]", "x:1: this is no HTTP Archive: there is no `log`", id="no log"),
        pytest.param('{"log": {"entries": 7}}', "x:1: this is no HTTP Archive: `entries` is not as it", id="no list"),
        pytest.param('{"log": {"entries": [\n\n {}]}}', "x:3: entry 1: there is no `request`", id="empty entry"),
        pytest.param(
            '{"log": {"a": [[]], "entries": [\n\n {"request": {}, "response": {"status": "x"}}]}}',
            "x:3: entry 1: `status` is not as it should be",
            id="status",
        ),
        pytest.param("[" * 100_000, "x:1: is nested too deeply", id="deep"),
    ],
)
def test_what_is_no_archive_says_where(text: str, said: str):
    """File, line, entry, and what is wrong."""
    with pytest.raises(Unreadable, match=said):
        list(har.read(text, "x"))


def test_broken_base64_says_where():
    """With the entry, on its line."""
    made = archived()
    made["response"]["content"] |= {"text": "?", "encoding": "base64"}
    text = archive(archived(), made)
    line = text[: text.rindex('"startedDateTime"')].count("\n")
    with pytest.raises(Unreadable, match=f"x:{line}: entry 2: its base64"):
        list(har.read(text, "x"))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    """Nothing but `Unreadable` comes of a broken file."""
    with pytest.raises(Unreadable, match=r"^x:"):
        list(har.read(text, "x"))


@given(
    body=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))),
    cuts=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), max_size=8),
    question=st.text(max_size=50),
    status=st.integers(200, 299),
    kind=st.sampled_from(["text/event-stream", "application/json", "audio/mpeg"]),
)
def test_what_is_written_is_read_back(body: bytes, cuts: Any, question: str, status: int, kind: str):
    """Body, chunks with their times, status, headers, moment, and the request that is keyed as before."""
    chunks, left = [], len(body)
    for when, length in cuts:
        if left:
            chunks.append((when, min(length, left)))
            left -= chunks[-1][1]
    if left and chunks:
        chunks.append((9, left))
    asked = {"model": "m", "messages": [{"role": "user", "content": question}]}
    identity = {
        "aicache": 1,
        "dialect": "openai-chat",
        "method": "POST",
        "origin": "http://::1:8080",
        "path": "/v1/chat/completions",
        "query": [["a b", "ü&="]],
        "headers": {"openai-organization": "o"},
        "scope": {},
        "body": asked,
    }
    request = canonical(identity)
    reply = Reply(status, (("content-type", kind), ("x-request-id", "r")), body, tuple(chunks))
    form = Form("sse" if chunks else "json")
    made = Entry(fingerprint.key(request), "openai-chat", "::1", "m", form, reply, 1.5e9, request=request, seconds=2.0)
    found = only(HEAD + written(made) + TAIL)
    assert body == b"".join(piece for _, piece in found.exchange.pieces)
    assert (1.5e9, 2.0, status, True) == (
        found.moment,
        found.exchange.seconds,
        found.exchange.status,
        found.exchange.whole,
    )
    if chunks:
        assert tuple(chunks) == tuple((when, len(piece)) for when, piece in found.exchange.pieces)
    assert ("::1", 8080, "http") == (found.request.host, found.request.port, found.request.scheme)
    sent = json.loads(found.request.body)
    assert asked == {name: value for name, value in sent.items() if name != "stream"}
    assert bool(chunks) is bool(sent.get("stream"))


def test_lane_and_namespace_are_asked_for():
    """The archive's requests have the headers that lead to where the entry was."""
    scope = {"lane": "a/b ü", "asked": "n"}
    request = canonical({"aicache": 1, "body": {}, "origin": "https://h", "scope": scope})
    made = Entry("k", "openai-chat", "h", "m", Form("json"), Reply(200, (), b"{}"), 1.0, request=request, path="/x")
    headers = json.loads(written(made))["request"]["headers"]
    control = read_control(tuple((each["name"], each["value"]) for each in headers))
    assert ("a/b ü", "n") == (control.lane, control.namespace)


def test_a_request_that_was_not_kept_whole_is_not_read_back():
    """A sound file's digest is all that is stored of it."""
    request = canonical({"aicache": 1, "body": {"parts": []}, "origin": "https://h", "scope": {}})
    made = Entry("k", "transcriptions", "h", "m", Form("json"), Reply(200, (), b"{}"), 1.0, request=request, path="/x")
    assert [Gap("x:2: entry 1", "request-not-kept")] == list(har.read(HEAD + written(made) + TAIL, "x"))
