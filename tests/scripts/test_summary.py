"""The summary's words."""

from __future__ import annotations

import pytest
from llmcache.chat import Usage
from llmcache.stats import Observation, Stats
from verbs._summary import dollars, rows, show


def seen(outcome: str, reason: str, **more) -> Observation:
    """Return one call."""
    return Observation(outcome, reason, host="api.openai.com", model=more.pop("model", "gpt-4o"), **more)


def test_everything_that_happened_is_told():
    """Calls by outcome, reasons, what was stored or why not, and what hits were worth."""
    stats = Stats()
    for one in (
        seen("hit", "exact", usage=Usage(1000, 500), saved=2.0),
        seen("hit", "exact", usage=Usage(500, 0), saved=1.25, model="odd"),
        seen("miss", "unknown", stored="stored"),
        seen("miss", "unknown", stored="finish-length"),
        seen("miss", "lossy", stored="stored"),
        seen("bypass", "skip-header"),
        seen("refusal", "unknown"),
    ):
        stats(one)
    assert rows(stats, lambda usage, model, _: None if model == "odd" else usage.input / 1000) == [
        ("calls", "7 (2 hits, 3 misses, 1 bypass, 1 refusal)"),
        ("hits", "exact 2"),
        ("misses", "unknown 2, lossy 1"),
        ("bypasses", "skip-header 1"),
        ("refusals", "unknown 1"),
        ("stored", "2"),
        ("not stored", "finish-length 1"),
        ("saved", "2,000 tokens, about $1.00, 3.2 s (no price known for odd)"),
    ]


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "$0.00"), (0.00001, "under $0.0001"), (0.0123, "$0.0123"), (1234.5, "$1,234.50")]
)
def test_an_amount_has_digits_that_tell_something(amount: float, text: str):
    """Small amounts keep four places, large ones two."""
    assert dollars(amount) == text


def test_where_the_calls_went_is_told_when_none_came(capsys: pytest.CaptureFixture[str]):
    """A run without a call says which hosts were asked instead: that is most often why."""
    show(Stats(), "a hint", [("other hosts", "llm.example 3")])
    assert capsys.readouterr().err == "aicache: no LLM call came through; a hint\naicache: other hosts: llm.example 3\n"
