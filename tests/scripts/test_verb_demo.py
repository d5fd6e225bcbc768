"""`aicache demo`: the whole story, on any machine."""

from __future__ import annotations

import pytest
from support.command import Command


@pytest.mark.slow
def test_the_demo_tells_the_story_and_leaves_nothing_behind(aicache: Command):
    """A miss, a hit, the other form, a miss that streams, a hit of it; no store, key or certificate stays."""
    done = aicache("demo")
    assert (done.returncode, done.stderr) == (0, "")
    answered = [line.split("│")[2].strip() for line in done.stdout.splitlines() if line.startswith("│")]
    assert answered == ["provider", "cache", "cache", "provider", "cache"]
    assert "3 of 5 calls never left this machine" in done.stdout
    assert "█" in done.stdout
    assert list(aicache.folder.iterdir()) == []
