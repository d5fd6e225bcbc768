"""A legacy completion body <-> the stream that the same answer is.

Both ways are here because they are short: a chunk looks like the body, with the text and the log probabilities in
slices. What comes back must be what was written, or nothing is written at all.
Entry points: `assemble`, `explode`. Source: OpenAI, "Completions (legacy)"; vLLM, "OpenAI-compatible server".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from . import frames
from .chat_assemble import chunks, is_plain, same
from .chat_explode import pieces

Body = dict[str, Any]


def assemble(stream: bytes) -> Body:
    """Return the completion that *stream* adds up to.

    Raises `Lossy` (the field) where chunks contradict each other, `WireError` (`bad-event`) for what is no JSON object.
    """
    return merged(chunks(stream), strict=True)


def merged(told: Iterable[Body], *, strict: bool) -> Body:
    """Return the completion that chunks add up to. Raises `Lossy` when *strict*; else what comes later counts."""
    body: Body = {}
    choices: dict[int, Body] = {}
    texts: dict[int, list[str]] = {}
    last: Body | None = None
    for chunk in told:
        for choice in _dicts(chunk.get("choices")):
            index = choice["index"] if isinstance(choice.get("index"), int) else 0
            texts.setdefault(index, []).append(_text(choice.get("text")))
            _add(choices.setdefault(index, {}), choice, strict)
        rest = {name: value for name, value in chunk.items() if name != "choices"}
        if rest != last:
            _agree(body, rest, strict)
            last = rest if is_plain(rest) else None
    ordered = sorted(choices)
    return {**body, "choices": [{**choices[index], "text": "".join(texts[index])} for index in ordered]}


def _add(into: Body, choice: Body, strict: bool) -> None:
    new = {name: value for name, value in choice.items() if name != "text"}
    logprobs, old = new.get("logprobs"), into.get("logprobs")
    if isinstance(logprobs, dict):
        del new["logprobs"]
        into["logprobs"] = _extended(old if isinstance(old, dict) else {}, logprobs, strict)
    _agree(into, new, strict)


def _extended(old: Body, new: Body, strict: bool) -> Body:
    """Return the log probabilities *old* with the lists of *new* appended."""
    rest = {name: value for name, value in new.items() if not isinstance(value, list)}
    lists = {name: [*_items(old.get(name)), *value] for name, value in new.items() if isinstance(value, list)}
    result = {**old}
    _agree(result, rest, strict)
    return {**result, **lists}


def _agree(into: Body, new: Body, strict: bool) -> None:
    """Take over what *new* says; null says nothing."""
    for name, value in new.items():
        old = into.get(name)
        if old is None or not strict or value is None or same(old, value):
            into[name] = old if value is None else value
        else:
            raise Lossy(name)


def explode(body: Body, *, usage: bool) -> list[bytes]:
    """Return *body* as the events of a stream, `[DONE]` included; with *usage*, its own chunk before that.

    Raises `Lossy` with the field that no stream can carry.
    """
    if usage and not isinstance(body.get("usage"), dict):
        raise Lossy("usage")
    events = [b"data: " + jsontext.dumps(chunk) + b"\n\n" for chunk in _chunks(body, usage)]
    events.append(b"data: %s\n\n" % frames.DONE)
    try:
        again = assemble(b"".join(events))
    except WireError as error:
        raise Lossy(str(error)) from None
    expected = body if usage else {name: value for name, value in body.items() if name != "usage"}
    if not same(expected, again):
        raise Lossy(next((name for name in expected if not same(expected[name], again.get(name))), "body"))
    return events


def _chunks(body: Body, usage: bool) -> Iterator[Body]:
    if not isinstance(body.get("choices"), list) or len(_dicts(body["choices"])) != len(body["choices"]):
        raise Lossy("choices")
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    tail: Body = {"usage": None} if usage else {}
    for choice in body["choices"]:
        for part in _parts(choice):
            yield {**head, "choices": [part], **tail}
    if usage:
        yield {**head, "choices": [], "usage": body["usage"]}


def _parts(choice: Body) -> Iterator[Body]:
    """Yield the choice in pieces, the last one with everything that is said once."""
    text, logprobs = _text(choice.get("text")), choice.get("logprobs")
    quiet: Body = {name: None for name in ("logprobs", "finish_reason") if name in choice}
    index = {"index": choice["index"]} if "index" in choice else {}
    cut = _by_token(text, logprobs) if isinstance(logprobs, dict) else [(piece, None) for piece in pieces(text)]
    for piece, told in cut:
        yield {"text": piece, **index, **quiet, **({"logprobs": told} if told else {})}
    yield {**choice, "text": "", **({"logprobs": None} if cut and "logprobs" in choice else {})}


def _by_token(text: str, logprobs: Body) -> list[tuple[str, Body | None]]:
    """Return a piece for each token with its row of every list; one piece when the lists do not go together."""
    tokens = _items(logprobs.get("tokens"))
    even = all(isinstance(value, list) and len(value) == len(tokens) for value in logprobs.values())
    if not even or "".join(map(_text, tokens)) != text:
        return [(text, logprobs)]
    return [(word, {name: [value[at]] for name, value in logprobs.items()}) for at, word in enumerate(tokens)]


def _dicts(value: Any) -> list[Body]:
    return [each for each in _items(value) if isinstance(each, dict)]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
