"""The real google-genai SDK through the real proxy: recorded and replayed, in every form, it sees the same objects."""

from __future__ import annotations

import http.client
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

GOLDEN = ROOT / "tests" / "data" / "wire" / "google"
CASES = ["text", "thinking-and-calls", "code-grounding-logprobs"]
STYLES = ["sync", "async"]
FRESH = itertools.count()
MODEL = "gemini-2.5-flash"
VECTOR = {"values": [0.125, -3.5e-05]}


def answer(asked: Asked) -> Script:
    """Answer with the golden reply that the question names, in the form that was asked for."""
    path, _, query = asked.path.partition("?")
    match path.rpartition(":")[2], query:
        case "batchEmbedContents", _:
            return Script(json.dumps({"embeddings": [VECTOR for _ in asked.json["requests"]]}).encode())
        case "countTokens", _:
            return Script(b'{"totalTokens": 31}')
        case "generateContent", _:
            return Script((GOLDEN / f"{case_of(asked)}.response.json").read_bytes())
        case "streamGenerateContent", "alt=sse":
            events = (GOLDEN / f"{case_of(asked)}.stream").read_bytes().split(b"\r\n\r\n")
            return streamed([event + b"\r\n\r\n" for event in events if event], "text/event-stream")
    return streamed([(GOLDEN / "text-array.stream").read_bytes()[at : at + 300] for at in range(0, 3000, 300)])


def streamed(chunks: list[bytes], kind: str = "application/json; charset=UTF-8") -> Script:
    """Return *chunks* as they are sent one by one."""
    return Script([chunk for chunk in chunks if chunk], headers={"content-type": kind}, framing="chunked")


def case_of(asked: Asked) -> str:
    """Return the golden case that a question names."""
    return asked.json["contents"][0]["parts"][0]["text"].partition(" ")[0]


def asking(case: str, **members: Any) -> dict[str, Any]:
    """Return a call that was never made before and names a golden reply."""
    return {"model": MODEL, "contents": f"{case} {next(FRESH)}", **members}


class Asking(Place):
    """A place that can tell how often its provider was asked."""

    def plain(self, call: dict[str, Any], query: str = "") -> tuple[str, bytes]:
        """Return our word on a stream that is asked for without an SDK, and its body."""
        body = json.dumps({"contents": [{"parts": [{"text": call["contents"]}], "role": "user"}]})
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)
        head = {"content-type": "application/json", "x-goog-api-key": "AIzaTest"}
        connection.request("POST", f"/v1/models/{MODEL}:streamGenerateContent{query}", body, head)
        response = connection.getresponse()
        found = response.getheader("cache-status", ""), response.read()
        connection.close()
        return found

    def asked(self, call: dict[str, Any]) -> int:
        """Return how often the provider was asked it."""
        return sum(call["contents"] in asked.body.decode() for asked in self.upstream.calls)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """One of each for all tests here."""
    with shared_place("google", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield Asking(found, key="AIzaTest")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("method", ["generate", "stream"])
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Asking, case: str, method: str, style: str
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    call = asking(case)
    recorded = place.objects(call, method, style)
    assert recorded == place.objects(call, method, style)
    assert place.asked(call) == 1


@pytest.mark.parametrize("first", ["generate", "stream"])
@pytest.mark.parametrize("case", CASES)
def test_the_other_form_says_the_same(place: Asking, case: str, first: str) -> None:
    """Recorded as JSON and asked for as a stream, or the other way round, the SDK's chunks say what was recorded."""
    call = asking(case)
    recorded = place.objects(call, first)
    hit = place.objects(call, "stream" if first == "generate" else "generate")
    assert told(recorded) == told(hit)
    assert place.asked(call) == 1


def told(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what chunks say together: texts by kind, other parts, and how they ended."""
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"] or ()]
    said: dict[str, Any] = {"answer": "", "thoughts": "", "parts": []}
    for part in parts:
        if part["text"] is None:
            said["parts"].append(part)
        else:
            said["thoughts" if part["thought"] else "answer"] += part["text"]
    said |= {name: chunks[-1][name] for name in ("usage_metadata", "model_version", "response_id")}
    last = chunks[-1]["candidates"][0]
    return said | {name: last[name] for name in ("finish_reason", "finish_message", "grounding_metadata")}


def test_structured_output_is_parsed_from_the_hit(place: Asking) -> None:
    """What the SDK asked for as an object is one, from the recording as from the hit."""
    call = asking("structured")
    recorded, hit = (place.objects(call, "parse") for _ in range(2))
    assert recorded == hit
    assert {"left": 2, "right": 3, "total": 5} == hit[0]["parsed"]
    assert place.asked(call) == 1


@pytest.mark.parametrize("style", STYLES)
def test_vectors_and_counts_are_asked_for_once(place: Asking, style: str) -> None:
    """Embeddings and token counts repeat most of all."""
    for method, call in (("embed", asking("embed")), ("count", asking("count"))):
        recorded = place.objects(call, method, style)
        assert recorded == place.objects(call, method, style)
        assert place.asked(call) == 1


def test_one_recording_answers_all_three_forms(place: Asking) -> None:
    """What the SDK recorded as events comes as a JSON array to who asks without `alt=sse`."""
    call = asking("text")
    events = place.objects(call, "stream")
    status, array = place.plain(call)
    assert status.startswith("aicache; hit")
    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in json.loads(array)]
    assert [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in events] == texts
    assert place.asked(call) == 1


def test_an_array_is_recorded_while_it_flows(place: Asking) -> None:
    """A streamed array calls itself JSON; it is recorded, comes back byte for byte, and answers the SDK too."""
    call = asking("text")
    status, recorded = place.plain(call)
    assert status == "aicache; fwd=miss"
    assert (GOLDEN / "text-array.stream").read_bytes() == recorded
    place.proxy.wait_for("<< 200")
    assert place.plain(call) == ("aicache; hit; detail=exact", recorded)
    assert told(place.objects(call, "stream"))["answer"] == "Grüezi, Zürich 😀 liegt am See."
    assert place.asked(call) == 1


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusing]:
    """A proxy in replay mode that knows nothing."""
    with refusing(tmp_path_factory.mktemp("silent"), "google", answer) as made:
        yield made


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("method", ["generate", "stream"])
def test_a_refusal_is_one_attempt_with_a_message(silent: Refusing, method: str, style: str) -> None:
    """In replay mode the SDK tries once, raises, and shows what we say; the provider hears nothing."""
    result = silent.refused(Chat(asking("text"), method, style=style))
    assert (result["error"], result["status"]) == ("ClientError", 424)
    assert "aicache" in result["message"]
