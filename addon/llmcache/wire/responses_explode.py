"""One response object -> the stream that the same answer would have been.

The response begins empty, each output item is opened, filled piece by piece and closed, and the last event carries the
whole object, so nothing is lost by construction; the stream is assembled again and compared all the same.
Item types that we do not know are opened and closed in one piece, as OpenAI does with those that have no deltas.
Entry point: `explode`. Source: OpenAI, "Streaming events" of the Responses API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same
from .chat_explode import pieces
from .responses_assemble import Payload, assemble

Item = dict[str, Any]

LAST = {"completed": "response.completed", "incomplete": "response.incomplete"}
"""How a response ended -> what its last event is called."""

UNKNOWN_YET = ("usage", "completed_at", "incomplete_details")
"""Members of the response that are null while it is in progress."""

EMPTY: dict[str, dict[str, Any]] = {
    "message": {"content": []},
    "reasoning": {"summary": [], "content": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "mcp_call": {"arguments": "", "output": None},
    "mcp_list_tools": {"tools": []},
    "code_interpreter_call": {"code": "", "outputs": None},
    "file_search_call": {"results": None},
    "image_generation_call": {"result": None},
}
"""What an item of a type has in its members before they are filled."""

PARTS = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
}
"""Content part -> the member that comes in pieces, and what its events are called."""

FILLED = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
}
"""Item -> the member that comes in pieces, and what its events are called."""

STEPS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "web_search_call": (("in_progress", "searching"), ("completed",)),
    "file_search_call": (("in_progress", "searching"), ("completed",)),
    "image_generation_call": (("in_progress", "generating"), ("completed",)),
    "code_interpreter_call": (("in_progress",), ("interpreting", "completed")),
    "mcp_call": (("in_progress",), ("completed",)),
    "mcp_list_tools": (("in_progress",), ("completed",)),
}
"""Item -> the steps that are announced before and after its pieces; the last one says that it went well."""


def explode(body: dict[str, Any]) -> list[bytes]:
    """Return *body* as the events of a stream, one item an event. Raises `Lossy` with what no stream can carry."""
    events = [_event(number, each) for number, each in enumerate(_payloads(body))]
    try:
        again = assemble(b"".join(events))
    except WireError as error:
        raise Lossy(str(error)) from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return events


def _event(number: int, each: Payload) -> bytes:
    numbered = {"type": each["type"], "sequence_number": number, **each}
    return f"event: {each['type']}\ndata: ".encode() + jsontext.dumps(numbered) + b"\n\n"


def _payloads(body: dict[str, Any]) -> Iterator[Payload]:
    status, output = body.get("status"), body.get("output")
    if not isinstance(status, str) or status not in LAST:
        raise Lossy("status")
    if not isinstance(output, list):
        raise Lossy("output")
    begun = {**body, "status": "in_progress", "output": []} | {name: None for name in UNKNOWN_YET if name in body}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for at, item in enumerate(output):
        if not isinstance(item, dict):
            raise Lossy("output")
        yield {"type": "response.output_item.added", "output_index": at, "item": _opened(item)}
        yield from _filling(item, {"item_id": _text(item.get("id")), "output_index": at})
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    yield {"type": LAST[status], "response": body}


def _opened(item: Item) -> Item:
    empty = EMPTY.get(_text(item.get("type")), {})
    begun = {"status": "in_progress"} if "status" in item else {}
    return {**item, **begun, **{name: value for name, value in empty.items() if name in item}}


def _filling(item: Item, place: Payload) -> Iterator[Payload]:
    """Yield the events between the opening of an item and its end; *place* says in each which item it is."""
    kind = _text(item.get("type"))
    before, after = STEPS.get(kind, ((), ()))
    yield from ({"type": f"response.{kind}.{step}", **place} for step in before)
    if kind in FILLED:
        field, name = FILLED[kind]
        yield from _spelled(name, field, item.get(field), place)
    if kind == "reasoning":
        yield from _summary(item.get("summary"), place)
    if kind in ("message", "reasoning"):
        yield from _content(item.get("content"), place)
    if item.get("error") is None and item.get("status", "completed") == "completed":
        yield from ({"type": f"response.{kind}.{step}", **place} for step in after)
    elif kind.startswith("mcp_"):
        yield {"type": f"response.{kind}.failed", **place}


def _spelled(name: str, field: str, text: Any, place: Payload) -> Iterator[Payload]:
    """Yield a text in pieces and whole; nothing for a member that is null or missing."""
    if isinstance(text, str):
        yield from ({"type": f"{name}.delta", **place, "delta": piece} for piece in pieces(text))
        yield {"type": f"{name}.done", **place, field: text}


def _summary(summary: Any, place: Payload) -> Iterator[Payload]:
    for at, part in enumerate(_dicts(summary, "summary")):
        here = {**place, "summary_index": at}
        empty = {**part, "text": ""} if "text" in part else part
        yield {"type": "response.reasoning_summary_part.added", **here, "part": empty}
        yield from _spelled("response.reasoning_summary_text", "text", part.get("text"), here)
        yield {"type": "response.reasoning_summary_part.done", **here, "part": part}


def _content(content: Any, place: Payload) -> Iterator[Payload]:
    for at, part in enumerate(_dicts(content, "content")):
        here = {**place, "content_index": at}
        field, name = PARTS.get(_text(part.get("type")), ("", ""))
        if not isinstance(part.get(field), str):
            yield {"type": "response.content_part.added", **here, "part": part}
        else:
            empty: Item = {member: [] for member in ("annotations", "logprobs") if isinstance(part.get(member), list)}
            yield {"type": "response.content_part.added", **here, "part": {**part, field: "", **empty}}
            yield from (
                _answer(part, here) if name == "response.output_text" else _spelled(name, field, part[field], here)
            )
        yield {"type": "response.content_part.done", **here, "part": part}


def _answer(part: Item, place: Payload) -> Iterator[Payload]:
    """Yield the text of a part with its log probabilities, then its annotations, then the text as a whole."""
    logprobs = part.get("logprobs")
    for piece, tokens in _cut(part["text"], logprobs if isinstance(logprobs, list) else []):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": tokens}
    notes = part.get("annotations")
    for at, annotation in enumerate(notes if isinstance(notes, list) else ()):
        named = {"annotation_index": at, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **place, **named}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": logprobs or []}


def _cut(text: str, tokens: list[Any]) -> list[tuple[str, list[Any]]]:
    """Return *text* in pieces with the log probabilities of each; in one piece where they spell something else."""
    if not tokens:
        return [(piece, []) for piece in pieces(text)]
    words = [_text(token.get("token")) for token in tokens if isinstance(token, dict)]
    if "".join(words) != text or len(words) != len(tokens):
        return [(text, tokens)]
    return [(word, [token]) for word, token in zip(words, tokens, strict=True)]


def _dicts(value: Any, name: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Lossy(name)
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
