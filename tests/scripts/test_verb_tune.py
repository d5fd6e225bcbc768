"""`aicache tune`: what thresholds would have done."""

from __future__ import annotations

import json
import sys

import pytest
from support.proxy import ROOT

sys.path.append(str(ROOT / "scripts"))

from verbs import tune

LOG = [
    {"similarity": 0.95, "gate": "", "equal": True},
    {"similarity": 0.91, "gate": "", "equal": True},
    {"similarity": 0.93, "gate": "gate-number 1 ≠ 2", "equal": False},
    {"similarity": 0.81, "gate": "", "equal": False},
    {"similarity": 0.99, "gate": "", "equal": None},
]


def test_a_log_is_read():
    """What was never compared, and lines that are no records, are passed over."""
    lines = [*map(json.dumps, LOG), "garbage", "[]", "null", ""]
    assert 4 == len(list(tune.read(lines)))


def test_the_gate_counts():
    """A hit is what the gate admits at or above the threshold; recall is of all that are the same."""
    samples = list(tune.read(map(json.dumps, LOG)))
    line = tune.swept(samples, 0.91)
    assert (2, 0, 1.0) == (line.hits, line.wrong, line.recall)
    assert (3, 1) == (tune.swept(samples, 0.8).hits, tune.swept(samples, 0.8).wrong)
    assert 1.0 == tune.swept(samples, 1.0).bound


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([tune.Sample(0.9, True, True)] * 1000 + [tune.Sample(0.7, True, False)] * 50, "threshold: 0.72 keeps 1.0%"),
        ([tune.Sample(0.9, True, True)] * 5, "under 35.1%"),
        ([tune.Sample(0.99, True, False)] * 5, "no threshold keeps"),
    ],
    ids=["enough", "few", "none"],
)
def test_the_advice_says_how_sure_it_is(samples, said):
    """A threshold is called safe where the evidence bounds it; where there is little, that is said."""
    assert said in tune.advice([tune.swept(samples, step) for step in tune.STEPS], 0.01)


def test_the_plot_has_a_bar_for_each_threshold():
    """Recall is drawn to scale."""
    bars = tune.plot([tune.Line(0.9, 10, 0, 0.5, 0.2)])
    assert ["0.90 " + "█" * 20 + " " * 20 + "  50%  wrong < 20.0%"] == bars


def test_pairs_are_embedded_and_judged():
    """Two wordings of one question hit; another number does not pass the gate."""
    pytest.importorskip("wordllama")
    pairs = [
        {"a": "How do I reset my password?", "b": "How can I reset my password?", "same": True},
        {"a": "What is 18 plus 24?", "b": "What is 18 plus 42?", "same": False},
    ]
    one, other = tune.read(map(json.dumps, pairs))
    assert one.passed
    assert one.similarity > 0.8
    assert not other.passed
