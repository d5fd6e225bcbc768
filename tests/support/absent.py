"""What a test does for want of a program: here it is skipped, in CI it fails. Entry point: `missing`.

Apart from `conftest`, because several files have that name and a test cannot say which it means.
"""

from __future__ import annotations

import os

import pytest


def missing(what: str) -> None:
    """Skip the test for want of *what*; where CI promises to have it, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is not here")
