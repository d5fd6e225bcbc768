"""The addon in a real mitmdump, over real sockets: what a user sees."""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.asking import ask, post
from support.proxy import ADDON, Mitmdump
from support.upstream import Asked, Script, Upstream, chat_chunks, chat_json, openai

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """One provider for the tests of this file."""
    with Upstream() as server:
        yield server


@pytest.fixture
def upstream(provider: Upstream) -> Upstream:
    """The provider as if it were new."""
    provider.answer = openai
    provider.calls.clear()
    return provider


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Mitmdump]:
    """A mitmdump in reverse mode before the provider, with an SQLite store of its own, for tests that ask `mine`."""
    with Mitmdump(tmp_path_factory.mktemp("proxy"), modes=(f"reverse:{provider.url}",)) as running:
        yield running


MODELS = (f"model-of-test-{number:04}" for number in itertools.count())


@pytest.fixture
def mine() -> Ask:
    """A function that makes requests of this test: of a model that no other asks for."""
    return functools.partial(ask, model=next(MODELS))


def test_the_second_identical_call_is_a_hit_with_the_same_bytes(proxy: Mitmdump, upstream: Upstream, mine: Ask) -> None:
    """Row B1: one call upstream, two equal answers."""
    first, second = post(proxy, mine()), post(proxy, mine())
    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert first.cache == "aicache; fwd=miss"
    assert second.cache == "aicache; hit; detail=exact"
    assert "age" in second.headers
    assert second.headers["content-type"] == first.headers["content-type"]
    assert len(upstream.calls) == 1


def test_a_stream_is_replayed_with_its_events(proxy: Mitmdump, upstream: Upstream, mine: Ask) -> None:
    """Row C1: the recorded bytes of a stream come back."""
    body = mine(stream=True)
    first, second = post(proxy, body), post(proxy, body)
    assert first.body == b"".join(chat_chunks("You said: What is 6 times 7?"))
    assert second.body == first.body
    assert second.cache == "aicache; hit; detail=exact"
    assert len(upstream.calls) == 1


def test_one_recording_answers_both_forms(proxy: Mitmdump, upstream: Upstream, mine: Ask) -> None:
    """Row R1: recorded as JSON, asked as a stream."""
    post(proxy, mine())
    streamed = post(proxy, mine(stream=True, stream_options={"include_usage": True}))
    assert streamed.cache == "aicache; hit; detail=exact"
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert b'"prompt_tokens":9' in streamed.body
    assert len(upstream.calls) == 1


def test_the_skip_header_passes_and_never_reaches_the_provider(proxy: Mitmdump, upstream: Upstream, mine: Ask) -> None:
    """Row B2: neither read nor written."""
    for _ in range(2):
        answer = post(proxy, mine(), x_higress_skip_ai_cache="on")
        assert answer.cache == "aicache; fwd=bypass; detail=skip-header"
    assert len(upstream.calls) == 2
    assert "x-higress-skip-ai-cache" not in upstream.calls[0].headers
    assert post(proxy, mine()).cache == "aicache; fwd=miss"


def test_other_traffic_is_not_touched(proxy: Mitmdump, upstream: Upstream) -> None:
    """What no dialect claims gets no header and is forwarded each time."""
    upstream.answer = lambda _: Script(b"{}")
    answers = [post(proxy, {"input": "x"}, path="/v1/other") for _ in range(2)]
    assert [answer.cache for answer in answers] == ["", ""]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_an_error_is_passed_on_and_not_stored(proxy: Mitmdump, upstream: Upstream, mine: Ask, status: int) -> None:
    """Row C18: what failed is asked again."""
    upstream.answer = lambda _: Script(json.dumps(chat_json("no")).encode(), status=status)
    assert [post(proxy, mine()).status for _ in range(2)] == [status, status]
    assert len(upstream.calls) == 2


def test_hits_need_no_upstream(tmp_path: Path) -> None:
    """With nothing listening any more, what is recorded is still answered."""
    with Upstream() as upstream, Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy:
        first = post(proxy, ask())
        upstream.stop()
        assert post(proxy, ask()).body == first.body
        assert post(proxy, ask("something else")).status == 502


def test_entries_outlive_the_process(tmp_path: Path, upstream: Upstream) -> None:
    """Ended by SIGTERM right after the answer, a new process has the entry."""
    with Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy:
        first = post(proxy, ask(stream=True))
        assert proxy.stop() == 0
    with Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy:
        assert post(proxy, ask(stream=True)).body == first.body
    assert len(upstream.calls) == 1


def test_replay_refuses_what_is_not_recorded(tmp_path: Path, upstream: Upstream) -> None:
    """An unknown call is a 424 that SDKs do not retry and that names what differs; nothing leaves."""
    with Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",)) as proxy:
        post(proxy, ask())
    with Mitmdump(tmp_path, "--set", "aicache_mode=replay", modes=(f"reverse:{upstream.url}",)) as proxy:
        assert post(proxy, ask()).cache == "aicache; hit; detail=exact"
        refused = post(proxy, ask("What is 6 times 8?"))
        assert refused.status == 424
        assert refused.headers["x-should-retry"] == "false"
        message = json.loads(refused.body)["error"]["message"]
        assert "body.messages[0].content" in message
        assert "7?" in message
        assert "8?" in message
        assert post(proxy, {"x": 1}, path="/v1/files").status == 424
        assert post(proxy, b"{nonsense").status == 424
        assert post(proxy, ask(), x_higress_skip_ai_cache="on").status == 424
    assert len(upstream.calls) == 1


def test_record_replaces(tmp_path: Path) -> None:
    """In record mode every call goes upstream and its reply replaces the old one."""
    replies = iter(["one", "two", "three"])

    def answer(_: Asked) -> Script:
        return Script(json.dumps(chat_json(next(replies))).encode())

    with Upstream(answer) as upstream:
        mode = (f"reverse:{upstream.url}",)
        with Mitmdump(tmp_path, "--set", "aicache_mode=record", modes=mode) as proxy:
            post(proxy, ask())
            post(proxy, ask())
        with Mitmdump(tmp_path, modes=mode) as proxy:
            assert b'"two"' in post(proxy, ask()).body
        assert len(upstream.calls) == 2


CUTS = [
    pytest.param("chunked", "fin", id="chunked-fin"),
    pytest.param("chunked", "rst", id="chunked-reset"),
    pytest.param("eof", "", id="eof-framed-looks-like-success"),
    pytest.param("length", "fin", id="length-short"),
]


@pytest.mark.parametrize(("framing", "cut"), CUTS)
def test_a_stream_cut_in_the_middle_is_not_stored(
    proxy: Mitmdump, upstream: Upstream, mine: Ask, framing: str, cut: str
) -> None:
    """Rows C12, C13: however the provider dies, half an answer is never served."""

    def cut_off(asked: Asked) -> Script:
        script = openai(asked)
        script.framing, script.cut, script.body = framing, cut, script.body[:3]
        if framing == "length":
            script.framing, script.headers = "raw", {**script.headers, "content-length": "100000"}
        return script

    upstream.answer = cut_off
    body = mine(stream=True)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
        connection.getresponse().read()
    connection.close()
    proxy.wait_for_line("not stored", body["model"])
    upstream.answer = openai
    assert post(proxy, body, authorization="").cache == "aicache; fwd=miss"


def test_a_client_that_leaves_early_stores_nothing(proxy: Mitmdump, upstream: Upstream, mine: Ask) -> None:
    """Row C23: a stream that its reader gave up is not an answer."""
    import threading

    gate = threading.Event()

    def held(asked: Asked) -> Script:
        script = openai(asked)
        script.gate = gate
        return script

    upstream.answer = held
    body = mine(stream=True)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.readline().startswith(b"data: ")
    response.close()
    connection.close()
    proxy.wait_for_line("not stored", body["model"])
    gate.set()


def test_a_client_that_leaves_after_the_last_event_spoils_nothing(
    proxy: Mitmdump, upstream: Upstream, mine: Ask
) -> None:
    """The terminal event decides, not the way in which the connection ends."""
    import threading

    gate = threading.Event()

    def held(asked: Asked) -> Script:
        script = openai(asked)
        script.body = [*script.body, b""]
        script.framing = "raw"
        script.gate = gate
        return script

    upstream.answer = held
    body = mine(stream=True)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    while response.readline() != b"data: [DONE]\n":
        pass
    response.close()
    connection.close()
    proxy.wait_for_line(", stored", body["model"])
    gate.set()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        pytest.param("aicache_mode", ["aicache_mode", "0 values"], id="no value"),
        pytest.param("aicache_mode=reply", ["aicache_mode", "reply", "replay"], id="mode"),
        pytest.param("aicache_store=sqlit:/tmp/x", ["aicache_store", "memory", "sqlite"], id="store"),
        pytest.param("aicache_config=/nowhere/config.yaml", ["/nowhere/config.yaml"], id="config"),
        pytest.param("aicache_moed=replay", ["aicache_moed", "aicache_mode"], id="unknown option"),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path: Path, option: str, words: list[str]) -> None:
    """Exit code 1, and a message that says what is wrong and what is right."""
    proxy = Mitmdump(tmp_path, "--set", option)
    assert proxy.process.wait(20) == 1
    proxy.stop()
    for word in words:
        assert word in proxy.output


def test_a_setting_that_is_there_twice_stops_the_start(tmp_path: Path) -> None:
    """The proxy does not go on without us, for in `replay` mode everything would leave."""
    proxy = Mitmdump(tmp_path, "--set", "aicache_mode=replay", "--set", "aicache_mode=replay")
    assert proxy.process.wait(20) == 1
    proxy.stop()
    assert "`--set aicache_mode=...` has 2 values; give it one" in proxy.output


def test_editing_the_script_keeps_the_cache(tmp_path: Path, upstream: Upstream) -> None:
    """A changed script is loaded anew: what was recorded before is answered after, and nothing is lost."""
    copy = shutil.copytree(ADDON.parent, tmp_path / "addon", ignore=shutil.ignore_patterns("__pycache__"))
    with Mitmdump(tmp_path, modes=(f"reverse:{upstream.url}",), addon=copy / "aicache.py") as proxy:
        first = post(proxy, ask())
        with (copy / "aicache.py").open("a") as script:
            script.write("\n# edited\n")
        proxy.wait_for("Loading script", 2)
        proxy.wait_for("aicache: mode cache", 2)
        assert post(proxy, ask()).body == first.body
        assert post(proxy, ask("another")).cache == "aicache; fwd=miss"
        assert post(proxy, ask("another")).cache == "aicache; hit; detail=exact"
        assert proxy.stop() == 0
    assert "Traceback" not in proxy.output
