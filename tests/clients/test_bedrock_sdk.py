"""boto3 as a client of Amazon Bedrock through the real proxy: recorded and replayed, it sees the same objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llmcache.eventstream import parse
from support.clients import Chat
from support.place import Place, shared_place
from support.proxy import ROOT
from support.refusing import Refusing, refusing
from support.upstream import Asked, Script

GOLDEN = ROOT / "tests" / "data" / "wire"
CONVERSE = ["text", "tools", "thinking", "citations", "server-tool", "guardrail-trace"]
INVOKE = ["claude-text", "claude-tools", "nova-text"]
ACTIONS = {
    "converse": "bedrock-converse",
    "converse-stream": "bedrock-converse",
    "invoke": "bedrock-invoke",
    "invoke-with-response-stream": "bedrock-invoke",
}
STREAMING = {"converse": "converse_stream", "invoke_model": "invoke_model_with_response_stream"}
FRESH = itertools.count()
EMBEDDING = b'{"embedding":[0.125,-3.5e-05],"inputTextTokenCount":3}'


def answer(asked: Asked) -> Script:
    """Answer with the golden reply that the question names, frame by frame when it is a stream."""
    action = asked.path.rpartition("/")[2]
    text = asked.body.decode()
    if "inputText" in text:
        return Script(EMBEDDING)
    folder = GOLDEN / ACTIONS[action]
    case = next(case for case in (*CONVERSE, *INVOKE) if f"case {case} " in text)
    if not action.endswith("stream"):
        return Script((folder / f"{case}.response.json").read_bytes())
    body = (folder / f"{case}.stream").read_bytes()
    frames = [body[each.start : each.end] for each in parse(body)]
    return Script(frames, headers={"content-type": "application/vnd.amazon.eventstream"}, framing="chunked")


def asking(case: str) -> dict[str, Any]:
    """Return a call that was never made before and names a golden reply."""
    text = f"case {case} {next(FRESH)}"
    if case in CONVERSE:
        model = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
        return {"modelId": model, "messages": [{"role": "user", "content": [{"text": text}]}]}
    body = {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": text}]}
    return {"modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "body": body}


CASES = [(case, "converse") for case in CONVERSE] + [(case, "invoke_model") for case in INVOKE]


class Asking(Place):
    """A place that can tell how often its provider was asked."""

    def asked(self, call: dict[str, Any]) -> int:
        """Return how often the provider was asked it."""
        text = json.dumps(call.get("messages") or call["body"]).partition("case ")[2].partition('"')[0]
        return sum(f'{text}"' in asked.body.decode() for asked in self.upstream.calls)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """One of each for all tests here."""
    with shared_place("boto3", answer, tmp_path_factory.mktemp("proxy")) as found:
        yield Asking(found, key="AKIATEST")


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(("case", "method"), CASES)
def test_boto3_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Asking, case: str, method: str, streamed: bool
) -> None:
    """Whatever is asked, the provider is asked once and boto3 cannot tell the second answer from the first."""
    call, method = asking(case), STREAMING[method] if streamed else method
    recorded = place.objects(call, method)
    assert recorded == place.objects(call, method)
    assert place.asked(call) == 1


@pytest.mark.parametrize("first", ["json", "stream"])
@pytest.mark.parametrize(("case", "method"), CASES)
def test_the_other_form_says_the_same(place: Asking, case: str, method: str, first: str) -> None:
    """Recorded whole and asked for as a stream, or the other way round, boto3 reads what was recorded."""
    call = asking(case)
    forms = {"json": method, "stream": STREAMING[method]}
    recorded = place.objects(call, forms.pop(first))
    hit = place.objects(call, forms.popitem()[1])
    assert said(recorded) == said(hit)
    assert place.asked(call) == 1


def said(objects: list[Any]) -> dict[str, Any]:
    """Return the text, the tools and the end of an answer, whatever its form and vendor."""
    found: dict[str, Any] = {"text": "", "tools": [], "ends": set()}
    for one in objects:
        walk(json.loads(one) if isinstance(one, str) else one, found)
    found["tools"] = "".join("".join(found["tools"]).split()).replace("{}", "")  # some say nothing for no arguments
    return found


def walk(value: Any, found: dict[str, Any]) -> None:
    """Add what *value* says to *found*."""
    match value:
        case {"input": dict(arguments)} if arguments:
            found["tools"].append(json.dumps(arguments))
        case {"input": str(piece)} | {"partial_json": str(piece)}:
            found["tools"].append(piece.replace("\u00e9", "\\u00e9"))
        case {"stopReason": str(end)} | {"stop_reason": str(end)}:
            found["ends"].add(end)
    if isinstance(value, dict):
        found["text"] += value["text"] if isinstance(value.get("text"), str) else ""
        for name, member in value.items():
            walk(member, found) if name not in ("sourceContent", "input") else None
    elif isinstance(value, list):
        for member in value:
            walk(member, found)


def test_a_signature_is_no_identity_and_a_key_is(place: Asking) -> None:
    """Each request is signed anew and hits; another access key asks anew; bearer keys are kept apart as well."""
    call = asking("text")
    for times, key in enumerate(["AKIAONE", "AKIATWO", "bearer one", "bearer two"], 1):
        recorded = place.objects(call, "converse", key=key)
        assert recorded == place.objects(call, "converse", key=key)
        assert place.asked(call) == times
    signatures = [asked.headers["authorization"] for asked in place.upstream.calls[-4:]]
    assert [each.partition(" ")[0] for each in signatures] == ["AWS4-HMAC-SHA256"] * 2 + ["Bearer"] * 2


def test_vectors_are_asked_for_once(place: Asking) -> None:
    """Embeddings by invoke repeat most of all."""
    call = {"modelId": "amazon.titan-embed-text-v2:0", "body": {"inputText": f"case {next(FRESH)}"}}
    recorded = place.objects(call, "invoke_model")
    assert [EMBEDDING.decode()] == recorded == place.objects(call, "invoke_model")
    assert place.asked(call) == 1


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusing]:
    """A proxy in replay mode that knows nothing."""
    with refusing(tmp_path_factory.mktemp("silent"), "boto3", answer) as made:
        yield made


@pytest.mark.parametrize("method", ["converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream"])
def test_a_refusal_is_one_attempt_with_a_message(silent: Refusing, method: str) -> None:
    """In replay mode boto3 tries once, raises, and shows what we say; the provider hears nothing."""
    call = asking("text" if method.startswith("converse") else "claude-text")
    result = silent.refused(Chat(call, method, key="AKIATEST"))
    assert result["status"] == 424, result
    assert (result["error"], result["code"], result["retries"]) == ("ClientError", "aicache_no_recording", 0)
    assert result["message"].startswith("aicache: ")
