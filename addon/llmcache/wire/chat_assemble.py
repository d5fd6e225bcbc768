"""A chat completion stream -> the one JSON body that the same answer would have been.

Chunks are merged field by field: text is joined, lists of parts are joined, tool calls are gathered by their index,
dicts are merged, and everything else must agree; what does not agree cannot be one body, which is `Lossy`.
It does not decide whether the answer is good. Entry point: `assemble`.
Source: OpenAI, "The chat completion chunk object"; what other providers do differently is said where it matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import framing, jsontext
from ..chat import Lossy, WireError
from . import frames

Path = tuple[str, ...]

TEXTS: frozenset[Path] = frozenset(
    {
        ("delta", "content"),
        ("delta", "refusal"),
        ("delta", "reasoning"),  # OpenRouter, Groq, vLLM
        ("delta", "reasoning_content"),  # DeepSeek, DashScope, xAI, vLLM
        ("delta", "reasoning_text"),  # GitHub Copilot
        ("delta", "thinking"),
        ("delta", "function_call", "arguments"),
        ("delta", "tool_calls", "function", "arguments"),
        ("delta", "tool_calls", "custom", "input"),
        ("delta", "audio", "data"),
        ("delta", "audio", "transcript"),
        ("delta", "reasoning_details", "text"),
        ("delta", "reasoning_details", "summary"),
        ("delta", "reasoning_details", "data"),
    }
)
"""Strings that come in fragments."""

LISTS: frozenset[Path] = frozenset(
    {
        ("logprobs", "content"),
        ("logprobs", "refusal"),
        ("token_ids",),  # vLLM, `return_token_ids`
        ("delta", "annotations"),  # OpenAI and OpenRouter, web search
        ("delta", "images"),  # OpenRouter, image output
    }
)
"""Lists that come in slices."""

PADDING = ("obfuscation", "p")
"""Members that even out the sizes of chunks: OpenAI's, Mistral's."""

LAST = "chat.completion.done"
"""What Perplexity's last chunk calls itself."""

OBJECTS = {"chat.completion.chunk": "chat.completion", LAST: "chat.completion"}
"""What a chunk calls itself -> what the body calls itself."""


class _Text:
    """A text that is still coming, in its pieces: joined once, so that a long answer costs O(n)."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: str) -> None:
        self.pieces = list(pieces)

    def __str__(self) -> str:
        return "".join(self.pieces)


_NOTHING = object()


def assemble(stream: bytes, *, strict: bool = True) -> dict[str, Any]:
    """Return the chat.completion that *stream* adds up to.

    Raises `Lossy` (the field) where chunks contradict each other, unless *strict* is off: then the later one counts.
    Raises `WireError` for bytes that are no UTF-8 and for a payload that is no JSON object (`bad-event`).
    """
    return merged(chunks(stream), strict=strict)


def merged(chunks: Iterable[dict[str, Any]], *, strict: bool) -> dict[str, Any]:
    """Return the chat.completion that *chunks* add up to; they are taken apart for it. Raises as `assemble` does."""
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    last: dict[str, Any] | None = None
    for chunk in chunks:
        for position, choice in enumerate(_dicts(chunk.pop("choices", None))):
            index = choice.get("index")
            number = index if isinstance(index, int) else position
            if "text" in choice:
                _say_once(choice)
            _add(choices.setdefault(number, {"index": number}), choice, (), strict)
        for padding in PADDING:
            if isinstance(chunk.get(padding), str):
                del chunk[padding]
        if chunk != last:
            _add_top(body, chunk, strict)
            last = chunk if is_plain(chunk) else None
    body["choices"] = [_finished(_settled(choices[number])) for number in sorted(choices)]
    match body:
        case {"x_groq": {"usage": dict(usage)}, **more} if not isinstance(more.get("usage"), dict):
            body["usage"] = usage  # where Groq says it when `include_usage` is not asked for
    return body


def _say_once(choice: dict[str, Any]) -> None:
    """Take out what Together says beside each piece: the same again, and which token it is; its JSON has neither."""
    delta = choice.get("delta")
    if isinstance(delta, dict) and choice["text"] == delta.get("content"):
        del choice["text"]
        delta.pop("token_id", None)


def chunks(stream: bytes) -> Iterator[dict[str, Any]]:
    """Yield what every event before `[DONE]` says. Raises `WireError` (`bad-event`, `truncated`)."""
    frames.check_text(stream)
    told = [event for event in framing.frames(stream) if event[1].strip()]
    ends = next((at for at, (_, data, _) in enumerate(told) if data.strip() == frames.DONE), len(told))
    return frames.payloads(told[:ends])


def _merge(old: Any, new: Any, path: Path, strict: bool) -> Any:
    """Return what the values *old* and *new* of one field add up to. It takes both over and may change *old*."""
    if _blank(new):
        return new if old is None else old
    if _blank(old):
        return new
    match old, new:
        case str(), str() if path in TEXTS:
            return _Text(old, new)
        case _Text(), str():
            old.pieces.append(new)
            return old
        case list(), list() if path in LISTS:
            old.extend(new)
            return old
        case list(), list() if path == ("delta", "reasoning_details"):
            return _details(old, new, path, strict)
        case ((str() | _Text() | list()), (str() | list())) if path == ("delta", "content"):
            return _contents(_parts(old), _parts(new))
        case dict(), dict():
            return _add(old, new, path, strict)
    if strict and (isinstance(old, _Text) or not same(old, new)):
        raise Lossy(".".join(path))
    return new


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal, where True is not 1."""
    if type(left) is str is type(right):
        return bool(left == right)
    return bool(left == right) and jsontext.canonical(left) == jsontext.canonical(right)


def _add(into: dict[str, Any], new: dict[str, Any], path: Path, strict: bool) -> dict[str, Any]:
    for key, value in new.items():
        old = into.get(key, _NOTHING)
        if type(old) is _Text and type(value) is str:
            old.pieces.append(value)
            continue
        if old is value and type(value) is not str:
            continue  # the same null or number; strings may be fragments
        here = (*path, key)
        if here == ("delta", "tool_calls") and isinstance(value, list):
            into[key] = _calls(_dicts(old), value, here, strict)
        elif here == ("message",):
            continue  # Perplexity repeats the whole message so far beside the delta
        elif type(old) is dict is type(value):
            _add(old, value, here, strict)
        elif old is not _NOTHING:
            into[key] = _merge(old, value, here, strict)
        else:
            into[key] = _add({}, value, here, strict) if isinstance(value, dict) else value
    return into


def is_plain(chunk: dict[str, Any]) -> bool:
    """Whether a chunk that equals this one adds nothing to it: texts and nulls alone are equal only to themselves."""
    return all(type(value) is str or value is None or key == "created" for key, value in chunk.items())


def _add_top(body: dict[str, Any], chunk: dict[str, Any], strict: bool) -> None:
    for key, value in chunk.items():
        match key:
            case "object":
                # Azure's first chunk says "".
                body[key] = body.get(key) or (OBJECTS.get(value, value) if isinstance(value, str) else value)
            case "created":
                body[key] = body.get(key) or value  # the first that says something; some count on with the chunks
            case "usage":
                # Perplexity, and vLLM with continuous_usage_stats, count up with every chunk: the last one is right.
                body[key] = value if value is not None else body.get(key)
            case _ if isinstance(value, str) and body.get(key) == value:
                continue  # most members say the same in every chunk
            case _:
                body[key] = _merge(body.get(key), value, (key,), strict) if key in body else value


def _calls(calls: list[Any], new: list[Any], path: Path, strict: bool) -> list[Any]:
    if strict and len(_dicts(new)) < len(new):
        raise Lossy(".".join(path))
    for fragment in _dicts(new):
        at = _place(calls, fragment)
        if at is None:
            calls.append(_add({}, fragment, path, strict))
        else:
            _add(calls[at], fragment, path, strict)
    return calls


def _place(calls: list[dict[str, Any]], fragment: dict[str, Any]) -> int | None:
    """Return the position of the call that *fragment* continues, or None when it opens a new one.

    OpenAI numbers its calls. Gemini's and some SGLang and Dynamo endpoints give every call the index 0 or none at all;
    there a new id with a name, or a name after arguments that are whole already, opens the next call.
    """
    index, ident = fragment.get("index"), fragment.get("id")
    if index is None and ident:
        mine = [at for at, call in enumerate(calls) if call.get("id") == ident]
    else:
        mine = [at for at, call in enumerate(calls) if index is None or call.get("index") == index]
    if not mine:
        return None
    last = calls[mine[-1]]
    if not _named(fragment):
        return mine[-1]
    if ident and last.get("id") and ident != last["id"]:
        return next((at for at in mine if calls[at].get("id") == ident), None)
    return None if not ident and _ended(last) and _arguments(fragment) else mine[-1]


def _named(call: dict[str, Any]) -> bool:
    return any(isinstance(part := call.get(kind), dict) and part.get("name") for kind in ("function", "custom"))


def _arguments(call: dict[str, Any]) -> str:
    part = call.get("function")
    text = part.get("arguments") if isinstance(part, dict) else None
    return str(text) if isinstance(text, str | _Text) else ""


def _ended(call: dict[str, Any]) -> bool:
    text = _arguments(call).strip()
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        jsontext.read(text)
    except WireError:
        return False
    return True


def _details(old: list[Any], new: list[Any], path: Path, strict: bool) -> list[Any]:
    """Join OpenRouter's reasoning details: fragments of one block share its type and index."""
    for each in new:
        last = old[-1] if old else None
        if isinstance(each, dict) and isinstance(last, dict) and _one_block(last, each):
            _add(last, each, path, strict)
        else:
            old.append(each)
    return old


def _parts(content: str | _Text | list[Any]) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}]


def _contents(old: list[Any], new: list[Any]) -> list[Any]:
    """Join Mistral's content parts: text goes on as text, thinking as thinking; anything else is a part of its own.

    Its reasoning models send `thinking` parts with a fragment each, then plain strings.
    """
    match old[-1:], new[:1]:
        case [{"type": "text", "text": str(a), **more}], [{"type": "text", "text": str(b), **rest}] if more == rest:
            return [*old[:-1], {**old[-1], "text": a + b}, *new[1:]]
        case (
            [{"type": "thinking", "thinking": list(a), **more}],
            [{"type": "thinking", "thinking": list(b), **rest}],
        ) if more == rest:
            return [*old[:-1], {**old[-1], "thinking": _contents(a, b)}, *new[1:]]
    return old + new


def _one_block(left: dict[str, Any], right: dict[str, Any]) -> bool:
    index = left.get("index")
    return isinstance(index, int) and index == right.get("index") and left.get("type") == right.get("type")


def _settled(value: Any) -> Any:
    match value:
        case _Text():
            return str(value)
        case dict():
            return {key: _settled(each) for key, each in value.items()}
        case list():
            return [_settled(each) for each in value]
    return value


def _finished(choice: dict[str, Any]) -> dict[str, Any]:
    delta = choice.pop("delta", None)
    message: dict[str, Any] = {"role": "assistant"}
    for key, value in (delta if isinstance(delta, dict) else {}).items():
        if key != "role" or value:
            message[key] = _unnumbered(_dicts(value)) if key == "tool_calls" and isinstance(value, list) else value
    return {**choice, "message": message}


def _unnumbered(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order the calls by the index that only a stream needs, and leave it out."""
    ordered = sorted(calls, key=lambda call: call["index"] if isinstance(call.get("index"), int) else len(calls))
    return [{key: value for key, value in call.items() if key != "index"} for call in ordered]


def _blank(value: Any) -> bool:
    return value is None or value == ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
