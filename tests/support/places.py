"""A provider that speaks TLS, a mitmdump before it, and the ways in.

Entry points: `loopback`, which needs no privileges, and `router`, which is in the namespaces of `support.network`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support import network
from support.certificates import Authority
from support.clients import Chat, Curled, Entrance, Sdk, curl
from support.network import FORWARD, NAME, REVERSE, ROUTER, TRANSPARENT, Network
from support.provider import provider
from support.proxy import Mitmdump
from support.upstream import Upstream

SECOND = "127.0.0.2"
"""The address of the base-URL entrance: mitmproxy takes port 0 only once for an address."""

ENTRANCES = [
    Entrance("forward", f"https://{NAME}/v1", f"http://{ROUTER}:{FORWARD}"),
    Entrance("reverse", f"http://{ROUTER}:{REVERSE}/v1"),
    Entrance("transparent", f"https://{NAME}/v1"),
]
MODES = (
    f"transparent@{ROUTER}:{TRANSPARENT}",
    f"regular@{ROUTER}:{FORWARD}",
    f"reverse:https://{NAME}@{ROUTER}:{REVERSE}",
)


@dataclass
class Place:
    """Where clients are tried; `prefix` starts a program where the clients are."""

    upstream: Upstream
    proxy: Mitmdump
    entrances: dict[str, Entrance]
    prefix: tuple[str, ...] = ()
    _sdks: dict[str, Sdk] = field(default_factory=dict)

    def asked(self, chat: Chat) -> int:
        """How often the provider was asked with the key of *chat*."""
        return sum(call.headers["authorization"] == f"Bearer {chat.key}" for call in self.upstream.calls)

    def sdk(self, language: str) -> Sdk:
        """Return the process of an SDK, started when first asked for."""
        if language not in self._sdks:
            self._sdks[language] = Sdk(language, self.proxy.ca, self.prefix)
        return self._sdks[language]

    def objects(self, language: str, entrance: str, chat: Chat) -> list[dict[str, Any]]:
        """Return what an SDK makes of the answer."""
        return self.sdk(language).objects(self.entrances[entrance], chat)

    def curl(self, way: str, chat: Chat) -> Curled:
        """Ask with curl; a *way* is an entrance and a version of HTTP, such as `forward-2`."""
        name, _, version = way.partition("-")
        entrance = self.entrances[name]
        if version == "2":  # HTTP/2 needs TLS between curl and the proxy; reverse mode speaks both on one port
            entrance = replace(entrance, base_url=entrance.base_url.replace("http:", "https:"))
        return curl(self.proxy.ca, entrance, chat, {"1.1": "--http1.1", "2": "--http2"}[version], prefix=self.prefix)

    def close(self) -> None:
        """End the SDKs."""
        for sdk in self._sdks.values():
            sdk.close()


@contextmanager
def loopback(folder: Path, authority: Authority, upstream: Upstream, *options: str) -> Iterator[Place]:
    """Yield a place on loopback with a proxy of its own, in *folder*, before *upstream*."""
    provider_url = f"https://localhost:{upstream.port}"
    trusted = trusting(folder, authority)
    modes = ("regular", f"reverse:{provider_url}@{SECOND}:0")
    with Mitmdump(folder, *trusted, *options, modes=modes) as proxy:
        forward, reverse = proxy.ports
        ways = [
            Entrance("forward", f"{provider_url}/v1", f"http://127.0.0.1:{forward}"),
            Entrance("reverse", f"http://{SECOND}:{reverse}/v1"),
        ]
        place = Place(upstream, proxy, {entrance.name: entrance for entrance in ways})
        try:
            yield place
        finally:
            place.close()


@contextmanager
def router(net: Network, folder: Path, authority: Authority, upstream: Upstream, *options: str) -> Iterator[Place]:
    """Yield a place whose proxy is the clients' router and has all three entrances."""
    trusted = trusting(folder, authority)
    with Mitmdump(folder, *trusted, *options, modes=MODES, prefix=network.prefix(net.proxy)) as proxy:
        place = Place(upstream, proxy, {one.name: one for one in ENTRANCES}, network.prefix(net.client))
        try:
            yield place
        finally:
            place.close()


def trusting(folder: Path, authority: Authority) -> tuple[str, ...]:
    """Return the options of a proxy that trusts *authority* and waits for its store, however busy the machine is."""
    settings = folder / "patient.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text("deadlines:\n  store: 30s\n")
    return "--set", f"ssl_verify_upstream_trusted_ca={authority.path}", "--set", f"aicache_config={settings}"


def local_provider(authority: Authority) -> Upstream:
    """Return a provider at `localhost`, not started."""
    return Upstream(provider, tls=authority.server("localhost"))
