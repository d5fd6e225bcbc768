"""Call -> identity -> key: when two calls are the same.

The identity is one named structure with a version in it, as canonical JSON; the key is its BLAKE2b digest (RFC 7693).
Whatever a dialect does not declare as meaningless is part of it, so an unknown field makes another call.
"""

from __future__ import annotations

from hashlib import blake2b

from .chat import Call
from .jsontext import canonical
from .scope import Scope

VERSION = 1
"""Raised whenever the same call would get another key; old entries are then simply not found."""


def identity(call: Call, scope: Scope, asked: str = "", lane: str = "") -> bytes:
    """Return the identity of *call* as canonical JSON; no credential is in it. *asked*, *lane*: see `Scope.of`."""
    request = call.request
    return canonical(
        {
            "aicache": VERSION,
            "dialect": call.dialect,
            "method": request.method,
            "origin": origin(request.scheme, request.host, request.port),
            "path": call.path,
            "query": [list(pair) for pair in call.query],
            "headers": dict(call.headers),
            "scope": scope.of(request, asked, lane),
            "body": call.content,
        }
    )


def origin(scheme: str, host: str, port: int) -> str:
    """Return `scheme://host`, with the port where it is not the scheme's own (RFC 6454)."""
    return f"{scheme}://{host}" if port == DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"


def key(identity_text: bytes) -> str:
    """Return the key of an identity: 40 hexadecimal digits."""
    return blake2b(identity_text, digest_size=20).hexdigest()


DEFAULT_PORTS = {"http": 80, "https": 443}
