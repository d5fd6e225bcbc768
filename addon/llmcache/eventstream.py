"""Bytes <-> the messages of an AWS event stream, whole or as they arrive.

A message is a prelude (lengths and their CRC), typed headers, a payload, and the CRC of it all. Both checksums are
checked when reading and made anew when writing; what is wrong or missing is a `WireError`, never a guess.
It knows nothing of what a message means. Entry points: `parse`, `MessageParser`, `message`.
Source: AWS, "Event stream encoding" (Smithy, "Amazon Event Stream Specification").
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache

from .chat import WireError

TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, BYTES, STRING, TIMESTAMP, UUID = range(10)
"""The types of a header's value, as they are numbered on the wire."""

MAX_MESSAGE = 2**25
"""Longest message that is read: the specification's 24 MiB of payload with room for headers."""

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
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


@dataclass(frozen=True, slots=True)
class Header:
    """One header of a message."""

    name: str
    value: str | bytes | int | bool
    """A string, bytes (also the 16 of a UUID), an integer (a timestamp in milliseconds), or a truth value."""
    kind: int = STRING


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream."""

    headers: tuple[Header, ...]
    payload: bytes
    start: int = field(default=0, compare=False)
    """Offset of the message's first byte in the stream."""
    end: int = field(default=0, compare=False)
    """Offset behind its last byte."""

    def header(self, name: str) -> str:
        """Return the string header *name*; empty when there is none."""
        for header in self.headers:  # a plain loop: this is asked twice for every frame of a stream
            if header.name == name:
                return header.value if isinstance(header.value, str) else ""
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
            while (size := _size(view, at)) and at + size <= len(view):
                messages.append(_message(view, at, size, self._at))
                at += size
        del self._buffer[:at]
        self._at += at
        return messages

    def close(self) -> None:
        """End the stream. Raises `WireError` (`truncated`) when it ended inside a message."""
        if self._buffer:
            raise WireError("truncated")


def _size(view: memoryview, at: int) -> int:
    """Return the length of the message at *at*, or 0 while its prelude has not arrived. Raises `WireError`."""
    if at + _HEAD > len(view):
        return 0
    total, headers = _PRELUDE.unpack_from(view, at)
    (checksum,) = _CRC.unpack_from(view, at + _PRELUDE.size)
    if checksum != zlib.crc32(view[at : at + _PRELUDE.size]):
        raise WireError("bad-frame")
    if not _HEAD + headers + _CRC.size <= total <= MAX_MESSAGE:
        raise WireError("bad-frame")
    return int(total)


def _message(view: memoryview, at: int, size: int, offset: int) -> Message:
    end = at + size - _CRC.size
    if zlib.crc32(view[at:end]) != _CRC.unpack_from(view, end)[0]:
        raise WireError("bad-frame")
    body = at + _HEAD + _PRELUDE.unpack_from(view, at)[1]
    headers = _headers(bytes(view[at + _HEAD : body]))
    return Message(headers, bytes(view[body:end]), offset + at, offset + at + size)


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
