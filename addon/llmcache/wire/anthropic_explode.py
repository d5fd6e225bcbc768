"""One Anthropic message -> the events of the stream that the same answer would have been.

Each block becomes its start, its texts in pieces at word borders, and its stop; a tool's input comes as JSON fragments;
what Anthropic sends whole (results of server tools, redacted thinking, blocks of a type that we do not know) stands in
the start. Nothing is lost by construction: the events are assembled again and compared before they are returned.
It does not know framing. Entry point: `explode`.
Source: Anthropic, "Streaming Messages"; the event types of its Python SDK (`types/beta/beta_raw_*`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from .anthropic_assemble import Body, Payload, assemble
from .chat_assemble import same
from .chat_explode import pieces

LATE = ("stop_reason", "stop_sequence", "stop_details", "container")
"""Members of a message that a stream knows at its end only, in the `delta` of `message_delta`."""

LATE_BESIDE = ("context_management",)
"""The same, beside that `delta`."""

LATE_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
    "fallback_credit",
)
"""What `message_delta` says of the usage; `service_tier`, `cache_creation` and the rest stand in `message_start`."""


def explode(body: Body) -> list[Payload]:
    """Return *body* as the events of a stream, `message_stop` included: (event name, payload) each.

    Raises `Lossy` with the member that no stream can carry.
    """
    content, usage = body.get("content"), body.get("usage")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise Lossy("content")
    if not isinstance(usage, dict) or "output_tokens" not in usage:  # without it the SDKs read no stream
        raise Lossy("usage")
    payloads = [_start(body, usage)]
    for index, block in enumerate(content):
        payloads += _block(index, block)
    payloads += [_end(body, usage), {"type": "message_stop"}]
    events = [(payload["type"], payload) for payload in payloads]
    _verify(body, events)
    return events


def _verify(body: Body, events: list[Payload]) -> None:
    try:
        again = assemble(events)
    except WireError as error:
        raise Lossy(str(error)) from None
    if not same(body, again):
        fields = [key for key in (*body, *again) if key not in body or not same(body[key], again.get(key))]
        raise Lossy(fields[0] if fields else "body")


def _start(body: Body, usage: Body) -> Body:
    late = {key: None for key in (*LATE, *LATE_BESIDE) if key in body}
    tokens = usage["output_tokens"]
    begun = {**usage, "output_tokens": min(tokens, 1)} if isinstance(tokens, int) else usage
    return {"type": "message_start", "message": {**body, "content": [], **late, "usage": begun}}


def _end(body: Body, usage: Body) -> Body:
    delta = {key: body[key] for key in LATE if key in body}
    beside = {key: body[key] for key in LATE_BESIDE if key in body}
    counted = {key: usage[key] for key in LATE_USAGE if key in usage}
    return {"type": "message_delta", "delta": delta, **beside, "usage": counted}


def _block(index: int, block: Body) -> Iterator[Body]:
    first, deltas = _opened(block)
    yield {"type": "content_block_start", "index": index, "content_block": first}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _opened(block: Body) -> tuple[Body, list[Body]]:
    """Return how a block starts, and the deltas that complete it."""
    match block:
        case {"type": "text", "text": str(text)}:
            return _text(block, text)
        case {"type": "thinking", "thinking": str(text)}:
            return _thinking(block, text)
        case {"type": "compaction"}:
            return _compaction(block)
        case {"type": str(kind), "input": value} if kind.endswith("tool_use"):
            return {**block, "input": {}}, [_json_delta(piece) for piece in ("", *_fragments(value))]
    return block, []


def _text(block: Body, text: str) -> tuple[Body, list[Body]]:
    deltas: list[Body] = [{"type": "text_delta", "text": piece} for piece in pieces(text)]
    citations = block.get("citations")
    if not isinstance(citations, list) or not citations:
        return {**block, "text": ""}, deltas
    cited = [{"type": "citations_delta", "citation": citation} for citation in citations]
    return {**block, "text": "", "citations": []}, deltas + cited


def _thinking(block: Body, text: str) -> tuple[Body, list[Body]]:
    deltas: list[Body] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(text)]
    signature = block.get("signature")
    if not isinstance(signature, str) or not signature:
        return {**block, "thinking": ""}, deltas
    signed = {"type": "signature_delta", "signature": signature}
    return {**block, "thinking": "", "signature": ""}, [*deltas, signed]


def _compaction(block: Body) -> tuple[Body, list[Body]]:
    whole = {key: block[key] for key in ("content", "encrypted_content") if block.get(key) is not None}
    if not whole:
        return block, []
    return {**block, **dict.fromkeys(whole)}, [{"type": "compaction_delta", **whole}]


def _fragments(value: Any) -> list[str]:
    return [] if value == {} else pieces(jsontext.dumps(value).decode())


def _json_delta(piece: str) -> Body:
    return {"type": "input_json_delta", "partial_json": piece}
