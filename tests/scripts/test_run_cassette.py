"""`aicache run` with a folder of recordings: record once with a key, replay without key and network."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from support.command import ASK, Command
from support.upstream import Upstream

KEY = "gh" + "p_" + "a1B2c3D4e5" * 4


def test_recorded_once_and_replayed_without_a_key(aicache: Command, tmp_path: Path):
    """The second run needs neither provider nor key, and its answer is the first one's."""
    options = ("--proxy-localhost", "--store", f"cassette:{tmp_path / 'recordings'}")
    with Upstream() as upstream:
        base = f"{upstream.url}/v1"
        first = aicache.ask("hello", *options, base=base, OPENAI_API_KEY=KEY)
        assert len(upstream.calls) == 1
    second = aicache.ask("hello", *options, "--mode", "replay", base=base)
    assert first.stdout.startswith("200 aicache; fwd=miss ")
    assert second.stdout.startswith("200 aicache; hit; detail=exact ")
    assert first.stdout.partition("{")[2] == second.stdout.partition("{")[2]
    assert "OPENAI_API_KEY" not in second.stderr
    (path,) = (tmp_path / "recordings").rglob("*.yaml")
    assert path.name.startswith("hello-")
    assert KEY not in path.read_text()


def test_a_refusal_says_how_this_very_run_is_recorded(aicache: Command, tmp_path: Path):
    """The command that is told works as it stands: with the folder, the way in, and the command of the run."""
    (tmp_path / "ask.py").write_text(ASK)
    recordings = f"cassette:{tmp_path / 'my recordings'}"
    with Upstream() as upstream:
        client = ("--", sys.executable, str(tmp_path / "ask.py"), "hello", f"{upstream.url}/v1")
        refused = aicache("run", "--mode", "replay", "--proxy-localhost", "--store", recordings, *client)
        assert refused.stdout.startswith("424 ")
        told = refused.stderr.partition("  record    aicache ")[2].partition("\n")[0]
        assert aicache(*shlex.split(told)).returncode == 0
        served = aicache("run", "--mode", "replay", "--proxy-localhost", "--store", recordings, *client)
        assert len(upstream.calls) == 1
    assert served.stdout.startswith("200 aicache; hit")


def test_a_secret_fails_the_run(aicache: Command, upstream: Upstream, tmp_path: Path):
    """A call with a secret in it is answered but not recorded; the run says where the secret is, and fails."""
    options = ("--proxy-localhost", "--store", f"cassette:{tmp_path / 'recordings'}")
    done = aicache.ask(f"what is {KEY}?", *options, base=f"{upstream.url}/v1")
    assert done.returncode == 1
    assert done.stdout.startswith("200 ")
    assert "GitHub token at request.body.messages.0.content" in done.stderr
    assert "that fails the run" in done.stderr
    assert KEY not in done.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_broken_recording_stops_the_start(aicache: Command, tmp_path: Path):
    """The command is not even started, and the file is named with its line."""
    (tmp_path / "broken.yaml").write_text("aicache: 1\nkey: [\n")
    done = aicache.ask("hello", "--store", f"cassette:{tmp_path}")
    assert done.returncode not in (0, None)
    assert f"{tmp_path / 'broken.yaml'}:3: this is not YAML" in done.stderr
    assert done.stdout == ""
