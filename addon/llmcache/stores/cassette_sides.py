"""Bytes that are no text, in files beside the recordings: `_blobs/SHA256.EXT`, named by their content.

Long base64 texts inside JSON (images, sound) go there decoded; in their place stands a mapping with `_file`.
It opens nothing: writing gives names and bytes, reading asks a function for them.
Entry points: `side`, `out`, `back`; `packed` tells what `out` would take.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from .cassette_yaml import Flow

FOLDER = "_blobs"
LONG = 2000
"""Characters of base64 from which it is kept as a file."""

Blobs = dict[str, bytes]
"""Path from the folder of recordings -> content."""
Read = Callable[[str], bytes]
"""Path -> content. Raises `ValueError` for one that is not there or not what its name says."""


def side(data: bytes, kind: str, blobs: Blobs) -> str:
    """Put *data*, of the media type *kind*, into *blobs*; return its path."""
    ending = EXTENSIONS.get(kind.partition(";")[0].strip().lower(), "bin")
    path = f"{FOLDER}/{sha256(data).hexdigest()}.{ending}"
    blobs[path] = data
    return path


def checked(path: str, data: bytes) -> bytes:
    """Return *data* if it is what *path* names. Raises `ValueError`."""
    if not NAME.fullmatch(path) or sha256(data).hexdigest() != path.partition("/")[2].partition(".")[0]:
        raise ValueError(f"the side file {path} is not what its name says")
    return data


def out(value: Any, blobs: Blobs) -> Any:
    """Return *value* with long base64 texts replaced by their side files, which are added to *blobs*."""
    match value:
        case Flow():
            return Flow(out(value.value, blobs), value.compact)
        case dict() if MARK in value:
            raise ValueError(f"`{MARK}` has another meaning here")
        case dict():
            return {name: out(each, blobs) for name, each in value.items()}
        case list():
            return [out(each, blobs) for each in value]
        case str():
            return _outside(value, blobs)
    return value


def back(value: Any, read: Read) -> Any:
    """Return *value* with the texts of its side files. Raises `ValueError`."""
    match value:
        case {"_file": str(path)}:
            return f"{value.get('prefix', '')}{base64.b64encode(read(path)).decode()}"
        case dict():
            return {name: back(each, read) for name, each in value.items()}
        case list():
            return [back(each, read) for each in value]
    return value


def named(value: Any) -> Iterator[str]:
    """Yield the path of every side file that the parsed recording *value* names."""
    match value:
        case dict():
            for name, each in value.items():
                if name in (MARK, "file") and isinstance(each, str) and NAME.fullmatch(each):
                    yield each
                else:
                    yield from named(each)
        case list():
            for each in value:
                yield from named(each)


def packed(value: str) -> tuple[str, bytes] | None:
    """Return what stands before the base64 of *value*, and the bytes that would be a side file; None: it stays text."""
    found = _DATA_URL.match(value) if len(value) >= LONG else None
    prefix = found[0] if found else ""
    text = value[len(prefix) :]
    try:
        data = base64.b64decode(text, validate=True) if len(value) >= LONG else b""
    except (binascii.Error, ValueError):
        return None
    return (prefix, data) if data and base64.b64encode(data).decode() == text else None


def _outside(value: str, blobs: Blobs) -> Any:
    found = packed(value)
    if found is None:
        return value
    prefix, data = found
    named = _DATA_URL.match(prefix)
    path = side(data, named[1] if named else _kind(data), blobs)
    return {MARK: path} | ({"prefix": prefix} if prefix else {})


def _kind(data: bytes) -> str:
    return next((kind for start, kind in _STARTS if data.startswith(start)), "")


MARK = "_file"
NAME = re.compile(rf"{FOLDER}/[0-9a-f]{{64}}\.[a-z0-9]{{1,8}}")
_DATA_URL = re.compile(r"data:([\w.+-]{1,60}/[\w.+-]{1,60})(?:;[\w=.+-]{1,60}){0,4};base64,")
_STARTS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "application/pdf": "pdf",
    "video/mp4": "mp4",
}
