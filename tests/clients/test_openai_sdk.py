"""The openai SDKs beyond chats: Responses, embeddings, legacy completions and transcriptions through the real proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority
from support.chats import fresh
from support.clients import Chat
from support.places import Place, loopback
from support.upstream import Asked, Script, Upstream

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "wire"
STREAM = {"content-type": "text/event-stream"}
VECTORS = {"float": [0.5, -1.0], "base64": "AAAAPwAAgL8="}
SDKS = [
    pytest.param(("python", "sync"), id="python"),
    pytest.param(("python", "async"), id="python-async"),
    pytest.param(("node", "async"), id="node"),
]


def golden(dialect: str, case: str, *, streamed: bool) -> Script:
    """Return the answer of a golden file, a stream in one chunk for each event."""
    path = GOLDEN / dialect / case
    if not streamed:
        return Script(path.with_name(f"{case}.response.json").read_bytes())
    events = path.with_name(f"{case}.stream").read_bytes().split(b"\n\n")[:-1]
    return Script([event + b"\n\n" for event in events], headers=STREAM, framing="chunked")


def provider(asked: Asked) -> Script:
    """Answer as OpenAI does; the input of a response names the golden case."""
    match asked.path.rpartition("/v1/")[2]:
        case "responses":
            return golden("openai-responses", asked.json["input"], streamed=bool(asked.json.get("stream")))
        case "completions":
            return golden("openai-completions", asked.json["prompt"], streamed=bool(asked.json.get("stream")))
        case "embeddings":
            vector = VECTORS[asked.json.get("encoding_format", "float")]
            data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(len(asked.json["input"]))]
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            return Script(json.dumps({"object": "list", "data": data, "model": "e", "usage": usage}).encode())
        case "audio/transcriptions" if b"srt" in asked.body:
            return Script(b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", headers={"content-type": "text/plain"})
        case "audio/transcriptions" if b'name="stream"' in asked.body:
            done = {"type": "transcript.text.done", "text": "Hi"}
            return Script([b"data: " + json.dumps(done).encode() + b"\n\n"], headers=STREAM, framing="chunked")
        case "audio/transcriptions":
            return Script(b'{"text": "Hi"}')
        case "audio/speech":
            return Script([b"\xff\xfb\x00", b":data"], headers={"content-type": "audio/mpeg"}, framing="chunked")
    return Script(b"{}", status=404)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One provider and one proxy for all the tests here."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with (
        Upstream(provider, tls=authority.server("localhost")) as upstream,
        loopback(tmp_path_factory.mktemp("proxy"), authority, upstream) as made,
    ):
        yield made


CASES = [
    "text",
    "logprobs-annotations",
    "reasoning-parallel-tools",
    "reasoning-text",
    "built-in-tools",
    "custom-tool",
    "refusal",
]


def response(case: str, method: str = "responses", **more: Any) -> Chat:
    """Return a call of the Responses API that is answered with a golden case."""
    return Chat({"model": "gpt-5", "input": case, **more}, method=method)


CALLS = {
    **{f"response {case}": response(case) for case in CASES},
    **{f"response {case} streamed": response(case, stream=True) for case in CASES},
    "embedding": Chat({"model": "e", "input": ["a", "b"]}, method="embeddings"),
    "embedding of floats": Chat({"model": "e", "input": ["a"], "encoding_format": "float"}, method="embeddings"),
    "completion": Chat({"model": "c", "prompt": "text"}, method="completions"),
    "completion streamed": Chat(
        {"model": "c", "prompt": "text", "stream": True, "stream_options": {"include_usage": True}},
        method="completions",
    ),
}


@pytest.mark.parametrize("chat", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_gets_the_same_objects_again(place: Place, sdk: tuple[str, str], chat: Chat) -> None:
    """The provider is asked once, and the SDK cannot tell the second answer from the first."""
    language, style = sdk
    chat = fresh(chat, style)
    recorded = place.objects(language, "reverse", chat)
    assert recorded == place.objects(language, "forward", chat)
    assert place.asked(chat) == 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_recorded_body_is_a_stream_that_the_sdk_follows(place: Place, style: str, case: str) -> None:
    """A response recorded as JSON and asked for as a stream is built up event by event to the same response."""
    whole = fresh(response(case), style)
    recorded = place.objects("python", "reverse", whole)
    streamed = Chat(whole.call, method="responses.stream", key=whole.key, style=style)
    *events, final = place.objects("python", "reverse", streamed)
    assert events[0]["type"] == "response.created"
    assert bare(recorded[0]) == bare(final)
    assert place.asked(whole) == 1


def bare(value: Any) -> Any:
    """Return *value* without nulls, and without what the SDK's stream helper adds: classes and parsed results."""
    if isinstance(value, dict):
        kept = {name: bare(each) for name, each in value.items() if not name.startswith("parsed") and name != "class"}
        return {name: each for name, each in kept.items() if each is not None}
    return [bare(each) for each in value] if isinstance(value, list) else value


def test_a_recorded_stream_is_a_body(place: Place) -> None:
    """A response recorded as a stream answers a call for JSON with what its last event said."""
    streamed = fresh(response("reasoning-parallel-tools", stream=True))
    *_, last = place.objects("python", "reverse", streamed)
    whole = Chat(response("reasoning-parallel-tools").call, method="responses", key=streamed.key)
    assert bare(last["response"]) == bare(place.objects("python", "reverse", whole)[0])
    assert place.asked(streamed) == 1


@pytest.mark.parametrize(
    "members",
    [{}, {"response_format": "srt"}, {"stream": True}],
    ids=["json", "subtitles", "stream"],
)
def test_a_sound_is_transcribed_once(place: Place, members: dict[str, Any]) -> None:
    """The SDK makes up a new boundary for each call, and the second is a hit all the same."""
    chat = fresh(Chat({"model": "whisper-1", **members}, method="audio.transcriptions"))
    recorded = place.objects("python", "reverse", chat)
    assert recorded == place.objects("python", "reverse", chat)
    assert place.asked(chat) == 1


def test_speech_is_the_same_bytes(place: Place) -> None:
    """A sound is recorded as it is and given back to the byte."""
    chat = fresh(Chat({"model": "tts-1", "voice": "alloy", "input": "Hi"}, method="audio.speech"))
    answers = [place.objects("python", "reverse", chat)[0]["text"] for _ in range(2)]
    assert ["fffb003a64617461"] * 2 == answers
    assert place.asked(chat) == 1


def test_a_failed_response_is_asked_for_again(place: Place) -> None:
    """A response that ended too early is passed on and never stored."""
    chat = fresh(response("max-output-tokens", stream=True))
    first, second = (place.objects("python", "reverse", chat) for _ in range(2))
    assert first == second
    assert first[-1]["type"] == "response.incomplete"
    assert place.asked(chat) == 2
