"""Strict replay with real clients: one request for a miss, and where there is no way out, no way out is needed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import network
from support.capture import Island
from support.clients import Chat, Entrance, Sdk
from support.command import AICACHE, ASK, Command
from support.proxy import Mitmdump
from support.upstream import Upstream

OPENAI = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Is this recorded?"}]}
ANTHROPIC = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": OPENAI["messages"]}
SDKS = [
    pytest.param("python", "sync", OPENAI, "/v1", id="openai"),
    pytest.param("python", "async", OPENAI, "/v1", id="openai-async"),
    pytest.param("node", "async", OPENAI, "/v1", id="openai-node"),
    pytest.param("anthropic", "sync", ANTHROPIC, "", id="anthropic"),
    pytest.param("anthropic", "async", ANTHROPIC, "", id="anthropic-async"),
]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitmdump]:
    """A proxy in CI that has no recordings, on GitHub."""
    folder = tmp_path_factory.mktemp("strict")
    env = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    options = ("--set", "aicache_store=cassette:recordings", "--set", f"aicache_config={folder / 'settings.yaml'}")
    (folder / "settings.yaml").write_text("mode:\n")
    with Mitmdump(folder, *options, modes=("reverse:http://127.0.0.1:9",), env=env) as proxy:
        yield proxy


@pytest.mark.parametrize(("language", "style", "call", "path"), SDKS)
def test_a_miss_is_one_request(strict: Mitmdump, language: str, style: str, call: dict[str, Any], path: str) -> None:
    """No official SDK tries again, and each raises an error of its own that carries the explanation."""
    sdk = Sdk(language, strict.ca)
    before = strict.output.count("refusal unknown: ")
    try:
        found = sdk.ask(Entrance("reverse", f"{strict.url}{path}"), Chat(call, style=style))
    finally:
        sdk.close()
    assert found["status"] == 424
    assert "no recording for " in found["message"]
    assert "to record it: aicache record --only " in found["message"]
    assert strict.output.count("refusal unknown: ") == before + 1


def test_people_and_github_are_told(strict: Mitmdump) -> None:
    """Behind the misses above: the mode was chosen by CI, a block on stderr, an error and a summary for GitHub."""
    sdk = Sdk("python", strict.ca)
    sdk.ask(Entrance("reverse", f"{strict.url}/v1"), Chat(OPENAI))
    sdk.close()
    assert "because `CI` is set" in strict.output
    assert "aicache: no recording for openai-chat gpt-4o\n" in strict.output
    assert "::error title=No recording for openai-chat gpt-4o::no recording for " in strict.output
    assert "### aicache: no recording for openai\\-chat gpt\\-4o" in (strict.folder / "summary.md").read_text()


@pytest.fixture
def island() -> Iterator[Island]:
    """A namespace without any route."""
    network.need()
    with Island() as made:
        yield made


TRIES = """
import json, os, sys, urllib.request
for url in ("http://nowhere.test/", "http://203.0.113.7/v1/chat/completions", "https://nowhere.test/v1/models"):
    try:
        urllib.request.urlopen(url, timeout=20)
    except OSError as error:
        print(type(error).__name__)
"""


def test_replay_needs_no_network_and_sends_nothing(island: Island, tmp_path: Path) -> None:
    """In a namespace without any route a recorded run is green, and every packet is TCP on loopback, none to a DNS."""
    aicache = Command(tmp_path / "home", tmp_path)
    recordings = ("--store", f"cassette:{tmp_path / 'recordings'}", "--proxy-localhost")
    with Upstream() as upstream:
        client = (sys.executable, "-c", ASK, "hello", f"{upstream.url}/v1")
        first = aicache("run", "--mode", "record", *recordings, "--", *client)
        assert first.stdout.startswith("200 aicache; fwd=miss"), first.stderr
    unknown = (*client[:3], "something else", client[4])
    commands = "; ".join(shlex.join(command) for command in (client, unknown, (sys.executable, "-c", TRIES)))
    known, refused, *strangers = alone(island, aicache, *recordings, "--", "sh", "-c", commands).splitlines()
    assert known.partition("{")[2] == first.stdout.strip().partition("{")[2]
    assert known.startswith("200 aicache; hit; detail=exact")
    assert refused.startswith("424 ")
    assert strangers == ["HTTPError", "HTTPError", "HTTPError"]
    assert island.routes() == ""
    assert len(island.packets) > 50
    assert {(packet.interface, packet.protocol, packet.target) for packet in island.packets} == {("lo", 6, "127.0.0.1")}
    assert 53 not in {packet.port for packet in island.packets}


def alone(island: Island, aicache: Command, *arguments: str) -> str:
    """Return what `aicache run` prints in CI, in the namespace."""
    command = [*network.prefix(island.name), sys.executable, str(AICACHE), "run", *arguments]
    env = aicache.environment(CI="true")
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=aicache.folder, env=env, check=False
    ).stdout
