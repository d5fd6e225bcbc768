"""The HTTP clients on this machine, each as a command that makes one call, and what it needs to take the proxy.

It finds and describes them; whether the call arrives is seen by `_probing`. Entry point: `found`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ._client import Way, environment

BODY = '{"model":"doctor","messages":[{"role":"user","content":"ping"}]}'
"""What every client sends."""

PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
Variables = Callable[[Way], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Client:
    """One client; the URL to call is put behind its command."""

    name: str
    command: tuple[str, ...]
    trust: Variables
    """What makes it trust the proxy's certificate."""
    proxy: Variables = field(default=lambda way: _taken(PROXY, way))
    """What leads it to the proxy."""
    deaf: str = ""
    """What to know of it when it does not take the proxy."""
    patience: float = 20.0
    """Seconds for one call."""


def found(folder: Path) -> Iterator[Client]:
    """Yield the clients; programs that they need are written into *folder*."""
    yield from _python()
    yield from _node()
    if curl := shutil.which("curl"):
        words = (curl, "-sS", "-o", os.devnull, "--max-time", "15", "-H", "content-type: application/json", "-d", BODY)
        yield Client(
            f"curl {''.join(_said(curl, '--version').split(' ')[1:2])}",
            words,
            partial(_taken, ("CURL_CA_BUNDLE",)),
        )
    if go := shutil.which("go"):
        path = folder / "doctor.go"
        path.write_text(GO)
        version = _said(go, "env", "GOVERSION").removeprefix("go")
        yield Client(f"Go {version}", (go, "run", str(path)), partial(_taken, ("SSL_CERT_FILE",)), patience=120.0)
    yield from _java(folder)


def _python() -> Iterator[Client]:
    """Yield the libraries of the user's own Python: that of the active environment, else the first of PATH."""
    active = os.environ.get("VIRTUAL_ENV", "")
    inside = shutil.which("python", path=str(Path(active) / "bin")) if active else None
    python = inside or shutil.which("python3") or shutil.which("python")
    if not python:
        return
    try:
        about = json.loads(_said(python, "-c", PYTHON_LIBRARIES))
    except ValueError:  # a shim without a Python behind it
        return
    version = about.pop("python")
    for library, release in (about or {"urllib": ""}).items():
        names = PYTHON_TRUST.get(library, ("SSL_CERT_FILE",))
        deaf = AIOHTTP if library == "aiohttp" else ""
        name = f"Python {version}, {library} {release}".rstrip()
        yield Client(name, (python, "-c", PYTHON, library), partial(_taken, names), deaf=deaf)


def _node() -> Iterator[Client]:
    node = shutil.which("node")
    if not node:
        return
    version = _said(node, "--version").removeprefix("v")
    for way_of in ("fetch", "https"):
        yield Client(
            f"Node {version}, {way_of}",
            (node, "--input-type=module", "-e", NODE, way_of),
            partial(_taken, ("NODE_EXTRA_CA_CERTS",)),
            partial(_taken, (*PROXY, "NODE_USE_ENV_PROXY")),
            "Node takes proxy variables from 22.21 and 24.5 on",
        )


def _java(folder: Path) -> Iterator[Client]:
    """Yield Java, where there is a JDK: a runtime alone cannot start a source file."""
    java, keytool = shutil.which("java"), shutil.which("keytool")
    if not java or not keytool or not shutil.which("javac"):
        return
    path = folder / "Doctor.java"
    path.write_text(JAVA)

    def trust(way: Way) -> dict[str, str]:
        store = str(folder / "aicache.p12")
        words = [keytool, "-importcert", "-noprompt", "-alias", "aicache", "-file", str(way.extra)]
        subprocess.run([*words, "-keystore", store, "-storepass", "changeit"], capture_output=True, check=False)
        # Without the password Java 17 takes the store for an empty one.
        trusted = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
        return {OPTIONS: f"{_java_proxy(way)[OPTIONS]} {trusted}"}

    version = _said(java, "--version").split(" ")[1:2]
    yield Client(f"Java {''.join(version)}", (java, str(path)), trust, _java_proxy, patience=60.0)


def _java_proxy(way: Way) -> dict[str, str]:
    host, _, port = way.proxy.removeprefix("http://").partition(":")
    return {OPTIONS: f"-Dhttps.proxyHost={host} -Dhttps.proxyPort={port}"}


def _taken(names: Iterable[str], way: Way) -> dict[str, str]:
    """Return those variables of *names* that `aicache run` would set, as it would set them."""
    every = environment(os.environ, way)
    return {name: every[name] for name in names}


def without_proxies(env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* without what leads a client to a proxy or a base URL."""
    return {name: value for name, value in env.items() if name.upper() not in (*PROXY, *BASES)}


def _said(*command: str) -> str:
    """Return the first line that a command prints; nothing when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.strip() or " ").splitlines()[0].strip()


BASES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ALL_PROXY")
OPTIONS = "JAVA_TOOL_OPTIONS"
PYTHON_TRUST = {"requests": ("REQUESTS_CA_BUNDLE",)}
AIOHTTP = "aiohttp takes proxy variables only in ClientSession(trust_env=True)"

PYTHON_LIBRARIES = """
import importlib.metadata as m, json, sys
found = {"python": ".".join(map(str, sys.version_info[:3]))}
for name in ("httpx", "httpx2", "requests", "aiohttp"):
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""

PYTHON = f"""
import asyncio, sys
library, url = sys.argv[1:]
body, head = {BODY.encode()!r}, {{"content-type": "application/json"}}
if library in ("httpx", "httpx2"):
    import importlib
    importlib.import_module(library).post(url, content=body, headers=head, timeout=15).raise_for_status()
elif library == "requests":
    import requests
    requests.post(url, data=body, headers=head, timeout=15).raise_for_status()
elif library == "aiohttp":
    import aiohttp
    async def main():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(15)) as session:
            async with session.post(url, data=body, headers=head) as response:
                response.raise_for_status()
    asyncio.run(main())
else:
    import urllib.request
    urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=15)
"""

NODE = f"""
import http from "node:http";
import https from "node:https";
const [way, url] = process.argv.slice(-2);
const body = {BODY!r}, headers = {{ "content-type": "application/json" }};
if (way === "fetch") await fetch(url, {{ method: "POST", body, headers }});
else await new Promise((done, failed) => {{
  const module = url.startsWith("https") ? https : http;
  const request = module.request(url, {{ method: "POST", headers }}, (response) => response.resume().on("end", done));
  request.on("error", failed).end(body);
}});
"""

GO = f"""package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {{
	client := http.Client{{Timeout: 15 * time.Second}}
	response, err := client.Post(os.Args[len(os.Args)-1], "application/json", strings.NewReader(`{BODY}`))
	if err != nil {{
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}}
	response.Body.Close()
}}
"""

JAVA = f"""
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Doctor {{
    public static void main(String[] args) throws Exception {{
        var body = HttpRequest.BodyPublishers.ofString({json.dumps(BODY)});
        var request = HttpRequest.newBuilder(URI.create(args[0])).header("content-type", "application/json").POST(body);
        HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }}
}}
"""
