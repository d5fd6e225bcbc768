"""What a reply says: its text, for those who compare two answers.

It reads any dialect's reply in its JSON form, and knows nothing of streams. Entry point: `said`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..chat import BARE, Entry, Form, Lossy, WireError
from ..jsontext import skim
from . import Dialect


def said(dialect: Dialect, entry: Entry) -> str | None:
    """Return the text of the answer in *entry*; None where it is no text alone, such as a call of a tool."""
    if entry.form == BARE:
        return entry.reply.body.decode("utf-8", "replace")
    try:
        reply = entry.reply if entry.form.kind == "json" else dialect.convert(entry.reply, entry.form, Form("json"))
        return text(skim(reply.body))
    except (Lossy, WireError, ValueError):
        return None


def text(body: Any) -> str | None:
    """Return the text of a reply's JSON value, or None where it is more or less than one text."""
    if not isinstance(body, dict) or any(name in _CALLS for name in _names(body)):
        return None
    found = next((list(_texts(body[name])) for name in _HOLDERS if body.get(name)), [])
    return "".join(found) if found and "".join(found).strip() else None


def _texts(value: Any) -> Iterator[str]:
    """Yield the strings that are the answer, in order; of several choices all."""
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict() if value.get("type") in _THOUGHTS or value.get("thought"):
            return
        case dict():
            yield from next((_texts(value[name]) for name in _STEPS if value.get(name)), iter(()))


def _names(value: Any) -> Iterator[str]:
    """Yield every name in *value* under which something stands."""
    if isinstance(value, dict):
        for name, each in value.items():
            if each:
                yield name
                yield from _names(each)
            if name == "type" and isinstance(each, str):
                yield each
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


_HOLDERS = ("choices", "candidates", "output", "steps", "content", "message", "response", "generations", "text")
"""Where the dialects keep the answer, and by which names the way to its text goes on."""
_STEPS = ("message", "content", "parts", "choices", "text")
_CALLS = frozenset({"tool_calls", "function_call", "functionCall", "toolUse", "tool_use", "refusal"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "thought"})
