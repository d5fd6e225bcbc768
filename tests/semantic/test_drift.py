"""Drift: it is quick where answers go wrong, and patient where they do not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.semantic.drift import RARE, SHARES, Drift


def outcomes(seed, count, promised, true):
    """Return a drift after *count* outcomes, or the first at which it was sure."""
    chances, drift = random.Random(seed), Drift()
    for number in range(count):
        drift.note(promised, float(number), wrong=chances.random() < true)
        if drift.since is not None:
            return drift, number
    return drift, count


@pytest.mark.parametrize("chance", [0.005, 0.05, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_promise_that_holds_raises_no_alarm(chance, seed):
    """While as many are wrong as was promised, a long run of outcomes is never taken for a turn of the world."""
    assert 5000 == outcomes(seed, 5000, chance, chance)[1]


@pytest.mark.parametrize(
    ("promised", "true", "most"),
    [
        pytest.param(0.01, 0.5, 20, id="half of the sure ones"),
        pytest.param(0.05, 0.2, 300, id="a fifth"),
        pytest.param(0.5, 1.0, 60, id="all of the unsure ones"),
    ],
)
def test_a_broken_promise_is_found_soon(promised, true, most):
    """The more is wrong, the fewer outcomes it takes to be sure."""
    assert outcomes(1, 5000, promised, true)[1] < most


def test_it_is_feared_before_it_is_sure():
    """A few wrong ones among the surest are enough to be careful, and right ones calm again."""
    drift = Drift()
    assert drift.feared == 0
    for number in range(2):
        drift.note(0.01, float(number), wrong=True)
    assert drift.since is None
    assert drift.feared > 0.05
    for number in range(500):
        drift.note(0.01, float(number), wrong=False)
    assert drift.feared == 0


def test_it_knows_when_it_began():
    """The outcomes before the turn are those that are of no use any more."""
    drift = Drift()
    for number in range(300):
        drift.note(0.05, float(number), wrong=number >= 200)
        if drift.since is not None:
            break
    assert drift.since == pytest.approx(200, abs=2)


def test_what_is_surely_wrong_says_nothing():
    """An outcome that was promised to be wrong wins no bet."""
    drift = Drift()
    for number in range(100):
        drift.note(1.0, float(number), wrong=True)
    assert drift.feared < max(SHARES) / RARE + 0.002


def test_a_suspicion_is_overcome_however_long_it_lasted():
    """After thousands of wrong answers as many right ones calm it as after a hundred."""
    for wrong in (100, 5000):
        drift = Drift()
        for number in range(wrong):
            drift.note(0.05, float(number), wrong=True)
        for number in range(500):
            drift.note(0.05, float(number), wrong=False)
        assert drift.since is None
        assert drift.feared < 0.01


def test_two_wrong_answers_prove_no_turn():
    """However sure they were to be right: what is wrong comes in runs."""
    drift = Drift()
    for number in range(2):
        drift.note(0.0, float(number), wrong=True)
    assert drift.since is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80))
def test_more_that_is_wrong_is_feared_more(outcomes):
    """Whatever came, it is a share; a wrong answer never calms, and a right one never alarms once it is suspected."""
    drift = Drift()
    for number, (chance, wrong) in enumerate(outcomes):
        before = drift.feared
        drift.note(chance, float(number), wrong=wrong)
        assert 0 <= drift.feared < 1
        assert drift.feared >= before if wrong else drift.feared <= before
