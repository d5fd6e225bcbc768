"""What of a reply is structure and not wording: who answered, why it ended, which tools, the shape of a JSON answer.

It reads any dialect's reply and judges nothing. Entry points: `outline`, `changes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmcache import wire
from llmcache.chat import Form, Lossy, Reply, WireError
from llmcache.wire.said import text


@dataclass(frozen=True, slots=True)
class Outline:
    """The structure of one reply."""

    models: frozenset[str] = frozenset()
    finish: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    """The names of the tools that it calls, sorted; of parallel calls each."""
    shape: frozenset[str] | None = None
    """The paths of a JSON answer with their types, such as `items[].price: number`; None for text."""


def outline(dialect: wire.Dialect | None, reply: Reply, form: Form) -> Outline:
    """Return the structure of *reply*, which has *form*; an empty one for what no dialect can read."""
    if dialect is None or form.kind == "raw":
        return Outline()
    try:
        whole = reply if form.kind == "json" else dialect.convert(reply, form, Form("json"))
        return _of([json.loads(whole.body)])
    except (Lossy, WireError, ValueError):
        return _of(list(_events(reply.body)))  # a stream that is no JSON reply without loss still has its events


def _events(body: bytes) -> Iterator[Any]:
    """Yield the JSON values of a stream that is lines of text."""
    for line in body.decode(errors="replace").splitlines():
        try:
            yield json.loads(line.removeprefix("data:"))
        except ValueError:
            continue


def _of(values: list[Any]) -> Outline:
    found: dict[str, list[str]] = {"model": [], "finish": [], "tool": []}
    for value in values:
        for kind, word in _words(value):
            found[kind].append(word)
    said = text(values[0]) if len(values) == 1 else "".join(_deltas(values))
    tools = tuple(sorted(found["tool"]))
    return Outline(frozenset(found["model"]), frozenset(found["finish"]), tools, shape(said or ""))


def _words(value: Any) -> Iterator[tuple[str, str]]:
    """Yield what *value* says of itself, as (`model`, `finish` or `tool`, word); arguments of tools are skipped."""
    if isinstance(value, list):
        for each in value:
            yield from _words(each)
    if not isinstance(value, dict):
        return
    if tool := _tool(value):
        yield "tool", tool
    for name, member in value.items():
        if isinstance(member, str) and member and name in KINDS:
            yield KINDS[name], member
        elif name not in ARGUMENTS:
            yield from _words(member)


def _tool(value: dict[str, Any]) -> str:
    """Return the name of the tool that *value* is a call of, or nothing."""
    holder = next((value[name] for name in CALLS if isinstance(value.get(name), dict)), None)
    if holder is None and value.get("type") in CALL_TYPES:
        holder = value
    name = holder.get("name") if holder else None
    return name if isinstance(name, str) else ""


def _deltas(values: list[Any]) -> Iterator[str]:
    """Yield the text of the events of a chat stream, as far as it lies where most dialects have it."""
    for value in values:
        choices = value.get("choices") if isinstance(value, dict) else None
        holder = choices[0] if isinstance(choices, list) and choices else value
        delta = holder.get("delta") if isinstance(holder, dict) else None
        said = (delta.get("content") or delta.get("text")) if isinstance(delta, dict) else delta
        if isinstance(said, str):
            yield said


def shape(said: str) -> frozenset[str] | None:
    """Return the paths and types of the JSON object or array that *said* is; None for any other text."""
    if said.strip()[:1] not in ("{", "["):
        return None
    try:
        return frozenset(_paths(json.loads(said), ""))
    except ValueError:
        return None


def _paths(value: Any, at: str) -> Iterator[str]:
    match value:
        case dict():
            yield f"{at or 'answer'}: object"
            for name, member in value.items():
                yield from _paths(member, f"{at}.{name}" if at else name)
        case list():
            yield f"{at or 'answer'}: array"
            for member in value:
                yield from _paths(member, f"{at}[]")
        case _:
            yield f"{at}: {TYPES.get(type(value), 'null')}"


def changes(old: Outline, new: Outline) -> list[str]:
    """Return what differs, a line each, as `what: recorded → now`; what one side does not tell is no difference."""
    found = [
        f"{name}: {', '.join(sorted(before))} → {', '.join(sorted(after))}"
        for name, before, after in (("model", old.models, new.models), ("finish reason", old.finish, new.finish))
        if before and after and before != after
    ]
    if old.tools != new.tools:
        found.append(f"tools: {', '.join(old.tools) or 'none'} → {', '.join(new.tools) or 'none'}")
    if (old.shape is None) != (new.shape is None):
        kinds = {True: "text", False: "JSON"}
        found.append(f"answer: {kinds[old.shape is None]} → {kinds[new.shape is None]}")
    elif old.shape is not None and new.shape is not None:
        before, after = old.shape, new.shape
        gone, come = before - after, after - before
        found += [f"answer: without {path}" for path in sorted(gone)]
        found += [f"answer: with {path}" for path in sorted(come)]
    return found


KINDS = {
    "model": "model",
    "modelVersion": "model",
    "finish_reason": "finish",
    "stop_reason": "finish",
    "finishReason": "finish",
    "stopReason": "finish",
    "done_reason": "finish",
}
ARGUMENTS = frozenset({"arguments", "args", "input", "parameters", "tools", "tool_choice", "text", "metadata"})
CALLS = ("function", "functionCall", "toolUse")
CALL_TYPES = ("function_call", "tool_use", "custom_tool_call")
TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "number", float: "number"}
