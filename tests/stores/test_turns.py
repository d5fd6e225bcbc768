"""Several recordings of one call come back in their order, and lanes keep theirs to themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from llmcache.chat import Refusal
from llmcache.stats import Stats
from llmcache.stores.turns import Turns
from support.recordings import answered, ask, call, engine_on, look, record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where recordings go."""
    return tmp_path / "recordings"


async def recorded(folder: Path, *answers: str, headers=(), text: str = "hi") -> None:
    """Record one call with each of *answers* in a run of its own."""
    engine = engine_on(folder, "record")
    for each in answers:
        await record(engine, call(text, headers=headers), each)
    await engine.close()


def lane(name: str) -> tuple[tuple[str, str], ...]:
    """Return the header that names a lane."""
    return (("x-aicache-scope", name),)


async def replayed(folder: Path, count: int, settings: str = "") -> list:
    """Return what *count* identical calls get in a run that replays."""
    engine = engine_on(folder, "replay", settings)
    found = [await ask(engine, call()) for _ in range(count)]
    await engine.close()
    return found


async def test_repeated_calls_replay_in_the_order_of_their_recording(folder: Path) -> None:
    """Each run begins with the first answer; who asks more often gets the last one again."""
    await recorded(folder, "pending", "running", "done")
    assert await replayed(folder, 5) == ["pending", "running", "done", "done", "done"]
    assert await replayed(folder, 2) == ["pending", "running"]
    names = sorted(path.name for path in folder.rglob("*.yaml"))
    assert [name.rpartition("-")[2] for name in names[:2]] == ["2.yaml", "3.yaml"]


async def test_recordings_that_are_used_up_refuse_where_that_is_wanted(folder: Path) -> None:
    """With `replay.exhausted: refuse` the call behind the last recording is a 424 that says why."""
    await recorded(folder, "one", "two")
    *served, refused = await replayed(folder, 3, "replay: {exhausted: refuse}")
    assert served == ["one", "two"]
    assert isinstance(refused, Refusal)
    assert refused.reason == "exhausted"
    assert ": exhausted; to record it: " in refused.message


async def test_a_cache_never_runs_out(folder: Path) -> None:
    """In `cache` mode a recording answers as often as it is asked, whatever `replay.exhausted` says."""
    await recorded(folder, "one")
    engine = engine_on(folder, "cache", "replay: {exhausted: refuse}")
    assert [await ask(engine, call()) for _ in range(3)] == ["one", "one", "one"]


async def test_calls_at_the_same_time_get_an_answer_each(folder: Path) -> None:
    """Of many identical calls at once none gets another's turn, and all of them are served."""
    await recorded(folder, *map(str, range(8)))
    engine = engine_on(folder, "replay")
    found = await asyncio.gather(*(ask(engine, call()) for _ in range(8)))
    assert list(map(str, range(8))) == found


async def test_numbers_are_given_as_requests_arrive(folder: Path) -> None:
    """Whichever reply is complete first, the first request's answer is the first that is replayed."""
    engine = engine_on(folder, "record")
    first, second = [(await look(engine, call()))[1] for _ in range(2)]
    for ticket, text in ((second, "second"), (first, "first")):
        engine.record(ticket, answered(text))
        await engine.settled()
    await engine.close()
    assert await replayed(folder, 2) == ["first", "second"]


async def test_recording_anew_replaces_all_of_a_call_and_nothing_else(folder: Path) -> None:
    """No recording of before is left beside the new ones, and other calls keep theirs."""
    await recorded(folder, "a", "b", "c")
    await recorded(folder, "other", text="another call")
    await recorded(folder, "x", "y")
    assert await replayed(folder, 3) == ["x", "y", "y"]
    engine = engine_on(folder, "replay")
    assert await ask(engine, call("another call")) == "other"
    assert len(list(folder.rglob("*.yaml"))) == 3


async def test_noise_makes_no_second_generation(folder: Path) -> None:
    """Calls that the rules make one are numbered as one, replayed in order, and replaced by a later recording."""
    rules = "match: {replace: [dates]}"
    for year, answers in (("2024", ("a", "b")), ("2025", ("c",))):
        engine = engine_on(folder, "record", rules)
        for day, answer in enumerate(answers, 1):
            await record(engine, call(f"Today is {year}-01-0{day}."), answer)
        await engine.close()
    engine = engine_on(folder, "replay", rules)
    assert await ask(engine, call("Today is 2026-07-07.")) == "c"
    assert len(list(folder.rglob("*.yaml"))) == 1


async def test_lanes_share_nothing(folder: Path) -> None:
    """A recording of one lane answers no other, nor calls without one; the lane is the name of a folder."""
    await recorded(folder, "a's", headers=lane("tests/test_x.py::test_a"))
    await recorded(folder, "b's", headers=lane("tests/test_x.py::test_b"))
    engine = engine_on(folder, "replay")
    assert await ask(engine, call(headers=lane("tests/test_x.py::test_a"))) == "a's"
    assert await ask(engine, call(headers=lane("tests%2Ftest_x.py::test_b"))) == "b's"
    for stranger in (call(), call(headers=lane("tests/test_x.py::test_c"))):
        refused = await ask(engine, stranger)
        assert isinstance(refused, Refusal)
    assert "scope.lane: " in refused.message
    assert " in lane tests/test_x.py::test_c; " in refused.message
    assert "--only 'tests-test-x-py-test-c/openai-chat/gpt-4o/*'" in refused.message
    assert {path.name for path in folder.iterdir()} == {"tests-test-x-py-test-a", "tests-test-x-py-test-b"}


async def test_what_was_served_is_noted(folder: Path) -> None:
    """For the report: which files were served, which came to their end and how often."""
    await recorded(folder, "one", "two")
    await recorded(folder, "unused", text="other")
    engine = engine_on(folder, "replay", stats=Stats())
    for _ in range(4):
        await ask(engine, call())
    turns = engine.recordings
    assert isinstance(turns, Turns)
    assert len(turns.used) == 2
    assert list(turns.exhausted.values()) == [2]


@pytest.mark.parametrize("known", [False, True], ids=["not read before", "read before"])
async def test_files_that_change_places_answer_their_own_calls(folder: Path, *, known: bool) -> None:
    """Where another branch is checked out amid a run, no call gets what now lies in the file that was its own."""
    await recorded(folder, "to a", text="a")
    await recorded(folder, "to b", text="b")
    engine = engine_on(folder, "replay")
    if known:
        assert await ask(engine, call("a")) == "to a"
    files = sorted(folder.rglob("*.yaml"))
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, reversed(contents), strict=True):
        file.unlink()
        file.write_bytes(content)
    assert [await ask(engine, call(text)) for text in "abab"] == ["to a", "to b"] * 2
    await engine.close()


async def test_a_file_that_is_renamed_amid_a_run_is_found(folder: Path) -> None:
    """The next call is answered from the new place already, and the report counts it as served."""
    await recorded(folder, "here")
    engine = engine_on(folder, "replay", stats=Stats())
    (file,) = folder.rglob("*.yaml")
    file.rename(folder / "renamed.yaml")
    assert await ask(engine, call()) == "here"
    turns = engine.recordings
    assert isinstance(turns, Turns)
    assert turns.used == {"renamed.yaml"}
    await engine.close()
