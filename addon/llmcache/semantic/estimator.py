"""From evidence to a cutoff: from which certainty on do decisions keep the budget.

`fit` ranks: a logistic regression says how certain a decision is. `cutoff` bounds: it counts the wrong ones.
What is served is not looked at, so outcomes are rare where certainty is high. There the share of each stratum of
certainty is weighted by all decisions that fell into it (post-stratification), with the model's own chance as a prior
worth a few outcomes, and the bound is so many deviations above the mean. Scores are cross-fitted: no outcome speaks
for itself. It knows no questions and no answers. Ideas: verified semantic caches (vCache, 2025), Wilson (1927).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RIDGE = 1.0
STEPS = 30
FOLDS = 5
CLOSE = 1e-7
STRATUM = 50
"""Outcomes in a stratum of certainty."""
PRIOR = 10
"""Outcomes that the model's own chance counts for."""
FLOOR = 0.002
"""No model is surer than this: answers are compared by a judge that errs as well."""


@dataclass(frozen=True, slots=True)
class Model:
    """How certain a decision is: a weighted sum of its features, in log-odds of being right."""

    bias: float
    weights: tuple[float, ...]

    def score(self, features: tuple[float, ...]) -> float:
        """Return the certainty of one decision."""
        return self.bias + sum(weight * value for weight, value in zip(self.weights, features, strict=True))

    def scores(self, features: Floats) -> Floats:
        """Return those of many, shape (n,)."""
        found: Floats = features @ np.asarray(self.weights) + self.bias
        return found


def fit(features: Floats, right: Flags) -> Model:
    """Fit by Newton's method, with a ridge on the standardized features; shapes (n, d) and (n,)."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < CLOSE] = 1.0
    design = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    ridge = np.diag([CLOSE, *[RIDGE] * features.shape[1]])
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (right - chance) - ridge @ weights
        step = np.linalg.solve((design.T * (chance * (1 - chance))) @ design + ridge, slope)
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < CLOSE:
            break
    scaled = weights[1:] / spread
    return Model(float(weights[0] - scaled @ mean), tuple(scaled.tolist()))


def crossed(features: Floats, right: Flags) -> Floats:
    """Score each decision by a model that was fitted without it: its own outcome must not speak for it."""
    scores = np.empty(len(features))
    fold = np.arange(len(features)) % FOLDS
    for number in range(FOLDS):
        out = fold == number
        scores[out] = fit(features[~out], right[~out]).scores(features[out])
    return scores


def chances(scores: Floats) -> Floats:
    """Return how often decisions of these certainties are wrong, by the model alone."""
    found: Floats = 1 / (1 + np.exp(np.clip(scores, -30, 30)))
    return found


def upper(share: float, count: float, deviations: float) -> float:
    """Return Wilson's upper bound of a share that was seen in *count* trials; 1 without any."""
    return _wilson(share, count, deviations) if count > 0 else 1.0


def lower(share: float, count: float, deviations: float) -> float:
    """Return Wilson's lower bound; 0 without any trial."""
    return _wilson(share, count, -deviations) if count > 0 else 0.0


def _wilson(share: float, count: float, deviations: float) -> float:
    square = deviations * deviations
    middle = share + square / (2 * count)
    reach = deviations * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return (middle + reach) / (1 + square / count)


@dataclass(frozen=True, slots=True)
class Bound:
    """What is known of all decisions at least as certain as *cutoff*."""

    cutoff: float
    wrong: float
    """The estimated share of wrong ones."""
    bound: float
    """Its upper bound."""
    outcomes: int
    """How many were seen."""


def bounds(scores: Floats, wrong: Floats, deviations: float) -> list[Bound]:
    """Bound the share of wrong decisions above each of many cutoffs, the most certain first.

    *wrong* is 1 or 0 where the outcome is known, NaN where nobody looked; shape (n,), as that of *scores*.
    """
    order = np.argsort(-scores, kind="stable")
    scores, wrong = scores[order], wrong[order]
    known = ~np.isnan(wrong)
    chance = np.maximum(FLOOR, chances(scores))
    found: list[Bound] = []
    first, mass, mean, variance = 0, 0, 0.0, 0.0
    # A stratum ends where enough outcomes are together, counted from the most certain down.
    for end in (np.flatnonzero(known)[STRATUM - 1 :: STRATUM] + 1).tolist():
        seen = wrong[first:end][known[first:end]]
        share = float(seen.sum() + PRIOR * chance[first:end].mean()) / (len(seen) + PRIOR)
        mass += end - first
        mean += (end - first) * share
        variance += (end - first) ** 2 * share * (1 - share) / (len(seen) + PRIOR + 1)
        bound = (mean + deviations * math.sqrt(variance)) / mass
        found.append(Bound(float(scores[end - 1]), mean / mass, bound, (len(found) + 1) * STRATUM))
        first = end
    return found


def strata(scores: Floats, seen: Floats, expected: Floats) -> tuple[tuple[float, float], ...]:
    """Return (least certainty, share) of each stratum, the most certain first; no share is lower again.

    *seen* is 1 or 0 for each outcome, *expected* the chance of 1 before it was known, which `PRIOR` outcomes stand
    for; shape (n,), as that of *scores*.
    """
    order = np.argsort(-scores, kind="stable")
    found: list[tuple[float, float]] = []
    highest = 0.0
    for first in range(0, len(scores) - STRATUM + 1, STRATUM):
        part = order[first : first + STRATUM]
        highest = max(highest, float(seen[part].sum() + PRIOR * expected[part].mean()) / (STRATUM + PRIOR))
        found.append((float(scores[part[-1]]), highest))
    return tuple(found)


def cutoff(scores: Floats, wrong: Floats, budget: float, deviations: float) -> Bound | None:
    """Return the least certain cutoff whose bound keeps the budget; None while there is none.

    So many outcomes are asked for that Wilson's interval would bound a record without any wrong one: the prior of
    the strata speaks for the model, and where answers seldom return the model is not to be believed.
    """
    return next(
        (
            one
            for one in reversed(bounds(scores, wrong, deviations))
            if one.bound <= budget and upper(0, one.outcomes, deviations) <= budget
        ),
        None,
    )
