"""The pytest plugin: each test has recordings of its own, and it does not matter how many workers replay them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

from support.command import Command
from support.proxy import ROOT
from support.upstream import Asked, Script, Upstream, chat_json

PLUGIN = str(ROOT / "scripts")
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SUITE = """
import json, os, pathlib, urllib.request
import pytest

pytestmark = pytest.mark.aicache

def ask(text, base=None, **headers):
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}).encode()
    head = {"content-type": "application/json", **headers}
    url = (base or os.environ["OPENAI_BASE_URL"]) + "/chat/completions"
    with urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=20) as response:
        return json.load(response)["choices"][0]["message"]["content"]

BASE = os.environ["OPENAI_BASE_URL"]

@pytest.mark.parametrize("number", range(12))
def test_poll(number, request):
    found = [ask("Is it done?") for _ in range(3)]
    pathlib.Path(os.environ["ANSWERS"], f"{number}.json").write_text(json.dumps(found))

def test_client_of_the_module(aicache_lane):
    found = [ask("Is it done?", BASE, **aicache_lane.headers), ask("Is it done?", aicache_lane.url(BASE))]
    pathlib.Path(os.environ["ANSWERS"], "module.json").write_text(json.dumps(found))
"""


def answers(aicache: Command, mode: str, workers: int, base: str) -> dict[str, list[str]]:
    """Run the suite in *mode* with as many workers, and return what each test was answered."""
    suite, folder = aicache.folder / "test_suite.py", aicache.folder / f"{mode}-{workers}"
    suite.write_text(SUITE)
    folder.mkdir()
    plugins = ("-p", "pytest_aicache", "-p", "no:cacheprovider", "-p", "xdist")
    pytest = [sys.executable, "-m", "pytest", "-q", *plugins, "-n", str(workers)]
    options = ("--mode", mode, "--store", "cassette:recordings", "--base-url", base)
    done = aicache("run", *options, "--", *pytest, str(suite), PYTHONPATH=PLUGIN, ANSWERS=str(folder), **ALONE)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def test_one_worker_and_eight_are_served_the_same(aicache: Command) -> None:
    """Identical calls of thirteen tests, three times each: every test gets its own answers in their order."""
    numbers = itertools.count()

    def counting(asked: Asked) -> Script:
        assert asked.path == "/v1/chat/completions"
        return Script(json.dumps(chat_json(f"answer {next(numbers)}")).encode())

    with Upstream(counting) as upstream:
        recorded = answers(aicache, "record", 0, f"{upstream.url}/v1")
    assert len({answer for found in recorded.values() for answer in found}) == 38
    for workers in (0, 8):
        assert answers(aicache, "replay", workers, f"{upstream.url}/v1") == recorded
    folders = {path.name for path in (aicache.folder / "recordings").iterdir()}
    assert len(folders) == 13
    assert "test-suite-py-test-poll-3" in folders


def test_without_aicache_it_does_nothing(tmp_path: Path) -> None:
    """A suite with the marks runs as it did, with its base URLs as they are."""
    code = "import os, pytest\n@pytest.mark.aicache\ndef test_it(): assert os.environ['OPENAI_BASE_URL'] == 'http://h/v1'\n"
    (tmp_path / "test_it.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_aicache", "--strict-markers", str(tmp_path)]
    env = {"PYTHONPATH": PLUGIN, "OPENAI_BASE_URL": "http://h/v1", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False, timeout=60)
    assert "1 passed" in done.stdout, done.stdout
