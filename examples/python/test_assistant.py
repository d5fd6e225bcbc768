"""Tests that call a model, as one would write them without recordings."""

from __future__ import annotations

import assistant
import pytest


def test_capital() -> None:
    """A call with a JSON answer."""
    assert assistant.capital("France") == "Paris"


def test_story_is_a_stream() -> None:
    """A stream comes back with its chunks."""
    pieces = list(assistant.story("a fox"))
    assert len(pieces) > 1
    assert "fox" in "".join(pieces)


def test_mood() -> None:
    """Another date in the prompt is no other call, because the configuration says so."""
    assert assistant.mood("The soup was cold.") == "negative"


@pytest.mark.aicache
def test_polling() -> None:
    """Identical calls get their answers in the order in which they were recorded; the mark keeps them to this test."""
    assert assistant.wait_until_done("42") == 3
