"""Whether an answer of Google's is whole, natural and good enough to be stored: generated content, vectors, counts.

A Gemini stream has no mark at its end: it is whole when every candidate that was seen has said why it finished, and
the JSON of the last chunk is complete (as an array: when the array is).
Entry points: `judge`, `form_of`. Source: Google, "FinishReason" and "BlockedReason" (ai.google.dev/api).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
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
    form, verb, beside = form_of(reply), call.path.rpartition(":")[2], _Beside()
    if form != "json" and verb in _CHECKS:
        return Incomplete("not-an-object")  # vectors and counts come whole
    try:
        told = _noted(_chunks(reply.body, form), inner, beside)
        reason = _CHECKS[verb](call, next(told)) if verb in _CHECKS else _generated(call, told, finish)
    except WireError as error:
        return Incomplete(str(error))
    return Incomplete(reason) if reason else Complete(_usage(beside.usage), beside.model or "")


@dataclass(slots=True)
class _Beside:
    """What stands beside the candidates."""

    usage: dict[str, Any] = field(default_factory=dict)
    model: str | None = None


def _chunks(body: bytes, form: str) -> Iterator[dict[str, Any]]:
    """Yield the chunks of an answer. Raises `WireError` where they are none or an error is among them."""
    if form == "json":
        yield _whole(body)
        return
    none = True
    for chunk in payloads(body, form, jsontext.skim_all):
        if chunk.get("error"):
            raise WireError("error-event")
        none = False
        yield chunk
    if none:
        raise WireError("truncated")
    # Google's servers write an error that befalls them later as bare JSON lines, which an SSE parser passes over.
    if form == "sse" and not all(line.startswith(_FIELD) for line in _lines(body)):
        raise WireError("error-event")


def _whole(body: bytes) -> dict[str, Any]:
    try:
        value = jsontext.skim(body)
    except WireError:
        raise WireError("not-json") from None
    if not isinstance(value, dict):
        raise WireError("not-an-object")
    if value.get("error"):
        raise WireError("error-body")
    return value


def _noted(
    chunks: Iterable[dict[str, Any]], inner: Callable[[dict[str, Any]], dict[str, Any]], beside: _Beside
) -> Iterator[dict[str, Any]]:
    """Yield Google's answer in each chunk; the first model and the last usage go to *beside*."""
    for chunk in chunks:
        answer = inner(chunk)
        beside.usage = _member(answer, "usageMetadata") or beside.usage
        if beside.model is None and isinstance(answer.get("modelVersion"), str):
            beside.model = answer["modelVersion"]
        yield answer


def _lines(body: bytes) -> Iterable[bytes]:
    return (line for line in body.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip())


@dataclass(slots=True)
class _Seen:
    """What of a candidate decides whether it is good; its texts are not kept."""

    reasons: list[Any] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    substance: bool = False

    def add(self, candidate: dict[str, Any]) -> None:
        """Take what the next chunk says of it."""
        if candidate.get("finishReason"):
            self.reasons.append(_named(candidate["finishReason"]))
        for part in _dicts(_member(candidate, "content").get("parts")):
            self.substance = self.substance or _has_substance(part)
            if isinstance(call := part.get("functionCall"), dict):
                self.calls.append(call)  # an empty one counts: it closes one whose arguments came in pieces


def _generated(call: Call, chunks: Iterable[dict[str, Any]], finish: frozenset[str]) -> str:
    candidates: dict[int, _Seen] = {}
    blocked: list[Any] = []
    for chunk in chunks:
        if reason := _member(chunk, "promptFeedback").get("blockReason"):
            blocked.append(reason)
        for position, candidate in enumerate(_dicts(chunk.get("candidates"))):
            at = number(candidate, position)
            if at not in candidates:
                candidates[at] = _Seen()
            candidates[at].add(candidate)
    if blocked:
        return f"blocked-{blocked[0]}" if _SLUG.fullmatch(str(blocked[0])) else "blocked"
    if not candidates or len(candidates) < _asked(call):
        return "candidates-missing" if candidates else "empty"
    reasons = (_candidate(seen, finish) for seen in candidates.values())
    return next((reason for reason in reasons if reason), "")


def _asked(call: Call) -> int:
    """Return how many candidates the call wants."""
    config = _member(call.body, "generationConfig") or _member(call.body, "generation_config")
    asked = config.get("candidateCount", config.get("candidate_count"))
    return asked if isinstance(asked, int) else 1


def _candidate(seen: _Seen, finish: frozenset[str]) -> str:
    said = [reason for reason in seen.reasons if reason not in UNFINISHED]
    if not said:
        return "truncated"
    for reason in said:
        if reason not in NATURAL and reason not in finish:
            return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"
    if not seen.substance:
        return "empty"
    return "tool-arguments" if seen.calls and not _callable(seen.calls) else ""


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


def _embedded(_: Call, body: dict[str, Any]) -> str:
    found = body.get("embedding", body.get("embeddings"))
    return "" if _is_vector(found) or (isinstance(found, list) and found and all(map(_is_vector, found))) else "empty"


def _batch_embedded(call: Call, body: dict[str, Any]) -> str:
    found = _dicts(body.get("embeddings"))
    if len(found) != len(call.body["requests"]):
        return "truncated" if found else "empty"
    return "" if all(map(_is_vector, found)) else "empty"


def _counted(_: Call, body: dict[str, Any]) -> str:
    return "" if isinstance(body.get("totalTokens"), int) else "empty"


def _computed(_: Call, body: dict[str, Any]) -> str:
    return "" if _dicts(body.get("tokensInfo")) else "empty"


def _predicted(call: Call, body: dict[str, Any]) -> str:
    found = [each for each in _dicts(body.get("predictions")) if each]
    if len(found) != len(call.body["instances"]):
        return "truncated" if found else "empty"
    return ""


def _is_vector(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("values"), list) and bool(value["values"])


def _usage(usage: dict[str, Any]) -> Usage:
    names = ("promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    prompt, tools, said, thought = (_count(usage.get(name)) for name in names)
    return Usage(prompt + tools, said + thought, _count(usage.get("cachedContentTokenCount")))


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
