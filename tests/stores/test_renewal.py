"""Recordings made aside take the place of the old ones: nothing stacks up, and nothing else is touched."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from llmcache.engine import Engine
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.renewal import Renewal, Swapped, aside, swap
from llmcache.stores.turns import Turns
from support.recordings import ask, call, engine_on, look, record

Calls = list[tuple[str, str, str]]
"""(lane, question, answer)."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the recordings are."""
    return tmp_path / "recordings"


def asked(lane: str, question: str):
    """Return a call of *lane*."""
    return call(question, headers=(("x-aicache-scope", lane),) if lane else ())


async def made(folder: Path, calls: Calls, rules: str = "") -> CassetteStore:
    """Record *calls* in a run into *folder*, and return its store."""
    engine = engine_on(folder, "record", rules)
    for lane, question, answer in calls:
        await record(engine, asked(lane, question), answer)
    await engine.close()
    assert isinstance(engine.recordings, Turns)
    return engine.recordings.store


async def renewed(folder: Path, calls: Calls, *only: str, rules: str = "") -> Swapped:
    """Record *calls* aside, and put them into *folder*."""
    fresh = await made(aside(folder), calls, rules)
    old = CassetteStore(folder)
    old.open()
    return swap(old, fresh, only)


async def failing(folder: Path, calls: Calls, *only: str, rules: str = "") -> Swapped:
    """Record *calls* aside, of which those without an answer fail at the provider, and put them into *folder*."""
    engine = engine_on(aside(folder), "record", rules)
    for lane, question, answer in calls:
        if answer:
            await record(engine, asked(lane, question), answer)
        else:
            _, ticket = await look(engine, asked(lane, question))
            engine.abandon(ticket, "status-500")
    await engine.close()
    turns, old = engine.recordings, engine_on(folder, "replay", rules).recordings
    assert isinstance(turns, Turns)
    assert isinstance(old, Turns)
    return swap(old.store, turns.store, only, turns.asked)


async def answers(folder: Path, *calls: tuple[str, str], rules: str = "") -> list[str]:
    """Return what the recordings answer; a refusal is empty."""
    engine = engine_on(folder, "replay", rules)
    found = [await ask(engine, asked(*each)) for each in calls]
    return [each if isinstance(each, str) else "" for each in found]


def files(folder: Path) -> int:
    """Return how many recordings there are."""
    return len(list(folder.rglob("*.yaml")))


async def test_a_lane_is_replaced_and_others_stay(folder: Path) -> None:
    """What was asked again is new, what its lane did not ask for any more is gone, other lanes are as they were."""
    await made(folder, [("a", "one", "1"), ("a", "two", "2"), ("b", "one", "b1"), ("", "one", "0")])
    swapped = await renewed(folder, [("a", "one", "1 new"), ("a", "three", "3")])
    assert (len(swapped.added), len(swapped.replaced), len(swapped.removed)) == (1, 1, 1)
    assert await answers(folder, ("a", "one"), ("a", "two"), ("a", "three"), ("b", "one"), ("", "one")) == [
        "1 new",
        "",
        "3",
        "b1",
        "0",
    ]
    assert files(folder) == 4
    assert list(folder.parent.glob(".recordings.*")) == []


async def test_a_sequence_is_replaced_as_a_whole(folder: Path) -> None:
    """Of three answers that were recorded none is left behind two new ones."""
    await made(folder, [("", "poll", str(number)) for number in range(3)])
    swapped = await renewed(folder, [("", "poll", "x"), ("", "poll", "y")])
    assert (len(swapped.replaced), len(swapped.removed)) == (2, 0)
    assert await answers(folder, *[("", "poll")] * 3) == ["x", "y", "y"]
    assert files(folder) == 2


async def test_only_what_matches_is_renewed(folder: Path) -> None:
    """A file that no glob is for stays, asked for or not."""
    await made(folder, [("", "one", "1"), ("", "two", "2"), ("", "three", "3")])
    swapped = await renewed(folder, [("", "one", "1 new")], "openai-chat/gpt-4o/one-*", "*/two-*")
    assert [len(each) for each in (swapped.added, swapped.replaced, swapped.removed)] == [0, 1, 1]
    assert await answers(folder, ("", "one"), ("", "two"), ("", "three")) == ["1 new", "", "3"]


async def test_a_name_that_somebody_gave_is_kept(folder: Path) -> None:
    """A recording that was renamed is renewed under its name."""
    await made(folder, [("", "one", "1")])
    (path,) = folder.rglob("*.yaml")
    path.rename(folder / "greeting.yaml")
    assert (await renewed(folder, [("", "one", "1 new")])).replaced == ("greeting.yaml",)
    assert list(folder.rglob("*.yaml")) == [folder / "greeting.yaml"]


async def test_side_files_come_and_go_with_their_recordings(folder: Path) -> None:
    """Those that nothing names any more are removed, those that others name stay."""
    picture, other = (base64.b64encode(os.urandom(3000)).decode() for _ in range(2))
    await made(folder, [("a", picture, "1"), ("a", other, "2"), ("b", other, "3")])
    before = {each.name for each in (folder / "_blobs").iterdir()}
    await renewed(folder, [("a", "no picture", "4")])
    after = {each.name for each in (folder / "_blobs").iterdir()}
    assert (len(before), len(after)) == (2, 1)
    assert await answers(folder, ("b", other), ("a", "no picture")) == ["3", "4"]


async def test_noise_is_no_other_generation(folder: Path) -> None:
    """A call that only the rules of `match` make the same is replaced, too."""
    rules = "match: {replace: [dates]}"
    await made(folder, [("", "Today is 2024-01-01.", "old")], rules)
    fresh = await made(aside(folder), [("", "Today is 2025-05-05.", "new")], rules)
    engine = engine_on(folder, "replay", rules)
    assert isinstance(engine.recordings, Turns)
    assert len(swap(engine.recordings.store, fresh).replaced) == 1
    assert await answers(folder, ("", "Today is 2026-06-06."), rules=rules) == ["new"]
    assert files(folder) == 1


async def test_nothing_recorded_changes_nothing(folder: Path) -> None:
    """A run without a call exercised no lane, not even the one without a name."""
    await made(folder, [("", "one", "1")])
    assert await renewed(folder, []) == Swapped((), (), ())
    assert files(folder) == 1


async def test_what_is_not_renewed_is_answered_and_the_rest_asked_anew(folder: Path) -> None:
    """With globs a run serves what they are not for, in order, and sends on what they are for or nobody recorded."""
    await made(folder, [("", "one", "1"), ("", "two", "2a"), ("", "two", "2b")])
    old, new = engine_on(folder, "replay"), engine_on(aside(folder), "record")
    assert isinstance(old.recordings, Turns)
    assert isinstance(new.recordings, Turns)
    renewal = Renewal(old.recordings, new.recordings, ("*/one-*",))
    engine = Engine(renewal, new.scope, new.rules, recordings=renewal)
    assert [await ask(engine, call("two")) for _ in range(2)] == ["2a", "2b"]
    for question in ("one", "never recorded"):
        await record(engine, call(question), "new")
    await engine.close()
    assert len(new.recordings.store.files()) == 2


def test_what_killed_runs_left_is_removed(folder: Path) -> None:
    """The folder of a process that is gone goes, that of one that lives stays."""
    gone, lives = (folder.with_name(f".recordings.recording-{pid}") for pid in (2**22 + 1, os.getppid()))
    gone.mkdir()
    lives.mkdir()
    assert aside(folder).name == f".recordings.recording-{os.getpid()}"
    assert (gone.exists(), lives.exists()) == (False, True)


@pytest.mark.parametrize("rules", ["", "match: {replace: [dates]}"], ids=["exact", "by the rules"])
async def test_what_the_provider_did_not_answer_stays(folder: Path, rules: str) -> None:
    """A call that came and got no good reply keeps its recording; one that did not come any more does not."""
    one, two = "one on 2024-01-01", "two on 2024-01-01"
    await made(folder, [("", one, "1"), ("", two, "2"), ("", "three", "3")], rules)
    if rules:
        one, two = one.replace("2024", "2025"), two.replace("2024", "2025")
    swapped = await failing(folder, [("", one, "1 new"), ("", two, "")], rules=rules)
    assert (len(swapped.added), len(swapped.replaced), len(swapped.removed)) == (0, 1, 1)
    assert await answers(folder, ("", one), ("", two), ("", "three"), rules=rules) == ["1 new", "2", ""]
    swapped = await failing(folder, [("", one, "1 anew"), ("", two, "")], "openai-chat/*", rules=rules)
    assert (len(swapped.added), len(swapped.replaced), len(swapped.removed)) == (0, 1, 0)
