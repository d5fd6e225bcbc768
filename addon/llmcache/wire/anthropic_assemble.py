"""The events of an Anthropic Messages stream -> the one JSON body that the same answer would have been.

It works on (event name, payload) pairs, so Bedrock's binary frames and server-sent events use it alike.
It does not know framing, and does not decide whether the answer is good. Entry point: `assemble`.
Source: Anthropic, "Streaming Messages"; the event types of its Python SDK (`types/beta/beta_raw_*`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same

Body = dict[str, Any]
Payload = tuple[str, Body]
"""The name of an event (empty where the framing has none) and its JSON object."""

KNOWN = {
    "message_start": frozenset({"type", "message"}),
    "content_block_start": frozenset({"type", "index", "content_block"}),
    "content_block_delta": frozenset({"type", "index", "delta"}),
    "content_block_stop": frozenset({"type", "index"}),
    # Bedrock's invoke adds its metrics to the stream; a JSON answer has them in headers.
    "message_stop": frozenset({"type", "amazon-bedrock-invocationMetrics"}),
}
"""The members of each event that are read or mean nothing; any other is something that a body has no place for."""


FRAGMENTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""What brings a fragment of a text -> the member that holds it."""

HINTS = frozenset({"estimated_tokens"})
"""Members of a delta for a progress display; Anthropic calls them lossy, and no JSON answer has them."""


class _Block:
    """A content block that is still coming; texts are kept in pieces and joined once, so that they cost O(n)."""

    __slots__ = ("open", "pieces", "value")

    def __init__(self, value: Body) -> None:
        self.value = dict(value)
        self.pieces: dict[str, list[str]] = {}
        self.open = True

    def settled(self) -> Body:
        """Return the block with its pieces joined. Raises `WireError` (`tool-arguments`)."""
        arguments = "".join(self.pieces.pop("partial_json", ()))
        if arguments.strip():
            self.value["input"] = _arguments(arguments)
        for name, pieces in self.pieces.items():
            start = self.value.get(name)
            self.value[name] = (start if isinstance(start, str) else "") + "".join(pieces)
        return self.value


def assemble(events: Iterable[Payload], *, strict: bool = True) -> Body:
    """Return the message that *events* add up to; they are left as they are.

    Usage of `message_start` and of each `message_delta` is merged, the later counting (Anthropic: "cumulative").
    Raises `Lossy` (the event, delta or member) for what a body has no place for, unless *strict* is off.
    Raises `WireError`: `bad-event` for events out of order, `truncated` for a block that does not end,
    `tool-arguments` for a tool's input that is no JSON.
    """
    body: Body = {}
    blocks: dict[int, _Block] = {}
    for name, payload in events:
        kind = kind_of(name, payload)
        if strict:
            _check(kind, payload)
        match kind:
            case "content_block_delta" if body:  # nearly all events are this one
                _delta(_open(blocks, payload), payload.get("delta"), strict)
            case "content_block_start" if body:
                _opened(blocks, payload)
            case "content_block_stop" if body:
                _open(blocks, payload).open = False
            case "message_start":
                body = _started(body, payload)
            case "message_delta" if body:
                _ended(body, payload)
            case "message_delta" | "content_block_start" | "content_block_delta" | "content_block_stop":
                raise WireError("bad-event")
    if any(block.open for block in blocks.values()):
        raise WireError("truncated")
    content = _content(body, blocks, strict)
    return {**body, **_answered_by(content), "content": content}


def kind_of(name: str, payload: Body) -> str:
    """Return the type of an event: what its payload says, else its name."""
    kind = payload.get("type")
    return kind if isinstance(kind, str) and kind else name


def _check(kind: str, payload: Body) -> None:
    if kind in ("ping", "message_delta"):
        return
    if kind not in KNOWN:
        raise Lossy(kind or "event")
    if not payload.keys() <= KNOWN[kind]:
        raise Lossy(f"{kind}.{min(payload.keys() - KNOWN[kind])}")


def _started(body: Body, payload: Body) -> Body:
    message = payload.get("message")
    if body or not isinstance(message, dict) or not message:
        raise WireError("bad-event")
    return dict(message)


def _ended(body: Body, payload: Body) -> None:
    """Merge a `message_delta`: its delta and its other members into the message, its usage into the usage."""
    for key, value in payload.items():
        match key, value:
            case "type", _:
                continue
            case "delta", dict():
                _update(body, value)
            case "usage", dict():
                usage = body.get("usage")
                body["usage"] = dict(usage) if isinstance(usage, dict) else {}
                _update(body["usage"], value)
            case _:
                _update(body, {key: value})


def _update(into: Body, new: Body) -> None:
    for key, value in new.items():
        if value is not None or into.get(key) is None:
            into[key] = value


def _opened(blocks: dict[int, _Block], payload: Body) -> None:
    index, value = payload.get("index"), payload.get("content_block")
    if not isinstance(index, int) or index in blocks or not isinstance(value, dict):
        raise WireError("bad-event")
    blocks[index] = _Block(value)


def _open(blocks: dict[int, _Block], payload: Body) -> _Block:
    """Return the open block that an event belongs to. Raises `WireError` (`bad-event`) when there is none."""
    index = payload.get("index")
    block = blocks.get(index) if isinstance(index, int) else None
    if block is None or not block.open:
        raise WireError("bad-event")
    return block


def _delta(block: _Block, delta: Any, strict: bool) -> None:
    if not isinstance(delta, dict):
        raise WireError("bad-event")
    match delta.get("type"):
        case str(kind) if kind in FRAGMENTS:
            member = FRAGMENTS[kind]
            if member not in block.pieces:
                block.pieces[member] = []
            block.pieces[member].append(_fragment(delta.get(member)))
        case "citations_delta" if "citation" in delta:
            member = "citation"
            block.value["citations"] = [*(block.value.get("citations") or ()), delta.get(member)]
        case "signature_delta" | "compaction_delta":
            _fill(block.value, {key: value for key, value in delta.items() if key != "type"}, strict)
            return
        case kind:
            _unless(strict, str(kind))
            return
    if strict and len(delta) > 2:  # noqa: PLR2004 - its type and its member
        for key in delta.keys() - {"type", member} - HINTS:
            _unless(strict, key)


def _fragment(text: Any) -> str:
    if not isinstance(text, str):
        raise WireError("bad-event")
    return text


def _unless(strict: bool, member: str) -> None:
    if strict:
        raise Lossy(f"delta.{member}")


def _fill(block: Body, members: Body, strict: bool) -> None:
    """Set members that come in one piece; a second piece that differs would contradict the first."""
    for key, value in members.items():
        if strict and block.get(key) not in (None, "") and not same(block[key], value):
            raise Lossy(f"delta.{key}")
        _update(block, {key: value})


def _arguments(text: str) -> Any:
    try:
        return jsontext.read(text)
    except WireError:
        raise WireError("tool-arguments") from None


def _content(body: Body, blocks: dict[int, _Block], strict: bool) -> list[Any]:
    if strict and sorted(blocks) != list(range(len(blocks))):
        raise Lossy("content")
    started = body.get("content")
    first = started if isinstance(started, list) else []
    return [*first, *(blocks[index].settled() for index in sorted(blocks))]


def _answered_by(content: Sequence[Any]) -> Body:
    """Return the model that answered: the last `fallback` block says when it is another than the stream began with."""
    models: list[Body] = [{}]
    for block in content:
        match block:
            case {"type": "fallback", "to": {"model": str(model)}}:
                models.append({"model": model})
    return models[-1]
