"""Whether a response object, whole or at the end of a stream, is good enough to be stored.

It reads one reply of the Responses API and answers with a slug when anything is missing or odd.
The rule is caution, as in `chat_verdict`. Entry point: `judge`.
Source: OpenAI, "The response object"; the status and item types are named in the tables.
"""

from __future__ import annotations

import re
from typing import Any

from .. import jsontext
from ..chat import Complete, Incomplete, Reply, Usage, Verdict, WireError
from .chat_verdict import body_of
from .frames import check_text, payloads, sent
from .responses_assemble import FAILED, TERMINAL, final, kind

UNFINISHED = {
    "queued": "truncated",
    "in_progress": "truncated",
    "failed": "error-body",
    "cancelled": "finish-cancelled",
}
"""A status that is no end -> why the response is not stored."""

HOLLOW = frozenset(
    {"reasoning", "mcp_list_tools", "mcp_call", "web_search_call", "file_search_call", "code_interpreter_call"}
)
"""Items that the provider made on the way to an answer: alone they are none."""

_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def judge(reply: Reply, finish: frozenset[str]) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. Raises nothing.

    *finish* holds further reasons of `incomplete_details` to accept, such as `max_output_tokens`.
    """
    body = body_of(reply, _of_stream)
    if isinstance(body, Incomplete):
        return body
    if reason := _body(body, finish):
        return Incomplete(reason)
    return Complete(usage_of(body), body["model"] if isinstance(body.get("model"), str) else "")


def usage_of(body: dict[str, Any]) -> Usage:
    """Return the tokens that the response cost; zeros where it does not say."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("input_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(_count(usage.get("input_tokens")), _count(usage.get("output_tokens")), _count(cached))


def _of_stream(stream: bytes) -> dict[str, Any]:
    """Return the response of a finished stream. Raises `WireError` with the reason why it is not finished."""
    events = sent(stream)
    if any(name.decode("utf-8", "replace") in FAILED for name, _, _ in events):
        raise WireError("error-event")
    told = list(payloads(events, jsontext.skim_all))
    if any(kind(each) in FAILED or each.get("error") for each in told):
        raise WireError("error-event")
    ends = next((at for at, each in enumerate(told) if kind(each) in TERMINAL), None)
    if ends is None:
        raise WireError("truncated")
    if ends + 1 < len(told):
        raise WireError("after-done")
    check_text(stream)
    return final(told[-1], told)


def _body(body: dict[str, Any], finish: frozenset[str]) -> str:
    """Return why the body is not good, or an empty string."""
    if body.get("error"):
        return "error-body"
    if reason := _status(body, finish):
        return reason
    output = body.get("output")
    items = output if isinstance(output, list) else []
    if not all(isinstance(item, dict) for item in items):
        return "bad-output"
    if body["status"] == "completed" and any(_unfinished(item) for item in items):
        return "truncated"
    if not all(_callable(item) for item in items):
        return "tool-arguments"
    return "" if any(_says(item) for item in items) else "empty"


def _status(body: dict[str, Any], finish: frozenset[str]) -> str:
    status = body.get("status")
    if status == "completed":
        return ""
    if status != "incomplete":
        return UNFINISHED.get(status, "finish-unknown") if isinstance(status, str) else "finish-unknown"
    details = body.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if not isinstance(reason, str) or not _SLUG.fullmatch(reason):
        return "finish-unknown"
    return "" if reason in finish else f"finish-{reason}"


def _unfinished(item: dict[str, Any]) -> bool:
    """Whether an item was cut; a call that a program waits for is `in_progress` in a response that is completed."""
    return item.get("type") in ("message", "function_call") and item.get("status") == "incomplete"


def _says(item: dict[str, Any]) -> bool:
    """Whether an item answers or asks for something; an unknown one does."""
    if kind(item) != "message":
        return kind(item) not in HOLLOW
    content = item.get("content")
    return isinstance(content, list) and any(_spoken(part) for part in content if isinstance(part, dict))


def _spoken(part: dict[str, Any]) -> bool:
    texts = [part.get(name) for name in ("text", "refusal") if name in part]
    return not texts or any(isinstance(text, str) and text.strip() for text in texts)


def _callable(item: dict[str, Any]) -> bool:
    """Whether the arguments of a function are JSON; an empty string is a call without arguments."""
    arguments = item.get("arguments")
    if item.get("type") != "function_call" or not isinstance(arguments, str) or not arguments.strip():
        return True
    try:
        jsontext.read(arguments)
    except WireError:
        return False
    return True


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
