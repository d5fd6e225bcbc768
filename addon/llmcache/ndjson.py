"""Bytes <-> the lines of a newline-delimited JSON stream, whole or as they arrive.

A line ends with LF (a CR before it is no part of it); blank lines mean nothing. The last line may lack its line feed:
then it is handed out by `close`, marked as not whole, so that the dialect may judge it.
It does not read the JSON of a line. Entry points: `parse_ndjson`, `NdjsonParser`, `ndjson`.
Source: github.com/ndjson/ndjson-spec, version 1.0.
"""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of a stream, never blank. A tuple, for a frozen dataclass takes six times as long to make."""

    data: bytes
    """The line without its end and without the blanks around it."""
    whole: bool = True
    """Whether its line feed was seen."""
    start: int = 0
    """Offset of the line in the stream."""
    end: int = 0
    """Offset behind its line feed."""

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever in a stream."""
        return isinstance(other, Line) and (self.data, self.whole) == (other.data, other.whole)

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash((self.data, self.whole))


def parse_ndjson(body: bytes) -> list[Line]:
    """Return every line of a whole stream, a last one without its line feed included (`whole` is False)."""
    parser = NdjsonParser()
    return parser.feed(body) + parser.close()


def ndjson(data: bytes) -> bytes:
    """Write one line; *data* is JSON without line feeds."""
    return data + b"\n"


class NdjsonParser:
    """An incremental reader: feed it chunks cut anywhere, it returns the lines that they complete."""

    __slots__ = ("_at", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # the line that has not ended yet: joined once, so long lines cost O(n)
        self._at = 0

    def __repr__(self) -> str:
        return f"<NdjsonParser at byte {self._at}, {sum(map(len, self._parts))} bytes open>"

    def feed(self, chunk: bytes) -> list[Line]:
        """Take the next bytes of the stream; return the lines that are complete now."""
        *ended, rest = chunk.split(b"\n")
        lines = [line for piece in ended for line in self._line(piece, whole=True)]
        if rest:
            self._parts.append(rest)
        return lines

    def close(self) -> list[Line]:
        """End the stream; return the line that it broke off, if any."""
        return self._line(b"", whole=False)

    def _line(self, last: bytes, *, whole: bool) -> list[Line]:
        raw = b"".join((*self._parts, last))
        self._parts.clear()
        start, self._at = self._at, self._at + len(raw) + whole
        data = (raw if start else raw.removeprefix(_BOM)).strip(_BLANK)
        return [Line(data, whole, start, self._at)] if data else []


_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
