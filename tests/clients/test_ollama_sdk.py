"""The real ollama SDK through the real proxy: recorded and replayed, as lines or whole, it sees the same objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.clients import Chat
from support.place import Place, Shared, shared_place
from support.proxy import ROOT
from support.refusing import Refusing, refusing
from support.upstream import Asked, Script

GOLDEN = ROOT / "tests" / "data" / "wire" / "ollama"
CASES = sorted(path.name.removesuffix(".response.json") for path in GOLDEN.glob("*.response.json"))
STYLES = ["sync", "async"]
FRESH = itertools.count()
METRICS = {"total_duration": 14143917, "load_duration": 1019500, "prompt_eval_count": 8}


def answer(asked: Asked) -> Script:
    """Answer with the golden reply that the question names; as lines unless told otherwise, as the server does."""
    body = asked.json
    match asked.path:
        case "/api/embed":
            vectors = [[0.125, -3.5e-05] for _ in body["input"]]
            return Script(json.dumps({"model": body["model"], "embeddings": vectors, **METRICS}).encode())
        case "/api/embeddings":
            return Script(b'{"embedding": [0.125, -3.5e-05]}')
    case = (body["prompt"] if "prompt" in body else body["messages"][-1]["content"]).partition(" ")[0]
    if body.get("stream") is False:
        return Script((GOLDEN / f"{case}.response.json").read_bytes())
    lines = (GOLDEN / f"{case}.stream").read_bytes().splitlines(keepends=True)
    return Script(lines, headers={"content-type": "application/x-ndjson"}, framing="chunked")


def asking(case: str, **members: Any) -> dict[str, Any]:
    """Return a call that was never made before and names a golden reply."""
    text = f"{case} {next(FRESH)}"
    if method(case) == "generate":
        return {"model": "gemma4", "prompt": text, **members}
    return {"model": "gemma4", "messages": [{"role": "user", "content": text}], **members}


def method(case: str) -> str:
    """Return what the SDK calls it."""
    return case.partition("-")[0]


@pytest.fixture
def place(shared: Shared) -> Place:
    """What all tests here share, with nothing asked yet."""
    return Place(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One provider, one proxy and one SDK."""
    with shared_place("ollama", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "lines"])
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Place, case: str, stream: bool, style: str
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    call = asking(case, stream=stream)
    recorded = place.objects(call, method(case), style)
    assert recorded == place.objects(call, method(case), style)
    assert len(place.upstream.calls) == 1


@pytest.mark.parametrize("first", [False, True], ids=["json first", "lines first"])
@pytest.mark.parametrize("case", CASES)
def test_the_other_form_says_the_same(place: Place, case: str, first: bool) -> None:
    """Recorded whole and asked for as lines, or the other way round, the SDK's objects say what was recorded."""
    call = asking(case)
    recorded = place.objects({**call, "stream": first}, method(case))
    hit = place.objects({**call, "stream": not first}, method(case))
    assert told(recorded) == told(hit)
    assert len(place.upstream.calls) == 1


def told(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what objects say together, and what the last one measured."""
    said: dict[str, Any] = {"texts": {}, "lists": {}}
    for each in objects:
        for holder in (each, each.get("message") or {}):
            for name, value in holder.items():
                if name in ("content", "thinking", "response") and value:
                    said["texts"][name] = said["texts"].get(name, "") + value
                if name in ("tool_calls", "logprobs") and value:
                    said["lists"][name] = said["lists"].get(name, []) + value
    names = (
        "model",
        "done",
        "done_reason",
        "created_at",
        "total_duration",
        "eval_count",
        "prompt_eval_count",
        "context",
    )
    return said | {name: objects[-1].get(name) for name in names}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("verb", "call"),
    [("embed", {"model": "m", "input": ["one", "two"]}), ("embeddings", {"model": "m", "prompt": "one"})],
)
def test_vectors_are_asked_for_once(place: Place, verb: str, call: dict[str, Any], style: str) -> None:
    """Embeddings repeat most of all; how long the model stays loaded is no other question."""
    call = call | {"options": {"seed": next(FRESH)}}
    recorded = place.objects(call, verb, style)
    assert recorded == place.objects(call | {"keep_alive": 60}, verb, style)
    assert len(place.upstream.calls) == 1


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusing]:
    """A proxy in replay mode that knows nothing."""
    with refusing(tmp_path_factory.mktemp("silent"), "ollama", answer) as made:
        yield made


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "lines"])
def test_a_refusal_is_one_attempt_with_a_message(silent: Refusing, stream: bool, style: str) -> None:
    """In replay mode the SDK tries once, raises, and shows what we say; the provider hears nothing."""
    result = silent.refused(Chat(asking("chat", stream=stream), "chat", style=style))
    assert (result["error"], result["status"]) == ("ResponseError", 424)
    assert "aicache" in result["message"]


def test_golden_cases_are_there() -> None:
    """The tests above have something to ask."""
    assert {"chat", "chat-thinking-tools", "chat-logprobs", "generate"} <= set(CASES)
