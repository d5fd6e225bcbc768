"""How the proxy itself gets out, when the user is behind another proxy already (a company's, or another aicache).

mitmproxy's own upstream mode has no exceptions and excludes base URLs; a flow's `via` decides for each call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from mitmproxy import http

from ._client import LOOPBACK

log = logging.getLogger("aicache.verbs")


class Way:
    """An addon that sends flows through the proxy at *address*, but those to the hosts in *direct* (as in NO_PROXY)."""

    def __init__(self, scheme: str, address: tuple[str, int], direct: tuple[str, ...]) -> None:
        self.via, self.direct = (scheme, address), direct

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Set the way of a call before the cache looks, which may send a copy the same way."""
        via = None if bypasses(flow.request.host, self.direct) else self.via
        if flow.live and flow.server_conn.via != via:  # calls on one connection share it
            flow.server_conn.via = via  # type: ignore[assignment]  # a ServerSpec is such a pair


def addons(env: Mapping[str, str]) -> tuple[object, ...]:
    """Return the addon that the environment asks for: none without another proxy."""
    if not (parts := behind(env)):
        return ()
    if parts.scheme not in ("http", "https") or not parts.hostname:
        log.warning("HTTPS_PROXY names no http proxy, so calls go out without it: %s://", parts.scheme)
        return ()
    names = ",".join(env.get(name, "") for name in ("NO_PROXY", "no_proxy")).split(",")
    direct = tuple(name.strip().lower() for name in names if name.strip())
    return (Way(parts.scheme, (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), direct),)


def options(env: Mapping[str, str]) -> dict[str, Any]:
    """Return mitmproxy's options that the environment asks for: the other proxy's password, a company's own roots."""
    found: dict[str, Any] = {}
    if (parts := behind(env)) and parts.username:
        found["upstream_auth"] = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if (file := env.get("SSL_CERT_FILE", "")) and Path(file).is_file():
        found["ssl_verify_upstream_trusted_ca"] = file
    return found


def behind(env: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy that the environment names."""
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    url = next((env[name] for name in names if env.get(name)), "")
    return urlsplit(url if "://" in url else f"http://{url}") if url else None


def bypasses(host: str, direct: tuple[str, ...]) -> bool:
    """Whether *host* is reached without the other proxy: this machine, and what NO_PROXY names (`*`, domains)."""
    host = host.lower()
    suffixes = (name.lstrip("*").lstrip(".") for name in direct)
    return (
        host in LOOPBACK or "*" in direct or any(host == name or host.endswith(f".{name}") for name in suffixes if name)
    )
