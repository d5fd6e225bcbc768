"""The examples run: each replays from its recordings, without a key, without network, and leaves them as they are."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.absent import missing
from support.command import AICACHE, Command
from support.proxy import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

EXAMPLES = ROOT / "examples"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
"""Has openai's SDK and pytest; `scripts/test-clients` makes it."""
PYTEST = [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
RUNS = {
    "python": ([], PYTEST),
    "node": (["--base-url"], ["node", "--test"]),
    "curl": ([], ["sh", "ask.sh"]),
}
"""Folder -> options of `aicache run`, command."""


def demand(folder: str) -> None:
    """Skip the test where the client is not here."""
    if folder == "python" and not all(
        list(PYTHON.parents[1].glob(f"lib/python*/site-packages/{name}")) for name in NEEDED
    ):
        missing("openai's SDK and pytest (.venv-clients)")
    if folder != "python" and not shutil.which(folder):
        missing(folder)


NEEDED = ("openai", "pytest")


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of the example."""
    kept = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.parametrize("folder", RUNS)
def test_the_example_replays(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, folder: str):
    """In CI nothing but `aicache run` is needed: every call is served, no recording is left over, none is touched."""
    demand(folder)
    options, command = RUNS[folder]
    before = content(EXAMPLES / folder)
    env = Command(tmp_path, tmp_path).environment(CI="true", PYTHONDONTWRITEBYTECODE="1")
    words = [sys.executable, str(AICACHE), "run", "--config", "aicache.yaml", "--fail-on", "unused", *options]
    done = subprocess.run(
        [*words, "--", *command],
        cwd=EXAMPLES / folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    served = sum(name.startswith("recordings/") for name in before)
    assert f"calls:      {served} ({served} hit" in done.stderr
    assert content(EXAMPLES / folder) == before


@pytest.mark.parametrize("folder", RUNS)
def test_no_secret_is_in_the_recordings(tmp_path: Path, folder: str):
    """`aicache scrub` finds nothing to take out of what is committed."""
    done = Command(tmp_path, tmp_path)("scrub", "--dry-run", str(EXAMPLES / folder / "recordings"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 to clean, 0 secrets, 0 unreadable" in done.stdout


def test_the_workflow_says_what_the_command_understands():
    """Each line of the workflow that calls aicache is read by its verb; one job replays, one verifies with a key."""
    import verbs
    from verbs import run, verify

    jobs = yaml.safe_load((EXAMPLES / "github-actions" / "llm-tests.yml").read_text())["jobs"]
    found = {}
    for name, job in jobs.items():
        for step in job["steps"]:
            words = shlex.split(step.get("run", ""))
            if words and words[0].endswith("/aicache"):
                found[name] = words[1], verbs.parser_of({"run": run, "verify": verify}[words[1]], words[1])
                args = found[name][1].parse_args(words[2:])
                assert args.command == ["--", "pytest"]
                assert ("OPENAI_API_KEY" in step["env"]) == (name == "verify")
    assert {name: verb for name, (verb, _) in found.items()} == {"replay": "run", "verify": "verify"}


def test_every_example_is_told_of():
    """The overview names each folder and its commands, and the commands are those that are tested."""
    text = (EXAMPLES / "README.md").read_text()
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {*RUNS, "github-actions"}
    assert all(f"]({folder})" in text for folder in folders)
