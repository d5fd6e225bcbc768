"""The benchmark: it starts, and its parts work on tiny sizes. No time is judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import PARTS, golden, tables
from benchmarks.dialects import dialects
from benchmarks.in_process import cassettes
from llmcache import wire
from support.proxy import ROOT


@pytest.fixture
def wanted(tmp_path: Path) -> tables.Wanted:
    """As little as possible."""
    return tables.Wanted(tmp_path, rounds=1, calls=8)


def test_the_benchmark_explains_itself_and_names_every_part():
    """`bench.py --help` works, and says what each part measures."""
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in PARTS)


def test_the_costs_of_dialects_are_shown(wanted: tables.Wanted, capsys: pytest.CaptureFixture[str]):
    """Each dialect whose golden cases are given has a row in both tables."""
    chosen = [case for case in golden.cases() if case.name == "text" and case.dialect.NAME in ("openai-chat", "cohere")]
    dialects(wanted, chosen, 5_000)
    assert capsys.readouterr().out.count("cohere") == 2


def test_recordings_are_compared_with_sqlite(wanted: tables.Wanted, capsys: pytest.CaptureFixture[str]):
    """A few recordings are written and read by both stores."""
    cassettes(wanted, recordings=5)
    shown = capsys.readouterr().out
    assert "SQLite" in shown
    assert "cassette" in shown


REPEATS = {"cohere-v1"}
"""Dialects whose last event repeats the answer in a way that is not lengthened."""
STREAMED = sorted({case.dialect.NAME for case in golden.cases()} - REPEATS)


@pytest.mark.parametrize("name", STREAMED)
def test_a_golden_stream_can_be_as_long_as_wanted(name: str):
    """Of each dialect with streams, some golden case of text is lengthened to a good reply of the size asked for."""
    texts = (case for case in golden.cases() if case.dialect.NAME == name)
    longer = ((case, golden.lengthened(case, 20_000)) for case in texts)
    case, body = next((case, body) for case, body in longer if body)
    assert 18_000 < len(body) < 22_000
    assert case.json(body)


def test_no_dialect_with_streams_is_left_out():
    """Dialects without golden streams are those that have none."""
    without = {dialect.NAME for dialect in wire.DIALECTS} - set(STREAMED)
    assert not without & {"openai-chat", "openai-responses", "anthropic", "google", "ollama", "cohere", "dashscope"}


def test_vectors_are_clustered_unit_vectors():
    """A question is nearer to those of its own topic than to others, as in life."""
    np = pytest.importorskip("numpy")
    from benchmarks import neighbors

    middles = neighbors.topics()[:2]
    rows = neighbors.clustered(np.random.default_rng(2), middles, 50)
    scores = np.sort(rows @ middles.T, axis=1)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (scores[:, 1] > scores[:, 0] + 0.3).all()
