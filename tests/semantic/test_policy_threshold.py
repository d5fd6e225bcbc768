"""The policy `threshold`: one number, read as Higress reads it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from llmcache.semantic import Candidate, Forward, Policy, Serve
from llmcache.semantic.threshold import Threshold, safe


def near(*similarities):
    """Return candidates of these similarities."""
    return [Candidate(f"{number:02x}", value, f"question {number}") for number, value in enumerate(similarities)]


@pytest.mark.parametrize(
    ("relation", "value", "served"),
    [
        pytest.param("gt", 0.8, (False, False, True), id="similarity above"),
        pytest.param("gte", 0.8, (False, True, True), id="similarity at or above"),
        pytest.param("lt", 0.2, (False, False, True), id="distance below"),
        pytest.param("lte", 0.2, (False, True, True), id="distance at or below"),
    ],
)
@pytest.mark.parametrize("border", [0.8, float(np.float32(0.8))], ids=["double", "float32"])
def test_the_border_is_strict_as_named(relation, value, served, border):
    """A cosine of exactly the threshold is served with `gte` and `lte` alone, in either precision."""
    policy = Threshold(value, relation)
    assert served == tuple(policy.passes(similarity) for similarity in (border - 1e-4, border, border + 1e-4))


@pytest.mark.parametrize("relation", ["gt", "gte", "lt", "lte"])
def test_no_number_is_never_near(relation):
    """A similarity that is not finite passes nothing, whichever way it is compared."""
    policy = Threshold(0.5, relation)
    assert not any(policy.passes(value) for value in (math.nan, math.inf, -math.inf))


def test_a_word_that_is_no_relation_is_refused():
    """`eq` and its like are named together with what is allowed."""
    with pytest.raises(ValueError, match="thresholdRelation: 'eq' is none of lt, lte, gt, gte"):
        Threshold(0.9, "eq")


def test_a_threshold_that_is_no_number_is_refused():
    """NaN would compare with nothing, and so silently never hit."""
    with pytest.raises(ValueError, match="threshold"):
        Threshold(math.nan)


def test_the_next_nearest_is_tried_when_the_gate_refuses_the_nearest():
    """Every neighbor on the right side of the number is judged, not only the first."""
    candidates = near(0.99, 0.95, 0.7)
    decision = Threshold(0.9).decide(candidates, lambda one: "gate: number 1 ≠ 2" if one.key == "00" else None)
    assert Serve(candidates[1]) == decision


def test_the_reason_is_that_of_the_nearest():
    """A miss names what the nearest neighbor lacks: the gate's reason or the number."""
    policy = Threshold(0.9)
    assert Forward("gate: negation") == policy.decide(near(0.95, 0.92, 0.1), lambda _: "gate: negation")
    assert Forward("similarity 0.812 not gte 0.9") == policy.decide(near(0.812))
    assert Forward("distance 0.188 not lt 0.1") == Threshold(0.1, "lt").decide(near(0.812))
    assert Forward("no candidate") == policy.decide([])


def test_nobody_gets_any_neighbor():
    """The default of every embedder, known or not, refuses what is merely similar."""
    for embedder in ("wordllama/l2_supercat_256", "wordllama", "openai/text-embedding-3-small", "?"):
        assert isinstance(safe(embedder).decide(near(0.8)), Forward)


def test_it_is_a_policy():
    """It has what the engine asks of every policy, and takes what upstream taught without a change."""
    policy: Policy = Threshold(0.9)
    decision = policy.decide(near(0.5))
    policy.learn(decision, near(0.5), equal=[True], key="ff")
    assert decision == policy.decide(near(0.5))
    assert policy.neighbors > 1
