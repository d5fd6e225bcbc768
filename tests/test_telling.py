"""A call without a recording is told to people: on stderr, and to GitHub in its own escapes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.missing import Missing
from llmcache.telling import MOST, Teller, annotation, block, section

FIELDS = tuple((f"body.f{number}", "1", str(number + 2)) for number in range(7))
FOUND = Missing(
    key="k",
    what="openai-chat gpt-4o",
    endpoint="POST https://api.openai.com/v1/chat/completions",
    lane="tests/test_x.py::test_a",
    nearest="tests/recordings/openai-chat/gpt-4o/hi-12345678.yaml",
    file="tests/recordings/openai-chat/gpt-4o/hi-12345678.yaml",
    fields=FIELDS,
    command="aicache record --only 'openai-chat/gpt-4o/*' -- CMD",
)


def test_the_message_has_all_of_it_in_one_line() -> None:
    """Endpoint, model, lane, file, five fields, how many more, and the command."""
    assert FOUND.message == (
        "no recording for openai-chat gpt-4o at POST https://api.openai.com/v1/chat/completions"
        " in lane tests/test_x.py::test_a; nearest recording tests/recordings/openai-chat/gpt-4o/hi-12345678.yaml"
        " differs (recorded → now): body.f0: 1 → 2; body.f1: 1 → 3; body.f2: 1 → 4; body.f3: 1 → 5; body.f4: 1 → 6;"
        " and 2 more; to record it: aicache record --only 'openai-chat/gpt-4o/*' -- CMD"
    )


def test_the_block_has_a_line_for_each_fact() -> None:
    """The same, to be read."""
    assert block(FOUND).splitlines() == [
        "no recording for openai-chat gpt-4o",
        "  endpoint  POST https://api.openai.com/v1/chat/completions",
        "  lane      tests/test_x.py::test_a",
        "  nearest   tests/recordings/openai-chat/gpt-4o/hi-12345678.yaml (recorded → now)",
        *(f"            body.f{number}: 1 → {number + 2}" for number in range(5)),
        "            and 2 more",
        "  record    aicache record --only 'openai-chat/gpt-4o/*' -- CMD",
    ]


def test_nothing_near_is_said() -> None:
    """A block without a nearest recording says so; one with another reason says that."""
    alone = Missing("k", "openai-chat gpt-4o", "POST http://h/v1", command="C")
    assert block(alone).splitlines()[2:] == ["  nearest   nothing of this kind is recorded", "  record    C"]
    broken = Missing("k", "openai-chat gpt-4o", "POST http://h/v1", reason="form-usage")
    assert block(broken).splitlines()[0] == "no recording for openai-chat gpt-4o: form-usage"
    assert broken.message == "no recording for openai-chat gpt-4o at POST http://h/v1: form-usage"


def test_an_annotation_is_escaped_as_github_wants_it() -> None:
    """Percent signs and line ends in the message, colons and commas too in properties (actions/toolkit command.ts)."""
    odd = Missing("k", "a 100%,b:c", "POST http://h/50%", nearest="a,b:c%.yaml", file="a,b:c%.yaml", fields=())
    line = annotation(odd)
    assert line.startswith("::error file=a%2Cb%3Ac%25.yaml,title=No recording for a 100%25%2Cb%3Ac::")
    assert "at POST http://h/50%25;" in line
    assert line.count("\n") == 1


def test_an_annotation_names_the_file_from_the_workspace_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub knows files from the root of the repository on, wherever the run was started."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert "file=sub/tests/recordings/" in annotation(FOUND, str(tmp_path))
    assert "file=tests/recordings/" in annotation(FOUND, "/elsewhere")


def test_a_summary_cannot_be_left_by_what_it_quotes(tmp_path: Path) -> None:
    """The fence is longer than any run of backticks inside."""
    odd = Missing("k", "m", "POST http://h/", nearest="f", fields=(("body.q", '"```\u202e"', '"````"'),))
    text = section(odd, block(odd))
    assert "`````text\n" in text
    assert text.endswith("`````\n\n")
    assert "\u202e" not in text


@given(st.text(), st.text(), st.text())
def test_no_text_of_a_call_breaks_a_line(what: str, recorded: str, now: str) -> None:
    """Whatever is in a model's name or a prompt, a block has its lines and an annotation one."""
    odd = Missing(
        "k", what, "POST http://h/", lane=recorded, nearest="f", file=now, fields=(("body.q", recorded, now),)
    )
    assert len(block(odd).splitlines()) == 4 + bool(recorded)
    assert len(annotation(odd).splitlines()) == 1


def test_each_call_is_told_once_and_not_too_many(tmp_path: Path) -> None:
    """A client that tries again adds nothing; after the first few only one more line is written."""
    written: list[str] = []
    tell = Teller(written.append, {})
    for number in [*range(MOST + 5), *range(MOST)]:
        tell(Missing(str(number), "m", "POST http://h/"))
    assert len(written) == MOST + 1
    assert "not told" in written[-1]


def test_github_gets_what_it_asks_for(tmp_path: Path) -> None:
    """An error behind the block on stderr, and a section added to the summary."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    written: list[str] = []
    tell = Teller(written.append, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})
    tell(FOUND)
    assert [text.partition(" ")[0] for text in written] == ["aicache:", "::error"]
    assert summary.read_text() == "before\n" + section(FOUND, block(FOUND))


def test_a_summary_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on, with one warning."""
    tell = Teller(lambda _: None, {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "such.md")})
    tell(FOUND)
    tell(Missing("other", "m", "POST http://h/"))
    assert [record.message.partition(": ")[2] for record in caplog.records] == ["No such file or directory"]
