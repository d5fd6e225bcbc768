"""What the blocks of all providers have in common: type, what that requires, address, and the time they may take.

The `vector` block is read in `vectors`, the `embedding` block in `embedding`; nothing here talks to a provider.
Entry points: `kind`, `require`, `base_url`, `proxy_url` and `origin`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

import yaml

from .settings import Section, choice, text

MILLISECONDS = 10_000
"""Higress' default for the time that a provider may take."""


def kind(block: Section, legal: Iterable[str]) -> str:
    """Read which of the *legal* providers the block names."""
    if not block.has("type"):
        block.problem("type", f"is missing; legal values: {', '.join(legal)}")
    return block.read("type", "", choice(*legal))


def require(block: Section, provider: str, names: Iterable[str]) -> None:
    """Note which of *names* are missing, without which *provider* is of no use."""
    for name in names:
        if not (block.has(name) and block.settings[name].node.value):
            block.problem(name, f"is missing; `type: {provider}` requires it")


def base_url(node: yaml.Node) -> str:
    """Take the URL at which an API begins. No message repeats it, for there may be a password in it."""
    parts = _split(text(node))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is no URL of an API; write it such as `http://127.0.0.1:8080/v1`, without a query")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user or password in it; write the key as `apiKey`")
    return parts.geturl()


def proxy_url(node: yaml.Node) -> str:
    """Take the URL of a proxy, or the word `environment`."""
    written = text(node)
    parts = _split(written)
    if written != "environment" and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("is no proxy; legal values: `environment`, or a URL such as `http://proxy.example:3128`")
    return written


def _split(written: str) -> SplitResult:
    try:
        parts = urlsplit(written.strip())
        _ = parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    return parts


def origin(host: str, port: int) -> str:
    """Return scheme, host and port; a key goes out without TLS only to port 80, or to a machine that is near."""
    if port in _TLS_PORTS or (port != _HTTP and not near(host)):
        return f"https://{host}" if port == _TLS_PORTS[0] else f"https://{host}:{port}"
    return f"http://{host}" if port == _HTTP else f"http://{host}:{port}"


def near(host: str) -> bool:
    """Whether *host* names this machine, or one of a private network: a bare name, or a private address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))


_TLS_PORTS = (443, 8443)
_HTTP = 80
