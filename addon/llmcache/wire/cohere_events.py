"""The events of a Cohere chat stream (v2) <-> the one JSON body that the same answer would have been.

Texts, tool calls and citations are gathered by their index. What a body has no place for is `Lossy`.
It does not decide whether the answer is good. Entry points: `events`, `assemble`, `explode`.
Source: Cohere, "A Guide to Streaming Responses", "Streaming for tool use", and the types of its Python SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same
from .chat_explode import pieces
from .frames import ReadAll, check_text, payloads, sent

Body = dict[str, Any]

TEXTS = ("text", "thinking")
"""Members of a content block that come in fragments."""

END = "message-end"


@dataclass(slots=True)
class _Open:
    """An answer that is still coming; what comes in fragments is kept in pieces and joined once."""

    body: Body = field(default_factory=dict)
    message: Body = field(default_factory=dict)
    content: dict[int, tuple[Body, list[Body]]] = field(default_factory=dict)
    calls: dict[int, tuple[Body, list[str]]] = field(default_factory=dict)
    citations: list[Body] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)


def events(stream: bytes, read: ReadAll = jsontext.read_all) -> Iterator[Body]:
    """Yield the JSON objects of a stream. Raises `WireError` with `truncated`, `error-event` or `bad-event`."""
    check_text(stream)
    told = sent(stream)
    if any(name == b"error" for name, _, _ in told):
        raise WireError("error-event")
    return payloads(told, read)


def assemble(events: Iterable[Body], *, strict: bool = True) -> Body:
    """Return the chat body that *events* add up to.

    Raises `Lossy` (the event or member) for what a body has no place for, unless *strict* is off.
    Raises `WireError` (`bad-event`) for a misshapen event.
    """
    answer = _Open()
    for event in events:
        kind = str(event.get("type"))
        if kind in ENDINGS:
            continue
        gather = GATHER.get(kind)
        if gather is None and strict:
            raise Lossy(kind)
        try:
            if gather:
                gather(answer, event)
        except Lossy:
            if strict:
                raise
        except (KeyError, TypeError, ValueError, AttributeError):
            raise WireError("bad-event") from None
    return _settled(answer)


def explode(body: Body) -> list[Body]:
    """Return *body* as the events of a stream. Raises `Lossy` with the member that no stream can carry."""
    try:
        found = list(_events(body))
        again = assemble(found)
    except (WireError, KeyError, TypeError, AttributeError):
        raise Lossy("message") from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return found


def _started(answer: _Open, event: Body) -> None:
    message = event["delta"]["message"]
    answer.body["id"] = event["id"]
    answer.message["role"] = message["role"]
    full = next((key for key, value in message.items() if key != "role" and value), "")
    if full:
        raise Lossy(full)


def _content_start(answer: _Open, event: Body) -> None:
    block = event["delta"]["message"]["content"]
    texts = {key: value for key, value in block.items() if key in TEXTS}
    rest = {key: value for key, value in block.items() if key not in TEXTS}
    answer.content[event["index"]] = (rest, [texts])


def _content_delta(answer: _Open, event: Body) -> None:
    delta = event["delta"]["message"]["content"]
    if more := delta.keys() - TEXTS:
        raise Lossy(min(more))
    answer.content[event["index"]][1].append(delta)
    if "logprobs" in event:
        answer.logprobs.append(event["logprobs"])


def _plan(answer: _Open, event: Body) -> None:
    answer.plan.append(event["delta"]["message"]["tool_plan"])


def _call_start(answer: _Open, event: Body) -> None:
    call = event["delta"]["message"]["tool_calls"]
    answer.calls[event["index"]] = (call, [call["function"].get("arguments", "")])


def _call_delta(answer: _Open, event: Body) -> None:
    call = event["delta"]["message"]["tool_calls"]
    if call.keys() != {"function"} or call["function"].keys() != {"arguments"}:
        raise Lossy("tool_calls")
    answer.calls[event["index"]][1].append(call["function"]["arguments"])


def _citation(answer: _Open, event: Body) -> None:
    answer.citations.append(event["delta"]["message"]["citations"])


def _ended(answer: _Open, event: Body) -> None:
    delta = event["delta"]
    if twice := delta.keys() & {"message", *answer.body}:
        raise Lossy(min(twice))
    answer.body |= delta


def _settled(answer: _Open) -> Body:
    message = answer.message
    try:
        if answer.plan:
            message["tool_plan"] = "".join(answer.plan)
        if answer.calls:
            message["tool_calls"] = [_call(*answer.calls[index]) for index in sorted(answer.calls)]
        if answer.content:
            message["content"] = [_block(*answer.content[index]) for index in sorted(answer.content)]
    except TypeError:
        raise WireError("bad-event") from None
    if answer.citations:
        message["citations"] = answer.citations
    if answer.logprobs:
        answer.body["logprobs"] = answer.logprobs
    return {**answer.body, "message": message}


def _block(rest: Body, fragments: list[Body]) -> Body:
    """Return a content block: of each text that it has, all fragments joined."""
    names = [name for name in TEXTS if any(name in each for each in fragments)]
    return {**rest, **{name: "".join(each.get(name, "") for each in fragments) for name in names}}


def _call(call: Body, arguments: list[str]) -> Body:
    return {**call, "function": {**call["function"], "arguments": "".join(arguments)}}


def _events(body: Body) -> Iterator[Body]:
    message = body["message"]
    empty: Body = {"content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    start = {"role": message["role"], **empty}
    yield {"id": body["id"], "type": "message-start", "delta": {"message": start}}
    if "tool_plan" in message:
        for piece in pieces(message["tool_plan"]) or [""]:
            yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield from _call_events(index, call)
    for index, block in enumerate(message.get("content", ())):
        yield from _block_events(index, block, body.get("logprobs", ()))
    for index, citation in enumerate(message.get("citations", ())):
        yield {"type": "citation-start", "index": index, "delta": {"message": {"citations": citation}}}
        yield {"type": "citation-end", "index": index}
    rest = {key: value for key, value in body.items() if key not in ("id", "message", "logprobs")}
    yield {"type": END, "id": body["id"], "delta": rest}


def _call_events(index: int, call: Body) -> Iterator[Body]:
    function = call["function"]
    start = {**call, "function": {**function, "arguments": ""}}
    yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": start}}}
    for piece in pieces(function["arguments"]):
        part = {"function": {"arguments": piece}}
        yield {"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": part}}}
    yield {"type": "tool-call-end", "index": index}


def _block_events(index: int, block: Body, logprobs: Iterable[Any]) -> Iterator[Body]:
    """Yield a content block; a text is cut where its log probabilities are, and elsewhere at words."""
    name = next((name for name in TEXTS if name in block), "text")
    spelled = [{"logprobs": each} for each in logprobs] if name == "text" else []
    texts = [each["logprobs"]["text"] for each in spelled]
    cut = texts if "".join(texts) == block[name] else pieces(block[name])
    yield {"type": "content-start", "index": index, "delta": {"message": {"content": {**block, name: ""}}}}
    for at, piece in enumerate(cut):
        tail = spelled[at] if cut is texts else {}
        yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {name: piece}}}, **tail}
    yield {"type": "content-end", "index": index}


GATHER: dict[str, Callable[[_Open, Body], None]] = {
    "message-start": _started,
    "content-start": _content_start,
    "content-delta": _content_delta,
    "tool-plan-delta": _plan,
    "tool-call-start": _call_start,
    "tool-call-delta": _call_delta,
    "citation-start": _citation,
    END: _ended,
}
"""The type of an event -> what it adds to the answer."""

ENDINGS = frozenset({"content-end", "tool-call-end", "citation-end", "debug"})
"""Events that add nothing."""
