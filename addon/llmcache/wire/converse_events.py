"""The events of a Bedrock ConverseStream <-> the one JSON body of a Converse that the same answer would have been.

A block is gathered by its index: what its start says, then its deltas by their kind. What a body cannot say is `Lossy`.
It does not decide whether the answer is good, and knows nothing of frames. Entry points: `assemble`, `explode`.
Source: AWS, "ConverseStreamOutput", "ContentBlockDelta", "ContentBlock".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from .bedrock import Event
from .chat_assemble import same
from .chat_explode import pieces

Block = dict[str, Any]

GATHERED = frozenset({"contentBlockIndex", "start", "delta"})
"""The members of the events of a block."""

STOP = ("stopReason", "additionalModelResponseFields")
"""What `messageStop` says of a body; all that is left is said by `metadata`."""


@dataclass(slots=True)
class _Open:
    """A block that is still coming."""

    start: Block = field(default_factory=dict)
    deltas: list[Block] = field(default_factory=list)

    def values(self, kind: str) -> list[Any]:
        """Return what its deltas say of *kind*, in their order."""
        return [delta[kind] for delta in self.deltas if kind in delta]


def assemble(events: Iterable[Event], *, strict: bool = True) -> dict[str, Any]:
    """Return the Converse body that *events* add up to.

    Raises `Lossy` (the field) for what a body cannot say, unless *strict* is off: then it is left out or kept as it is.
    Raises `WireError` (`tool-arguments`) for a tool's input that is no JSON, and `bad-event` for a misshapen event.
    """
    message: Block = {}
    tail: Block = {}
    blocks: dict[int, _Open] = {}
    for name, payload in events:
        match name:
            case "messageStart":
                _once(message, payload, strict)
            case "contentBlockStart" | "contentBlockDelta" | "contentBlockStop":
                _gather(blocks, payload, strict)
            case "messageStop" | "metadata":
                _once(tail, payload, strict)
            case _ if strict:
                raise Lossy(name)
    message["content"] = [_block(blocks[index], strict) for index in sorted(blocks)]
    return {"output": {"message": message}, **tail}


def explode(body: dict[str, Any]) -> list[Event]:
    """Return *body* as the events of a stream. Raises `Lossy` with the field that no stream can carry."""
    try:
        found = list(_events(body))
        again = assemble(found)
    except (WireError, KeyError, TypeError, AttributeError):
        raise Lossy("output") from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return found


def _once(into: Block, payload: Block, strict: bool) -> None:
    """Add the members of *payload*, which only one event of a stream may name."""
    if strict and (twice := into.keys() & payload.keys()):
        raise Lossy(min(twice))
    into.update(payload)


def _gather(blocks: dict[int, _Open], payload: Block, strict: bool) -> None:
    index = payload.get("contentBlockIndex")
    if not isinstance(index, int):
        raise WireError("bad-event")
    if strict and not payload.keys() <= GATHERED:
        raise Lossy(min(payload.keys() - GATHERED))
    if index not in blocks:
        blocks[index] = _Open()
    block, start, delta = blocks[index], payload.get("start", {}), payload.get("delta", {})
    if not isinstance(start, dict) or not isinstance(delta, dict):
        raise WireError("bad-event")
    if start:
        block.start |= start
    if delta:
        block.deltas.append(delta)


def _block(block: _Open, strict: bool) -> Block:
    kinds = tuple(sorted({kind for each in (block.start, *block.deltas) for kind in each}))
    try:
        if build := BUILDERS.get(kinds):
            return build(block)
    except Lossy:
        if strict:
            raise
    except (TypeError, AttributeError):
        raise WireError("bad-event") from None
    if strict:
        raise Lossy("content")
    return {kind: block.values(kind) for kind in kinds}


def _text(block: _Open) -> Block:
    return {"text": "".join(block.values("text"))}


def _cited(block: _Open) -> Block:
    """Return a text with its citations: their place in a stream says no more than that they belong to this text."""
    texts = block.values("text")
    content = {"content": [{"text": "".join(texts)}]} if texts else {}
    return {"citationsContent": {**content, "citations": block.values("citation")}}


def _tool_use(block: _Open) -> Block:
    deltas = block.values("toolUse")
    if any(delta.keys() - {"input"} for delta in deltas):
        raise Lossy("toolUse")
    arguments = "".join(delta.get("input", "") for delta in deltas)
    try:
        value = jsontext.read(arguments) if arguments.strip() else {}  # a tool without parameters gets no delta
    except WireError:
        raise WireError("tool-arguments") from None
    return {"toolUse": {**block.start.get("toolUse", {}), "input": value}}


def _tool_result(block: _Open) -> Block:
    deltas = block.values("toolResult")
    parts = [part for delta in deltas for part in delta]
    if len(deltas) > 1 and any("text" in part for part in parts):
        raise Lossy("toolResult")  # nobody says whether two texts of two events are one
    return {"toolResult": {**block.start.get("toolResult", {}), "content": parts}}


def _reasoning(block: _Open) -> Block:
    deltas = block.values("reasoningContent")
    members = {member for delta in deltas for member in delta}
    if members == {"redactedContent"} and len(deltas) == 1:
        return {"reasoningContent": deltas[0]}
    if members - {"text", "signature"}:
        raise Lossy("reasoningContent")
    whole = {"text": "".join(delta.get("text", "") for delta in deltas)}
    if "signature" in members:
        whole["signature"] = "".join(delta.get("signature", "") for delta in deltas)
    return {"reasoningContent": {"reasoningText": whole}}


def _image(block: _Open) -> Block:
    deltas = block.values("image")
    if len(deltas) != 1:
        raise Lossy("image")  # nobody says how the pieces of a picture are put together
    return {"image": {**block.start.get("image", {}), **deltas[0]}}


def _events(body: dict[str, Any]) -> Iterator[Event]:
    message = body["output"]["message"]
    yield "messageStart", {key: value for key, value in message.items() if key != "content"}
    for index, block in enumerate(message["content"]):
        at = {"contentBlockIndex": index}
        for member, value in _parts(block):
            yield "contentBlockStart" if member == "start" else "contentBlockDelta", {**at, member: value}
        yield "contentBlockStop", at
    yield "messageStop", {key: body[key] for key in STOP if key in body}
    yield "metadata", {key: value for key, value in body.items() if key not in ("output", *STOP)}


def _parts(block: Block) -> Iterator[tuple[str, Block]]:
    """Yield the start and the deltas of one block; a text has no start, as Bedrock writes it."""
    match block:
        case {"text": str(text)}:
            yield from (("delta", {"text": piece}) for piece in pieces(text) or [""])
        case {"toolUse": {"input": value, **start}}:
            yield "start", {"toolUse": start}
            arguments = jsontext.dumps(value).decode()
            yield from (("delta", {"toolUse": {"input": piece}}) for piece in pieces(arguments))
        case {"toolResult": {"content": parts, **start}}:
            yield "start", {"toolResult": start}
            yield "delta", {"toolResult": parts}
        case {"reasoningContent": {"reasoningText": {"text": str(text), **signature}}}:
            yield from (("delta", {"reasoningContent": {"text": piece}}) for piece in pieces(text) or [""])
            yield from (("delta", {"reasoningContent": {key: value}}) for key, value in signature.items())
        case {"reasoningContent": reasoning}:
            yield "delta", {"reasoningContent": reasoning}
        case {"citationsContent": dict(cited)}:
            for part in cited.get("content", ()):
                yield from (("delta", {"text": piece}) for piece in pieces(part["text"]) or [""])
            yield from (("delta", {"citation": citation}) for citation in cited["citations"])
        case {"image": {"format": kind, **image}}:
            yield "start", {"image": {"format": kind}}
            yield "delta", {"image": image}
        case _:
            raise Lossy("content")


BUILDERS: dict[tuple[str, ...], Callable[[_Open], Block]] = {
    ("text",): _text,
    ("citation",): _cited,
    ("citation", "text"): _cited,
    ("toolUse",): _tool_use,
    ("toolResult",): _tool_result,
    ("reasoningContent",): _reasoning,
    ("image",): _image,
}
"""What the start and the deltas of a block speak of -> how the block is built."""
