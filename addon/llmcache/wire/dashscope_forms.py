"""The two kinds of DashScope streams <-> the one JSON body that the same answer would have been.

A stream's events carry pieces (`incremental_output` on), or each the whole text so far (off): then every text must
begin with the one before. Choices and tool calls are gathered by index; what does not agree is `Lossy`.
It does not decide whether the answer is good. Entry points: `events`, `assemble`, `explode`, `grows`.
Source: Alibaba Cloud Model Studio, "DashScope API reference", text generation and multimodal generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from .. import framing, jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same
from .chat_explode import pieces
from .frames import ReadAll, check_text, payloads

Body = dict[str, Any]

TEXTS = frozenset({"text", "content", "reasoning_content", "arguments"})
"""Members that come in pieces, or grow."""

MOVING = frozenset({"usage", "request_id"})
"""Members of which only the last counts."""

MAX_GROWING = 16
"""Most steps in which one text grows: every step repeats all the text before."""

NOT_YET = "null"
"""The finish reason of what has not finished: the word, not JSON's null."""


_NOTHING = object()


class _Pieces(list[str]):
    """A text that is still coming, joined once so that a long answer costs O(n)."""

    __slots__ = ()


def events(stream: bytes, read: ReadAll = jsontext.read_all) -> Iterator[Body]:
    """Yield the payloads of a stream. Raises `WireError` with `truncated`, `error-event` or `bad-event`."""
    check_text(stream)
    told = [event for event in framing.frames(stream) if event[1].strip() and event[0] != b"done"]
    if any(name == b"error" for name, _, _ in told):
        raise WireError("error-event")
    for body in payloads(told, read):
        if body.get("code"):
            raise WireError("error-event")
        yield body


def assemble(events: Iterable[Body], *, growing: bool, strict: bool = True) -> Body:
    """Return the body that *events* add up to; *growing*: each has the whole text so far. They are taken apart for it.

    Raises `Lossy` (the member) where events contradict each other, unless *strict* is off: then the later one counts.
    Raises `WireError` (`bad-event`) for lists of what should be objects.
    """
    body: Body = {}
    for event in events:
        moving = {key: value for key, value in event.items() if key in MOVING and value is not None}
        try:
            _add(body, {key: value for key, value in event.items() if key not in moving}, growing, strict)
        except (TypeError, AttributeError):
            raise WireError("bad-event") from None
        body |= moving
    settled: Body = _settled(body)
    return settled


def explode(body: Body, *, growing: bool) -> list[Body]:
    """Return *body* as the payloads of a stream of either kind. Raises `Lossy` with what no stream can carry."""
    try:
        found = list(_events(body, growing))
        again = assemble(found, growing=growing)
    except (WireError, KeyError, TypeError, AttributeError):
        raise Lossy("output") from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return found


def grows(events: list[Body]) -> int:
    """Return in how many steps a text became a longer one that begins with it; -1 when one does not begin so.

    Where each event has all the text so far, every step is of that kind; in pieces hardly any.
    """
    texts = [dict(_texts(event.get("output"))) for event in events]
    pairs = [(old[path], new[path]) for old, new in pairwise(texts) for path in old.keys() & new.keys()]
    if not all(new.startswith(old) for old, new in pairs):
        return -1
    return sum(len(new) > len(old) for old, new in pairs)


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    match value:
        case str() if path and path[-1] in TEXTS and value:
            yield path, value
        case dict():
            for key, member in value.items():
                yield from _texts(member, (*path, key))
        case list():
            for at, member in enumerate(value):
                yield from _texts(member, (*path, _number(member, at)))


def _add(into: Body, new: Body, growing: bool, strict: bool) -> Body:
    for key, value in new.items():
        old = into.get(key, _NOTHING)
        if type(old) is dict is type(value):
            _add(old, value, growing, strict)
        elif type(old) is _Pieces and type(value) is str:
            old.append(value)
        elif old is _NOTHING:
            into[key] = _taken(value)
        elif old != value or key in TEXTS or type(value) is not str:
            into[key] = _merged(old, value, key, growing, strict)
    return into


def _taken(value: Any) -> Any:
    """Return a value that may be added to without changing what it came from."""
    match value:
        case dict():
            return {key: _taken(member) for key, member in value.items()}
        case list():
            return [_taken(member) for member in value]
    return value


def _merged(old: Any, new: Any, name: str, growing: bool, strict: bool) -> Any:
    """Return what the values *old* and *new* of one member add up to."""
    if _blank(new, name):
        return old
    if _blank(old, name):
        return _taken(new)
    match old, new:
        case str(), str() if name in TEXTS:
            return _text(old, new, name, growing, strict)
        case list(), list() if name in ("choices", "tool_calls", "content") and not isinstance(old, _Pieces):
            return _parts(old, new, name, growing, strict)
    if strict and not same(_settled(old), new):
        raise Lossy(name)
    return new


def _text(old: str, new: str, name: str, growing: bool, strict: bool) -> str | _Pieces:
    if not growing:
        return _Pieces([old, new])
    if strict and not new.startswith(old):
        raise Lossy(name)
    return new


def _parts(old: list[Any], new: list[Any], name: str, growing: bool, strict: bool) -> list[Any]:
    """Merge the items of a list by their index, or by position where they have none."""
    numbers = {_number(part, at): at for at, part in enumerate(old)}
    if name == "content" and not growing and any("text" not in part for part in (*old, *new)):
        return [*old, *new]  # pictures and the like come whole
    for at, part in enumerate(new):
        place = numbers.get(_number(part, at))
        if place is None:
            old.append(_taken(part))
        else:
            _add(old[place], part, growing, strict)
    return old


def _number(part: Any, at: int) -> int:
    index = part.get("index", at) if isinstance(part, dict) else at
    return index if isinstance(index, int) else at


def _blank(value: Any, name: str) -> bool:
    """Whether a member says nothing yet; a text may say "null"."""
    if isinstance(value, str):
        return value == "" or (value == NOT_YET and name not in TEXTS)
    return value is None or (isinstance(value, list | dict) and not value)


def _settled(value: Any) -> Any:
    match value:
        case _Pieces():
            return "".join(value)
        case dict():
            return {key: _settled(member) for key, member in value.items()}
        case list():
            return [_settled(member) for member in value]
    return value


def _events(body: Body, growing: bool) -> Iterator[Body]:
    """Yield the events: the first has all that is not cut, the last how it finished; usage stands on every one."""
    output = body["output"]
    choices = output.get("choices")
    rest = {key: value for key, value in output.items() if key not in ("choices", "text", "finish_reason")}
    every = {key: value for key, value in body.items() if key in MOVING}
    head = {key: value for key, value in body.items() if key not in ("output", *MOVING)}
    for outputs in _outputs(output, growing) if choices is None else _chosen(choices, growing):
        yield {**head, "output": {**rest, **outputs}, **every}
        head, rest = {}, {}


def _outputs(output: Body, growing: bool) -> Iterator[Body]:
    """Yield the outputs of a text without choices (`result_format: text`)."""
    for text in _steps(output["text"], growing):
        yield {"text": text, "finish_reason": NOT_YET}
    yield {"text": output["text"] if growing else "", "finish_reason": output["finish_reason"]}


def _chosen(choices: list[Body], growing: bool) -> Iterator[Body]:
    for choice in choices:
        at = {"index": choice["index"]} if "index" in choice else {}
        whole = choice["message"]
        for message in _messages(whole, growing):
            yield {"choices": [{**at, "message": message, "finish_reason": NOT_YET}]}
        yield {"choices": [{**choice, "message": whole if growing else _said(whole)}]}


def _said(message: Body) -> Body:
    """Return the message of an event with nothing new: its role, and its texts empty."""
    empty = {
        key: type(message[key])()
        for key in ("content", "reasoning_content")
        if isinstance(message.get(key), str | list)
    }
    return {**({"role": message["role"]} if "role" in message else {}), **empty}


def _messages(message: Body, growing: bool) -> Iterator[Body]:
    """Yield the message of each event: reasoning before the answer, with what is not cut on the first one."""
    cut = [key for key in ("reasoning_content", "content") if message.get(key) and isinstance(message[key], str)]
    now = {**message, **dict.fromkeys(cut, "")}
    if not cut:
        yield now
    for key in cut:
        for text in _steps(message[key], growing):
            yield {**now, key: text}
            now = now if growing else _said(message)
        now = {**now, key: message[key]} if growing else now


def _steps(text: str, growing: bool) -> list[str]:
    """Return the pieces of *text*, or the texts by which it grows."""
    cut = pieces(text)
    if not growing:
        return cut
    size = -(-len(cut) // MAX_GROWING) or 1
    return ["".join(cut[: at + size]) for at in range(0, len(cut), size)]
