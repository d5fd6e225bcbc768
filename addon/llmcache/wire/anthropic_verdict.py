"""Whether an Anthropic message is whole, natural and good enough to be stored.

It judges a JSON body or the events of a stream, and does not know how the events were framed.
Entry points: `judge_body`, `judge_events`.
Source: Anthropic, "Handling stop reasons" and "Streaming Messages".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..chat import Complete, Incomplete, Usage, Verdict, WireError
from .anthropic_assemble import Payload, assemble, kind_of

NATURAL = frozenset(
    {
        "end_turn",
        "tool_use",
        "stop_sequence",
        "pause_turn",  # a server tool's long turn, in parts by design: the client sends it back to go on
        "compaction",  # the caller asked to stop after the context was compacted
    }
)
"""Stop reasons after which nothing is missing.

Not among them: `max_tokens`, `model_context_window_exceeded`, `refusal` (a classifier stopped the answer midway, which
another try may not meet), and every word that we do not know.
"""

SILENT = frozenset({"thinking", "redacted_thinking", "fallback"})
"""Blocks that alone are no answer; `fallback` marks where another model took over."""

_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def judge_events(events: Sequence[Payload], finish: frozenset[str]) -> Verdict:
    """Return `Complete` for a stream that came to `message_stop` without an error, whose message is good."""
    kinds = [kind_of(name, payload) for name, payload in events]
    if "error" in kinds or any(payload.get("error") for _, payload in events):
        return Incomplete("error-event")
    if "message_stop" not in kinds:
        return Incomplete("truncated")
    if set(kinds[kinds.index("message_stop") + 1 :]) - {"ping"}:
        return Incomplete("after-done")
    try:
        return judge_body(assemble(events, strict=False), finish)
    except WireError as error:
        return Incomplete(str(error))


def judge_body(body: Any, finish: frozenset[str]) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. *finish*: further stop reasons."""
    if not isinstance(body, dict):
        return Incomplete("not-an-object")
    if body.get("error") or body.get("type") == "error":
        return Incomplete("error-body")
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return Incomplete("content-missing")
    reason = _stop(body.get("stop_reason"), finish)
    if not reason and not any(map(_says, content)):
        reason = "empty"
    model = body.get("model")
    return Incomplete(reason) if reason else Complete(usage_of(body), model if isinstance(model, str) else "")


def usage_of(body: dict[str, Any]) -> Usage:
    """Return the tokens of a message. Anthropic counts what its prompt cache read and wrote beside `input_tokens`."""
    usage = body.get("usage")
    counts = {key: value for key, value in usage.items() if _is_count(value)} if isinstance(usage, dict) else {}
    cached = counts.get("cache_read_input_tokens", 0)
    fresh = counts.get("input_tokens", 0) + counts.get("cache_creation_input_tokens", 0)
    return Usage(fresh + cached, counts.get("output_tokens", 0), cached)


def _stop(reason: Any, finish: frozenset[str]) -> str:
    if reason is None:
        return "truncated"
    if not isinstance(reason, str):
        return "finish-unknown"
    if reason in NATURAL or reason in finish:
        return ""
    return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"


def _says(block: dict[str, Any]) -> bool:
    kind, text = block.get("type"), block.get("text")
    if isinstance(kind, str) and kind in SILENT:
        return False
    return bool(text.strip()) if kind == "text" and isinstance(text, str) else True


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0
