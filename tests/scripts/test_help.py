"""What the command line says about itself."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
import verbs
from support.command import AICACHE, Command

VERBS = sorted(verbs.VERBS)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]], ids=" ".join)
def test_the_overview_names_every_verb_and_shows_examples(aicache: Command, words: list[str]):
    """`aicache --help` lists each verb with what it does, and examples."""
    done = aicache(*words)
    assert done.returncode == 0
    assert all(f"  {verb:<8}{what}" in done.stdout for verb, what in verbs.VERBS.items())
    assert "aicache run -- python app.py" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_examples(aicache: Command, verb: str):
    """`aicache VERB --help` describes the verb, its options and its use; lines fit a terminal."""
    done = aicache(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: aicache {verb}")
    assert "example" in done.stdout
    assert f"aicache {verb}" in done.stdout.partition("example")[2]
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_help_needs_no_environment(aicache: Command, tmp_path):
    """Help comes from a bare Python at once; no environment is made for it."""
    done = aicache(
        "run", "--help", AICACHE_VENV=str(tmp_path / "venv"), python=getattr(sys, "_base_executable", sys.executable)
    )
    assert done.returncode == 0
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(("word", "meant"), [("rnu", "run"), ("server", "serve"), ("list", "ls"), ("stat", "stats")])
def test_a_misspelt_verb_is_answered_with_the_near_one_or_all(aicache: Command, word: str, meant: str):
    """An unknown verb ends with exit code 2 and a sentence that names the verb that was meant."""
    done = aicache(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert meant in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_verb_the_overview_is_shown_as_an_error(aicache: Command):
    """Nothing to do is not success."""
    done = aicache()
    assert done.returncode == 2
    assert done.stdout.startswith("usage: aicache VERB")


def test_the_version_is_printed(aicache: Command):
    """`aicache --version` prints name and version."""
    assert aicache("--version").stdout.startswith(f"aicache {verbs.VERSION} ")


def test_an_old_python_reads_the_script_and_gets_a_sentence():
    """The script parses as Python 3.4, and under 3.8 it says what it needs instead of failing somewhere inside."""
    source = AICACHE.read_text()
    ast.parse(source, feature_version=(3, 4))
    pretend = f"import sys; sys.version_info = (3, 8, 0); __file__ = {str(AICACHE)!r}; exec({source!r})"
    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("aicache needs Python 3.11 or newer, and")
    assert "Python 3.8." in done.stderr
