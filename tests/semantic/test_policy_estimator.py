"""The estimator: intervals, the model that ranks, and the cutoff that bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.semantic import estimator


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [
        pytest.param(0.0, 10, 0.0, 0.2775, id="none of 10"),
        pytest.param(0.1, 100, 0.0552, 0.1744, id="10 of 100"),
        pytest.param(0.5, 10, 0.2366, 0.7634, id="5 of 10"),
        pytest.param(1.0, 20, 0.8389, 1.0, id="20 of 20"),
    ],
)
def test_wilson(share, count, low, high):
    """The bounds are those of published tables at 1.96 deviations."""
    assert estimator.lower(share, count, 1.959964) == pytest.approx(low, abs=5e-5)
    assert estimator.upper(share, count, 1.959964) == pytest.approx(high, abs=5e-5)


def test_without_trials_anything_is_possible():
    """No evidence bounds nothing."""
    assert (0.0, 1.0) == (estimator.lower(0, 0, 2), estimator.upper(0, 0, 2))


def world(seed, count):
    """Return features and outcomes of a world whose chances are logistic."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 3)) * [1, 5, 0] + [0, 10, 7]
    chance = 1 / (1 + np.exp(-(2 * features[:, 0] + 0.4 * (features[:, 1] - 10) + 1)))
    return features, random.random(count) < chance


def test_the_fit_finds_the_weights():
    """A regression on enough outcomes returns the weights that made them; a constant feature weighs nothing."""
    model = estimator.fit(*world(1, 20_000))
    assert model.weights == pytest.approx((2, 0.4, 0), abs=0.1)
    assert model.bias == pytest.approx(-3, abs=0.5)
    assert model.score((1.0, 10.0, 7.0)) == pytest.approx(model.scores(np.array([[1.0, 10.0, 7.0]]))[0])


def test_the_fit_survives_what_can_be_told_apart_perfectly():
    """Separable outcomes give finite weights."""
    features = np.linspace(-1, 1, 200)[:, None]
    assert np.isfinite(estimator.fit(features, features[:, 0] > 0).weights).all()


def test_noise_looks_no_better_than_it_is():
    """Scores that are cross-fitted do not see their own outcome: many useless features do not rank it."""
    random = np.random.default_rng(3)
    features, right = random.normal(size=(150, 60)), random.random(150) < 0.5
    own = estimator.fit(features, right).scores(features)
    crossed = estimator.crossed(features, right)
    assert own[right].mean() - own[~right].mean() > 1
    assert crossed[right].mean() - crossed[~right].mean() < 0.7


def test_no_outcome_no_cutoff():
    """What nobody looked at bounds nothing, nor does too little."""
    scores = np.linspace(0, 9, 1000)
    assert estimator.cutoff(scores, np.full(1000, np.nan), 0.5, 1.6) is None
    assert estimator.cutoff(scores[:10], np.zeros(10), 0.5, 1.6) is None


def test_more_evidence_allows_more():
    """The same share of wrong ones is bounded lower the more outcomes there are."""
    few, many = (
        estimator.bounds(np.full(count, 4.0), np.arange(count) % 100 == 99, 1.645)[-1].bound for count in (200, 5000)
    )
    assert 0.01 < many < few


def test_rare_outcomes_stand_for_all_that_is_as_certain():
    """Where one in ten is looked at, each outcome weighs ten: the share is that of all decisions above the cutoff."""
    random = np.random.default_rng(5)
    scores = np.concatenate([np.full(10_000, 5.0) + random.random(10_000), random.random(1000)])
    wrong = np.concatenate([random.random(10_000) < 0.02, random.random(1000) < 0.3]).astype(float)
    wrong[:10_000][random.random(10_000) > 0.1] = np.nan
    assert estimator.bounds(scores, wrong, 1.645)[-1].wrong == pytest.approx((0.02 * 10 + 0.3) / 11, abs=0.01)


def test_a_spotless_record_must_be_long_enough():
    """However sure the model is, fewer outcomes than would bound a clean record allow nothing."""
    for count, found in ((250, False), (300, True)):
        assert found == (estimator.cutoff(np.full(count, 20.0), np.zeros(count), 0.01, 1.645) is not None)


def test_strata_tell_the_share_that_was_wrong():
    """From the most certain down no share is lower again, and each is near that of its outcomes."""
    random = np.random.default_rng(7)
    scores = random.random(2000) * 6
    wrong = (random.random(2000) < 1 / (1 + np.exp(scores))).astype(float)
    found = estimator.strata(scores, wrong, estimator.chances(scores))
    assert [share for _, share in found] == sorted(share for _, share in found)
    assert [least for least, _ in found] == sorted((least for least, _ in found), reverse=True)
    assert 2000 // estimator.STRATUM == len(found)
    assert found[-1][1] == pytest.approx(0.5, abs=0.15)
    assert () == estimator.strata(scores[:20], wrong[:20], np.zeros(20))


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.sampled_from([0.0, 1.0, np.nan])), max_size=400),
    st.sampled_from([0.005, 0.01, 0.05, 0.3]),
)
def test_no_cutoff_promises_more_than_the_evidence(decisions, budget):
    """Whatever was seen: above a cutoff are enough outcomes, their bound keeps the budget, and it is above the mean."""
    scores, wrong = (np.array(column) for column in zip(*decisions, strict=True)) if decisions else np.empty((2, 0))
    found = estimator.cutoff(scores, wrong, budget, 2.326)
    if found is not None:
        assert found.wrong <= found.bound <= budget
        assert found.outcomes <= np.sum((scores >= found.cutoff) & ~np.isnan(wrong))
        assert estimator.upper(0, found.outcomes, 2.326) <= budget


@given(st.integers(0, 2**32), st.integers(0, 299))
def test_one_more_wrong_answer_never_loosens(seed, turned):
    """Turn any right answer into a wrong one, and the estimate above no cutoff falls."""
    random = np.random.default_rng(seed)
    scores, wrong = random.random(300) * 9, (random.random(300) < random.random()).astype(float)
    worse = wrong.copy()
    worse[turned] = 1.0
    pairs = zip(estimator.bounds(scores, wrong, 0.0), estimator.bounds(scores, worse, 0.0), strict=True)
    assert all(before.bound <= after.bound for before, after in pairs)
