"""The chunks of a Gemini stream -> the one GenerateContentResponse that the same answer would have been.

Candidates are merged by their index, their parts gathered, and a text that goes on in the next chunk is joined to the
part before it when both are nothing but text of the same kind: Google forbids to merge parts with a thought signature.
What contradicts itself cannot be one body, which is `Lossy`. It does not decide whether the answer is good.
Entry points: `assemble`, `payloads`.
Source: Google, "GenerateContentResponse" (ai.google.dev/api/generate-content) and "Thought signatures".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import jsontext
from ..chat import Lossy, WireError
from . import frames
from .chat_assemble import same

LATER = frozenset(
    {
        "usageMetadata",  # counts up with every chunk
        "finishReason",  # older models say STOP in every chunk
        "finishMessage",
        "tokenCount",
        "safetyRatings",  # rate all that was said so far
        "searchEntryPoint",  # is drawn anew for every search
    }
)
"""Members of which the last one counts."""

SLICES = frozenset({"topCandidates", "chosenCandidates"})
"""Lists that come in slices: of logprobsResult, where equal neighbors are equal tokens."""

GATHERED = frozenset(
    {
        "citationSources",  # citationMetadata at AI Studio
        "citations",  # and at Vertex
        "webSearchQueries",
        "imageSearchQueries",
        "retrievalQueries",
        "groundingChunks",
        "groundingSupports",
        "urlMetadata",
    }
)
"""Lists that grow: some models send what is new, as Google's Node SDK expects, others all that there is so far."""


_PLAIN = frozenset({"text", "thought"})
_NOTHING = object()


class Parts:
    """The parts of one candidate as they come; texts that go on are joined once, so that a long answer costs O(n)."""

    __slots__ = ("_open", "_parts")

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._open: list[str] = []  # the pieces of the last part, when it is plain text

    def add(self, parts: list[Any]) -> None:
        """Take the parts of the next chunk."""
        for at, part in enumerate(parts):
            plain = is_plain(part)
            if plain and self._parts and len(parts) == 1 and not part["text"]:
                return  # how a stream ends behind a function call; no JSON body has it
            if plain and at == 0 and self._open and kind(part) == kind(self._parts[-1]):
                self._open.append(part["text"])
                continue
            self._close()
            self._parts.append(part)
            self._open = [part["text"]] if plain else []

    def all(self) -> list[Any]:
        """Return the parts."""
        self._close()
        return self._parts

    def _close(self) -> None:
        if len(self._open) > 1:
            self._parts[-1] = {**self._parts[-1], "text": "".join(self._open)}
        self._open = self._open and [self._parts[-1]["text"]]


def is_plain(part: Any) -> bool:
    """Whether *part* is text and nothing else, such as a signature that belongs to this part alone."""
    return isinstance(part, dict) and isinstance(part.get("text"), str) and part.keys() <= _PLAIN


def kind(part: dict[str, Any]) -> Any:
    """Return what tells thoughts from the answer: the member `thought`, or None."""
    return part.get("thought")


def payloads(body: bytes, form: str, read: frames.ReadAll = jsontext.read_all) -> Iterable[dict[str, Any]]:
    """Return the chunks of a stream (*form* `sse` or `array`). Raises `WireError`: `truncated`, `bad-event`, ..."""
    if form == "sse":
        frames.check_text(body)
        return frames.payloads(frames.sent(body), read)
    chunks = _elements(body, read)
    if not all(isinstance(chunk, dict) for chunk in chunks):
        raise WireError("bad-event")
    return chunks


def assemble(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the body that *chunks* add up to; they are not changed. Raises `Lossy` with the field that contradicts."""
    body: dict[str, Any] = {}
    candidates: dict[int, tuple[dict[str, Any], Parts]] = {}
    for chunk in chunks:
        for key, value in chunk.items():
            if key == "candidates":
                body[key] = []  # keeps its place; filled in at the end
                _add_candidates(candidates, value)
            else:
                _put(body, key, value, "")
    for at in sorted(candidates):
        candidate, parts = candidates[at]
        if "parts" in candidate.get("content", ()):
            candidate["content"]["parts"] = parts.all()
        body["candidates"].append(candidate)
    return body


def number(candidate: dict[str, Any], position: int) -> int:
    """Return which candidate this is; without an index, the one at its place in the list."""
    index = candidate.get("index")
    return index if isinstance(index, int) else position


def _add_candidates(into: dict[int, tuple[dict[str, Any], Parts]], new: Any) -> None:
    if not isinstance(new, list):
        raise Lossy("candidates")
    for position, candidate in enumerate(new):
        if not isinstance(candidate, dict):
            raise Lossy("candidates")
        at = number(candidate, position)
        if at not in into:
            into[at] = {}, Parts()
        _add_candidate(*into[at], candidate)


def _add_candidate(into: dict[str, Any], parts: Parts, candidate: dict[str, Any]) -> None:
    for key, value in candidate.items():
        if key != "content":
            _put(into, key, value, "")
        elif isinstance(value, dict):
            _add_content(into.setdefault("content", {}), parts, value)
        else:
            raise Lossy("content")


def _add_content(into: dict[str, Any], parts: Parts, content: dict[str, Any]) -> None:
    for key, value in content.items():
        if key != "parts":
            _put(into, key, value, "content")
        elif isinstance(value, list):
            into[key] = []  # keeps its place; filled in at the end
            parts.add(value)
        else:
            raise Lossy("parts")


def _put(into: dict[str, Any], key: str, value: Any, path: str) -> None:
    old = into.get(key, _NOTHING)
    if old is _NOTHING or key in LATER:
        into[key] = value
    elif old is not value and not (type(value) is str and value == old):  # most members say the same in every chunk
        into[key] = _merged(old, value, key, f"{path}.{key}" if path else key)


def _merged(old: Any, new: Any, key: str, path: str) -> Any:
    """Return what the values *old* and *new* of one member add up to."""
    match old, new:
        case list(), list() if key in SLICES:
            return [*old, *new]
        case list(), list() if key in GATHERED and old == new[: len(old)]:
            return new
        case list(), list() if key in GATHERED and not any(each in old for each in new):
            return [*old, *new]
        case dict(), dict():
            merged = dict(old)
            for name, value in new.items():
                _put(merged, name, value, path)
            return merged
    if not new and not isinstance(new, bool | int | float):
        return old
    if not old and not isinstance(old, bool | int | float):
        return new
    if not same(old, new):
        raise Lossy(path)
    return old


def _elements(body: bytes, read: frames.ReadAll) -> list[Any]:
    try:
        (value,) = read([body])
    except WireError:
        # An array that lacks its end is no JSON: what was cut off and what was never JSON look the same from here.
        raise WireError("truncated" if not body.rstrip().endswith(b"]") else "bad-event") from None
    return value if isinstance(value, list) else [value]
