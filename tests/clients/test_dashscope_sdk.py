"""The real dashscope SDK through the real proxy: recorded and replayed, in pieces, growing or whole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.place import Place, Shared, shared_place
from support.proxy import ROOT
from support.upstream import Asked, Script

GOLDEN = ROOT / "tests" / "data" / "wire" / "dashscope"
FORMS: dict[str, dict[str, Any]] = {
    "whole": {},
    "pieces": {"stream": True, "incremental_output": True},
    "growing": {"stream": True, "incremental_output": False},
}
"""How an answer is asked for -> the members of the call."""
FRESH = itertools.count()


def answer(asked: Asked) -> Script:
    """Answer as the golden files do, in the form that is asked for."""
    body = asked.json
    if asked.path.endswith("text-embedding"):
        vectors = [{"text_index": at, "embedding": [0.125]} for at, _ in enumerate(body["input"]["texts"])]
        told = {"output": {"embeddings": vectors}, "usage": {"total_tokens": 2}, "request_id": "e"}
        return Script(json.dumps(told).encode())
    case = body["input"]["messages"][-1]["content"].partition(" ")[0]
    incremental = body["parameters"].get("incremental_output")
    name = {"text": ("growing", "pieces"), "tools": ("tools-growing", "tools-in-pieces")}[case][bool(incremental)]
    if asked.headers.get("x-dashscope-sse") != "enable":
        return Script((GOLDEN / f"{name}.response.json").read_bytes())
    events = (GOLDEN / f"{name}.stream").read_bytes().split(b"\n\n")[:-1]
    return Script(
        [event + b"\n\n" for event in events], headers={"content-type": "text/event-stream"}, framing="chunked"
    )


@pytest.fixture
def place(shared: Shared) -> Place:
    """What all tests here share, with nothing asked yet."""
    return Place(shared, method="generation")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One provider, one proxy and one SDK."""
    with shared_place("dashscope", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield found


def asking(case: str) -> dict[str, Any]:
    """Return a call that was never made before and names what the provider answers."""
    messages = [{"role": "user", "content": f"{case} {next(FRESH)}"}]
    return {"model": "qwen-plus", "messages": messages, "result_format": "message"}


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", ["text", "tools"])
def test_the_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Place, case: str, form: str, style: str
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    call = asking(case) | FORMS[form]
    recorded = place.objects(call, style=style)
    assert recorded[-1]["status_code"] == 200
    assert recorded == place.objects(call, style=style)
    assert len(place.upstream.calls) == 1


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("case", ["text", "tools"])
def test_one_recording_answers_every_form(place: Place, case: str, first: str) -> None:
    """Whole, in pieces or growing: the message that the SDK is told is the same, and the provider is asked once."""
    call = asking(case)
    recorded = message(place.objects(call | FORMS[first]), first)
    for form, members in FORMS.items():
        assert recorded == message(place.objects(call | members), form)
    assert len(place.upstream.calls) == 1


def message(objects: list[dict[str, Any]], form: str) -> tuple[str, str, str]:
    """Return what objects say together: text, arguments of tools, and how it ends."""
    choices = [each["output"]["choices"][0] for each in objects]
    told = [choice["message"] for choice in (choices if form == "pieces" else choices[-1:])]
    calls = [call for each in told for call in each.get("tool_calls") or ()]
    text = "".join(each.get("content") or "" for each in told)
    return text, "".join(call["function"].get("arguments") or "" for call in calls), choices[-1]["finish_reason"]


def test_vectors_are_asked_for_once(place: Place) -> None:
    """Embeddings repeat most of all."""
    call = {"model": "text-embedding-v4", "input": [f"a {next(FRESH)}"]}
    assert place.objects(call, "embedding") == place.objects(call, "embedding")
    assert len(place.upstream.calls) == 1
