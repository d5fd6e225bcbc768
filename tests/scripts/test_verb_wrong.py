"""`aicache wrong` on the store of a proxy with semantic answers, and what `show` and `tune` tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import verbs
from llmcache import config
from llmcache.build import build_engine
from llmcache.chat import Entry, Hit, Miss
from llmcache.engine import Engine
from llmcache.wire import openai_chat
from test_engine import request, whole
from verbs import tune

pytest.importorskip("wordllama")

ASKED, NEAR = "What is the capital of France?", "What's the capital of France"
SETTINGS = """\
scope: {secret: s}
enableSemanticCache: true
deadlines: {embed: 30s, store: 30s}
"""

T = TypeVar("T")


class World:
    """A database, its settings, and what is asked of it, each time by a new process."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.file, self.store = folder / "c.yaml", f"sqlite:{folder / 'cache.db'}"
        self.file.write_text(SETTINGS + more)

    def engine(self) -> Engine:
        """Return the engine of a new process."""
        return build_engine(config.load(str(self.file), {"store": self.store}), lambda _: None)

    def run(self, work: Callable[[Engine], Awaitable[T]]) -> T:
        """Do *work* with an engine of its own."""

        async def running() -> T:
            engine = self.engine()
            done = await work(engine)
            await engine.close()
            return done

        return asyncio.run(running())

    def verb(self, verb: str, *args: str) -> int:
        """Run a verb in this process."""
        module = verbs.module_of(verb)
        words = [*args, "--config", str(self.file), "--store", self.store]
        return int(module.main(verbs.parser_of(module, verb).parse_args(words)))

    def entries(self) -> dict[str, Entry]:
        """Return what is stored, by its question."""

        async def listed(engine: Engine) -> dict[str, Entry]:
            return {each.question: each async for each in engine.store.scan()}

        return self.run(listed)


async def taught(engine: Engine) -> Any:
    """Let a question be recorded, and a near one be answered by it."""
    _, ticket = await engine.lookup(openai_chat, request(ASKED))
    assert ticket
    engine.record(ticket, whole("Lyon"))
    await engine.settled()
    return (await asked(NEAR)(engine))[0]


def asked(question: str) -> Callable[[Engine], Awaitable[Any]]:
    """Return what asks the question."""

    async def asks(engine: Engine) -> Any:
        found = await engine.lookup(openai_chat, request(question))
        await engine.settled()
        return found

    return asks


def test_a_pair_is_never_matched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The copy for the near question goes, the recorded answer stays for its own, and `show` tells which is which."""
    world = World(tmp_path)
    assert isinstance(world.run(taught), Hit)
    copy, recorded = world.entries()[NEAR], world.entries()[ASKED]
    assert world.verb("show", copy.key) == 0
    assert f"origin:       {recorded.key}, whose answer was given" in capsys.readouterr().out
    assert world.verb("wrong", copy.key[:10]) == 0
    out = capsys.readouterr().out
    assert f"removed {copy.key[:12]}" in out
    assert f"never answered again by {recorded.key[:12]}" in out
    assert Miss("reported-wrong") == world.run(asked(NEAR))[0]
    assert isinstance(world.run(asked(ASKED))[0], Hit)


def test_a_running_proxy_hears_of_it(tmp_path: Path):
    """What was reported beside it counts from the next question on."""
    world = World(tmp_path)
    world.run(taught)

    async def running(engine: Engine) -> Any:
        await engine.lookup(openai_chat, request(f"{NEAR}?"))  # it has read what was reported until now
        await engine.settled()
        await asyncio.to_thread(world.verb, "wrong", copy.key)
        return (await engine.lookup(openai_chat, request(NEAR)))[0]

    copy = world.entries()[NEAR]
    assert Miss("reported-wrong") == world.run(running)


def test_a_recorded_answer_goes_with_its_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Neither the call nor a near one is answered by it, and nothing of it is in the index."""
    world = World(tmp_path)
    world.run(taught)
    assert world.verb("wrong", world.entries()[ASKED].key) == 0
    assert "with it, kept for near questions: 1" in capsys.readouterr().out
    assert {} == world.entries()
    outcome, ticket = world.run(asked(NEAR))
    assert isinstance(outcome, Miss)
    assert () == ticket.asked.neighbors


def test_without_semantic_answers_the_pair_is_not_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With other settings than the proxy's only the copy goes; that is said, and the exit code is 1."""
    world = World(tmp_path)
    world.run(taught)
    copy = world.entries()[NEAR]
    world.file.write_text("scope: {secret: s}\n")
    assert world.verb("wrong", copy.key) == 1
    assert "semantic answers are off in this configuration" in capsys.readouterr().out
    assert [ASKED] == list(world.entries())


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [(NEAR, "Lyon", (True, True)), ("What is the capital of Finland?", "Oulu", (False, False))],
    ids=["same", "other"],
)
def test_tune_reads_what_the_proxy_writes(tmp_path: Path, question: str, answer: str, expected: tuple[bool, bool]):
    """A line of the near-miss log is a sample: how near, whether the gate lets it pass, and whether it was right."""
    journal = tmp_path / "near.jsonl"
    world = World(tmp_path, f"policy: {{shadow: true, nearMissLog: {journal}}}\n")
    world.run(taught)

    async def compared(engine: Engine) -> None:
        _, ticket = await engine.lookup(openai_chat, request(question))
        assert ticket
        engine.record(ticket, whole(answer))
        await engine.settled()

    world.run(compared)
    (sample,) = tune.read(journal.read_text().splitlines())
    assert 0.3 < sample.similarity < 1
    assert expected == (sample.passed, sample.same)
