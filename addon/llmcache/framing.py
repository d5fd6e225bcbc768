"""Bytes <-> the events of a server-sent-events stream, whole or as they arrive.

It follows the WHATWG standard (HTML, 9.2 "Server-sent events") and differs in one point: an event that the end of the
stream cut off is not thrown away but handed out by `close`, marked as not whole, so that the dialect may judge it.
It knows nothing of what an event means. Entry points: `parse_sse`, `SseParser`, `sse`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n?|\n")
_BOM = b"\xef\xbb\xbf"
_SAID = 5
"""How many of an event's fields are what it says; the others are where it stands."""
_LONG_RETRY = 16
"""Digits from which a reconnection time is noise (it would be 30,000 years); int() also refuses over 4300."""


class Event(NamedTuple):
    """One event of a stream. A tuple, for a frozen dataclass takes six times as long to make, and streams are long."""

    data: str
    """The `data` lines joined by line feeds; bytes that are no UTF-8 become U+FFFD, as the standard has it."""
    event: str = ""
    """The event's name; empty stands for the standard's `message`."""
    id: str | None = None
    """The id that this event sets; None when it has no `id` line."""
    retry: int | None = None
    """The reconnection time that came with this event, in milliseconds."""
    whole: bool = True
    """Whether the blank line that ends an event was seen."""
    start: int = 0
    """Offset of the event's first line in the stream (comments before it are not part of it)."""
    end: int = 0
    """Offset behind the event's last line end; before its LF where a chunk ends between CR and LF: no event waits."""

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever in a stream."""
        return isinstance(other, Event) and self[:_SAID] == other[:_SAID]

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash(self[:_SAID])


def parse_sse(body: bytes) -> list[Event]:
    """Return every event of a whole stream, a last one without its blank line included (`whole` is False)."""
    ending = _ending(body)
    parser = SseParser()
    if not ending:
        return parser.feed(body) + parser.close()
    events, at = [], 0
    *blocks, rest = body.split(ending * 2)
    for block in blocks:
        start, at = at, at + len(block) + 2 * len(ending)
        if found := _usual(block, ending):
            data, name, ident = found
            text = None if ident is None else ident.decode("utf-8", "replace")
            named = name.decode("utf-8", "replace") if name else ""
            events.append(Event(data.decode("utf-8", "replace"), named, text, None, True, start, at))
        else:
            parser.seek(start)
            events += parser.feed(body[start:at])
    parser.seek(at)
    return events + parser.feed(rest) + parser.close()


def _ending(body: bytes) -> bytes:
    """Return how every line of *body* ends, empty where they end in several ways."""
    returns = body.count(b"\r")
    if not returns:
        return b"\n"
    return b"\r\n" if returns == body.count(b"\r\n") == body.count(b"\n") else b""


def _usual(block: bytes, ending: bytes) -> tuple[bytes, bytes, bytes | None] | None:
    """Return data, name and id of a block that is one data line and what belongs to it; None for any other.

    That is how providers write; through the parser, line by line, it takes twice as long.
    """
    data = ident = None
    name = b""
    for line in block.split(ending):
        if line.startswith(b"data:") and data is None:
            data = line[6:] if line.startswith(b"data: ") else line[5:]
        elif line.startswith(b"event:"):
            name = line[7:] if line.startswith(b"event: ") else line[6:]
        elif line.startswith(b"id:") and b"\0" not in line:
            ident = line[4:] if line.startswith(b"id: ") else line[3:]
        elif not line.startswith(b":") or (data is None and ident is None and not name):  # it begins behind a comment
            return None
    return None if data is None else (data, name, ident)


def sse(event: Event) -> bytes:
    """Write *event* as a stream has it, with line feeds. Data is split at LF, CR and CRLF; all read back as LF."""
    lines = [f"event: {event.event}"] if event.event else []
    if event.id is not None:
        lines.append(f"id: {event.id}")
    if event.retry is not None:
        lines.append(f"retry: {event.retry}")
    lines += [f"data: {line}" for line in re.split(r"\r\n?|\n", event.data)]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


class SseParser:
    """An incremental reader: feed it chunks cut anywhere, it returns the events that they complete."""

    __slots__ = ("_after_cr", "_at", "_data", "_event", "_first", "_id", "_parts", "_retry", "_start")

    def __init__(self) -> None:
        self._parts: list[
            bytes
        ] = []  # the line that has not ended yet, in pieces: joined once, so long lines cost O(n)
        self._after_cr = False
        self._first = True
        self._at = 0
        self._data: list[str] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._start: int | None = None

    def __repr__(self) -> str:
        return f"<SseParser at byte {self._at}, {len(self._data)} data lines open>"

    def seek(self, at: int) -> None:
        """Go on at byte *at* of the stream, where an event begins; what came before was read by other means."""
        self._at, self._first, self._after_cr = at, not at, False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes of the stream; return the events that are complete now."""
        events: list[Event] = []
        at = 0
        if self._after_cr and chunk:  # the LF of a CRLF that was cut in two is no line of its own
            at = int(chunk[:1] == b"\n")
            self._after_cr = False
            self._at += at
        if b"\r" not in chunk:  # the common case, where a split is much faster
            *lines, rest = chunk[at:].split(b"\n")
            for line in lines:
                events += self._line(line, 1)
        else:
            for end in _LINE_END.finditer(chunk, at):
                events += self._line(chunk[at : end.start()], end.end() - end.start())
                at = end.end()
            rest = chunk[at:]
            self._after_cr = chunk.endswith(b"\r")
        if rest:
            self._parts.append(rest)
        return events

    def close(self) -> list[Event]:
        """End the stream; return the event that it broke off, if any."""
        events = self._line(b"", 0) if self._parts else []
        return events + self._finish(whole=False)

    def _line(self, last: bytes, ending: int) -> list[Event]:
        line = last
        if self._parts:
            line = b"".join((*self._parts, last))
            self._parts.clear()
        start, self._at = self._at, self._at + len(line) + ending
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._finish(whole=True)
        self._field(line, start)
        return []

    def _field(self, line: bytes, start: int) -> None:
        name, _, value = line.partition(b":")
        if not name:  # a comment
            return
        if self._start is None:
            self._start = start
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        match name:
            case b"data":
                self._data.append(text)
            case b"event":
                self._event = text
            case b"id" if "\0" not in text:
                self._id = text
            case b"retry" if text.isascii() and text.isdigit() and len(text) < _LONG_RETRY:
                self._retry = int(text)

    def _finish(self, *, whole: bool) -> list[Event]:
        # The standard: an event without a data line is not dispatched; one with an empty data line is.
        found = [self._built(whole)] if self._data else []
        self._reset()
        return found

    def _built(self, whole: bool) -> Event:
        start = self._at if self._start is None else self._start
        return Event("\n".join(self._data), self._event, self._id, self._retry, whole, start, self._at)

    def _reset(self) -> None:
        self._data = []
        self._event = ""
        self._id = self._retry = self._start = None
