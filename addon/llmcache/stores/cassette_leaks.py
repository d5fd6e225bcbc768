"""Secrets in an entry: in the request as it was keyed, in the reply, and across the events of a stream.

A provider streams a key in pieces, so the texts of all events are looked at joined as well, place by place.
Entry points: `found` tells where, `check` refuses to write, `cleaned` and `masked` put placeholders.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .. import fingerprint
from ..chat import Entry, SecretFound
from ..jsontext import canonical
from ..leaks import Find, Path, Scanner, placeholder
from . import cassette_events as events
from .cassette_json import parsed, written
from .cassette_sides import packed
from .cassette_yaml import Flow


@dataclass(slots=True)
class _Text:
    """A text of an event, which can be put anew."""

    holder: Any
    name: str | int
    text: str


def check(entry: Entry, scanner: Scanner) -> None:
    """Raise `SecretFound` where *entry* holds a secret."""
    places = list(dict.fromkeys(f"{find.kind} at {'.'.join(map(str, path))}" for path, find in found(entry, scanner)))
    if places:
        more = f"; and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
        raise SecretFound(
            f"the recording of {entry.dialect} {entry.model or entry.path} (key {entry.key[:8]}) is not written, "
            f"there is a secret in it: {'; '.join(places[:SHOWN])}{more}"
        )


def found(entry: Entry, scanner: Scanner) -> Iterator[tuple[Path, Find]]:
    """Yield (path in the recording, find) for each secret in *entry*."""
    for name in ("model", "path", "question", "host"):
        yield from (((name,), find) for find in scanner.finds(getattr(entry, name)))
    yield from _inside(_value(entry.request), ("request",), scanner)
    for name, value in entry.reply.headers:
        yield from (((("reply", "headers", name)), find) for find in scanner.finds(value))
    body = _events(entry)
    if body is None:
        yield from _inside(_value(entry.reply.body), ("reply", "body"), scanner)
        yield from _across(_list(entry.reply.body), ("reply", "body"), scanner)
        return
    yield from _inside(body["events"], ("reply", "events"), scanner)
    yield from _across(body["events"], ("reply", "events"), scanner)


def _inside(value: Any, at: Path, scanner: Scanner) -> Iterator[tuple[Path, Find]]:
    """Yield each secret in the JSON *value*, and in the files that are in it as base64: those are written decoded."""
    yield from scanner.inside(value, at)
    for path, text in _texts(value, at):
        _, file = packed(text) or ("", b"")
        yield from ((path, find) for find in scanner.finds(file.decode("latin-1")))


def _texts(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield at, value
        case dict():
            for name, each in value.items():
                yield from _texts(each, (*at, name))
        case list():
            for number, each in enumerate(value):
                yield from _texts(each, (*at, number))


def _across(pieces: list[Any], at: Path, scanner: Scanner) -> Iterator[tuple[Path, Find]]:
    """Yield each secret that is in several of the *pieces* of a stream; one that begins and ends in one, too."""
    for path, texts in _joined(pieces).items():
        for find in scanner.finds("".join(each.text for each in texts)):
            yield (*at, *path), find


def cleaned(entry: Entry, scanner: Scanner) -> Entry:
    """Return *entry* with a placeholder for each secret, and the key of what the request is then."""
    request = _cleaned_bytes(entry.request, scanner)
    headers = tuple((name, scanner.masked(value)) for name, value in entry.reply.headers)
    body, chunks = _cleaned_body(entry, scanner)
    keyed = entry.key == fingerprint.key(entry.request)
    return replace(
        entry,
        key=fingerprint.key(request) if keyed else entry.key,
        request=request,
        reply=replace(entry.reply, headers=headers, body=body, chunks=chunks),
        model=scanner.masked(entry.model),
        path=scanner.masked(entry.path),
        question=scanner.masked(entry.question),
    )


def _kind(entry: Entry) -> str:
    """Return the kind of stream that the reply of *entry* is; a byte for byte copy says it in its header."""
    media = entry.reply.header("content-type").partition(";")[0].strip()
    return _MEDIA.get(media, "raw") if entry.form.kind == "raw" else entry.form.kind


def _events(entry: Entry) -> dict[str, Any] | None:
    kind = _kind(entry)
    found = events.exploded(kind, entry.reply.body, entry.reply.chunks)
    if found is not None:
        found["events"] = [
            _opened(kind, {name: each.value if isinstance(each, Flow) else each for name, each in event.items()})
            for event in found["events"]
        ]
    return found


def _opened(kind: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event that is kept as text with its JSON as a value, as it would be if that were written plainly."""
    written, head = event.get("text", event.get("raw")), event.get("head", "")
    if written is None or kind == "eventstream":
        return event
    if kind == "sse" and "raw" in event:
        lines = _LINE_END.split(written)
        head = "".join(f"{line}\n" for line in lines if line and not line.startswith("data:"))
        written = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return event
    kept: dict[str, Any] = {name: event[name] for name in ("at", "event") if name in event}
    return kept | ({"head": head} if head else {}) | {"data": value}


def _value(data: bytes) -> Any:
    """Return the JSON value of *data*, or its text."""
    found = parsed(data)
    if found:
        return found[0]
    try:
        return [json.loads(data), data.decode("latin-1")]
    except (ValueError, RecursionError):
        return data.decode("latin-1")


def _cleaned_bytes(data: bytes, scanner: Scanner) -> bytes:
    found = parsed(data)
    if found is None:
        return scanner.masked(data.decode("latin-1")).encode("latin-1")
    value = _masked(found[0], scanner)
    return data if value == found[0] else canonical(value) if found[1] == () else written(value, found[1])


def masked(text: str, scanner: Scanner) -> str:
    """Return *text* with a placeholder for each secret, in the file too that it may be as base64."""
    before, content = packed(text) or ("", b"")
    file = content.decode("latin-1")
    if not scanner.finds(file):
        return scanner.masked(text)
    return before + base64.b64encode(scanner.masked(file).encode("latin-1")).decode()


def _masked(value: Any, scanner: Scanner) -> Any:
    match value:
        case str():
            return masked(value, scanner)
        case dict():
            return {scanner.masked(name): _masked(each, scanner) for name, each in value.items()}
        case list():
            return [_masked(each, scanner) for each in value]
    return value


def _cleaned_body(entry: Entry, scanner: Scanner) -> tuple[bytes, events.Chunks]:
    reply, body = entry.reply, _events(entry)
    if body is None:
        data = _in_order(reply.body, scanner)
        fits = len(data) == len(reply.body) or not reply.chunks
        return data, reply.chunks if fits else ((reply.chunks[0][0], len(data)),)
    whole = [_masked(event, scanner) for event in body["events"]]
    for texts in _joined(whole).values():
        _mask_joined(texts, scanner)
    if whole == body["events"]:
        return reply.body, reply.chunks
    return events.joined(_kind(entry), whole, tuple(body.get("style", ())), ())


def _in_order(data: bytes, scanner: Scanner) -> bytes:
    """Clean a body whose members keep their order, unlike those of a request."""
    pieces = _list(data)
    found = (pieces, ()) if any(True for _ in _across(pieces, (), scanner)) else parsed(data)
    if found is None:
        return scanner.masked(data.decode("latin-1")).encode("latin-1")
    value = _masked(found[0], scanner)
    for texts in _joined(value).values() if value and found[0] is pieces else ():
        _mask_joined(texts, scanner)
    return data if value == found[0] else written(value, found[1])


def _list(data: bytes) -> list[Any]:
    """Return the pieces of a stream that is one JSON list; nothing for any other body."""
    try:
        value = json.loads(data) if data.lstrip()[:1] == b"[" else []
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else []


def _mask_joined(texts: list[_Text], scanner: Scanner) -> None:
    """Put a placeholder where a secret begins, and take away what of it is in later texts."""
    finds = scanner.finds("".join(each.text for each in texts))
    for find in reversed(finds):  # from the end, so that the places of the others stay
        at, put = 0, placeholder(find)
        for each in texts:
            size = len(each.text)
            start, end = max(find.start - at, 0), min(find.end - at, size)
            if start < end:
                each.text = each.holder[each.name] = each.text[:start] + put + each.text[end:]
                put = ""
            at += size


def _joined(found: list[Any]) -> dict[Path, list[_Text]]:
    """Return the texts of all events by their place in an event; those that number themselves are kept apart."""
    places: dict[Path, list[_Text]] = {}

    def walk(value: Any, path: Path, put: Callable[[Path, Any, str | int, str], None]) -> None:
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        numbers = (
            tuple(f"{name} {value[name]}" for name in _NUMBERS if name in value) if isinstance(value, dict) else ()
        )
        for name, each in inside:
            if isinstance(each, str):
                put((*path, *numbers, name), value, name, each)
            else:
                walk(each, (*path, *numbers, name), put)

    for event in found:
        walk(event, (), lambda path, holder, name, text: places.setdefault(path, []).append(_Text(holder, name, text)))
    return {path: texts for path, texts in places.items() if len(texts) > 1}


_LINE_END = re.compile(r"\r\n|\n|\r")
_MEDIA = {"text/event-stream": "sse", "application/x-ndjson": "ndjson"}
_NUMBERS = ("index", "output_index", "content_index")
SHOWN = 5
"""Places that one message names."""
