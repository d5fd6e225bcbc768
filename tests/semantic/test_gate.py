"""The gate: near questions that are different questions are told apart, and rewordings are let through."""

from __future__ import annotations

import pytest
from llmcache.semantic.gate import judge


@pytest.mark.parametrize(
    ("one", "other", "category"),
    [
        pytest.param("What is 10 times 3?", "What is 12 times 3?", "number", id="digits"),
        pytest.param("Is tea healthy?", "Is tea not healthy?", "negation", id="not"),
        pytest.param("Flights from Rome to Bonn", "Flights from Bonn to Rome", "order", id="direction"),
        pytest.param("Tallest tower in Ohio", "Shortest tower in Ohio", "opposite", id="superlative"),
    ],
)
def test_another_question_is_refused(one, other, category):
    """A refusal names its category first, whichever of the two was asked."""
    assert category == (judge(one, other) or "").partition(" ")[0]
    assert category == (judge(other, one) or "").partition(" ")[0]
