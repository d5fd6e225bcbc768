"""What may never share answers: the credential and the namespace of a call.

The credential enters the identity as a keyed digest (BLAKE2b, RFC 7693), never as itself.
Without the key nobody who reads the store can test guesses of a credential.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path

from .chat import BackendError, Request


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of an identity that keeps users apart."""

    secret: bytes | None = field(repr=False)
    """The key of the digest; None where credentials share one cache by choice."""
    namespace: str = ""
    """Of the hosts that have none of their own."""
    hosts: tuple[tuple[str, str], ...] = ()
    """(glob on the provider's name, namespace); the first that fits counts."""

    def of(self, request: Request, asked: str = "", lane: str = "") -> dict[str, str]:
        """Return the scope of *request*: namespace, the one *asked* for inside that, *lane*, the credential's digest.

        Each is a field of its own: whatever a request asks for, it stays inside the namespace that is configured.
        """
        namespace = next((name for glob, name in self.hosts if fnmatchcase(request.host, glob)), self.namespace)
        scope = {"namespace": namespace} if namespace else {}
        if asked:
            scope["asked"] = asked
        if lane:
            scope["lane"] = lane
        if self.secret is not None:
            digest = blake2b(credential(request).encode("utf-8", "surrogatepass"), key=self.secret, digest_size=16)
            scope["credential"] = digest.hexdigest()
        return scope


def credential(request: Request) -> str:
    """Return what tells one caller from another, each part named; empty for a call without any."""
    parts = [f"{name}={_stable(value)}" for name, value in request.headers if name in CREDENTIAL_HEADERS]
    parts += [_stable(part) for part in request.query.split("&") if part.partition("=")[0].lower() in CREDENTIAL_QUERY]
    if not parts:  # a session cookie counts only where nothing better does: load balancers change theirs all the time
        parts = [f"cookie={value}" for name, value in request.headers if name == "cookie"]
    return "\n".join(sorted(parts))


def _stable(value: str) -> str:
    """Reduce an AWS signature, which changes with every request, to the access key that made it."""
    found = _AWS_CREDENTIAL.search(value)
    return found.group(1) if found else value


def read_secret(path: Path) -> bytes:
    """Return the key kept at *path*, made on first use (0600). Raises `BackendError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _existing(path) or _create(path)
    except OSError as error:
        raise BackendError(f"the scope key {path} cannot be read or made: {error.strerror}") from error


def _existing(path: Path) -> bytes | None:
    if not path.exists():
        return None
    secret = path.read_bytes()
    if len(secret) != SECRET_SIZE:
        raise BackendError(f"the scope key {path} is damaged: remove it to get a new one (what is stored is lost then)")
    return secret


def _create(path: Path) -> bytes:
    """Write a new key beside *path* and link it into place: of two processes that start at once, one wins."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SECRET_SIZE))
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()


SECRET_SIZE = 32

CREDENTIAL_HEADERS = frozenset(
    {
        "authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "x-auth-token",
        "x-access-token",
        "ocp-apim-subscription-key",
        "cf-aig-authorization",
        "x-portkey-api-key",
        "helicone-auth",
        "private-token",
    }
)
CREDENTIAL_QUERY = frozenset(
    {"access_token", "api-key", "api_key", "apikey", "auth", "authorization", "code", "key", "sig", "signature"}
    | {"subscription-key", "token", "x-api-key", "x-amz-credential"}
)
"""Query parameters that carry a credential: part of the scope, never of the rest of an identity."""

SIGNATURE_QUERY = frozenset({"x-amz-date", "x-amz-expires", "x-amz-security-token", "x-amz-signature"})
"""Query parameters of a presigned request that change with every request: part of nothing."""

_AWS_CREDENTIAL = re.compile(r"^(?:AWS4-HMAC-SHA256 .*?|X-Amz-)Credential=([^/,\s%]+)", re.IGNORECASE)
