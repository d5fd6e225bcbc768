"""What a test does for want of a program: here it is skipped, in CI it fails. Entry point: `missing`.

Apart from `conftest`, because several files have that name and a test cannot say which it means.
"""

from __future__ import annotations

import os

import pytest

PROMISED = "AICACHE_TESTS_CI"
"""What stands for `CI` here and in the workers: the tests are about a user's machine unless they say otherwise."""
if "CI" in os.environ:
    os.environ[PROMISED] = os.environ.pop("CI")


def missing(what: str) -> None:
    """Skip the test for want of *what*; where CI promises to have it, fail."""
    if os.environ.get(PROMISED) == "true":
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is not here")
