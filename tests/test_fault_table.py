"""The README's table of faults promises only what is tested."""

from __future__ import annotations

import re

import pytest
from support.proxy import ROOT

ROWS = [
    line
    for line in (ROOT / "README.md").read_text().partition("| fault |")[2].partition("\n\n")[0].splitlines()[2:]
    if line.startswith("|")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_fault_has_its_test(row: str) -> None:
    """Each row names a test that exists."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row.split("|")[4])
    assert named
    for file, test in named:
        assert re.search(rf"^(async )?def {test}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), test


def test_the_table_is_found() -> None:
    """It has its rows."""
    assert len(ROWS) > 20
