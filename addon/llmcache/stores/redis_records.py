"""An entry as the value of a Redis key, and back: our own records, and what the store needs to know of any others.

Layout: magic (4 bytes), format version (1), coding (1: 0 plain, 1 zstd), length of the head (4, big-endian),
the head (a JSON list, for listings: it is read without the rest), then `record.pack`'s bytes, coded.
Whatever is not exactly that, of that key, is not there. It does not talk to Redis.
Entry points: `Records`, the protocol, and `OwnRecords`.
"""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import zstandard

from ..chat import Entry
from .record import Row, pack, unpack

MAGIC = b"aicr"
VERSION = 1
PLAIN, ZSTD = 0, 1
COMPRESS = 1024
"""Bytes of a record from which on it is compressed; below, little is won."""
LEVEL = 3
LARGEST = 256_000_000
"""Bytes that a compressed record may claim to have been, so that a flipped bit cannot ask for all memory."""
JITTER = 0.05
"""The part of its time by which an entry may go earlier, so that what came together does not go together."""

_PREFIX = struct.Struct(">4sBBI")


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry in a listing: what is known of it, where it is, and which of two of the same time came later."""

    row: Row
    name: bytes
    order: int


class Records(Protocol):
    """What stands under which key of Redis."""

    prefix: bytes
    """What all names begin with."""
    head: int
    """Bytes of a value that a listing needs, mostly."""

    def names(self, key: str) -> tuple[bytes, ...]:
        """Return where the entry of *key* may be, the place where it is written first."""

    def encode(self, entry: Entry) -> bytes:
        """Return the value for *entry*. Raises `ValueError` where it has none."""

    def life(self, entry: Entry, now: float) -> dict[str, int]:
        """Return the arguments of SET that bound its time."""

    def decode(self, key: str, name: bytes, data: object) -> Entry | None:
        """Return the entry that is the value *data* of *name*, or None for what is none of *key*."""

    def missing(self, head: bytes) -> int:
        """Return how many bytes from the beginning a listing needs; 0 when *head* will do."""

    def listed(self, name: bytes, head: bytes, length: int) -> Listed | None:
        """Return what a listing shows of a value of *length* bytes that begins with *head*; None for a stranger's."""


class OwnRecords:
    """Our own records, under *prefix* and the key."""

    head = 1024

    def __init__(self, prefix: str) -> None:
        self.prefix = encoded(prefix)

    def names(self, key: str) -> tuple[bytes, ...]:
        """Return the one name of *key*."""
        return (self.prefix + encoded(key),)

    def encode(self, entry: Entry) -> bytes:
        """Return the value for *entry*. Raises `ValueError` for an entry that no record can hold."""
        data = pack(entry)
        names = map(_clean, (entry.key, entry.dialect, entry.host, entry.path, entry.model))
        head = orjson.dumps([time.time_ns(), *names, entry.created, entry.expires, len(data)])
        coding = ZSTD if len(data) >= COMPRESS else PLAIN
        payload = zstandard.ZstdCompressor(level=LEVEL).compress(data) if coding == ZSTD else data
        return _PREFIX.pack(MAGIC, VERSION, coding, len(head)) + head + payload

    def life(self, entry: Entry, now: float) -> dict[str, int]:
        """Return the rest of its time, less up to a twentieth; never more than was asked for."""
        if entry.expires is None:
            return {}
        left = (entry.expires - now) * (1 - JITTER * random.random())  # noqa: S311 - spreads load, guards nothing
        return {"px": max(1, int(left * 1000))}

    def decode(self, key: str, name: bytes, data: object) -> Entry | None:  # noqa: ARG002 - others need the name
        """Return the entry of *key*, or None for anything but its record."""
        if not isinstance(data, bytes):
            return None
        try:
            magic, version, coding, length = _PREFIX.unpack_from(data)
            if (magic, version) != (MAGIC, VERSION):
                return None
            return unpack(_plain(coding, data[_PREFIX.size + length :]), key)
        except (ValueError, struct.error, zstandard.ZstdError, MemoryError):
            return None

    def missing(self, head: bytes) -> int:
        """Return how long the head is when *head* is not all of it."""
        if len(head) < _PREFIX.size:
            return 0
        needed = _PREFIX.size + _PREFIX.unpack_from(head)[3]
        return needed if len(head) < needed < LARGEST else 0

    def listed(self, name: bytes, head: bytes, length: int) -> Listed | None:  # noqa: ARG002 - others need the length
        """Return what the head tells; a value of another version or another kind is not ours to list."""
        if not head.startswith(MAGIC + bytes([VERSION])) or len(head) < _PREFIX.size:
            return None
        try:
            match orjson.loads(head[_PREFIX.size : _PREFIX.size + _PREFIX.unpack_from(head)[3]]):
                case [int(order), *names, float(created) | int(created), expires, int(size)] if _fits(names, expires):
                    key, dialect, host, path, model = names
                    row = Row(key, dialect, host, path, model, created, expires, used=created, hits=0, size=size)
                    return Listed(row, name, order)
        except orjson.JSONDecodeError:
            pass
        return None


def encoded(text: str) -> bytes:
    """Return *text* as part of a key, which takes any bytes: half a surrogate pair has its own."""
    return text.encode("utf-8", "surrogatepass")


def _plain(coding: int, payload: bytes) -> bytes:
    if coding == PLAIN:
        return payload
    if coding != ZSTD or not 0 < zstandard.frame_content_size(payload) <= LARGEST:
        raise ValueError("unknown coding")
    return zstandard.ZstdDecompressor().decompress(payload)


def _fits(names: list[Any], expires: object) -> bool:
    return [type(name) for name in names] == [str] * 5 and isinstance(expires, int | float | None)


def _clean(text: str) -> str:
    """Return *text* as JSON can hold it, for listings: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
