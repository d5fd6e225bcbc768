"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.upstream import Upstream

# Who runs the tests with nohup ignores SIGHUP, and so would every process that they start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def missing(what: str) -> None:
    """Skip the test for want of *what*; where CI promises to have it, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is not here")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider on loopback that answers chat completions."""
    with Upstream() as server:
        yield server
