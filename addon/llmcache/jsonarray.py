"""Bytes <-> the elements of one JSON array that is sent element by element, whole or as they arrive.

Google's APIs stream so when no `alt=sse` is asked for: `[{...}`, then `,` and the next element, at last `]`.
Only the closing bracket proves that the array is whole: see `ArrayParser.closed`.
It finds where elements begin and end and does not check the JSON between. Entry points: `ArrayParser`, `array`.
Source: RFC 8259 section 5; Google Cloud, "Method: models.streamGenerateContent".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from .chat import WireError


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the array."""

    data: bytes
    """Its JSON text without the blanks around it."""
    end: int = field(default=0, compare=False)
    """Offset of the comma or bracket behind it."""


def array(elements: Iterable[bytes]) -> list[bytes]:
    """Write *elements* as Google does, one piece for each and one for the closing bracket."""
    pieces = [(b",\r\n" if at else b"[") + element + b"\n" for at, element in enumerate(elements)]
    return [*(pieces or [b"["]), b"]"]


class ArrayParser:
    """An incremental reader: feed it chunks cut anywhere, it returns the elements that they complete."""

    __slots__ = ("_at", "_depth", "_escaped", "_parts", "_quoted", "closed")

    def __init__(self) -> None:
        self.closed = False
        """Whether the bracket that ends the array was seen."""
        self._depth = 0
        self._quoted = self._escaped = False
        self._parts: list[bytes] = []  # the element that has not ended yet: joined once, so long ones cost O(n)
        self._at = 0

    def __repr__(self) -> str:
        return f"<ArrayParser at byte {self._at}, depth {self._depth}, {'closed' if self.closed else 'open'}>"

    def feed(self, chunk: bytes) -> list[Element]:
        """Take the next bytes; return the elements that are complete now. Raises `WireError` (`not-an-array`)."""
        elements: list[Element] = []
        first, at = 0, self._skipped(chunk, 0)
        while found := self._marks().search(chunk, at):
            mark, end = found.group(), found.end()
            if self._depth == 0:
                self._outside(chunk[first : found.start()], mark)
                first = end
            elif self._depth == 1 and not self._quoted and mark in b",]":
                elements += self._ended(chunk[first : found.start()], self._at + found.start())
                first = end
            self._turn(mark)
            at = self._skipped(chunk, end)
        self._rest(chunk[first:])
        self._at += len(chunk)
        return elements

    def _marks(self) -> re.Pattern[bytes]:
        """Return what to look for: commas only between elements, whole strings where they are whole."""
        if self._quoted:
            return _IN_STRING
        return _INSIDE if self._depth > 1 else _BETWEEN

    def _skipped(self, chunk: bytes, at: int) -> int:
        """Return where to look next: behind the character that a backslash escapes, which may be in the next chunk."""
        if not self._escaped or at >= len(chunk):
            return at
        self._escaped = False
        return at + 1

    def _turn(self, mark: bytes) -> None:
        match mark:
            case b'"':
                self._quoted = not self._quoted
            case b"\\":
                self._escaped = True
            case b"{" | b"[":
                self._depth += 1
            case b"}" | b"]":
                self._depth -= 1
                self.closed = self._depth == 0

    def _outside(self, before: bytes, mark: bytes) -> None:
        """Check what stands before the array: nothing but blanks; and nothing may come behind it."""
        if self.closed or mark != b"[" or before.strip(_BLANK):
            raise WireError("not-an-array")

    def _ended(self, last: bytes, end: int) -> list[Element]:
        data = b"".join((*self._parts, last)).strip(_BLANK)
        self._parts.clear()
        return [Element(data, end)] if data else []

    def _rest(self, rest: bytes) -> None:
        if self._depth:
            self._parts.append(rest)
        elif rest.strip(_BLANK):
            raise WireError("not-an-array")


_BLANK = b" \t\r\n"
_IN_STRING = re.compile(rb'["\\]')
_BETWEEN = re.compile(rb'["{}\[\],]')
_INSIDE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
