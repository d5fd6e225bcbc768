"""The judge of two answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.semantic.equal import equal, overlap

LONG = "The capital of France is Paris, which lies on the Seine and has about 2 million inhabitants."
SAME = [
    pytest.param("billing", "billing", id="label"),
    pytest.param("Billing.", "  billing\n", id="label, case and white space"),
    pytest.param('{"a": 1, "b": [true, null]}', '{"b":[true,null],"a":1.0}', id="JSON, order of keys"),
    pytest.param('```json\n{"a": 1}\n```', '{"a":1}', id="JSON in a fence"),
    pytest.param("42", "42.0", id="numbers"),
    pytest.param("caf\u00e9", "cafe\u0301", id="composed letters"),
    pytest.param(LONG, LONG.replace("has about", "has around"), id="text, one word"),
    pytest.param("", "  ", id="nothing"),
]
OTHER = [
    pytest.param("billing", "shipping", id="label"),
    pytest.param("yes", "no", id="short"),
    pytest.param("-5", "5", id="sign"),
    pytest.param('{"a": 1}', '{"a": 2}', id="JSON, value"),
    pytest.param('{"a": 1}', '{"a": true}', id="JSON, true is not 1"),
    pytest.param('{"a": null}', '{"a": 0}', id="JSON, null is not 0"),
    pytest.param('{"a": 1}', '{"a": 1, "b": 2}', id="JSON, more keys"),
    pytest.param("[1, 2]", "[2, 1]", id="JSON, order of a list"),
    pytest.param('{"a": 1}', "a is 1", id="JSON and text"),
    pytest.param(LONG, LONG.replace("2 million", "3 million"), id="text, a number"),
    pytest.param(LONG, LONG.replace("is Paris", "is not Paris"), id="text, a negation"),
    pytest.param(LONG, "Lyon is a large city in France, at the place where the Rhône and the Saône meet.", id="text"),
    pytest.param("是", "否", id="Chinese"),
    pytest.param("👍", "👎", id="emoji"),
    pytest.param("!", "?", id="marks alone"),
    pytest.param("x" * 30_000, "x" * 29_999 + "y", id="huge"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_words_is_equal(one, other):
    """What reads as the same answer is equal, both ways round."""
    assert equal(one, other)
    assert equal(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_answer_is_not_equal(one, other):
    """One number, sign, negation or key is enough to tell answers apart, both ways round."""
    assert not equal(one, other)
    assert not equal(other, one)


def test_the_similarity_of_long_texts_is_pluggable():
    """An embedder may judge long texts; numbers still decide."""
    other = "Paris, on the Seine, home to some 2 million people, is where the French government sits."
    assert not equal(LONG, other)
    assert equal(LONG, other, similar=lambda _one, _other: 0.99)
    assert not equal(LONG, other.replace("2", "3"), similar=lambda _one, _other: 0.99)


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(one, other):
    """It never raises, is symmetric, and every text equals itself."""
    assert equal(one, other) == equal(other, one)
    assert equal(one, one)
    assert 0 <= overlap(one, other) <= 1
