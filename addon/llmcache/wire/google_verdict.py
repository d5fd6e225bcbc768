"""Whether an answer of Google's is whole, natural and good enough to be stored: generated content, vectors, counts.

A Gemini stream has no mark at its end: it is whole when every candidate that was seen has said why it finished, and
the JSON of the last chunk is complete (as an array: when the array is).
Entry points: `judge`, `form_of`. Source: Google, "FinishReason" and "BlockedReason" (ai.google.dev/api).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from .. import jsontext
from ..chat import Call, Complete, Incomplete, Reply, Usage, Verdict, WireError
from .google_assemble import number, payloads

NATURAL = frozenset({"STOP"})
"""Finish reasons after which nothing is missing; function calls finish with it too.

Not among them: MAX_TOKENS, SAFETY, RECITATION, LANGUAGE, OTHER, BLOCKLIST, PROHIBITED_CONTENT, SPII, the IMAGE_ ones,
MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, TOO_MANY_TOOL_CALLS, and every word that we do not know.
"""

UNFINISHED = frozenset({None, "", "FINISH_REASON_UNSPECIFIED"})

NUMBERED = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""The reasons by number, as far as AI Studio and Vertex agree on them."""

_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)
_FIELD = (b"data:", b"event:", b"id:", b"retry:", b":")


def form_of(reply: Reply) -> str:
    """Return what the body really is: `sse`, `array` or `json`; by how it begins, else by its content type."""
    start = reply.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_FIELD):
        return "sse"
    if start.startswith(b"["):
        return "array"
    return "sse" if not start and reply.header("content-type").startswith("text/event-stream") else "json"


def judge(
    call: Call, reply: Reply, finish: frozenset[str], inner: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. Raises nothing.

    *inner*: what of a chunk is Google's answer, for gateways that wrap it.
    """
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    form = form_of(reply)
    try:
        chunks = [jsontext.skim(reply.body)] if form == "json" else list(payloads(reply.body, form, jsontext.skim_all))
    except WireError as error:
        return Incomplete("not-json" if form == "json" else str(error))
    verb = call.path.rpartition(":")[2]
    if form != "json" and verb in _CHECKS:
        return Incomplete("not-an-object")  # vectors and counts come whole
    if reason := _failure(chunks, form, reply.body):
        return Incomplete(reason)
    told = [inner(chunk) for chunk in chunks]
    reason = _CHECKS.get(verb, _generated)(call, told, finish)
    return Incomplete(reason) if reason else Complete(_usage(told), _model(told))


def _failure(chunks: list[Any], form: str, body: bytes) -> str:
    """Return why these are no chunks of an answer: not objects, an error among them or between the lines."""
    if not chunks:
        return "truncated"
    if not all(isinstance(chunk, dict) for chunk in chunks):
        return "not-an-object"
    if any(chunk.get("error") for chunk in chunks):
        return "error-body" if form == "json" else "error-event"
    # Google's servers write an error that befalls them later as bare JSON lines, which an SSE parser passes over.
    if form == "sse" and not all(line.startswith(_FIELD) for line in _lines(body)):
        return "error-event"
    return ""


def _lines(body: bytes) -> Iterable[bytes]:
    return (line for line in body.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip())


def _generated(call: Call, chunks: list[dict[str, Any]], finish: frozenset[str]) -> str:
    noted = [_member(chunk, "promptFeedback") for chunk in chunks if "promptFeedback" in chunk]
    blocked = [reason for each in noted if (reason := each.get("blockReason"))]
    if blocked:
        return f"blocked-{blocked[0]}" if _SLUG.fullmatch(str(blocked[0])) else "blocked"
    candidates: dict[int, list[dict[str, Any]]] = {}
    for chunk in chunks:
        for position, candidate in enumerate(_dicts(chunk.get("candidates"))):
            candidates.setdefault(number(candidate, position), []).append(candidate)
    if not candidates or len(candidates) < _asked(call):
        return "candidates-missing" if candidates else "empty"
    reasons = (_candidate(slices, finish) for slices in candidates.values())
    return next((reason for reason in reasons if reason), "")


def _asked(call: Call) -> int:
    """Return how many candidates the call wants."""
    config = _member(call.body, "generationConfig") or _member(call.body, "generation_config")
    asked = config.get("candidateCount", config.get("candidate_count"))
    return asked if isinstance(asked, int) else 1


def _candidate(slices: list[dict[str, Any]], finish: frozenset[str]) -> str:
    reasons = [_named(each["finishReason"]) for each in slices if each.get("finishReason")]
    said = [reason for reason in reasons if reason not in UNFINISHED]
    if not said:
        return "truncated"
    for reason in said:
        if reason not in NATURAL and reason not in finish:
            return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"
    parts = [part for each in slices for part in _dicts(_member(each, "content").get("parts"))]
    if not any(_has_substance(part) for part in parts):
        return "empty"
    # An empty call counts: it closes one whose arguments came in pieces.
    calls = [call for part in parts if isinstance(call := part.get("functionCall"), dict)]
    return "tool-arguments" if calls and not _callable(calls) else ""


def _named(reason: Any) -> str:
    """Return the name of a finish reason, which may be written as its number (`enum-encoding=int`)."""
    number = type(reason) is int and 0 <= reason < len(NUMBERED)
    return NUMBERED[reason] if number else str(reason)


def _has_substance(part: dict[str, Any]) -> bool:
    """Whether the part says or brings anything; thoughts alone are no answer."""
    if part.get("thought"):
        return False
    if isinstance(part.get("text"), str):
        return bool(part["text"].strip())
    return any(isinstance(value, dict) and value for value in part.values())


def _callable(calls: list[dict[str, Any]]) -> bool:
    """Whether every call has objects for arguments, and the last one is not still coming (`willContinue`)."""
    return all(isinstance(call.get("args", {}), dict) for call in calls) and not calls[-1].get("willContinue")


def _embedded(_: Call, chunks: list[dict[str, Any]], __: frozenset[str]) -> str:
    found = chunks[0].get("embedding", chunks[0].get("embeddings"))
    return "" if _is_vector(found) or (isinstance(found, list) and found and all(map(_is_vector, found))) else "empty"


def _batch_embedded(call: Call, chunks: list[dict[str, Any]], _: frozenset[str]) -> str:
    found = _dicts(chunks[0].get("embeddings"))
    if len(found) != len(call.body["requests"]):
        return "truncated" if found else "empty"
    return "" if all(map(_is_vector, found)) else "empty"


def _counted(_: Call, chunks: list[dict[str, Any]], __: frozenset[str]) -> str:
    return "" if isinstance(chunks[0].get("totalTokens"), int) else "empty"


def _computed(_: Call, chunks: list[dict[str, Any]], __: frozenset[str]) -> str:
    return "" if _dicts(chunks[0].get("tokensInfo")) else "empty"


def _predicted(call: Call, chunks: list[dict[str, Any]], _: frozenset[str]) -> str:
    found = [each for each in _dicts(chunks[0].get("predictions")) if each]
    if len(found) != len(call.body["instances"]):
        return "truncated" if found else "empty"
    return ""


def _is_vector(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("values"), list) and bool(value["values"])


def _usage(chunks: list[dict[str, Any]]) -> Usage:
    usage = next((found for chunk in reversed(chunks) if (found := _member(chunk, "usageMetadata"))), {})
    names = ("promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    prompt, tools, said, thought = (_count(usage.get(name)) for name in names)
    return Usage(prompt + tools, said + thought, _count(usage.get("cachedContentTokenCount")))


def _model(chunks: list[dict[str, Any]]) -> str:
    named = (chunk.get("modelVersion") for chunk in chunks)
    return next((name for name in named if isinstance(name, str)), "")


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _member(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_CHECKS = {
    "embedContent": _embedded,
    "batchEmbedContents": _batch_embedded,
    "countTokens": _counted,
    "computeTokens": _computed,
    "predict": _predicted,
}
