"""The real cohere SDK through the real proxy: recorded and replayed, whole or as events, it sees the same objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.place import Place, Shared, shared_place
from support.proxy import ROOT
from support.upstream import Asked, Script

GOLDEN = ROOT / "tests" / "data" / "wire" / "cohere"
CASES = sorted(path.name.removesuffix(".response.json") for path in GOLDEN.glob("*.response.json"))
STYLES = ["sync", "async"]
FRESH = itertools.count()
META = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}}


def answer(asked: Asked) -> Script:
    """Answer with the golden reply that the question names."""
    match asked.path:
        case "/v2/embed":
            vectors = {"float": [[0.125, -3.5e-05] for _ in asked.json["texts"]]}
            return Script(json.dumps({"id": "e", "embeddings": vectors, "texts": ["a"], "meta": META}).encode())
        case "/v2/rerank":
            return Script(json.dumps({"id": "r", "results": [{"index": 0, "relevance_score": 0.5}]}).encode())
    case = asked.json["messages"][-1]["content"].partition(" ")[0]
    if not asked.json.get("stream"):
        return Script((GOLDEN / f"{case}.response.json").read_bytes())
    events = (GOLDEN / f"{case}.stream").read_bytes().split(b"\n\n")[:-1]
    return Script(
        [event + b"\n\n" for event in events], headers={"content-type": "text/event-stream"}, framing="chunked"
    )


@pytest.fixture
def place(shared: Shared) -> Place:
    """What all tests here share, with nothing asked yet."""
    return Place(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One provider, one proxy and one SDK."""
    with shared_place("cohere", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield found


def asking(case: str) -> dict[str, Any]:
    """Return a call that was never made before and names a golden reply."""
    return {"model": "command-a-03-2025", "messages": [{"role": "user", "content": f"{case} {next(FRESH)}"}]}


@pytest.mark.parametrize("method", ["chat", "chat_stream"])
@pytest.mark.parametrize(("case", "style"), [*((case, "sync") for case in CASES), ("tools", "async")])
def test_the_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Place, case: str, method: str, style: str
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    call = asking(case)
    assert place.objects(call, method, style) == place.objects(call, method, style)
    assert len(place.upstream.calls) == 1


@pytest.mark.parametrize("case", CASES)
def test_the_other_form_says_the_same(place: Place, case: str) -> None:
    """Recorded as events and asked for whole, the SDK's object is that of a whole answer, and the other way round."""
    one, two = asking(case), asking(case)
    (whole,) = place.objects(one, "chat")
    streamed = place.objects(two, "chat_stream")
    assert [whole] == place.objects(two, "chat")
    assert told(streamed) == told(place.objects(one, "chat_stream"))
    assert len(place.upstream.calls) == 2


def told(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what events say together, and how they end."""
    said: dict[str, Any] = {"text": "", "thinking": "", "tool_plan": "", "arguments": "", "last": events[-1]["delta"]}
    for event in events:
        message = (event.get("delta") or {}).get("message") or {}
        content, calls = message.get("content"), message.get("tool_calls")
        if isinstance(content, dict):
            said["text"] += content.get("text") or ""
            said["thinking"] += content.get("thinking") or ""
        said["tool_plan"] += message.get("tool_plan") or ""
        if isinstance(calls, dict):
            said["arguments"] += calls["function"].get("arguments") or ""
    return said


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("method", "call"),
    [
        (
            "embed",
            {"model": "embed-v4.0", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]},
        ),
        ("rerank", {"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"]}),
    ],
)
def test_vectors_and_ranks_are_asked_for_once(place: Place, method: str, call: dict[str, Any], style: str) -> None:
    """Embeddings and rankings repeat most of all."""
    call = call | {"model": f"{call['model']}-{next(FRESH)}"}
    assert place.objects(call, method, style) == place.objects(call, method, style)
    assert len(place.upstream.calls) == 1


def test_golden_cases_are_there() -> None:
    """The tests above have something to ask."""
    assert {"text", "tools", "thinking", "citations"} <= set(CASES)
