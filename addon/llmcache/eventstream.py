"""Bytes <-> the messages of an AWS event stream, whole or as they arrive.

A message is a prelude (lengths and their CRC), typed headers, a payload, and the CRC of it all. Both checksums are
checked when reading and made anew when writing; what is wrong or missing is a `WireError`, never a guess.
It knows nothing of what a message means. Entry points: `parse`, `MessageParser`, `message`.
Source: AWS, "Event stream encoding" (Smithy, "Amazon Event Stream Specification").
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import NamedTuple

from .chat import WireError

TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, BYTES, STRING, TIMESTAMP, UUID = range(10)
"""The types of a header's value, as they are numbered on the wire."""

MAX_MESSAGE = 2**25
"""Longest message that is read: the specification's 24 MiB of payload with room for headers."""

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_CHECKED = struct.Struct(">III")
_LENGTH = struct.Struct(">H")
_NUMBERS = {
    BYTE: struct.Struct(">b"),
    SHORT: struct.Struct(">h"),
    INTEGER: struct.Struct(">i"),
    LONG: struct.Struct(">q"),
    TIMESTAMP: struct.Struct(">q"),
}
_HEAD = _PRELUDE.size + _CRC.size
_UUID_SIZE = 16


class Header(NamedTuple):
    """One header of a message."""

    name: str
    value: str | bytes | int | bool
    """A string, bytes (also the 16 of a UUID), an integer (a timestamp in milliseconds), or a truth value."""
    kind: int = STRING


class Message(NamedTuple):
    """One message of a stream. A tuple: a frozen dataclass takes six times as long to make, and streams are long."""

    headers: tuple[Header, ...]
    payload: bytes
    start: int = 0
    """Offset of the message's first byte in the stream."""
    end: int = 0
    """Offset behind its last byte."""

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever in a stream."""
        return isinstance(other, Message) and (self.headers, self.payload) == (other.headers, other.payload)

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash((self.headers, self.payload))

    def header(self, name: str) -> str:
        """Return the string header *name*; empty when there is none."""
        for each, value, _ in self.headers:  # a plain loop: this is asked twice for every frame of a stream
            if each == name:
                return value if isinstance(value, str) else ""
        return ""


def parse(body: bytes) -> list[Message]:
    """Return the messages of a whole stream. Raises `WireError` with `bad-frame`, or `truncated` inside a message."""
    parser = MessageParser()
    messages = parser.feed(body)
    parser.close()
    return messages


def begins(body: bytes) -> bool:
    """Whether *body* begins with the prelude of a message; its checksum leaves little to chance."""
    return len(body) >= _HEAD and zlib.crc32(body[: _PRELUDE.size]) == _CRC.unpack_from(body, _PRELUDE.size)[0]


def message(headers: tuple[Header, ...], payload: bytes) -> bytes:
    """Write one message with its checksums."""
    block = b"".join(_written(header) for header in headers)
    prelude = _PRELUDE.pack(_HEAD + len(block) + len(payload) + _CRC.size, len(block))
    whole = prelude + _CRC.pack(zlib.crc32(prelude)) + block + payload
    return whole + _CRC.pack(zlib.crc32(whole))


class MessageParser:
    """An incremental reader: feed it chunks cut anywhere, it returns the messages that they complete."""

    __slots__ = ("_at", "_buffer")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def __repr__(self) -> str:
        return f"<MessageParser at byte {self._at}, {len(self._buffer)} bytes open>"

    def feed(self, chunk: bytes) -> list[Message]:
        """Take the next bytes; return the messages that are complete now. Raises `WireError` (`bad-frame`)."""
        self._buffer += chunk
        messages: list[Message] = []
        at = 0
        with memoryview(self._buffer) as view:
            while found := _message(view, at, self._at):
                messages.append(found)
                at = found.end - self._at
        del self._buffer[:at]
        self._at += at
        return messages

    def close(self) -> None:
        """End the stream. Raises `WireError` (`truncated`) when it ended inside a message."""
        if self._buffer:
            raise WireError("truncated")


def _message(view: memoryview, at: int, offset: int) -> Message | None:
    """Return the message at *at*, or None while it has not all arrived. Raises `WireError`."""
    body = at + _HEAD
    if body > len(view):
        return None
    total, headers, checksum = _CHECKED.unpack_from(view, at)
    if checksum != zlib.crc32(view[at : at + _PRELUDE.size]) or not _HEAD + headers + _CRC.size <= total <= MAX_MESSAGE:
        raise WireError("bad-frame")
    stop = at + total - _CRC.size
    if stop + _CRC.size > len(view):
        return None
    if zlib.crc32(view[at:stop]) != _CRC.unpack_from(view, stop)[0]:
        raise WireError("bad-frame")
    payload = body + headers
    return Message(
        _headers(bytes(view[body:payload])), bytes(view[payload:stop]), offset + at, offset + stop + _CRC.size
    )


@lru_cache(maxsize=64)  # a stream has few different ones
def _headers(block: bytes) -> tuple[Header, ...]:
    headers, at = [], 0
    try:
        while at < len(block):
            name, at = _sized(block, at + 1, block[at])
            kind = block[at]
            value, at = _value(block, at + 1, kind)
            headers.append(Header(name.decode(), value, kind))
    except (IndexError, struct.error, UnicodeDecodeError):
        raise WireError("bad-frame") from None
    return tuple(headers)


def _value(block: bytes, at: int, kind: int) -> tuple[str | bytes | int | bool, int]:
    if kind in (TRUE, FALSE):
        return kind == TRUE, at
    if kind in _NUMBERS:
        return int(_NUMBERS[kind].unpack_from(block, at)[0]), at + _NUMBERS[kind].size
    if kind == UUID:
        return _sized(block, at, _UUID_SIZE)
    if kind not in (BYTES, STRING):
        raise WireError("bad-frame")
    value, end = _sized(block, at + _LENGTH.size, _LENGTH.unpack_from(block, at)[0])
    return (value.decode() if kind == STRING else value), end


def _sized(block: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(block):
        raise WireError("bad-frame")
    return block[at : at + size], at + size


def _written(header: Header) -> bytes:
    name = header.name.encode()
    return bytes((len(name),)) + name + bytes((header.kind,)) + _written_value(header)


def _written_value(header: Header) -> bytes:
    match header.value:
        case bool():
            return b""
        case int(number):
            return _NUMBERS[header.kind].pack(number)
        case str(text):
            return _LENGTH.pack(len(text.encode())) + text.encode()
        case bytes(data) if header.kind == UUID:
            return data
        case data:
            return _LENGTH.pack(len(data)) + data
