"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.absent import missing
from support.upstream import Upstream

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

__all__ = ["ROOT", "SHARED", "missing", "upstream"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider on loopback that answers chat completions."""
    with Upstream() as server:
        yield server
