"""One GenerateContentResponse -> the stream that the same answer would have been, as SSE or as a JSON array.

Texts are cut at word borders, other parts come whole, and the last chunk of a candidate says how it finished.
Parts that `assemble` would join are kept in one chunk, so nothing is lost; the stream is assembled again to prove it.
Entry points: `explode`, `chunks`, `written`. Source: Google, "Method: models.streamGenerateContent".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import jsonarray, jsontext
from ..chat import Lossy, WireError
from .chat_assemble import same
from .chat_explode import pieces
from .google_assemble import assemble, is_plain, kind, payloads


def explode(body: dict[str, Any], form: str) -> list[bytes]:
    """Return *body* as the pieces of a stream (*form* `sse` or `array`). Raises `Lossy` with what no stream carries."""
    stream = written(list(chunks(body)), form)
    try:
        again = assemble(payloads(b"".join(stream), form))
    except WireError as error:
        raise Lossy(str(error)) from None
    if not same(body, again):
        raise Lossy(next((key for key in body if not same(body[key], again.get(key))), "body"))
    return stream


def written(chunks: list[Any], form: str) -> list[bytes]:
    """Write *chunks* as Google does, one piece for each, and for an array one more that closes it."""
    texts = [jsontext.dumps(chunk) for chunk in chunks]
    return jsonarray.array(texts) if form == "array" else [b"data: " + text + b"\r\n\r\n" for text in texts]


def chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the chunks that *body* would have been. Raises `Lossy` where it has no candidates."""
    candidates = body.get("candidates")
    if not isinstance(candidates, list) or not candidates or not all(isinstance(each, dict) for each in candidates):
        raise Lossy("candidates")
    head = {key: value for key, value in body.items() if key not in ("candidates", "usageMetadata")}
    every = {key: value for key, value in head.items() if isinstance(value, str)}
    parts = [part for candidate in candidates for part in _candidate(candidate)]
    for at, part in enumerate(parts):
        last = {"usageMetadata": body["usageMetadata"]} if at + 1 == len(parts) and "usageMetadata" in body else {}
        yield {"candidates": [part], **last, **(every if at else head)}


def _candidate(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the candidate of each of its chunks."""
    index = {"index": candidate["index"]} if "index" in candidate else {}
    last = {key: value for key, value in candidate.items() if key not in ("content", "index")}
    content = candidate.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("parts"), list):
        return [candidate]
    contents = [{**content, "parts": group} for group in _groups(content["parts"])]
    return [{"content": each, **(last if at + 1 == len(contents) else {}), **index} for at, each in enumerate(contents)]


def _groups(parts: list[Any]) -> list[list[Any]]:
    """Return the parts of each chunk."""
    groups: list[list[Any]] = []
    before: Any = None
    for part in parts:
        first, *rest = _cut(part)
        if groups and is_plain(part) and (not part["text"] or _would_join(before, part)):
            groups[-1].append(first)
        else:
            groups.append([first])
        groups += [[piece] for piece in rest]
        before = part
    return groups or [[]]


def _cut(part: Any) -> list[Any]:
    if not is_plain(part) or not part["text"]:
        return [part]
    return [{**part, "text": piece} for piece in pieces(part["text"])]


def _would_join(before: Any, part: dict[str, Any]) -> bool:
    return is_plain(before) and bool(kind(before) == kind(part))
