"""The real anthropic SDK through the real proxy: recorded and replayed, in both forms, it sees the same objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.clients import Chat
from support.place import Place, shared_place
from support.proxy import ROOT
from support.refusing import Refusing, refusing
from support.upstream import Asked, Script

GOLDEN = ROOT / "tests" / "data" / "wire" / "anthropic"
CASES = sorted(
    path.name.removesuffix(".response.json")
    for path in GOLDEN.glob("*.response.json")
    if path.name.partition(".")[0] not in ("vertex", "odd-framing")
)
STYLES = ["sync", "async"]
FRESH = itertools.count()


def answer(asked: Asked) -> Script:
    """Answer with the golden reply that the question names, in the form that was asked for."""
    if asked.path.partition("?")[0].endswith("count_tokens"):
        return Script(b'{"input_tokens": 671}')
    case = asked.json["messages"][0]["content"].partition(" ")[0]
    if not asked.json.get("stream"):
        return Script((GOLDEN / f"{case}.response.json").read_bytes())
    events = (GOLDEN / f"{case}.stream").read_bytes().split(b"\n\n")
    return Script(
        [event + b"\n\n" for event in events if event],
        headers={"content-type": "text/event-stream"},
        framing="chunked",
    )


def asking(case: str, **members: Any) -> dict[str, Any]:
    """Return a call that was never made before and names a golden reply."""
    messages = [{"role": "user", "content": f"{case} {next(FRESH)}"}]
    return {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": messages, **members}


class Asking(Place):
    """A place that can tell how often its provider was asked."""

    def asked(self, call: dict[str, Any]) -> int:
        """Return how often the provider was asked it."""
        return sum(asked.json["messages"] == call["messages"] for asked in self.upstream.calls)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """One of each for all tests here."""
    with shared_place("anthropic", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield Asking(found, "create")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Asking, case: str, stream: bool, style: str
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    call = asking(case, stream=stream)
    recorded = place.objects(call, style=style)
    assert recorded == place.objects(call, style=style)
    assert place.asked(call) == 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("first", ["create", "stream"])
def test_the_other_form_is_the_same_message(place: Asking, case: str, first: str, style: str) -> None:
    """Recorded as JSON and asked for as a stream, or the other way round, the SDK builds the message recorded."""
    call = asking(case)
    recorded = place.objects(call, first, style)[0]
    hit = place.objects(call, "stream" if first == "create" else "create", style)[0]
    assert bare(recorded) == bare(hit)
    assert place.asked(call) == 1


def bare(value: Any) -> Any:
    """Return *value* without null members, which the SDK's stream helper adds (`parsed_output`) or leaves out."""
    if isinstance(value, dict):
        return {name: bare(member) for name, member in value.items() if member is not None}
    return [bare(member) for member in value] if isinstance(value, list) else value


def test_structured_output_is_parsed_from_the_hit(place: Asking) -> None:
    """What the SDK asked for as an object is one, from the recording as from the hit."""
    call = asking("structured")
    recorded, hit = (place.objects(call, "parse") for _ in range(2))
    assert recorded == hit
    assert {"left": 2, "right": 3, "total": 5} == hit[1]
    assert place.asked(call) == 1


@pytest.mark.parametrize("style", STYLES)
def test_tokens_are_counted_once(place: Asking, style: str) -> None:
    """`count_tokens` repeats most of all."""
    call = asking("count")
    del call["max_tokens"]
    found = [place.objects(call, "count", style) for _ in range(2)]
    assert [each[0]["input_tokens"] for each in found] == [671, 671]
    assert place.asked(call) == 1


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusing]:
    """A proxy in replay mode that knows nothing."""
    with refusing(tmp_path_factory.mktemp("silent"), "anthropic", answer) as made:
        yield made


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_refusal_is_one_attempt_with_a_message(silent: Refusing, stream: bool, style: str) -> None:
    """In replay mode the SDK tries once, raises, and shows what we say; the provider hears nothing."""
    result = silent.refused(Chat(asking("text", stream=stream), style=style))
    assert (result["error"], result["status"]) == ("APIStatusError", 424)
    assert "aicache" in result["message"]


def test_golden_cases_are_there() -> None:
    """The tests above have something to ask."""
    assert {"text", "thinking-and-tools", "web-search-citations"} <= set(CASES)
    assert all(json.loads((GOLDEN / f"{case}.response.json").read_bytes())["usage"] for case in CASES)
