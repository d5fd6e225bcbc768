"""Whether a chat completion is whole, natural and good enough to be stored.

It reads one reply, JSON or SSE, and answers with a slug when anything is missing or odd. The rule is caution: an answer
that is not stored costs one call, a broken one that is stored costs a user's trust.
Entry points: `judge`, `is_stream`.
Source: OpenAI, "The chat completion object"; the finish reasons of other providers are named beside the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import framing, jsontext
from ..chat import Call, Complete, Incomplete, Reply, Usage, Verdict, WireError
from . import chat_assemble, frames

NATURAL = frozenset(
    {
        "stop",
        "tool_calls",
        "function_call",
        "eos",  # Together
        "normal",  # Baidu Qianfan
        "eos_token",  # Hugging Face TGI
        "stop_sequence",  # TGI, and gateways to Anthropic
        "end_turn",  # gateways to Anthropic
        "tool_use",  # gateways to Anthropic
    }
)
"""Finish reasons after which nothing is missing.

Not among them: `length`, `content_filter`, Mistral's `model_length` and `error`, DeepSeek's
`insufficient_system_resource`, vLLM's `abort`, and every word that we do not know.
"""

UNNAMED = "finish-unnamed"
_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def is_stream(reply: Reply) -> bool:
    """Whether the body is a stream of events: by how it begins, else by its content type.

    A JSON body never begins with a field name, so gateways that mislabel one as the other are understood.
    """
    start = reply.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return True
    return reply.header("content-type").lower().startswith("text/event-stream")


def body_of(reply: Reply, of_stream: Callable[[bytes], Any]) -> dict[str, Any] | Incomplete:
    """Return the JSON object of *reply*, or what a stream adds up to, as *of_stream* says; or why there is none.

    The reasons are `status-...`, `not-json`, `not-an-object`, and that of the `WireError` which *of_stream* raises.
    """
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    streamed = is_stream(reply)
    try:
        body = of_stream(reply.body) if streamed else jsontext.skim(reply.body)
    except WireError as error:
        return Incomplete(str(error) if streamed else "not-json")
    return body if isinstance(body, dict) else Incomplete("not-an-object")


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. Raises nothing."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    try:
        body, marked = _of_stream(reply.body) if is_stream(reply) else (jsontext.skim(reply.body), True)
    except WireError as error:
        return Incomplete(str(error) if is_stream(reply) else "not-json")
    reason = _body(call, body, finish, marked)
    return Incomplete(reason) if reason else Complete(usage_of(body), _text(body.get("model")), marked)


def usage_of(body: dict[str, Any]) -> Usage:
    """Return the tokens of a reply, wherever the provider says them; zeros where it does not."""
    usage = _usage(body)
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached is None:  # DeepSeek, then Moonshot
        cached = usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens"))
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _usage(body: dict[str, Any]) -> dict[str, Any]:
    groq = body.get("x_groq")  # Groq's streams, when include_usage is not asked for
    choice = next(iter(body.get("choices") or ()), None)  # Moonshot's streams
    places = [each.get("usage") for each in (body, groq, choice) if isinstance(each, dict)]
    return next((each for each in places if isinstance(each, dict)), {})


def _of_stream(stream: bytes) -> tuple[dict[str, Any], bool]:
    """Return what a finished stream adds up to, and whether `[DONE]` says that it is finished.

    Raises `WireError` with the reason why it is not finished.
    """
    events = [event for event in framing.frames(stream) if event[1].strip()]
    if any(name == b"error" for name, _, _ in events):
        raise WireError("error-event")
    done = [(data if cut else data.strip()) == frames.DONE for _, data, cut in events]
    ends = done.index(True) if True in done else len(events)
    whole = [event for event in events[:ends] if not event[2]]
    told: Iterable[dict[str, Any]] = _good(frames.payloads(whole, jsontext.skim_all))
    marked = ends < len(events)
    if not marked:
        told = list(told)
        if len(whole) < ends or not (stream.endswith((b"\n\n", b"\r\n\r\n")) and _counted_last(told)):
            raise WireError("truncated")
    body = chat_assemble.merged(told, strict=False)
    if ends + 1 < len(events):
        raise WireError("after-done")
    frames.check_text(stream)
    return body, marked


def _good(chunks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the chunks. Raises `WireError` (`error-event`) at one that says that the answer failed."""
    for chunk in chunks:
        if _failed(chunk):
            raise WireError("error-event")
        yield chunk


def _counted_last(chunks: list[dict[str, Any]]) -> bool:
    """Whether usage came once and last, or in a chunk that calls itself the last one.

    Cerebras behind Hugging Face's router and llama-box send no `[DONE]` after the one, Perplexity none after the other.
    """
    counted = [isinstance(chunk.get("usage"), dict) for chunk in chunks]
    return any(counted[-1:]) and (sum(counted) == 1 or chunks[-1].get("object") == chat_assemble.LAST)


def _failed(chunk: dict[str, Any]) -> bool:
    groq = chunk.get("x_groq")  # Groq: why a stream was stopped early
    return bool(chunk.get("error") or (isinstance(groq, dict) and groq.get("error")))


def _body(call: Call, body: Any, finish: frozenset[str], marked: bool) -> str:
    """Return why the body is not good, or an empty string."""
    if not isinstance(body, dict):
        return "not-an-object"
    if body.get("error"):
        return "error-body"
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(each, dict) for each in choices):
        return "choices-missing"
    asked = call.body.get("n") if isinstance(call.body, dict) else None
    if isinstance(asked, int) and len(choices) != asked:
        return "choices-missing"
    ends = [_finish(choice, finish) for choice in choices]
    # Snowflake names no reason at all for Claude: "" in JSON, no such member in a stream. Then the proof is the usage,
    # which comes last and says that the answer is shorter than the limit that was asked for.
    if UNNAMED in ends and marked and _below_limit(call, body):
        ends = ["" if end == UNNAMED else end for end in ends]
    reasons = (end or _choice(choice) for end, choice in zip(ends, choices, strict=True))
    return next((reason for reason in reasons if reason), "")


def _finish(choice: dict[str, Any], finish: frozenset[str]) -> str:
    reason = choice.get("finish_reason", "")
    if reason is None:
        return "truncated"  # OpenAI's "not finished yet"
    if not isinstance(reason, str):
        return "finish-unknown"
    if reason in NATURAL or reason in finish:
        return ""
    if reason == "":
        return UNNAMED
    return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"


def _below_limit(call: Call, body: dict[str, Any]) -> bool:
    asked = call.body if isinstance(call.body, dict) else {}
    limits = [limit for key in ("max_tokens", "max_completion_tokens") if isinstance(limit := asked.get(key), int)]
    output = usage_of(body).output
    return 0 < output < min(limits, default=output + 1)


def _choice(choice: dict[str, Any]) -> str:
    if choice.get("error"):  # OpenRouter
        return "error-body"
    message = choice.get("message")
    if not isinstance(message, dict) or not _has_substance(message):
        return "empty"
    return "" if all(_callable(part) for part in _functions(message)) else "tool-arguments"


def _has_substance(message: dict[str, Any]) -> bool:
    """Whether the message says or asks for anything; reasoning alone is no answer."""
    audio = message.get("audio")
    return bool(
        any(_said(message.get(key)) for key in ("content", "refusal", "images", "tool_calls"))
        or any(_said(part.get("name")) for part in _functions(message))
        or (isinstance(audio, dict) and any(_said(audio.get(key)) for key in ("data", "transcript")))
    )


def _said(value: Any) -> bool:
    # Cloudflare gives structured output as an object.
    return bool(value.strip()) if isinstance(value, str) else isinstance(value, list | dict) and bool(value)


def _functions(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the functions that the message calls; custom tools take free text and are not among them."""
    calls = message.get("tool_calls")
    parts = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [part for part in (*parts, message.get("function_call")) if isinstance(part, dict)]


def _callable(function: dict[str, Any]) -> bool:
    """Whether the arguments are JSON; an empty string is a call without arguments."""
    arguments = function.get("arguments")
    if not isinstance(arguments, str) or not arguments.strip():
        return True
    try:
        jsontext.read(arguments)
    except WireError:
        return False
    return True


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
