"""An interaction of Google's as server-sent events <-> the one JSON body that the same answer would have been.

The last event has all but the steps, which are opened, filled by deltas and closed. A thought, a text and a function's
call are known in both forms; of other steps each form says what the other leaves out, so they are `Lossy`.
It does not decide whether the answer is good. Entry points: `events`, `assemble`, `explode`.
Source: Google, "Streaming interactions" (ai.google.dev), the types of its Python SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import framing, jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same
from .chat_explode import pieces
from .frames import DONE, ReadAll, check_text, payloads, sent

Body = dict[str, Any]

END = "interaction.completed"


def events(stream: bytes, read: ReadAll = jsontext.read_all) -> Iterator[Body]:
    """Yield the JSON objects of a stream. Raises `WireError`: `truncated`, `error-event`, `bad-event`."""
    check_text(stream)
    for each in payloads(sent(stream), read):
        if each.get("event_type") == "error" or each.get("error"):
            raise WireError("error-event")
        yield each


def assemble(told: Iterable[Body], *, strict: bool = True) -> Body:
    """Return the interaction that the events *told* add up to.

    Raises `Lossy` (the type of a step or delta) for what a body says otherwise, unless *strict* is off.
    Raises `WireError`: `bad-event` for events out of order, `tool-arguments` for arguments that are no JSON.
    """
    body: Body = {}
    steps: dict[int, tuple[Body, list[Body]]] = {}
    for each in told:
        at = each.get("index")
        match each.get("event_type"):
            case "step.delta" if isinstance(at, int) and at in steps and isinstance(each.get("delta"), dict):
                steps[at][1].append(each["delta"])
            case "step.start" if isinstance(at, int) and at not in steps and isinstance(each.get("step"), dict):
                steps[at] = (each["step"], [])
            case "interaction.completed" if isinstance(each.get("interaction"), dict):
                body = each["interaction"]
            case "step.start" | "step.delta" | "interaction.completed":
                raise WireError("bad-event")
    if body.get("steps"):
        return body
    return {**body, "steps": [_step(*steps[at], strict) for at in sorted(steps)]}


def explode(body: Any) -> list[bytes]:
    """Return *body* as the events of a stream. Raises `Lossy` with what no stream carries as it is."""
    try:
        told = list(_events(body))
        again = assemble(told)
    except (KeyError, TypeError, ValueError, AttributeError):  # what came is no interaction, or Lossy
        raise Lossy("steps") from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    written = [(each["event_type"], jsontext.dumps(each)) for each in told]
    return [framing.sse(framing.Event(data.decode(), name)) for name, data in [*written, ("done", DONE)]]


def _step(step: Body, deltas: list[Body], strict: bool) -> Body:
    """Return a step with what its deltas brought."""
    if strict and str(step.get("type")) not in FILLED:
        raise Lossy(str(step.get("type")))
    filled = {name: value for name, value in step.items() if (name, value) != ("signature", "")}
    texts: list[str] = []
    arguments: list[str] = []
    parts: list[Any] = []
    notes: list[Any] = []
    for delta in deltas:
        kind = str(delta.get("type"))
        alone = len(delta) == 2  # noqa: PLR2004 - its type and its member
        match kind, delta.get(BROUGHT.get(kind, "")) if alone else None:
            case "text", str(text):
                texts.append(text)
            case "text_annotation_delta", list(added):
                notes += added
            case "thought_signature", str(signature):
                filled["signature"] = signature
            case "thought_summary", dict(part) if not (strict and parts):
                parts.append(part)
            case "arguments_delta", str(piece):
                arguments.append(piece)
            case _ if strict:
                raise Lossy(kind)
            case _:
                parts.append(delta)
    return (
        filled
        | _said(texts, notes, parts, "summary" if filled.get("type") == "thought" else "content")
        | _asked(arguments)
    )


def _said(texts: list[str], notes: list[Any], parts: list[Any], name: str) -> Body:
    """Return the texts as the one part that a body has, with its annotations; other parts as they are."""
    joined: list[Body] = [{"text": "".join(texts), "type": "text"}] if texts else []
    if notes and joined:
        joined[0]["annotations"] = notes
    return {name: [*joined, *parts]} if joined or parts else {}


def _asked(arguments: list[str]) -> Body:
    try:
        return {"arguments": jsontext.read("".join(arguments))} if arguments else {}
    except WireError:
        raise WireError("tool-arguments") from None


def _events(body: Body) -> Iterator[Body]:
    known = {name: body[name] for name in ("id", "object", "model") if name in body}
    yield {"interaction": {**known, "status": "in_progress"}, "event_type": "interaction.created"}
    begun = {"interaction_id": body["id"]} if "id" in body else {}
    yield {**begun, "status": "in_progress", "event_type": "interaction.status_update"}
    for at, step in enumerate(body["steps"]):
        kept, deltas = FILLED[step["type"]](step)
        yield {"index": at, "step": kept, "event_type": "step.start"}
        yield from ({"index": at, "delta": delta, "event_type": "step.delta"} for delta in deltas)
        yield {"index": at, "event_type": "step.stop"}
    yield {"interaction": {name: value for name, value in body.items() if name != "steps"}, "event_type": END}


def _thought(step: Body) -> tuple[Body, list[Body]]:
    summary = [{"content": part, "type": "thought_summary"} for part in step.get("summary", ())]
    signed = [{"signature": step["signature"], "type": "thought_signature"}] if "signature" in step else []
    return {name: value for name, value in step.items() if name not in ("summary", "signature")}, [*summary, *signed]


def _output(step: Body) -> tuple[Body, list[Body]]:
    (part,) = step["content"] or ({"text": ""},)
    texts = [{"text": piece, "type": "text"} for piece in pieces(part["text"])]
    notes = [{"annotations": part["annotations"], "type": "text_annotation_delta"}] if "annotations" in part else []
    return {name: value for name, value in step.items() if name != "content"}, [*texts, *notes]


def _function(step: Body) -> tuple[Body, list[Body]]:
    arguments = jsontext.dumps(step["arguments"]).decode()
    return {"signature": "", **step, "arguments": {}}, [{"arguments": arguments, "type": "arguments_delta"}]


BROUGHT = {
    "text": "text",
    "text_annotation_delta": "annotations",
    "thought_signature": "signature",
    "thought_summary": "content",
    "arguments_delta": "arguments",
}
"""The type of a delta -> its one other member, which is what it brings."""

FILLED: dict[str, Callable[[Body], tuple[Body, list[Body]]]] = {
    "thought": _thought,
    "model_output": _output,
    "function_call": _function,
}
"""The type of a step that both forms say alike -> what of it opens it, and its deltas."""
