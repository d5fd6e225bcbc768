"""What every test may ask for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.absent import missing
from support.upstream import Upstream

# Who runs the tests with nohup or in the background ignores these, and so would every process that they start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

__all__ = ["ROOT", "SHARED", "missing", "upstream"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider on loopback that answers chat completions."""
    with Upstream() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, or it would be waited for at the end with all other workers idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
