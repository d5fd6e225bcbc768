"""JSON text laid out for reading, byte for byte as gjson's `@pretty` does it.

Objects take a line per member; an array stays on one line when it holds no object and the line is not too long.
It does not know paths. Entry point: `pretty`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .text import Indexed, parse, spans, string, unescape

Place = tuple[int, int]
"""Start and end of a value in its text."""

_CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The options of `@pretty`."""

    width: float = 80
    """Longest line that an array may make, in bytes; 0 puts every element on its own line."""
    prefix: str = ""
    indent: str = "  "
    sort: bool = False
    """Whether members are put in the order of their keys."""


def pretty(text: str, layout: Layout) -> str:
    """Return the value in *text* laid out, with a line end behind it; nothing for nothing."""
    value = parse(text)
    if not value:
        return ""
    body = _lay(Indexed(value), (0, len(value)), layout, 0, _size(layout.prefix))
    return f"{layout.prefix}{body}\n"


def _lay(text: Indexed, place: Place, layout: Layout, depth: int, column: int) -> str:
    """Lay out the value at *place*, which begins *column* bytes behind the last line end (that one counted)."""
    start, end = place
    opening = text[start]
    if opening not in _CLOSING:
        return text[start:end]
    room = layout.width - column
    if opening == "[" and layout.width > 0 and room > len("[ ]"):
        line = _line(text, place, room)
        if line is not None:
            return line
    margin = layout.prefix + layout.indent * (depth + 1)
    lines = [_item(text, child, layout, depth + 1, margin) for child in _ordered(text, start, layout)]
    if not lines:
        return opening + _CLOSING[opening]
    return "{}\n{}\n{}{}".format(opening, ",\n".join(lines), layout.prefix + layout.indent * depth, _CLOSING[opening])


def _item(text: Indexed, child: tuple[str, int, int], layout: Layout, depth: int, margin: str) -> str:
    key, *place = child
    label = f"{margin}{key}: " if key else margin
    return label + _lay(text, (place[0], place[1]), layout, depth, 1 + _size(label))


def _ordered(text: Indexed, start: int, layout: Layout) -> list[tuple[str, int, int]]:
    found = list(spans(text, start))
    if layout.sort and text[start] == "{":
        found.sort(key=lambda child: unescape(child[0][1:-1]))
    return found


def _line(text: Indexed, place: Place, room: float) -> str | None:
    """Return a value without objects on one line, None when it has one or is longer than *room* bytes."""
    start, end = place
    if text[start] == "{":
        return None
    if text[start] != "[":
        return text[start:end] if _size(text[start:end]) <= room else None
    line = "["
    for _, begin, stop in spans(text, start):
        line += ", " if line != "[" else ""
        part = _line(text, (begin, stop), room - _size(line) - 1)
        if part is None:
            return None
        line += part
    return line + "]" if _size(line) < room else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def blanks(value: str) -> str:
    """Return what an option may indent with: the value's white space, so that the result stays JSON."""
    return "".join(char for char in string(value) if char in " \t\n\r")
