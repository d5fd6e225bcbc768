"""Real clients in processes of their own: the providers' SDKs for Python, openai's for Node, and curl.

Entry points: `Sdk` (a process that takes one call a line) and `curl`. Neither knows what is being tested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.absent import missing
from support.proxy import ROOT

PROGRAMS = ROOT / "tests" / "clients"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
"""An environment with openai's SDK, which cannot live beside mitmproxy 11; `scripts/test-clients` makes it."""
PROVIDERS = {"python": "openai"}
"""The provider whose SDK a language alone stands for; any other Python SDK is named by its package."""
PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without its proxy settings, and with *more*."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in PROXY_NAMES}
    return {name: value for name, value in kept.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))} | more


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way into the proxy, as a client is told of it."""

    name: str
    base_url: str
    """Where the client believes the provider to be; with `/v1` for openai's SDKs."""
    proxy: str = ""
    """The forward proxy; empty for none."""


@dataclass(frozen=True, slots=True)
class Chat:
    """What a test asks through an SDK."""

    call: dict[str, Any]
    method: str = "create"
    key: str = "sk-test"
    style: str = field(default="sync")
    """`sync` or `async`, which only the Python SDK tells apart."""


class Sdk:
    """The process of one SDK; *prefix* places it, as in a network namespace."""

    def __init__(self, language: str, ca: Path, prefix: tuple[str, ...] = ()) -> None:
        self.language = language
        command = node_command() if language == "node" else python_command(PROVIDERS.get(language, language))
        env = environment(SSL_CERT_FILE=str(ca), NODE_EXTRA_CA_CERTS=str(ca))
        self.process = subprocess.Popen(
            [*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=PROGRAMS
        )

    def ask(self, entrance: Entrance, chat: Chat) -> dict[str, Any]:
        """Make the call and return what the program says of it."""
        order = {"base_url": entrance.base_url, "env": {"HTTPS_PROXY": entrance.proxy}, "api_key": chat.key}
        order |= {"style": chat.style, "method": chat.method, "call": chat.call}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the {self.language} client ended with {self.process.wait(10)}"
        return json.loads(line)

    def objects(self, entrance: Entrance, chat: Chat) -> list[dict[str, Any]]:
        """Make the call and return the SDK's objects."""
        result = self.ask(entrance, chat)
        assert result.get("objects"), result
        return result["objects"]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def python_command(provider: str) -> list[str]:
    """Return how the Python program of *provider*'s SDK is started."""
    if not list(PYTHON.parents[1].glob(f"lib/python*/site-packages/{provider}")):
        missing(f"{provider}'s SDK for Python (.venv-clients)")
    return [str(PYTHON), str(PROGRAMS / f"{provider}_sdk.py")]


def node_command() -> list[str]:
    """Return how the Node program is started."""
    node = shutil.which("node")
    if node is None:
        missing("node")
    if not (PROGRAMS / "node_modules" / "openai").exists():
        missing("openai for Node (npm install in tests/clients)")
    return [str(node), str(PROGRAMS / "openai_sdk.mjs")]


@dataclass(frozen=True, slots=True)
class Curled:
    """What curl brought back."""

    code: int
    """curl's exit code."""
    status: int
    spoken: str
    """The version of HTTP: `1.1` or `2`."""
    body: bytes
    headers: str
    errors: str

    @property
    def cache(self) -> str:
        """Our word on it."""
        found = [line for line in self.headers.splitlines() if line.lower().startswith("cache-status:")]
        return found[-1].partition(":")[2].strip() if found else ""


def curl(ca: Path, entrance: Entrance, chat: Chat, *options: str, prefix: tuple[str, ...] = ()) -> Curled:
    """Ask for a chat completion with curl."""
    return fetch(
        ca,
        f"{entrance.base_url}/chat/completions",
        *(["--proxy", entrance.proxy] if entrance.proxy else []),
        *("-H", "content-type: application/json", "-H", f"authorization: Bearer {chat.key}"),
        *("--data-binary", json.dumps(chat.call), *options),
        prefix=prefix,
    )


def fetch(ca: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> Curled:
    """Run curl with *arguments*."""
    program = shutil.which("curl")
    if program is None:
        missing("curl")
    shown = "%{stderr}\n" + "".join(f"%{{{name}}}\n" for name in ("http_code", "http_version"))
    command = [*prefix, str(program), "-sSN", "--max-time", "20", "--cacert", str(ca), "-D", "/dev/stderr", "-w", shown]
    done = subprocess.run([*command, *arguments], capture_output=True, env=environment(), check=False, timeout=30)
    noted, status, spoken = done.stderr.decode().rstrip("\n").rsplit("\n", 2)
    return Curled(done.returncode, int(status), spoken, done.stdout, noted, noted)
