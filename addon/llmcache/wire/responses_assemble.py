"""A Responses stream -> the one response object that the same answer would have been.

The last event carries the whole object, so nothing is put together: what the deltas said is held against it, and
output that the object leaves out (ChatGPT's Codex backend sends `"output": []`) is taken from the finished items.
It does not decide whether the answer is good. Entry points: `assemble`, `final`.
Source: OpenAI, "Streaming events" of the Responses API.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from ..framing import Frame
from .frames import check_text, payloads, sent

TERMINAL = frozenset({"response.completed", "response.incomplete"})
"""What the event is called that ends a stream and carries the response."""

FAILED = frozenset({"error", "response.failed", "response.cancelled"})
"""What the event is called that says that there will be no answer."""

TEXTS: dict[str, tuple[str, str]] = {
    "response.output_text.delta": ("output_text", "text"),
    "response.refusal.delta": ("refusal", "refusal"),
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
"""The deltas that are held against the response -> the type of the part or item that they spell, and its field.

Reasoning is not among them: providers summarize, encrypt or drop it between the delta and the object.
"""

Payload = dict[str, Any]


def assemble(stream: bytes) -> dict[str, Any]:
    """Return the response that *stream* ends with, numbers as they were sent.

    Raises `Lossy` (the type of the part) where the deltas spelled something else.
    Raises `WireError` for bytes that are no UTF-8 and payloads that are no objects (`bad-event`) and for a stream
    without its last event (`truncated`).
    """
    check_text(stream)
    events = sent(stream)
    told = list(payloads(events, jsontext.skim_all))
    last = next((at for at, each in enumerate(told) if kind(each) in TERMINAL), None)
    if last is None:
        raise WireError("truncated")
    body = final(next(payloads([events[last]])), payloads(_finished(events, told)))
    _compare(told, body)
    return body


def kind(each: Payload) -> str:
    """Return the type of an event or item; nothing where it is no text."""
    found = each.get("type")
    return found if isinstance(found, str) else ""


def final(last: Payload, told: Iterable[Payload]) -> dict[str, Any]:
    """Return the response of the event *last*; without output of its own, with the items that *told* finished.

    Raises `WireError` (`bad-event`) when it carries none.
    """
    body = last.get("response")
    if not isinstance(body, dict):
        raise WireError("bad-event")
    if body.get("output"):
        return body
    items = {_number(each, "output_index"): each.get("item") for each in told if _is_item(each)}
    return {**body, "output": [items[at] for at in sorted(items)]} if items else body


def _finished(events: list[Frame], told: list[Payload]) -> list[Frame]:
    return [event for event, each in zip(events, told, strict=True) if _is_item(each)]


def _is_item(each: Payload) -> bool:
    return each.get("type") == "response.output_item.done"


def _compare(told: Iterable[Payload], body: dict[str, Any]) -> None:
    """Raise `Lossy` when a text that came in deltas is not the text of the response."""
    spelled: dict[str, dict[tuple[int, int], list[str]]] = {}
    for each in told:
        if (event := kind(each)) in TEXTS and isinstance(delta := each.get("delta"), str):
            place = _number(each, "output_index"), _number(each, "content_index")
            spelled.setdefault(event, {}).setdefault(place, []).append(delta)
    for event, places in spelled.items():
        name, field = TEXTS[event]
        if "".join("".join(places[place]) for place in sorted(places)) != _said(body, name, field):
            raise Lossy(name)


def _said(body: dict[str, Any], of: str, field: str) -> str:
    """Return all that the parts or items of one type say, in their order."""
    found = []
    for item in _dicts(body.get("output")):
        found += [each for each in (item, *_dicts(item.get("content"))) if each.get("type") == of]
    return "".join(text for each in found if isinstance(text := each.get(field), str))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _number(each: Payload, name: str) -> int:
    value = each.get(name)
    return value if isinstance(value, int) else 0
