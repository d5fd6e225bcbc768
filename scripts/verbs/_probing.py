"""Whether a client's call reaches the proxy and gets its answer: seen from the proxy, not believed from the client.

A proxy is started with a provider in it that never leaves it. Each client calls with the proxy variables alone, then
with the certificate's too, then at a base URL; how far it came names the variable. Entry point: `probe_all`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mitmproxy import http

from . import _client, _clients
from ._check import FAILED, OK, WARNING, Check
from ._proxy import Entrance, Proxy, Settings, open_proxy

DOMAIN = "aicache-doctor.invalid"
"""Where clients call: a name that nobody has (RFC 2606), so that who does not take the proxy gets nowhere."""

AT_ONCE = 4
"""Clients that are started at the same time."""


class Provider:
    """An addon that answers every call within the proxy, and remembers who came how far, by the first part of names."""

    def __init__(self) -> None:
        self.came: set[str] = set()
        """Who asked for a tunnel."""
        self.arrived: set[str] = set()
        """Who trusted the certificate and sent a call."""

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Note who asks for a tunnel."""
        self.came.add(flow.request.pretty_host.partition(".")[0])

    def request(self, flow: http.HTTPFlow) -> None:
        """Answer."""
        self.arrived.add(flow.request.path.split("/")[1])
        if not flow.response:
            flow.response = http.Response.make(200, json.dumps(ANSWER), {"content-type": "application/json"})


async def probe_all(sets: Sequence[str]) -> list[Check]:
    """Start a proxy with the options *sets*, have every client of this machine call, and return what was seen."""
    provider = Provider()
    with tempfile.TemporaryDirectory(prefix="aicache-doctor-") as name:
        folder = Path(name)
        settings = folder / "config.yaml"
        settings.write_text("scope: shared\n")  # the user's own must not keep a probe from being answered
        entrances = (Entrance(), Entrance(f"reverse:https://{DOMAIN}"))
        defaults = {"upstream_cert": False}
        given = Settings(entrances, "127.0.0.1", str(settings), "cache", "memory", tuple(sets), defaults, (provider,))
        async with open_proxy(given) as proxy:
            bundle = _client.write_bundle(folder / "bundle.pem", [*_client.trusted(os.environ), proxy.ca])
            lasting = proxy.ca.with_name(BUNDLE)
            if not lasting.exists():
                with contextlib.suppress(OSError):
                    _client.write_bundle(lasting, [bundle])
            way = _client.Way(f"http://127.0.0.1:{proxy.ports[0]}", proxy.ca, bundle)
            limit = asyncio.Semaphore(AT_ONCE)
            clients = await asyncio.to_thread(lambda: list(_clients.found(folder)))
            probes = [
                _Probe(client, f"probe{number}", provider, proxy, way, limit) for number, client in enumerate(clients)
            ]
            return list(await asyncio.gather(*(probe.check() for probe in probes)))


class _Probe:
    """The calls of one client."""

    def __init__(
        self,
        client: _clients.Client,
        name: str,
        provider: Provider,
        proxy: Proxy,
        way: _client.Way,
        limit: asyncio.Semaphore,
    ) -> None:
        self.client, self.name, self.provider, self.proxy, self.way = client, name, provider, proxy, way
        self._limit = limit
        self._error = ""

    async def check(self) -> Check:
        """Call as often as it takes to know what the client needs."""
        async with self._limit:
            what, proxied = self.client.name, self.client.proxy(self.way)
            if await self._arrives("bare", proxied):
                return Check(what, OK, "takes the proxy, and trusts its certificate already", f"set {_names(proxied)}")
            if f"{self.name}bare" in self.provider.came:
                trusting = await asyncio.to_thread(self.client.trust, self.way)
                if await self._arrives("trusting", {**proxied, **trusting}):
                    needs = _names(trusting) if trusting.keys() != proxied.keys() else "a truststore that holds it"
                    return Check(
                        what, OK, f"takes the proxy; trusts it by {needs}", self._exports({**proxied, **trusting})
                    )
                found = f"takes the proxy, but does not get through: {self._error}"
                return Check(what, FAILED, found, f"use a base URL instead: {BASE_URL}")
            return await self._deaf(what)

    async def _deaf(self, what: str) -> Check:
        """Judge a client that never came to the proxy."""
        every = {name.strip() for name in ",".join(map(os.environ.get, ("NO_PROXY", "no_proxy"), ("", ""))).split(",")}
        if "*" in every:
            return Check(what, FAILED, "NO_PROXY=* keeps it from every proxy", "unset NO_PROXY, or name single hosts")
        error, why = self._error, self.client.deaf or "it does not read HTTPS_PROXY"
        if await self._arrives("based", {}, self.proxy.ports[1]):
            return Check(what, WARNING, f"passes the proxy by ({why})", BASE_URL)
        return Check(
            what, FAILED, f"reaches neither the proxy nor a base URL: {self._error or error}", "see its message"
        )

    async def _arrives(self, stage: str, variables: dict[str, str], port: int = 0) -> bool:
        """Have the client call in the environment with *variables*; return whether the call arrived."""
        name = f"{self.name}{stage}"
        origin = f"http://127.0.0.1:{port}" if port else f"https://{name}.{DOMAIN}"
        env = {**_clients.without_proxies(os.environ), **variables}
        self._error = await _run(
            [*self.client.command, f"{origin}/{name}/v1/chat/completions"], env, self.client.patience
        )
        return name in self.provider.arrived and not self._error

    def _exports(self, variables: dict[str, str]) -> str:
        """Return the variables that are not about the proxy's address as a shell sets them, for good."""
        ca = self.proxy.ca
        lasting = {str(self.way.bundle): str(ca.with_name(BUNDLE)), str(ca): str(ca)}
        words = [f"{name}={lasting[value]}" for name, value in variables.items() if value in lasting]
        if not words:
            words = [
                f"keytool -importcert -noprompt -alias aicache -file {ca} -keystore aicache.p12 -storepass changeit"
            ]
            words += [f'{name}="{_lasting_java(value)}"' for name, value in variables.items()]
            return "; ".join(words)
        return f"`aicache run` sets it; else: export {' '.join(words)}"


def _lasting_java(value: str) -> str:
    """Return Java's options with the address of `aicache serve`, and a truststore of the user's."""
    kept = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8080"
    trusted = "-Djavax.net.ssl.trustStore=aicache.p12 -Djavax.net.ssl.trustStorePassword=changeit"
    return f"{kept} {trusted}" if "trustStore" in value else kept


def _names(variables: dict[str, str]) -> str:
    return ", ".join(name for name in variables if name.isupper() and name not in ("HTTP_PROXY", "NO_PROXY"))


async def _run(command: list[str], env: dict[str, str], patience: float) -> str:
    """Run the command; return the line that says why it failed, or nothing."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return str(error.strerror)
    try:
        async with asyncio.timeout(patience):
            _, errors = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # with what it has started
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        return f"no end within {patience:.0f} s"
    return _reason(errors.decode(errors="replace")) if process.returncode else ""


def _reason(errors: str) -> str:
    """Return the line of *errors* that says most: one that names an error, else the last."""
    lines = [line.strip() for line in errors.splitlines() if line.strip() and not line.startswith("Picked up")]
    named = [line for line in lines if SPEAKING.search(line)]
    return (named or lines or ["it failed without a word"])[-1][:200]


SPEAKING = re.compile(r"^(\S*(Error|Exception)\b|Caused by:|curl:)|certificate")
BUNDLE = "aicache-ca-bundle.pem"
"""What `aicache serve` writes beside the certificate: the system's authorities and ours."""
BASE_URL = "aicache run --base-url -- CMD; or aicache serve, and OPENAI_BASE_URL=http://127.0.0.1:8081/v1"
ANSWER = {
    "id": "chatcmpl-doctor",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "doctor",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
