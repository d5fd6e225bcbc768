"""Whether what a model on Bedrock's InvokeModel answered is whole, natural and good enough to be stored.

Every vendor says in a place of its own that it has finished; the places are a small table. A reply in which none of
them stands, and which is no embedding, ranking or picture either, is never stored. Entry point: `judge`.
Source: AWS, "Inference request parameters and response fields for foundation models".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .. import jsontext
from ..chat import Complete, Incomplete, Reply, Usage, Verdict, WireError
from . import anthropic_verdict, bedrock_converse
from .bedrock import Event, is_stream, usage_of
from .converse_events import assemble

Body = dict[str, Any]

NATURAL = frozenset(
    {
        "FINISH",  # Amazon Titan
        "FINISHED",
        "STOP_CRITERIA_MET",
        "stop",  # Meta, Mistral, AI21 Jamba, DeepSeek, OpenAI's open models, Qwen
        "tool_calls",  # Mistral, OpenAI's open models
        "COMPLETE",  # Cohere
        "STOP_SEQUENCE",
        "TOOL_CALL",
        "endoftext",  # AI21 Jurassic
        "stop_sequence",  # Anthropic's text completions
    }
)
"""Finish reasons after which nothing is missing; Anthropic's messages and Nova's have tables of their own."""

WORDS = ("stop_reason", "finish_reason", "completionReason", "finishReason", "stopReason")
"""Members that name the finish reason, of a reply, an event, or one of its `PARTS`."""

PARTS = ("results", "outputs", "choices", "generations", "completions")
"""Lists of answers: Titan, Mistral, OpenAI's form, Cohere, AI21 Jurassic."""

TEXTS = frozenset({"text", "outputText", "generation", "completion", "content", "message", "arguments", "name"})
"""Members that say something; reasoning has other names and alone is no answer."""

RESULTS = ("embedding", "embeddings", "embeddingsByType", "images", "data")
"""Members of replies that do not generate text and so never finish: whole JSON is all that can be asked of them."""

METRICS = "amazon-bedrock-invocationMetrics"
"""What Bedrock adds to the last event of every stream, whatever the model."""

_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def judge(reply: Reply, finish: frozenset[str], payloads: Callable[..., list[Body]]) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. *payloads* reads a stream's events."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    if not is_stream(reply):
        return _of_json(reply, finish)
    try:
        return _of_stream(payloads(reply.body, jsontext.skim_all), finish)
    except WireError as error:
        return Incomplete(str(error))


def is_anthropic(events: list[Body]) -> bool:
    """Whether a stream has the events of Anthropic's messages."""
    return bool(events) and events[0].get("type") == "message_start"


def is_nova(events: list[Body]) -> bool:
    """Whether a stream has the events of Amazon Nova, which are Converse's, each under its name."""
    return bool(events) and "messageStart" in events[0]


def nova(events: list[Body]) -> list[Event]:
    """Return the events of a Nova stream as Converse has them. Raises `WireError` (`bad-event`)."""
    named = [next((pair for pair in event.items() if pair[0] != METRICS), ("", None)) for event in events]
    found = [(name, payload) for name, payload in named if isinstance(payload, dict)]
    if len(found) != len(events):
        raise WireError("bad-event")
    return found


def _of_json(reply: Reply, finish: frozenset[str]) -> Verdict:
    try:
        body = jsontext.skim(reply.body)
    except WireError:
        return Incomplete("not-json")
    if not isinstance(body, dict):
        return Incomplete("not-an-object")
    if body.get("error"):
        return Incomplete("error-body")
    if body.get("type") in ("message", "error"):
        return anthropic_verdict.judge_body(body, finish)
    usage = _usage([body], reply)
    if isinstance(body.get("output"), dict):
        reason = bedrock_converse.wrong(body, finish)
        return Incomplete(reason) if reason else Complete(usage_of(body.get("usage")))
    reason = "" if _is_result(body) else _finish([body], finish) or _empty([body])
    return Incomplete(reason) if reason else Complete(usage)


def _of_stream(events: list[Body], finish: frozenset[str]) -> Verdict:
    if is_anthropic(events):
        return anthropic_verdict.judge_events([("", event) for event in events], finish)
    if any(event.get("error") for event in events):
        return Incomplete("error-event")
    if is_nova(events):
        return _of_nova(nova(events), finish)
    if not events or not _ends(events[-1]):
        return Incomplete("truncated")
    reason = _finish(events, finish) or _empty(events)
    return Incomplete(reason) if reason else Complete(_usage(events))


def _of_nova(events: list[Event], finish: frozenset[str]) -> Verdict:
    if [name for name, _ in events][-2:] != ["messageStop", "metadata"]:
        return Incomplete("truncated")
    body = assemble(events, strict=False)
    reason = bedrock_converse.wrong(body, finish)
    return Incomplete(reason) if reason else Complete(usage_of(body.get("usage")))


def _ends(event: Body) -> bool:
    """Whether an event may be the last: it has Bedrock's metrics, or a finish reason after which no usage follows."""
    return METRICS in event or (any(True for _ in _words(event)) and "choices" not in event)


def _finish(bodies: list[Body], finish: frozenset[str]) -> str:
    """Return why a reply did not finish well, or an empty string."""
    words = [word for body in bodies for word in _words(body)]
    strange = next((word for word in words if word not in NATURAL and word not in finish), "")
    if strange:
        return f"finish-{strange}" if _SLUG.fullmatch(strange) else "finish-unknown"
    return "" if words else "finish-unnamed"


def _words(body: Body) -> Iterator[str]:
    """Yield the finish reasons of a reply or event, wherever its vendor says them."""
    parts = [part for name in PARTS if isinstance(found := body.get(name), list) for part in found]
    for part in (body, *(part for part in parts if isinstance(part, dict))):
        for name in WORDS:
            match part.get(name):
                case str(word) | {"reason": str(word)} if word:
                    yield word


def _is_result(body: Body) -> bool:
    """Whether a reply is an embedding, a ranking, a picture or a count, and whole."""
    if any(body.get("finish_reasons") or ()):  # Stability: why a picture was held back
        return False
    results = body.get("results")
    if isinstance(results, list) and results and all("relevance_score" in each for each in results):
        return True
    return isinstance(body.get("inputTokens"), int) or any(bool(body.get(name)) for name in RESULTS)


def _empty(bodies: list[Body]) -> str:
    return "" if any(_says(body) for body in bodies) else "empty"


def _says(value: Any, name: str = "") -> bool:
    match value:
        case str():
            return name in TEXTS and bool(value.strip())
        case list():
            return any(_says(each, name) for each in value)
        case dict():
            return any(_says(each, key) for key, each in value.items())
    return False


def _usage(bodies: list[Body], reply: Reply | None = None) -> Usage:
    """Return the tokens that Bedrock counted, in the last event or in headers, else those that the vendor counted."""
    last = bodies[-1]
    metrics = last.get(METRICS)
    if isinstance(metrics, dict):
        return Usage(_count(metrics.get("inputTokenCount")), _count(metrics.get("outputTokenCount")))
    heads = [reply.header(f"x-amzn-bedrock-{side}-token-count") if reply else "" for side in ("input", "output")]
    if all(head.isdecimal() for head in heads):
        return Usage(int(heads[0]), int(heads[1]))
    return Usage(
        _count(last.get("inputTextTokenCount", last.get("prompt_token_count", last.get("inputTokens")))),
        _count(last.get("generation_token_count", last.get("totalOutputTextTokenCount"))),
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
