"""An entry as bytes, and back: what every store that holds bytes keeps under a key.

Layout, big-endian: magic (7 bytes), format version (1), length of the head (4), length of the keyed request (4),
the head (JSON), the keyed request, the reply's body, a BLAKE2b checksum (16) over everything before it.
A record is right to the last bit or it is refused, so that no damage on a disk can become a wrong answer.
It knows no store. Entry points: `pack`, `unpack`; `size` measures without packing, `Row` is a record in a
listing, which `meets` tells whether it was asked for.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from typing import Any

import orjson

from ..chat import Entry, Form, Reply, Usage

MAGIC = b"aicache"
VERSION, TRUNCATED = 2, 3
"""2 has `fresh`; 1 is read as without. 3 is 2 with a reply that broke off, which who knows only 2 must not serve."""
CHECKSUM = 16
"""Bytes of the checksum: 128 bits, far past any accident."""

_PREFIX = struct.Struct(">7sBII")

_NUMBER = (int, float)
_HEAD: dict[str, tuple[type, ...]] = {
    "key": (str,),
    "dialect": (str,),
    "host": (str,),
    "path": (str,),
    "model": (str,),
    "question": (str,),
    "kind": (str,),
    "options": (list,),
    "status": (int,),
    "headers": (list,),
    "times": (list,),
    "lengths": (list,),
    "created": _NUMBER,
    "expires": (*_NUMBER, type(None)),
    "seconds": _NUMBER,
    "usage": (list,),
    "fresh": (*_NUMBER, type(None)),
    "origin": (str,),
}
"""The fields of the head in their order, and their JSON types; anything else is another format version."""

_NAMES = tuple(_HEAD)
_SHAPES = frozenset(product(*_HEAD.values()))
"""Every legal row of types: one look-up instead of a check for each field, on the way of every hit."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a store knows of an entry without reading it."""

    key: str
    dialect: str
    host: str
    path: str
    model: str
    created: float
    """When the reply was recorded, Unix seconds."""
    expires: float | None
    """When it stops being served, Unix seconds; None for never."""
    used: float
    """When it was last stored or served, Unix seconds; may lag behind by some hits."""
    hits: int
    """How often it was served since it was stored; may lag behind by some hits."""
    size: int
    """Bytes of the record."""


def meets(one: Entry | Row, model: str | None, host: str | None, older_than: float | None, now: float) -> bool:
    """Whether *one* is of *model* and *host*, and was recorded more than *older_than* seconds before *now*.

    None asks nothing.
    """
    return (
        (model is None or one.model == model)
        and (host is None or one.host == host)
        and (older_than is None or one.created < now - older_than)
    )


def pack(entry: Entry) -> bytes:
    """Return *entry* as one record. Raises `ValueError` for an entry that no record can hold."""
    head = _dumps(_head(entry))
    request, body = entry.request, entry.reply.body
    try:
        prefix = _PREFIX.pack(MAGIC, TRUNCATED if entry.truncated else VERSION, len(head), len(request))
    except struct.error as error:
        raise ValueError(f"cannot be packed: {error}") from error
    record = b"".join((prefix, head, request, body))
    return record + _checksum(record)


def unpack(data: bytes, key: str) -> Entry:
    """Return the entry that *data* holds, which must be the one of *key*.

    Raises `ValueError` for anything else: a flipped bit, a cut, an unknown version, another key.
    """
    if type(data) is not bytes or len(data) < _PREFIX.size + CHECKSUM:
        raise ValueError("cut short")
    magic, version, head_length, request_length = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("not a record")
    if version not in (1, VERSION, TRUNCATED):
        raise ValueError(f"format version {version} is unknown")
    end = len(data) - CHECKSUM
    if _checksum(memoryview(data)[:end]) != data[end:]:
        raise ValueError("checksum does not match")
    request_at = _PREFIX.size + head_length
    body_at = request_at + request_length
    if body_at > end:
        raise ValueError("lengths do not fit")
    head = _read_head(data[_PREFIX.size : request_at], version)
    if head["key"] != key:
        raise ValueError("belongs to another key")
    return _entry(head, data[request_at:body_at], data[body_at:end], truncated=version == TRUNCATED)


def size(entry: Entry) -> int:
    """Return how many bytes `pack` would make of *entry*. Raises `ValueError` as `pack` does."""
    return _PREFIX.size + len(_dumps(_head(entry))) + len(entry.request) + len(entry.reply.body) + CHECKSUM


def _checksum(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=CHECKSUM).digest()


def _head(entry: Entry) -> dict[str, Any]:
    reply, usage = entry.reply, entry.usage
    return {
        "key": entry.key,
        "dialect": entry.dialect,
        "host": entry.host,
        "path": entry.path,
        "model": entry.model,
        "question": entry.question,
        "kind": entry.form.kind,
        "options": sorted(entry.form.options),
        "status": reply.status,
        "headers": reply.headers,
        # Two flat lists: a stream of thousands of chunks is read several times faster than as pairs.
        "times": [at for at, _ in reply.chunks],
        "lengths": [length for _, length in reply.chunks],
        "created": entry.created,
        "expires": entry.expires,
        "seconds": entry.seconds,
        "usage": [usage.input, usage.output, usage.cached],
        "fresh": entry.fresh,
        "origin": entry.origin,
    }


def _entry(head: dict[str, Any], request: bytes, body: bytes, *, truncated: bool) -> Entry:
    try:
        return Entry(
            key=head["key"],
            dialect=head["dialect"],
            host=head["host"],
            model=head["model"],
            form=Form(head["kind"], frozenset(head["options"])),
            reply=Reply(
                status=head["status"],
                headers=tuple((name, value) for name, value in head["headers"]),
                body=body,
                chunks=tuple(zip(head["times"], head["lengths"], strict=True)),
            ),
            created=head["created"],
            expires=head["expires"],
            usage=Usage(*head["usage"]),
            seconds=head["seconds"],
            request=request,
            path=head["path"],
            question=head["question"],
            fresh=head["fresh"],
            origin=head["origin"],
            truncated=truncated,
        )
    except TypeError as error:
        raise ValueError(f"head is malformed: {error}") from error


def _read_head(data: bytes, version: int) -> dict[str, Any]:
    head = _loads(data)
    if version == 1 and type(head) is dict:
        head |= {"fresh": None, "origin": ""}
    if type(head) is not dict or tuple(head) != _NAMES:
        raise ValueError("head has other fields")
    if tuple(map(type, head.values())) not in _SHAPES:
        raise ValueError("head has values of other types")
    return head


def _dumps(value: Any) -> bytes:
    # orjson refuses lone surrogates, which headers outside UTF-8 and a prompt's "\ud800" become; json escapes them.
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except TypeError as error:
        raise ValueError(f"cannot be packed: {error}") from error


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)
