"""The `policy:` block is read in all its forms, and what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmcache.config import ConfigError, load
from llmcache.policies import Policy


@pytest.fixture
def read(tmp_path):
    """Read a configuration from a text; return its policy."""

    def read(text: str) -> Policy:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return load(str(path)).policy

    return read


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param("", "type", "threshold", id="default"),
        pytest.param("policy: errorBudget", "type", "errorBudget", id="word"),
        pytest.param("policy: {type: errorBudget}", "type", "errorBudget", id="block"),
        pytest.param("errorBudget: 0.02\npolicy: errorBudget", "error_budget", 0.02, id="budget-at-the-top"),
        pytest.param("policy: {errorBudget: 0.005}", "error_budget", 0.005, id="budget"),
        pytest.param("shadow: true", "shadow", True, id="shadow-at-the-top"),
        pytest.param("policy: {shadow: on}", "shadow", True, id="shadow"),
        pytest.param("policy: {threshold: 0.9, thresholdRelation: gte}", "threshold", 0.9, id="threshold"),
        pytest.param("policy: {thresholdRelation: gte}", "threshold_relation", "gte", id="relation"),
        pytest.param("", "gate", "auto", id="gate-default"),
        pytest.param("policy: {gate: true}", "gate", "auto", id="gate-true"),
        pytest.param("policy: {gate: false}", "gate", "off", id="gate-false"),
        pytest.param("policy: {gate: off}", "gate", "off", id="gate-off"),
        pytest.param("policy: {gate: facts}", "gate", "facts", id="gate-facts"),
        pytest.param("", "strict", True, id="a-threshold-needs-the-strict-gate"),
        pytest.param("policy: errorBudget", "strict", False, id="who-learns-gets-facts"),
        pytest.param("policy: {type: errorBudget, gate: strict}", "strict", True, id="strict-if-told"),
        pytest.param("policy: {auditShare: 1}", "audit_share", 1.0, id="audit"),
        pytest.param("policy: {exploreShare: 0}", "explore_share", 0.0, id="explore"),
        pytest.param("policy: {nearMissLog: a.jsonl}", "near_miss_log", Path("a.jsonl"), id="log"),
        pytest.param("policy: {logPrompts: true}", "log_prompts", True, id="prompts"),
    ],
)
def test_policy(read, text, name, expected):
    """A setting of the policy is read as documented."""
    assert expected == getattr(read(text), name)


def test_rules(read):
    """Rules are added, taken away, and named for what is not cached at all."""
    rules = read("policy: {exactOnly: [-random, price], neverCache: [time-bound]}").rules
    assert rules.exact("Roll a die") == ""
    assert rules.exact("The price of gold") == "price"
    assert rules.never("Who won today?") == "time-bound"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("policy: budget", "c.yaml:1: policy: `budget` is not known", id="word"),
        pytest.param("policy: {type: x}", "policy.type: `x` is not known", id="type"),
        pytest.param("policy: {errorBudget: 0}", "policy.errorBudget: 0 is out of range", id="budget"),
        pytest.param("errorBudget: 2", "errorBudget: 2 is out of range", id="budget-at-the-top"),
        pytest.param("policy: {auditShare: 1.5}", "policy.auditShare: 1.5 is out of range", id="share"),
        pytest.param("policy: {gate: wide}", "policy.gate: `wide` is not known", id="gate"),
        pytest.param("policy: {exactOnly: [-x]}", "policy.exactOnly: `-x` takes away no rule", id="no-such-rule"),
        pytest.param("policy: {neverCache: ['(']}", "policy.neverCache: `(` is neither", id="expression"),
        pytest.param("policy: {treshold: 1}", "did you mean `threshold`?", id="unknown"),
    ],
)
def test_problem(read, text, message):
    """What is wrong is named with its place and the legal values."""
    with pytest.raises(ConfigError, match="problem") as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("policy: {type: errorBudget, threshold: 0.9}", "policy.threshold"),
        ("policy: {exploreShare: 0.5}", "policy.exploreShare"),
    ],
)
def test_what_a_type_does_not_heed_is_said(tmp_path, text, name):
    """A setting that does nothing is a warning."""
    (tmp_path / "c.yaml").write_text(text)
    (warning,) = load(str(tmp_path / "c.yaml")).warnings
    assert name in warning
    assert "does nothing with `type:" in warning
