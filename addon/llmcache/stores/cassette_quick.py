"""The YAML that `cassette_yaml.dump` writes -> its value, several times faster than by way of YAML.

It writes that small part of YAML as JSON, line by line, and reads that at once; whatever looks otherwise is left to
`cassette_yaml.load`. It is for text that nobody edited, as a checksum says: it finds no faults and knows no lines.
Entry point: `quick`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ..chat import WireError
from ..jsontext import dumps, has_long_number, read, skim
from .cassette_yaml import PLAIN


class _Other(Exception):  # noqa: N818 - what the text is
    """This may be YAML, but it is not the part that `dump` writes."""


def quick(text: str, column: int = 0) -> dict[str, Any] | None:
    """Return the value of *text*, a mapping that is indented by *column*; None where `load` must say what it means."""
    try:
        found = _as_json(text, column).encode()
        value = read(found) if has_long_number(found) else skim(found)
    except (_Other, WireError):
        return None
    return value if isinstance(value, dict) else None


def _as_json(text: str, column: int) -> str:
    """Return *text* as JSON. Raises `_Other`."""
    parts, at = ["{"], 0
    # Of each mapping and list that is open: the column of its members, and how it ends.
    columns, ends = [column], ["}"]
    comma = ""  # what parts the next member from the one before
    waiting = False  # for the value of a name that stood alone in its line
    while found := _LINE.match(text, at):
        indent, dashes, name, bare, leaf, plain, other = found.groups()
        column, at = len(indent), found.end()
        if waiting:
            _open(parts, columns, ends, column, "[]" if dashes else "{}")
            comma = ""
        elif columns[-1] != column:
            _close(parts, columns, ends, column)
        if bool(dashes) != (ends[-1] == "]") or not (dashes or name or bare):
            raise _Other
        if bare:
            name = f'"{bare}"'
        if dashes:
            column += len(dashes)
            _begin(parts, columns, ends, column, comma, named=bool(name))
            comma = ""
        if plain:
            leaf = f'"{plain}"'
        elif other:
            leaf, at = _text(text, at, other, " " * (column + 2 if name else column))
        waiting = not leaf
        parts.append(f"{comma}{name}:{leaf or ''}" if name else leaf or "")
        comma = ","
    if at != len(text) or waiting:
        raise _Other
    return "".join(parts) + "".join(reversed(ends))


def _close(parts: list[str], columns: list[int], ends: list[str], column: int) -> None:
    """End what is deeper than *column*. Raises `_Other` where nothing stands there."""
    while columns[-1] > column:
        columns.pop()
        parts.append(ends.pop())
    if columns[-1] != column:
        raise _Other


def _begin(parts: list[str], columns: list[int], ends: list[str], column: int, comma: str, *, named: bool) -> None:
    """Begin an item of the last list: the lists inside it up to *column*, and there the mapping, if it is *named*."""
    parts.append(comma)
    for inner in range(columns[-1] + 2, column, 2):
        _open(parts, columns, ends, inner, "[]")
    if named:
        _open(parts, columns, ends, column, "{}")


def _open(parts: list[str], columns: list[int], ends: list[str], column: int, signs: str) -> None:
    """Begin a mapping or a list inside the last one. Raises `_Other` where it is indented otherwise than we do."""
    if column != columns[-1] + 2:
        raise _Other
    parts.append(signs[0])
    columns.append(column)
    ends.append(signs[1])


def _text(text: str, at: int, start: str, pad: str) -> tuple[str, int]:
    """Return as JSON the text of several lines that begins with *start*, and where it ends; the others are at *at*."""
    if start in _BLOCKS:
        return _block(text, at, start, pad)
    if start[0] == '"' and start.endswith(_GOES_ON):
        return _folded(text, at, start, pad)
    raise _Other


def _block(text: str, at: int, sign: str, pad: str) -> tuple[str, int]:
    found = _lines(pad).match(text, at)
    assert found  # it matches nothing, too
    block = f"\n{found[0]}".replace(f"\n{pad}", "\n")[1:]
    if ("2" not in sign and block[:1] in " \n") or (block.endswith("\n\n") and "+" not in sign):
        raise _Other
    return dumps(block[:-1] if "-" in sign else block).decode(), found.end()


def _folded(text: str, at: int, line: str, pad: str) -> tuple[str, int]:
    parts = []
    while line.endswith(_GOES_ON):
        parts.append(line[:-1])
        found = _line(pad).match(text, at)
        if not found:
            raise _Other
        line, at = found[1].removeprefix("\\") if found[1][:2] == "\\ " else found[1], found.end()
    if not line.endswith('"'):
        raise _Other
    return "".join([*parts, line]), at


@cache
def _lines(pad: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pad}.+\n|\n)*")


@cache
def _line(pad: str) -> re.Pattern[str]:
    return re.compile(rf"{pad}(\S.*)\n")


QUOTED = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_LINE = re.compile(
    r"( *)((?:- )*)"
    # The name of a member, in quotes or not.
    rf"(?:(?:({QUOTED})|({PLAIN.pattern})):(?: |(?=\n)))?"
    # Its value: JSON, text without quotes, or anything else.
    rf"(?:({QUOTED}|[{{\[].*[}}\]]|-?[0-9][0-9.eE+-]*|null|true|false)"
    rf"|(?!(?:Null|NULL|True|TRUE|False|FALSE)\n)({PLAIN.pattern})|(.*))\n"
)
_BLOCKS = frozenset({"|", "|-", "|+", "|2", "|2-", "|2+"})
_GOES_ON = "\\n\\"
"""How a line of a text in quotes ends that goes on in the next."""
