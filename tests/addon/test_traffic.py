"""Odd traffic through a real mitmdump: coded replies, slow streams, bad requests, neighbors on one store."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from support.asking import ask, post
from support.proxy import Mitmdump
from support.upstream import Asked, Script, Upstream, chat_chunks, chat_json, openai


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mitmdump, Upstream]]:
    """One proxy and one upstream for the tests of this file that do not disturb each other."""
    with (
        Upstream() as upstream,
        Mitmdump(tmp_path_factory.mktemp("proxy"), modes=(f"reverse:{upstream.url}",)) as proxy,
    ):
        yield proxy, upstream


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_reply_is_stored_decoded(shared: tuple[Mitmdump, Upstream], coding: str, streamed: bool) -> None:
    """Row C19: the client that asked for the coding gets it; every later one gets the plain bytes."""
    proxy, upstream = shared
    question = f"in {coding}, streamed: {streamed}"
    plain = b"".join(chat_chunks(question)) if streamed else json.dumps(chat_json(question)).encode()
    coded = CODINGS[coding](plain)
    kind = "text/event-stream" if streamed else "application/json"
    chunks = [coded[at : at + 50] for at in range(0, len(coded), 50)]
    head = {"content-type": kind, "content-encoding": coding}
    upstream.answer = lambda _: Script(chunks, headers=head, framing="chunked")
    first = post(proxy, ask(question, stream=streamed), accept_encoding=coding)
    assert (first.body, first.headers["content-encoding"]) == (coded, coding)
    second = post(proxy, ask(question, stream=streamed))
    assert second.cache == "aicache; hit; detail=exact"
    assert second.body == plain
    assert "content-encoding" not in second.headers


def test_a_stream_is_not_held_back(shared: tuple[Mitmdump, Upstream]) -> None:
    """The first event is with the client while the provider still holds the last one back."""
    proxy, upstream = shared
    gate = threading.Event()

    def held(asked: Asked) -> Script:
        script = openai(asked)
        script.gate = gate
        return script

    upstream.answer = held
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    body = json.dumps(ask("slowly", stream=True))
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.readline().startswith(b'data: {"id": "chatcmpl-1"')
    gate.set()
    assert response.read().endswith(b"data: [DONE]\n\n")


STRANGE = [
    pytest.param(b"{not json", "not-json", id="B6: not JSON"),
    pytest.param(b"[1, 2]", "not-an-object", id="no object"),
    pytest.param(b'{"messages": "hi"}', "bad-messages", id="messages of a wrong shape"),
    pytest.param(b'{"input": "hi"}', "no-messages", id="another API's body"),
    pytest.param(b'{"messages": [{"role": "user", "content": "\xff"}]}', "json-not-utf8", id="invalid UTF-8"),
    pytest.param(b'{"a":' * 100_000, "json-too-deep", id="deep nesting"),
    pytest.param(b'{"messages": [{"role": "user", "content": ""}]}', "no-question", id="B7: no question"),
    pytest.param(b'{"x": "' + b"y" * 25_000_000 + b'"}', "request-too-large", id="25 MB"),
    pytest.param(b"", "not-json", id="nothing"),
]


@pytest.mark.parametrize(("body", "reason"), STRANGE)
def test_what_cannot_be_understood_passes_untouched(
    shared: tuple[Mitmdump, Upstream], body: bytes, reason: str
) -> None:
    """Bypass with its reason; the provider sees the same bytes and the client its answer."""
    proxy, upstream = shared
    upstream.answer = lambda asked: Script(f"{len(asked.body)} bytes".encode(), status=400)
    answer = post(proxy, body)
    assert (answer.status, answer.body) == (400, f"{len(body)} bytes".encode())
    assert answer.cache == f"aicache; fwd=bypass; detail={reason}"
    assert upstream.calls[-1].body == body


def test_another_content_type_passes(shared: tuple[Mitmdump, Upstream]) -> None:
    """Row B4."""
    proxy, upstream = shared
    upstream.answer = openai
    assert post(proxy, ask("text"), content_type="text/plain").cache == "aicache; fwd=bypass; detail=not-json"


def test_media_types_are_case_insensitive(shared: tuple[Mitmdump, Upstream]) -> None:
    """Row B5."""
    proxy, upstream = shared
    upstream.answer = openai
    for expected in ("aicache; fwd=miss", "aicache; hit; detail=exact"):
        assert post(proxy, ask("case"), content_type="Application/JSON; Charset=UTF-8").cache == expected


def test_a_flood_of_headers_is_no_reason_to_fail(shared: tuple[Mitmdump, Upstream]) -> None:
    """Hundreds of headers are passed on and do not count."""
    proxy, upstream = shared
    upstream.answer = openai
    flood = {f"x_flood_{number}": "y" * 50 for number in range(300)}
    assert post(proxy, ask("flood"), **flood).cache == "aicache; fwd=miss"
    assert upstream.calls[-1].headers["x-flood-299"] == "y" * 50
    assert post(proxy, ask("flood")).cache == "aicache; hit; detail=exact"


def test_another_key_never_gets_the_answer(shared: tuple[Mitmdump, Upstream]) -> None:
    """Row B16: answers belong to the credential that paid for them."""
    proxy, upstream = shared
    upstream.answer = openai
    post(proxy, ask("mine"), authorization="Bearer sk-one")
    assert post(proxy, ask("mine"), authorization="Bearer sk-two").cache == "aicache; fwd=miss"
    assert post(proxy, ask("mine"), authorization="Bearer sk-one").cache == "aicache; hit; detail=exact"


def test_neighbors_share_one_store(tmp_path: Path, upstream: Upstream) -> None:
    """Two proxies, each a process of its own, answer from one file what either has recorded."""
    mode = (f"reverse:{upstream.url}",)
    store = ("--set", f"aicache_store=sqlite:{tmp_path / 'shared.db'}")
    with Mitmdump(tmp_path / "a", *store, modes=mode) as one, Mitmdump(tmp_path / "b", *store, modes=mode) as other:
        first = post(one, ask())
        one.wait_for(", stored")
        assert post(other, ask()).body == first.body
        post(other, ask("and back"))
        other.wait_for(", stored")
        assert post(one, ask("and back")).cache == "aicache; hit; detail=exact"
    assert len(upstream.calls) == 2


def test_no_credential_is_on_disk_or_in_the_log(tmp_path: Path, upstream: Upstream) -> None:
    """What is stored and what is printed holds no key, no cookie and, in the log, no prompt."""
    secrets = {"authorization": "Bearer sk-SECRET1", "cookie": "session=SECRET2", "api_key": "SECRET3"}

    def answer(asked: Asked) -> Script:
        script = openai(asked)
        script.headers = {**script.headers, "set-cookie": "a=SECRET4"}
        return script

    upstream.answer = answer
    with Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy:
        post(proxy, ask("PROMPT"), path="/v1/chat/completions?api-key=SECRET5", **secrets)
        proxy.wait_for(", stored")
        proxy.stop()
    ours = [line for line in proxy.lines if "<<" not in line and "POST http" not in line]  # mitmproxy prints addresses
    assert [line for line in ours if "SECRET" in line or "PROMPT" in line] == []
    written = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"PROMPT" in written
    assert b"SECRET" not in written


def test_what_is_never_cached_says_so(shared: tuple[Mitmdump, Upstream]) -> None:
    """Files, batches and their like are forwarded each time, with the reason."""
    proxy, upstream = shared
    upstream.answer = lambda _: Script(b"{}")
    for path, reason in (("/v1/files", "files"), ("/v1/batches/b1/cancel", "batches"), ("/v1/threads", "threads")):
        assert post(proxy, {}, path=path).cache == f"aicache; fwd=bypass; detail={reason}"


def test_named_traffic(tmp_path: Path, upstream: Upstream) -> None:
    """`match.paths`: bytes come back; what ended with the connection only is passed on and not stored."""
    (tmp_path / "c.yaml").write_text("match: {paths: ['/tts/*']}\n")
    sound = [b"RIFF\x00", b"\xff\xfe"]
    expected = {"length": "hit; detail=exact", "chunked": "hit; detail=exact", "eof": "fwd=miss"}
    option = ("--set", f"aicache_config={tmp_path / 'c.yaml'}")
    with Mitmdump(tmp_path, *option, modes=(f"reverse:{upstream.url}",)) as proxy:
        for framing, cache in expected.items():
            script = Script(sound, headers={"content-type": "audio/wav"}, framing=framing)
            upstream.answer = lambda _, script=script: script
            answers = [post(proxy, {"say": framing}, path="/tts/v1") for _ in range(2)]
            assert [answer.body for answer in answers] == [b"".join(sound)] * 2, framing
            assert answers[1].cache == f"aicache; {cache}", framing
