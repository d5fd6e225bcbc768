"""An answer of Ollama's as NDJSON lines <-> the one JSON body that the same answer would have been.

The server makes the body itself from the lines, and so does `assemble`: the last object, with the texts, tool calls
and log probabilities of all. `explode` cuts the texts at word borders and assembles the lines again to prove them.
It does not decide whether the answer is good. Entry points: `assemble`, `explode`, `objects`.
Source: Ollama, "API reference" and "Streaming" (docs.ollama.com/api); `server/routes.go` for how it joins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import jsontext
from ..chat import Lossy
from ..ndjson import ndjson, parse_ndjson
from .chat_assemble import same
from .chat_explode import pieces
from .frames import ReadAll, payloads

TEXTS = ("thinking", "content", "response")
"""Strings that come in fragments, in the order in which a model has them."""

LISTS = ("tool_calls", "logprobs")
"""Lists that come in slices."""

LATER = frozenset(
    {
        "created_at",
        "done",
        "done_reason",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    }
)
"""Members of which the last one counts: when the line was made, and what it measured so far."""

PROGRESS = frozenset({"completed", "total"})
"""What the lines before a picture say: how many steps of it are done. No body has them."""

SPELLED = ("content", "response")
"""Texts that the tokens of `logprobs` may spell."""

EVERY = ("model", "remote_model", "remote_host", "created_at")
"""Members that every line says."""


def objects(body: bytes, read: ReadAll = jsontext.read_all) -> list[dict[str, Any]]:
    """Return the object of every line. Raises `WireError`: `truncated` for a last one cut off, else `bad-event`."""
    return list(payloads([(b"", line.data, b"" if line.whole else line.data) for line in parse_ndjson(body)], read))


def assemble(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the body that *lines* add up to. Raises `Lossy` with the member that contradicts itself."""
    if not lines or lines[-1].get("done") is not True:
        raise Lossy("done")
    body = _joined(lines)
    if any("message" in line for line in lines):
        messages = [line["message"] for line in lines if "message" in line]
        if not all(isinstance(message, dict) for message in messages):
            raise Lossy("message")
        body["message"] = _joined(messages)
    return body


def explode(body: dict[str, Any]) -> list[bytes]:
    """Return *body* as the lines of a stream. Raises `Lossy` with what no stream carries."""
    if body.get("done") is not True:
        raise Lossy("done")
    lines = list(_lines(body))
    if not same(body, again := assemble(lines)):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return [ndjson(jsontext.dumps(line)) for line in lines]


def _joined(dicts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what *dicts* add up to: one level of the lines, without `message`, which is the other."""
    # The last one first: its members are those of the body, in their order.
    names = list(dict.fromkeys(name for each in reversed(dicts) for name in each))
    kept = [name for name in names if name != "message" and name not in PROGRESS]
    return {name: _value(name, [each[name] for each in dicts if name in each]) for name in kept}


def _value(name: str, values: list[Any]) -> Any:
    """Return what the values of one member add up to."""
    if len(values) == 1 or name in LATER:
        return values[-1]
    if name in TEXTS and all(isinstance(value, str) for value in values):
        return "".join(values)
    if name in LISTS and all(isinstance(value, list) for value in values):
        return [each for value in values for each in value]
    if not all(same(values[0], value) for value in values[1:]):
        raise Lossy(name)
    return values[0]


def _lines(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the lines: each text in pieces, each tool call for itself, then all that is left with what was measured."""
    message = body.get("message")
    said = message if isinstance(message, dict) else body
    tokens = _tokens(body, said)
    for part, more in _parts(said, tokens):
        yield {**{name: body[name] for name in EVERY if name in body}, **_placed(part, message), **more, "done": False}
    left = {name: _left(name, value) for name, value in said.items() if not _is_said(name, value)}
    if said is message:
        left = {**body, "message": left}
    yield {name: value for name, value in left.items() if name != "logprobs" or not tokens}


def _parts(said: dict[str, Any], tokens: list[Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield what each line but the last one says, and what stands beside it."""
    for name in TEXTS:
        text = said.get(name)
        if not isinstance(text, str):
            continue
        if tokens and name in SPELLED:
            yield from (({name: token["token"]}, {"logprobs": [token]}) for token in tokens)
        else:
            yield from (({name: piece}, {}) for piece in pieces(text))
    calls = said.get("tool_calls")
    yield from (({"tool_calls": [call]}, {}) for call in (calls if isinstance(calls, list) else ()))


def _placed(part: dict[str, Any], message: Any) -> dict[str, Any]:
    """Return *part* where the endpoint has it; the text of the answer stands in every line, empty or not."""
    if not isinstance(message, dict):
        return {"response": "", **part}
    every = {"role": message.get("role"), "content": ""}
    return {"message": {**{name: value for name, value in every.items() if name in message}, **part}}


def _left(name: str, value: Any) -> Any:
    """Return what the last line says of a member that stands in every line."""
    return "" if name in SPELLED and isinstance(value, str) else value


def _is_said(name: str, value: Any) -> bool:
    """Whether the lines before the last one have said this member, so that the last one leaves it out."""
    return bool(value) and (
        (name == "thinking" and isinstance(value, str)) or (name == "tool_calls" and isinstance(value, list))
    )


def _tokens(body: dict[str, Any], said: dict[str, Any]) -> list[Any]:
    """Return the tokens with their log probabilities when they spell the answer, so that both can be cut alike."""
    tokens = body.get("logprobs")
    if not isinstance(tokens, list) or not all(isinstance(each, dict) for each in tokens):
        return []
    texts = [each.get("token") for each in tokens]
    answer = next((said[name] for name in SPELLED if name in said), None)
    words = [text for text in texts if isinstance(text, str)]
    return tokens if len(words) == len(texts) and "".join(words) == answer else []
