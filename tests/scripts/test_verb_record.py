"""`aicache record`, and what a run with recordings tells at its end: files, reports and exit codes."""

from __future__ import annotations

import itertools
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.command import ASK, Command
from support.upstream import Asked, Script, Upstream, chat_json
from verbs import _options
from verbs._report import CHECKS, FORMS, Facts, failures, rows, written

FULL = Facts(
    mode="replay",
    seen=3,
    served=2,
    scrubbed=1,
    refused=1,
    unused=("a|b.yaml", "c.yaml"),
    exhausted={"d.yaml": 2},
    stale=("c.yaml",),
    duplicates=("e.yaml",),
    hosts={"other.example": 4},
    dropped={"truncated": 1},
    secrets=1,
)


def counting(numbers=None):
    """Return a provider that never says the same twice."""
    numbers = numbers or itertools.count()

    def answer(asked: Asked) -> Script:
        return Script(json.dumps(chat_json(f"answer {next(numbers)}")).encode())

    return answer


def client(*questions: str, base: str, code: int = 0) -> list[str]:
    """Return a command that asks *questions* one after the other and ends with *code*."""
    asks = "\n".join(f"sys.argv = ['', {question!r}, {base!r}]\n{ASK}" for question in questions)
    return [sys.executable, "-c", f"import sys\n{asks}\nsys.exit({code})"]


def recordings(aicache: Command) -> list[str]:
    """Return the names of the recordings without their digests, and nothing beside them."""
    assert list(aicache.folder.glob("tests/.*")) == []
    folder = aicache.folder / "tests" / "recordings"
    return sorted(path.name.rpartition("-")[0] for path in folder.rglob("*.yaml"))


def test_a_run_renews_and_a_failed_run_leaves_everything(aicache: Command) -> None:
    """New recordings replace old ones when the command succeeds; when it fails the folder is as it was."""
    with Upstream(counting()) as upstream:
        base = f"{upstream.url}/v1"
        first = aicache("record", "--proxy-localhost", "--", *client("one", "two", base=base))
        assert first.returncode == 0, first.stderr
        assert recordings(aicache) == ["one", "two"]
        failed = aicache("record", "--proxy-localhost", "--", *client("one", "three", base=base, code=3))
        assert failed.returncode == 3
        assert "forgotten:  2: the run failed" in failed.stderr
        assert recordings(aicache) == ["one", "two"]
        again = aicache("record", "--proxy-localhost", "--only", "*/one-*", "--", *client("one", "two", base=base))
    assert len(upstream.calls) == 5
    assert "kept:       0 added, 1 replaced, 0 removed" in again.stderr
    options = ("--store", "cassette", "--proxy-localhost", "--report", "json", "--report-file", "report.json")
    replayed = aicache("run", *options, "--", *client("one", "one", base=base), CI="true")
    assert replayed.stdout.count("answer 4") == 2
    report = json.loads((aicache.folder / "report.json").read_text())
    assert (report["mode"], report["seen"], report["served"]) == ("replay", 2, 2)
    assert [path.rpartition("/")[2].rpartition("-")[0] for path in report["unused"]] == ["two"]
    assert list(report["exhausted"].values()) == [1]
    strict = aicache("run", *options, "--fail-on", "unused", "-q", "--", *client("one", base=base), CI="true")
    assert strict.returncode == 1
    assert "failed (unused): " in strict.stderr


@pytest.mark.parametrize(
    ("verb", "options", "expected"),
    [
        pytest.param("run", ("--mode", "replay"), 1, id="replay"),
        pytest.param("run", ("--mode", "replay", "--fail-on", "no-zero-traffic"), 0, id="allowed"),
        pytest.param("record", (), 1, id="record"),
    ],
)
def test_a_run_without_a_call_went_past_us(
    aicache: Command, verb: str, options: tuple[str, ...], expected: int
) -> None:
    """Where nothing may leave, and where all is recorded, a run that saw no call fails, and says what to do."""
    done = aicache(verb, "--store", "cassette", *options, "--", "true")
    assert done.returncode == expected
    assert ("needs --proxy-localhost; `--fail-on no-zero-traffic` allows it" in done.stderr) == bool(expected)


def test_wrong_words_are_named(aicache: Command) -> None:
    """A check that is none, and a store that is no folder of recordings, end before the command starts."""
    done = aicache("run", "--fail-on", "unused,tired", "--", "true")
    assert (done.returncode, "'tired' is no check; there are: zero-traffic, " in done.stderr) == (2, True)
    done = aicache("record", "--store", "memory", "--", "true")
    assert (done.returncode, "for a folder of recordings, not for memory" in done.stderr) == (2, True)


def test_every_check_has_a_name_on_the_command_line() -> None:
    """What can be asked for is what can be checked; the same for the forms of a report."""
    assert _options.CHECKS == tuple(CHECKS)
    assert _options.REPORTS == tuple(FORMS)


def test_checks_fail_only_where_they_are_wanted() -> None:
    """Everything is wrong with this run but that it saw calls; a spotless one fails nothing."""
    assert list(failures(FULL, tuple(CHECKS))) == [name for name in CHECKS if name != "zero-traffic"]
    assert list(failures(FULL, ("stale",))) == ["stale"]
    assert failures(Facts("replay", seen=1), tuple(CHECKS)) == {}


def test_a_screen_shows_what_there_is() -> None:
    """Lines for what is worth a look, none for a spotless run."""
    assert rows(FULL) == [
        ("unused", "2: a|b.yaml, c.yaml"),
        ("stale", "1: c.yaml"),
        ("duplicates", "1: e.yaml"),
        ("exhausted", "2 calls behind 1: d.yaml"),
        ("other hosts", "other.example 4"),
    ]
    assert rows(Facts("replay", seen=1)) == []


def test_reports_say_the_same() -> None:
    """JSON has every fact, JUnit a case for each check, Markdown a table that no file name breaks."""
    failed = failures(FULL, ("unused",))
    found = json.loads(written("json", FULL, failed))
    assert (found["unused"], found["exhausted"], list(found["failed"])) == (
        list(FULL.unused),
        {"d.yaml": 2},
        ["unused"],
    )
    suite = ET.fromstring(written("junit", FULL, failed))
    assert (suite.get("tests"), suite.get("failures")) == (str(len(CHECKS)), "1")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["unused"]
    markdown = written("markdown", FULL, failed)
    assert markdown.startswith("### aicache: failed\n\n**unused**: ")
    assert {line.count("|") for line in markdown.splitlines() if line.startswith("|")} == {3}
    assert Path("a|b.yaml").name not in markdown
