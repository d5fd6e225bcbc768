"""JSON bytes <-> a value and the style in which it was written, so that the same bytes come back.

A style is a few words, such as `spaced` or `indent-2`; most providers need none. Bytes that no style brings back (a
number written as 0.00001, keys written twice, odd white space) are told apart by trying, and stay text.
It knows no entries and no files. Entry points: `parsed`, `written`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from ..chat import WireError
from ..jsontext import dumps, read

Style = tuple[str, ...]
"""Words of `WORDS`, and `indent-N`; empty for compact JSON in UTF-8."""


def parsed(data: bytes) -> tuple[Any, Style] | None:
    """Return value and style of *data*, or None where the same bytes would not come back."""
    try:
        value = read(data)
    except WireError:
        return None
    for style in _guessed(data):
        try:
            if written(value, style) == data:
                return value, style
        except (ValueError, TypeError, RecursionError):
            return None
    return None


def written(value: Any, style: Style) -> bytes:
    """Return *value* as JSON in *style*. Raises `ValueError` for a word that is no style."""
    if not style:
        return dumps(value)
    indent = next((int(word[7:]) for word in style if word.startswith("indent-")), None)
    if unknown := [word for word in style if word not in WORDS and not _INDENT.fullmatch(word)]:
        raise ValueError(f"`{unknown[0]}` is no style of JSON; there are: {', '.join(WORDS)}, indent-2")
    colon = ": " if indent is not None or "spaced" in style or "colons" in style else ":"
    comma = ", " if "spaced" in style and indent is None else ","
    small: list[float] = []
    given = _marked(value, small) if "decimal" in style else value
    text = json.dumps(given, ensure_ascii="ascii" in style, allow_nan=False, indent=indent, separators=(comma, colon))
    for number, each in enumerate(small):
        text = text.replace(_MARK % number, format(Decimal(repr(each)), "f"))
    for word, characters in _ESCAPED.items():
        if word in style:
            text = re.sub(f"[{characters}]", lambda found: f"\\u{ord(found.group()):04x}", text)
    if "slashes" in style:
        text = text.replace("/", "\\/")
    return (text + "\n" * ("newline" in style)).encode("utf-8", "surrogatepass")


def _marked(value: Any, small: list[float]) -> Any:
    """Return *value* with a mark for each float that Python would write with an exponent; they go to *small*."""
    match value:
        case dict():
            return {name: _marked(each, small) for name, each in value.items()}
        case list():
            return [_marked(each, small) for each in value]
        case float() if "e" in repr(value):
            small.append(value)
            return f"\0{len(small) - 1}\0"
    return value


def _guessed(data: bytes) -> Iterator[Style]:
    """Yield the styles that *data* may have; which is right shows when it is written."""
    escapes = tuple(word for word, sign in _SIGNS if sign.search(data))
    if "ascii" in escapes:
        escapes = tuple(word for word in escapes if word != "separators")
    numbers: tuple[Style, ...] = ((), ("decimal",)) if _TINY.search(data) else ((),)
    for spaces in _spaces(data):
        for number in numbers:
            yield (*spaces, *number, *escapes)


def _spaces(data: bytes) -> tuple[Style, ...]:
    if found := _INDENTED.match(data):
        return ((f"indent-{len(found[1])}",),)
    if found := _FIRST_NAME.match(data):
        return (("spaced",), ("colons",)) if found[1] else ((),)
    return ((), ("spaced",), ("colons",))


WORDS = ("spaced", "colons", "decimal", "ascii", "html", "quotes", "separators", "slashes", "newline")
"""`spaced`: `, ` and `: `; `colons`: `: ` alone; `decimal`: no exponents; `ascii`: all else escaped;
`html`: `<>&` escaped as Go does it; `quotes`: `'` escaped; `slashes`: `/` escaped as PHP does it."""
_MARK = '"\\u0000%d\\u0000"'
_TINY = re.compile(rb"[:,\[ ]-?0\.0000[0-9]|[0-9]{17}\.[0-9]")
_ESCAPED = {"html": "<>&", "quotes": "'", "separators": "\u2028\u2029"}
_INDENT = re.compile(r"indent-[0-9]")
_INDENTED = re.compile(rb"[\[{]\n( {0,9})\S")
_FIRST_NAME = re.compile(rb'[\[{]*"(?:[^"\\]|\\.)*":( ?)')
_SIGNS = (
    ("ascii", re.compile(rb"\A[\x00-\x7f]*\\u(?!00[0-7])[\x00-\x7f]*\Z", re.IGNORECASE)),
    ("html", re.compile(rb"\\u00(?:3[ce]|26)")),
    ("quotes", re.compile(rb"\\u0027")),
    ("separators", re.compile(rb"\\u202[89]")),
    ("slashes", re.compile(rb"\\/")),
    ("newline", re.compile(rb"\n\Z")),
)
