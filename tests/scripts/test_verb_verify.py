"""`aicache verify`: a command replays, the provider is asked again, and only structure counts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from llmcache.chat import Entry, Form, Reply, Request
from llmcache.stores.cassette_index import Held
from support.command import ASK, Command
from support.upstream import Asked, Script, Upstream, chat_chunks, chat_json
from verbs import _keys, _reasking, verify
from verbs._outline import changes, outline, shape

QUESTIONS = ("one", "two", "three")


def client(base: str, code: int = 0, questions: tuple[str, ...] = QUESTIONS) -> list[str]:
    """Return a command that asks the questions one after the other, the first twice."""
    asks = "\n".join(f"sys.argv = ['', {question!r}, {base!r}]\n{ASK}" for question in (*questions, questions[0]))
    return [sys.executable, "-c", f"import sys\n{asks}\nsys.exit({code})"]


def said(**more: Any):
    """Return a provider whose answers have *more*; its words are never the same."""
    count = iter(range(1000))

    def answer(asked: Asked) -> Script:
        return Script(json.dumps(chat_json(f"answer {next(count)}", **more)).encode())

    return answer


def content(folder: Path) -> dict[str, str]:
    """Return every recording."""
    return {path.name: path.read_text() for path in sorted(folder.rglob("*.yaml"))}


@pytest.mark.slow
def test_only_structure_counts_and_nothing_is_overwritten(aicache: Command):
    """Other words are the same; another model is drift, by file; the folder stays; each call is asked once."""
    options = ("--proxy-localhost", "--store", "cassette:recordings")
    with Upstream(said()) as upstream:
        base = f"{upstream.url}/v1"
        assert aicache("record", *options, "--", *client(base)).returncode == 0
        before, asked = content(aicache.folder / "recordings"), len(upstream.calls)
        same = aicache("verify", *options, "--fail-on", "drift,unverified", "--", *client(base))
        assert (same.returncode, len(upstream.calls) - asked) == (0, 3), same.stderr
        assert "3 different calls were served; asking the provider 3 of them (63 tokens" in same.stderr
        assert "verified: 3 same, 0 drift, 0 unverified" in same.stderr
        upstream.answer = said(model="gpt-4o-mini-2026-11-01")
        drifted = aicache("verify", *options, "--sample", "1", "--fail-on", "drift", "--", *client(base))
        assert (drifted.returncode, len(upstream.calls) - asked) == (1, 4)
        assert "model: gpt-4o-mini-2024-07-18 → gpt-4o-mini-2026-11-01" in drifted.stderr
        assert "drift: recordings/openai-chat/gpt-4o-mini/" in drifted.stderr
        told = aicache("verify", *options, "--max-calls", "2", "--", *client(base))
        assert (told.returncode, len(upstream.calls) - asked) == (0, 6)
        failed = aicache("verify", *options, "--sample", "3", "--", *client(base, code=3))
        assert (failed.returncode, len(upstream.calls) - asked) == (3, 6)
        assert "the command failed, so the provider is not asked any further" in failed.stderr
    assert content(aicache.folder / "recordings") == before


@pytest.mark.slow
def test_the_provider_is_asked_beside_the_run_and_delays_nothing(aicache: Command, tmp_path: Path):
    """While the provider is silent the command gets its other answers, and no call is asked twice; the rest is told."""
    options = ("--proxy-localhost", "--store", "cassette:recordings")
    pipe, asked = tmp_path / "pipe", []
    os.mkfifo(pipe)

    def late(call: Asked) -> Script:
        asked.append(call.json["messages"][-1]["content"])
        if len(asked) == 1:
            pipe.read_text()  # until the command, which has all its answers, opens its end
        return Script(json.dumps(chat_json("anything")).encode())

    with Upstream(said()) as upstream:
        command = client(f"{upstream.url}/v1")
        assert aicache("record", *options, "--", *command).returncode == 0
        upstream.answer = late
        command[-1] = command[-1].replace("sys.exit(0)", f"open({str(pipe)!r}, 'w').close()")
        done = aicache("verify", *options, "--fail-on", "drift,unverified", "--", *command)
    assert (done.returncode, sorted(asked)) == (0, sorted(QUESTIONS)), done.stderr
    assert "3 different calls were served; asking the provider 3 of them" in done.stderr
    assert "verified: 3 same, 0 drift, 0 unverified" in done.stderr


@pytest.mark.slow
def test_a_command_that_fails_has_nothing_more_asked(aicache: Command, tmp_path: Path):
    """What was asked beside it is not taken back, and what was not is not asked; the exit code is the command's."""
    options = ("--proxy-localhost", "--store", "cassette:recordings")
    with Upstream(said()) as upstream:
        base = f"{upstream.url}/v1"
        assert aicache("record", *options, "--", *client(base)).returncode == 0
        before = len(upstream.calls)
        failed = aicache("verify", *options, "--", *client(base, code=3))
    assert failed.returncode == 3
    assert len(upstream.calls) - before <= len(QUESTIONS)
    assert "verified" not in failed.stderr


@pytest.mark.slow
def test_keys_of_the_environment_take_the_place_of_the_clients(aicache: Command):
    """The key of --key's variable is sent, not what the client sends; without one, the call is not verified."""
    options = ("--proxy-localhost", "--store", "cassette:recordings")
    key = ("--key", "127.0.0.1=REAL_LLM_KEY")
    with Upstream(said()) as upstream:
        command = client(f"{upstream.url}/v1", questions=("one",))
        assert aicache("record", *options, "--", *command).returncode == 0
        done = aicache("verify", *options, *key, "--", *command, REAL_LLM_KEY="the-real-one")
        assert done.returncode == 0
        assert upstream.calls[-1].headers["authorization"] == "Bearer the-real-one"
        calls = len(upstream.calls)
        keyless = aicache("verify", *options, *key, "--fail-on", "unverified", "--", *command)
        assert (keyless.returncode, len(upstream.calls)) == (1, calls)
        assert "no key for 127.0.0.1: set REAL_LLM_KEY" in keyless.stderr
        assert "the-real-one" not in done.stderr + keyless.stderr


def request(host: str, *headers: tuple[str, str], query: str = "") -> Request:
    """Return a request to *host*."""
    return Request("POST", "https", host, 443, "/v1/x", query, headers, b"{}")


ENV = {
    "OPENAI_API_KEY": "sk-openai",
    "ANTHROPIC_API_KEY": "sk-ant",
    "GOOGLE_API_KEY": "g",
    "AZURE_OPENAI_API_KEY": "az",
}


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("api.openai.com", ("authorization", "Bearer sk-openai")),
        ("api.anthropic.com", ("x-api-key", "sk-ant")),
        ("generativelanguage.googleapis.com", ("x-goog-api-key", "g")),
        ("mine.openai.azure.com", ("api-key", "az")),
    ],
)
def test_each_provider_gets_its_own_key_in_its_own_place(host: str, header: tuple[str, str]):
    """What the client sent as a credential is gone, in headers and in the query; the rest is sent as it was."""
    asked = request(host, ("authorization", "Bearer dummy"), ("x-api-key", "dummy"), ("b", "c"), query="key=dummy&a=1")
    url, headers = _keys.signed(asked, ENV, {})
    assert url == f"https://{host}/v1/x?a=1"
    assert headers == (("b", "c"), header)


@pytest.mark.parametrize("host", ["api.openai.com.evil.example", "llm.example", "openai.com", "xapi.openai.com"])
def test_no_key_of_the_environment_goes_to_another_host(host: str):
    """A call to a host that nobody knows goes out as the client wrote it."""
    asked = request(host, ("authorization", "Bearer the-clients"), ("host", host), ("cookie", "x"))
    assert _keys.signed(asked, ENV, {}) == (f"https://{host}/v1/x", (("authorization", "Bearer the-clients"),))


@pytest.mark.parametrize(
    ("status", "drift"), [(307, ()), (401, ()), (429, ()), (500, ()), (404, ("status: 200 → 404",))]
)
def test_a_failure_is_drift_only_where_the_call_is_no_longer_taken(status: int, drift: tuple[str, ...]):
    """Keys, limits and outages leave a call unverified; no redirection is followed, for it could lead a key away."""
    with Upstream(lambda _: Script(b"", status=status, headers={"location": "/elsewhere"})) as upstream:
        asked = Request("POST", "http", "127.0.0.1", upstream.port, "/v1/chat/completions", "", (), b"{}")
        reply = Reply(200, (), b"{}")
        entry = Entry("k", "openai-chat", "127.0.0.1", "m", Form("json"), reply, 0.0)
        question = _reasking.Question(asked, [entry])
        with _reasking.Asking({}) as asking:
            asking.ask(question)
            asking.ask(question)
            found = list(asking.verdicts([question]))
        assert [one.drift for one in found] == [drift]
        assert [one.unverified for one in found] == ["" if drift else f"127.0.0.1 answers {status}"]
        assert len(upstream.calls) == 1


def of(body: dict[str, Any]):
    """Return the outline of a chat completion."""
    from llmcache.wire import openai_chat

    return outline(openai_chat, Reply(200, (), json.dumps(body).encode()), Form("json"))


def tools(*names: str) -> dict[str, Any]:
    """Return a chat completion that calls tools, whose arguments try to look like something else."""
    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": '{"model": "x"}'}} for name in names
    ]
    made = chat_json("")
    made["choices"][0] |= {
        "message": {"role": "assistant", "content": None, "tool_calls": calls},
        "finish_reason": "tool_calls",
    }
    return made


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(chat_json("yes"), chat_json("no"), [], id="wording"),
        pytest.param(tools("a", "b"), tools("b", "a"), [], id="order of parallel calls"),
        pytest.param(tools("a"), tools("b"), ["tools: a → b"], id="tool"),
        pytest.param(
            chat_json("x"), tools("a"), ["finish reason: stop → tool_calls", "tools: none → a"], id="text to tool"
        ),
        pytest.param(chat_json('{"a": 1}'), chat_json('{"a": 2.5}'), [], id="values"),
        pytest.param(
            chat_json('{"a": 1}'),
            chat_json('{"a": "1", "b": []}'),
            ["answer: without a: number", "answer: with a: string", "answer: with b: array"],
            id="shape",
        ),
        pytest.param(chat_json('{"a": 1}'), chat_json("sorry"), ["answer: JSON → text"], id="no JSON any more"),
    ],
)
def test_what_counts_as_drift(old: dict[str, Any], new: dict[str, Any], expected: list[str]):
    """Tools, finish reasons and the shape of JSON count; words, values and order do not."""
    assert changes(of(old), of(new)) == expected


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_has_the_outline_of_its_answer(usage: bool):
    """A stream compares to a JSON reply, also where it cannot be converted for want of its usage."""
    from llmcache.wire import openai_chat

    body = b"".join(chat_chunks('{"a": 1, "b": "c d"}', usage=usage))
    stream = outline(openai_chat, Reply(200, (("content-type", "text/event-stream"),), body), Form("sse"))
    assert stream == of(chat_json('{"a": 1, "b": "c d"}'))


def test_the_shape_of_lists_is_that_of_their_members():
    """Ten items have the shape of one; an empty list is a list."""
    assert shape('[{"a": null}, {"a": true}]') == {"answer: array", "[]: object", "[].a: null", "[].a: boolean"}
    assert shape("plain") is None
    assert shape("{broken") is None


def test_of_too_many_calls_the_oldest_are_asked():
    """`--max-calls` bounds the cost; what was recorded longest ago is checked first."""
    questions = []
    for created in (3.0, 1.0, 2.0):
        entry = Entry(str(created), "openai-chat", "h", "m", Form("json"), Reply(200, (), b""), created)
        questions.append(_reasking.Question(request("h"), [entry]))
    assert [one.entries[0].created for one in verify.chosen_of(questions, None, 2)] == [1.0, 2.0]
    assert len(verify.chosen_of(questions, 1, 100)) == 1
    asked = verify.chosen_of(questions, None, 2, lambda question: question.entries[0].created == 3.0)
    assert [one.entries[0].created for one in asked] == [3.0, 1.0]


def test_what_is_asked_beside_the_run_would_be_asked_after_it():
    """Of a folder with more recordings than may be asked, only the oldest are asked before the others are known."""
    held = [("f", Held(f"{day}.yaml", (0, 0, 0), f"k{day}", "", 0, float(day), None, 0)) for day in (3, 1, 2, 1)]
    assert verify.oldest(held, 2) == {"k1", "k2"}
    assert verify.oldest(held, 100) == {"k1", "k2", "k3"}
