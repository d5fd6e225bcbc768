"""Where the items of a list stand in a JSON text, for messages that name a line. Entry point: `starts`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")


def starts(text: str, *names: str) -> list[int]:
    """Return the lines, from 1 on, on which the items of the list under *names* begin. *text* is valid JSON."""
    lines, line, before = [], 1, 0
    for at in _items(text, _member(text, names)):
        line += text.count("\n", before, at)
        before = at
        lines.append(line)
    return lines


def _member(text: str, names: tuple[str, ...]) -> int:
    """Return where the value under *names* begins; of a name that is there twice the last counts, as for `json`."""
    at = _past(text, 0)
    for name in names:
        at = [start for key, start in _members(text, at) if key == name][-1]
    return at


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    decoder = json.JSONDecoder()
    at = _past(text, at + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = _past(text, _past(text, at) + 1)
        yield key, at
        _, at = decoder.raw_decode(text, at)
        at = _next(text, at)


def _items(text: str, at: int) -> Iterator[int]:
    decoder = json.JSONDecoder()
    at = _past(text, at + 1)
    while text[at] != "]":
        yield at
        _, at = decoder.raw_decode(text, at)
        at = _next(text, at)


def _next(text: str, at: int) -> int:
    """Return where what follows a comma begins, or the closing bracket stands."""
    at = _past(text, at)
    return _past(text, at + 1) if text[at] == "," else at


def _past(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
