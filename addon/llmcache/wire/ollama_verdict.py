"""Whether an answer of Ollama's is whole, natural and good enough to be stored: chats, texts, vectors.

A stream is whole when its last object says `done`, and it says so once.
Entry points: `judge`, `is_stream`. Source: Ollama, "API reference" and "Errors" (docs.ollama.com/api).
"""

from __future__ import annotations

import re
from typing import Any

from .. import jsontext
from ..chat import Call, Complete, Incomplete, Reply, Usage, Verdict, WireError
from .http import media_type
from .ollama_forms import objects

NATURAL = frozenset({"stop"})
"""Reasons after which nothing is missing; tool calls end with it too.

Not among them: `length`, `load` and `unload` (nothing was asked), and a missing one (servers before 0.1.38, which
stop at a length without saying so).
"""

STREAMS = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})

_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def is_stream(reply: Reply) -> bool:
    """Whether the body is one object a line: by its content type, else because an object follows another."""
    if media_type(reply.header("content-type")) in STREAMS:
        return True
    first, _, rest = reply.body.strip().partition(b"\n")
    return rest.lstrip().startswith(b"{") and first.rstrip().endswith(b"}")


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Return `Complete`, or `Incomplete` with the first thing that is wrong. Raises nothing."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    streamed = is_stream(reply)
    try:
        found = objects(reply.body, jsontext.skim_all) if streamed else [jsontext.skim(reply.body)]
    except WireError as error:
        return Incomplete(str(error) if streamed else "not-json")
    if not all(isinstance(each, dict) for each in found):
        return Incomplete("not-an-object")
    if any(each.get("error") for each in found):
        return Incomplete("error-event" if streamed else "error-body")
    reason = _vectors(call, found) if call.path.endswith(("/embed", "/embeddings")) else _answer(found, finish)
    if reason:
        return Incomplete(reason)
    last = found[-1]
    usage = Usage(_count(last.get("prompt_eval_count")), _count(last.get("eval_count")))
    return Complete(usage, last["model"] if isinstance(last.get("model"), str) else "")


def _answer(lines: list[dict[str, Any]], finish: frozenset[str]) -> str:
    if not lines or lines[-1].get("done") is not True:
        return "after-done" if any(line.get("done") is True for line in lines) else "truncated"
    if any(line.get("done") is True for line in lines[:-1]):
        return "after-done"
    reason = lines[-1].get("done_reason")
    if not isinstance(reason, str):
        return "finish-unnamed"
    if reason not in NATURAL and reason not in finish:
        return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unnamed"
    said = [line["message"] if isinstance(line.get("message"), dict) else line for line in lines]
    calls = [call for each in said for call in _dicts(each.get("tool_calls"))]
    if not calls and not any(_has_substance(each) for each in said):
        return "empty"
    return "" if all(map(_callable, calls)) else "tool-arguments"


def _has_substance(said: dict[str, Any]) -> bool:
    """Whether it says or brings anything; thinking alone is no answer."""
    texts = [said.get(name) for name in ("content", "response")]
    return any(isinstance(text, str) and text.strip() for text in texts) or bool(
        said.get("images") or said.get("image")
    )


def _callable(call: dict[str, Any]) -> bool:
    """Whether the call names a function and its arguments are an object, as such or as text."""
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return False
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = jsontext.read(arguments or "{}")
        except WireError:
            return False
    return isinstance(arguments, dict)


def _vectors(call: Call, found: list[dict[str, Any]]) -> str:
    """Return why these are not the vectors that were asked for: one for each input, none empty."""
    if len(found) != 1:
        return "truncated"
    if call.path.endswith("/embeddings"):
        return "" if _is_vector(found[0].get("embedding")) else "empty"
    vectors, asked = found[0].get("embeddings"), call.body.get("input")
    if not isinstance(vectors, list) or not vectors or not all(map(_is_vector, vectors)):
        return "empty"
    return "" if len(vectors) == (len(asked) if isinstance(asked, list) else 1) else "truncated"


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
