"""How much of what was served was wrong, and when that is too much."""

from __future__ import annotations

import pytest
from llmcache.semantic.audit import Audit, interval


@pytest.mark.parametrize(
    ("wrong", "looked", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 100, 0.0, 0.0370),
        (1, 10, 0.0179, 0.4042),
        (50, 100, 0.4038, 0.5962),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_the_interval_is_wilsons(wrong: int, looked: int, low: float, high: float) -> None:
    """Against published values."""
    assert interval(wrong, looked) == pytest.approx((low, high), abs=1e-4)


def test_a_rate_surely_over_the_budget_closes() -> None:
    """One wrong answer proves nothing; several do."""
    audit = Audit(share=0.1, budget=0.01)
    for _ in range(30):
        audit.note(right=True)
    audit.note(right=False)
    assert not audit.closed
    for _ in range(3):
        audit.note(right=False)
    assert audit.closed
    assert audit.line() == "4 of 34 audited semantic answers were wrong (4.7% to 26.6%)"


def test_what_nobody_can_tell_is_not_counted() -> None:
    """An answer that is no text is neither right nor wrong."""
    audit = Audit(share=1)
    audit.note(right=None)
    assert (audit.looked, audit.line()) == (0, "")


@pytest.mark.parametrize(("share", "drawn", "due"), [(0.0, 0.0, False), (0.1, 0.05, True), (0.1, 0.1, False)])
def test_a_share_is_looked_at(share: float, drawn: float, *, due: bool) -> None:
    """As many as were asked for, and none by default."""
    assert Audit(share=share, draw=lambda: drawn).due() is due
