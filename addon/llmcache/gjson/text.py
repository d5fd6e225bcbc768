"""JSON text, cut up with regexes and never turned into Python objects.

Everything is a slice of the text: a value is the text of that value, and the empty text is a value that is missing.
The reading is as tolerant as gjson's: what is truncated or malformed gives what can be read before the fault.
No pattern can backtrack (possessive groups), so the time is linear in the text whatever it holds.
It does not know paths.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn

BLANKS = "".join(map(chr, range(0x21)))
"""What counts as white space: gjson takes every control character for it."""

# `[^"]` is scanned seven times as fast as `[^"\\]`, so the first arm looks for quotes only and judges each by what
# stands before it; it gives up at a quote behind two backslashes, and the second arm reads escape by escape.
_INSIDE = r'(?>(?:[^"]*+(?<=[^\\]\\)")*+[^"]*+(?<!\\)(?=")|[^"\\]*+(?:\\.[^"\\]*+)*+)'
STRING = rf'"{_INSIDE}"'
_WORD = r"(?:[tf]|n(?=u|\Z))[a-z]*+"
_NUMBER = r"[-+0-9iInN][^\x00-\x20,\]}]*+"
_SCALAR = rf"{STRING}|{_WORD}|{_NUMBER}"
_START = r'"{\[tfn0-9+\-iIN'

_MEMBER = re.compile(rf'[^"}}]*+"({_INSIDE})"[^{_START}]*+(?:({_SCALAR})|[\[{{])', re.DOTALL)
_ELEMENT = re.compile(rf"[^\]{_START}]*+(?:({_SCALAR})|[\[{{])", re.DOTALL)
_VALUE = re.compile(rf'[\x00-\x20]*+(?:({_SCALAR})|(?=[\[{{"]))', re.DOTALL)
_FLAT = rf'(?:[^"{{}}\[\]]++|{STRING})*+'
_BRACKET = re.compile(rf"{_FLAT}([{{}}\[\]])", re.DOTALL)
_BRANCH = re.compile(rf"(?:{_FLAT}[\[{{]{_FLAT}[}}\]])*+{_FLAT}([{{}}\[\]])", re.DOTALL)
"""The next bracket of a value that holds others: what is flat is passed over in one match, and read twice at most."""
_OPENING = re.compile(r'[^"\[{]*+([\[{])')
_QUOTED = re.compile(STRING, re.DOTALL)
_BLANK = re.compile(rf"({STRING})|[\x00-\x20]++", re.DOTALL)
_READABLE = re.compile(r'[^"\\]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*+)*+')
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"-?[0-9]*")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:e[-+]?[0-9]++)?|[-+]?inf(?:inity)?|nan", re.ASCII | re.IGNORECASE
)
_UNSAFE = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_KINDS = {'"': "String", "{": "JSON", "[": "JSON", "t": "True", "f": "False"}
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}

_DECODER = json.JSONDecoder(strict=False)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


_STRICT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)
"""Judges only: numbers stay text, for Python limits the digits of an integer and JSON does not."""


def opening(text: str) -> int:
    """Return where the first array or object of *text* begins, or -1; what stands before it is passed over.

    A string is never looked into.
    gjson does, and finds members in the prose of a prompt.
    """
    found = _OPENING.match(text)
    return found.start(1) if found else -1


class Indexed(str):
    """A text that knows where its arrays and objects end, for walks that come to the same place often."""

    __slots__ = ("ends",)
    ends: dict[int, int]

    def __init__(self, text: str) -> None:
        self.ends = {}
        opened: list[int] = []
        pos = 0
        while found := _BRACKET.match(text, pos):
            pos = found.end()
            if found[1] in "[{":
                opened.append(pos - 1)
            elif opened:
                self.ends[opened.pop()] = pos


def members(text: str, pos: int) -> Iterator[tuple[str, int]]:
    """Yield the key (still escaped) and the start of the value of each member; *pos* is behind the `{`."""
    while found := _MEMBER.match(text, pos):
        end = found.end(2)
        start = found.start(2) if end >= 0 else found.end() - 1
        yield found[1], start
        pos = end if end >= 0 else _close(text, start)


def elements(text: str, pos: int) -> Iterator[int]:
    """Yield the start of each element; *pos* is behind the `[`."""
    while found := _ELEMENT.match(text, pos):
        end = found.end(1)
        start = found.start(1) if end >= 0 else found.end() - 1
        yield start
        pos = end if end >= 0 else _close(text, start)


def cut(text: str, start: int) -> str:
    """Return the value that begins at *start*, as the text spells it."""
    found = _ELEMENT.match(text, start)
    if found and found[1] is not None:
        return found[1]
    return text[start : _close(text, start)]


def _close(text: str, start: int) -> int:
    """Return the end of the array or object at *start*: behind its bracket, or the end of a truncated text."""
    if isinstance(text, Indexed):
        return text.ends.get(start, len(text))
    depth, pos = 1, start + 1
    while depth and (found := _BRANCH.match(text, pos)):
        depth += 1 if found[1] in "[{" else -1
        pos = found.end()
    return len(text) if depth else pos


def spans(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Yield key (quoted, empty in an array), start and end of each child of the array or object at *start*."""
    pattern = {"{": _MEMBER, "[": _ELEMENT}[text[start]]
    pos = start + 1
    while found := pattern.match(text, pos):
        scalar = found[pattern.groups]
        begin = found.end() - (len(scalar) if scalar else 1)
        pos = found.end() if scalar else _close(text, begin)
        yield f'"{found[1]}"' if pattern is _MEMBER else "", begin, pos


def children(value: str) -> Iterator[tuple[str, str]]:
    """Yield key (as `spans`) and value of each child; a scalar is its own only child."""
    if value[:1] in ("{", "["):
        yield from ((key, value[begin:end]) for key, begin, end in spans(value, 0))
    elif value:
        yield "", value


def parse(text: str) -> str:
    """Return the one value that *text* is, or nothing; an array or object reaches to the end of the text."""
    found = _VALUE.match(text)
    if found is None:
        return ""
    return text[found.end() :] if found[1] is None else found[1]


def kind(value: str) -> str:
    """Return gjson's name for the type of a value that is there."""
    if value[0] == "n":
        return "Null" if value[1:2] in ("u", "") else "Number"
    return _KINDS.get(value[0], "Number")


def string(value: str) -> str:
    """Return a value as gjson prints it: strings unquoted, numbers without an exponent, `null` as nothing."""
    match kind(value) if value else "Null":
        case "String":
            return unescape(value[1:-1] if _QUOTED.fullmatch(value) else value[1:])
        case "Number":
            return value if _INTEGER.fullmatch(value) else _decimal(number(value))
        case "JSON":
            return value
        case "Null":
            return ""
        case truth:
            return truth.lower()


def unescape(inside: str) -> str:
    """Return the text that the inside of a string literal stands for, up to the first escape that is none."""
    if "\\" not in inside:
        return inside
    try:
        text = decoded(f'"{inside}"')
    except ValueError:
        readable = _READABLE.match(inside)
        text = decoded(f'"{readable[0] if readable else ""}"')
    return _SURROGATE.sub("\ufffd", str(text)) if "\\u" in inside else str(text)


def quote(text: str) -> str:
    """Return *text* as a JSON string, escaped as Go does it (`<`, `>`, `&` and the line separators too)."""
    return f'"{_UNSAFE.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if "\ud800" <= char <= "\udfff":
        return "\\ufffd"
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def number(value: str) -> float:
    """Return the number that a text means, 0 for what is none (as Go's ParseFloat, its error ignored)."""
    return float(value) if _FLOAT.fullmatch(value) else 0.0


def _decimal(value: float) -> str:
    """Print *value* as Go's FormatFloat(v, 'f', -1, 64): the shortest digits that read back, no exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")
    digits = format(Decimal(repr(value)), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def truth(text: str) -> bool | None:
    """Return what Go's ParseBool makes of *text* in lower case, None when it is no truth value."""
    return _TRUTHS.get(text.lower())


def boolean(value: str) -> bool:
    """Return a value as a flag: `true`, a number but 0, or a string that says so."""
    match kind(value) if value else "Null":
        case "String":
            return bool(truth(string(value)))
        case "Number":
            return number(value) != 0
        case name:
            return name == "True"


def compact(text: str) -> str:
    """Return *text* without the white space between its tokens."""
    return _BLANK.sub(lambda found: found[1] or "", text)


def valid(text: str) -> bool:
    """Whether *text* is one JSON value by RFC 8259."""
    try:
        _STRICT.decode(text)
    except ValueError:
        return False
    return True


def decoded(literal: str) -> Any:
    """Return the Python value of a JSON text, ValueError when it is none."""
    return _DECODER.decode(literal)
