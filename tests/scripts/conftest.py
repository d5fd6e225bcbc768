"""The command line, and its modules for tests of single functions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.command import Command
from support.proxy import ROOT

sys.path.insert(0, str(ROOT / "scripts"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that tests share for the sake of mitmproxy's certificates."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def aicache(home: Path, tmp_path: Path) -> Command:
    """The command with a store of its own."""
    return Command(home, tmp_path)
