"""One chat.completion body -> the stream that the same answer would have been.

Each choice becomes a role delta with everything that comes in one piece, its texts in pieces at word borders, its tool
calls in argument fragments, and a last chunk with the finish reason; then usage if asked for, then `[DONE]`.
Nothing is lost by construction: the stream is assembled again and compared before it is returned.
Entry point: `explode`. Source: OpenAI, "The chat completion chunk object".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import jsontext
from ..chat import Form, Lossy, WireError
from .chat_assemble import TEXTS, assemble, same
from .frames import DONE

MAX_PIECES = 64
"""Most pieces that one text is cut into: enough to look like a stream, few enough to stay cheap."""

_LONG_WORD = 64  # scripts without spaces would be one piece otherwise
_WORD = re.compile(r"\S+\s*|\s+")

Delta = dict[str, Any]


def explode(body: dict[str, Any], wanted: Form) -> list[bytes]:
    """Return *body* as the events of a stream, `[DONE]` included, one item an event.

    `usage` is written only when *wanted* asks for it, as a last chunk without choices; the other chunks then say
    `"usage": null`, as OpenAI documents. An `index` on a choice or tool call that equals its position, or a role
    that is missing, is what every stream says anyway. Raises `Lossy` with the field that no stream can carry.
    """
    with_usage = "usage" in wanted.options
    if with_usage and not isinstance(body.get("usage"), dict):
        raise Lossy("usage")
    events = [_event(chunk) for chunk in _chunks(body, with_usage)]
    events.append(b"data: %s\n\n" % DONE)
    _verify(body, b"".join(events), with_usage)
    return events


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + jsontext.dumps(chunk) + b"\n\n"


def _verify(body: dict[str, Any], stream: bytes, with_usage: bool) -> None:
    try:
        again = assemble(stream)
    except WireError as error:
        raise Lossy(str(error)) from None
    expected = _plain(body)
    if not with_usage:
        expected.pop("usage", None)
        again.pop("usage", None)  # Groq's, which stands in another member too
    if not same(expected, again):
        raise Lossy(next((key for key in expected if not same(expected[key], again.get(key))), "body"))


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return *body* as `assemble` writes it: positions said for choices, left out of tool calls, a role everywhere."""
    choices = [
        {"index": at, **_without_delta(choice), "message": {"role": "assistant", **_unnumbered(choice["message"])}}
        for at, choice in enumerate(body["choices"])
    ]
    return {**body, "choices": choices}


def _unnumbered(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out each tool call's index that says its position (DeepSeek and Mistral write it in JSON too)."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_without_position(at, call) for at, call in enumerate(calls)]}


def _without_position(at: int, call: Any) -> Any:
    if isinstance(call, dict) and call.get("index") == at:
        return {key: value for key, value in call.items() if key != "index"}
    return call


def _chunks(body: dict[str, Any], with_usage: bool) -> Iterator[dict[str, Any]]:
    whole = {key: value for key, value in body.items() if key not in ("choices", "usage")}
    if whole.get("object") == "chat.completion":
        whole["object"] = "chat.completion.chunk"
    # What describes the stream stands on every chunk; what is large or a list (Azure's prompt_filter_results,
    # Perplexity's citations) only on the first one.
    every = {key: value for key, value in whole.items() if not isinstance(value, dict | list)}
    tail: dict[str, Any] = {"usage": None} if with_usage else {}
    head = whole
    for choice in _choices(body):
        for part in _parts(choice):
            yield {**head, "choices": [part], **tail}
            head = every
    if with_usage:
        yield {**head, "choices": [], "usage": body["usage"]}


def _choices(body: dict[str, Any]) -> list[dict[str, Any]]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Lossy("choices")
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise Lossy("choices")
    return [{"index": at, **_without_delta(choice)} for at, choice in enumerate(choices)]


def _without_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """Leave out the delta that says nothing, which Perplexity has beside the message in JSON too."""
    if "delta" not in choice:
        return choice
    if choice["delta"] not in ({}, {"role": "assistant", "content": ""}):
        raise Lossy("choices")
    return {key: value for key, value in choice.items() if key != "delta"}


def _parts(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the choice of each chunk: role first, then the texts and calls, then how it finished."""
    frame: dict[str, Any] = {"index": choice["index"], "delta": {}}
    last = {key: value for key, value in choice.items() if key not in ("index", "message", "logprobs")}
    unfinished = {"finish_reason": None} if "finish_reason" in choice else {}
    quiet = {"logprobs": None} if "logprobs" in choice else {}
    message = choice["message"]
    tokens = _tokens(choice)
    opening = {"logprobs": {**choice["logprobs"], "content": []} if tokens else choice["logprobs"]} if quiet else {}
    yield {**frame, "delta": _first(message), **opening, **unfinished}
    for delta in _deltas(message, skip="content" if tokens else ""):
        yield {**frame, "delta": delta, **quiet, **unfinished}
    for group in _groups(tokens):
        text = "".join(token["token"] for token in group)
        yield {**frame, "delta": {"content": text}, "logprobs": {"content": group}, **unfinished}
    yield {**frame, **quiet, **last}


def _first(message: dict[str, Any]) -> Delta:
    """Return the delta that opens a choice: the role, and all that is not cut into pieces."""
    first = {"role": message["role"]} if "role" in message else {}
    for key, value in message.items():
        if key == "content" and isinstance(value, str):
            first[key] = ""  # OpenAI opens with it, and clients make their text from it
        elif not _cut(key, value):
            first[key] = value
    return first


def _cut(key: str, value: Any) -> bool:
    match key, value:
        case "tool_calls", list():
            return bool(value)
        case "function_call", {"arguments": str() as arguments}:
            return bool(arguments)
    return ("delta", key) in TEXTS and isinstance(value, str) and value != ""


def _deltas(message: dict[str, Any], skip: str) -> Iterator[Delta]:
    """Yield what follows the first delta, reasoning before the answer as models have it."""
    for key in sorted(message, key=lambda key: (key in ("tool_calls", "function_call"), key == "content")):
        value = message[key]
        if key == skip or not _cut(key, value):
            continue
        match key:
            case "tool_calls":
                yield from _calls(value)
            case "function_call":
                yield from ({"function_call": part} for part in _fragments(value, "arguments"))
            case _:
                yield from ({key: piece} for piece in pieces(value))


def _calls(calls: list[Any]) -> Iterator[Delta]:
    for at, call in enumerate(calls):
        if not isinstance(call, dict) or call.get("index", at) != at:
            raise Lossy("tool_calls")
        yield from ({"tool_calls": [{"index": at, **part}]} for part in _call_parts(_without_position(at, call)))


def _call_parts(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the fragments of one call: id, name and the rest first, then its arguments."""
    for kind, field in (("function", "arguments"), ("custom", "input")):
        part = call.get(kind)
        if isinstance(part, dict) and isinstance(part.get(field), str):
            first, *rest = _fragments(part, field)
            yield {**call, kind: first}
            yield from ({kind: each} for each in rest)
            return
    yield call


def _fragments(part: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return [{**part, field: ""}, *({field: piece} for piece in pieces(part[field]))]


def _tokens(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tokens with their log probabilities when they spell the content, so that both can be cut alike."""
    logprobs, content = choice.get("logprobs"), choice["message"].get("content")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not content:
        return []
    texts = [each.get("token") if isinstance(each, dict) else None for each in tokens]
    words = [text for text in texts if isinstance(text, str)]
    return tokens if len(words) == len(texts) and "".join(words) == content else []


def _groups(items: list[Any]) -> list[list[Any]]:
    """Return *items* in at most `MAX_PIECES` groups of neighbours."""
    size = -(-len(items) // MAX_PIECES) or 1
    return [items[at : at + size] for at in range(0, len(items), size)]


def pieces(text: str) -> list[str]:
    """Return *text* cut at word borders into at most `MAX_PIECES` pieces; joined they are *text* again."""
    words = [word[at : at + _LONG_WORD] for word in _WORD.findall(text) for at in range(0, len(word), _LONG_WORD)]
    return ["".join(group) for group in _groups(words)]
