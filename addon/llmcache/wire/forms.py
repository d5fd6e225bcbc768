"""What a `multipart/form-data` call is: its parts in their order, files by digest, whatever the boundary.

It knows no endpoint. Entry points: `read`, and of what it returns `fields` and `files`.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any

from .. import multipart
from ..chat import Bypass, Request, WireError
from . import http

MEDIA_TYPE = "multipart/form-data"

LONGEST_VALUE = 4096
"""Bytes of a field that stand in the identity as text; a longer one as its digest."""

Described = dict[str, Any]
"""A part as it is identity: `name`, `value` or `size` and `digest`, and where it has them `filename` and `headers`."""


def is_form(request: Request) -> bool:
    """Whether the body calls itself a form."""
    return http.media_type(request.header("content-type")) == MEDIA_TYPE


def read(request: Request) -> list[Described] | Bypass:
    """Return the parts of a form with a file, or why it is passed on: `not-multipart`, `multipart-...`, `no-file`."""
    if not is_form(request):
        return Bypass("not-multipart")
    try:
        parts = multipart.parse(request.body, multipart.boundary(request.header("content-type")))
    except WireError as error:
        return Bypass(str(error))
    if all(part.filename is None for part in parts):
        return Bypass("no-file")
    return [_described(part) for part in parts]


def without(parts: list[Described], denied: Collection[str]) -> list[Described]:
    """Return *parts* without the fields *denied*."""
    return [part for part in parts if "filename" in part or part["name"] not in denied]


def fields(parts: list[Described]) -> dict[str, str]:
    """Return the plain fields that are short enough to stand in the identity; of two with one name the last."""
    return {part["name"]: part["value"] for part in parts if "value" in part}


def files(parts: list[Described]) -> list[str]:
    """Return the name and digest of each file."""
    return [f"{part['filename']} {part['digest']}" for part in parts if "filename" in part]


def _described(part: multipart.Part) -> Described:
    shown: Described = {"name": part.name}
    if part.filename is not None:
        shown["filename"] = part.filename
    if part.headers:
        shown["headers"] = dict(part.headers)
    text = part.text
    if text is not None and len(part.content) <= LONGEST_VALUE:
        return {**shown, "value": text}
    return {**shown, "size": len(part.content), "digest": blake2b(part.content, digest_size=20).hexdigest()}
