"""`aicache ls`, `show`, `rm`, `purge` and `stats` over a real database."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from llmcache.chat import Entry, Form, Reply, Usage
from llmcache.stores.sqlite import SqliteStore
from support.command import Command
from support.upstream import chat_chunks

DAY = 86_400


def entry(key: str, **more) -> Entry:
    """Return an entry with a short key of its own."""
    body = b'{"choices": [{"message": {"content": "hi \xe2\x82\xac"}}]}'
    reply = Reply(200, (("content-type", "application/json"),), body)
    made = Entry(key, "openai-chat", "api.openai.com", "gpt-4o", Form("json"), reply, time.time(), usage=Usage(9, 12))
    return replace(made, path="/v1/chat/completions", request=b'{"body":{"model":"gpt-4o"}}', **more)


def streamed(key: str) -> Entry:
    """Return an entry that was recorded as a stream."""
    chunks = chat_chunks("one two")
    times = tuple((100 * at, len(chunk)) for at, chunk in enumerate(chunks))
    reply = Reply(200, (("content-type", "text/event-stream"),), b"".join(chunks), times)
    return replace(entry(key), form=Form("sse"), reply=reply, model="gpt-4o-mini", host="llm.example")


@pytest.fixture
def store(aicache: Command) -> list[str]:
    """A database with four entries, one of them expired; the value is what names it to the command."""
    now = time.time()
    entries = [
        entry("aa11", created=now - 10 * DAY),
        entry("aa22"),
        streamed("bb33"),
        entry("cc44", created=now - DAY, expires=now - 60),
    ]

    async def fill() -> None:
        stored = SqliteStore(aicache.store, 100, 10**9, "lru")
        for one in entries:
            await stored.put(one)
        await stored.close()

    asyncio.run(fill())
    return ["--store", f"sqlite:{aicache.store}"]


def keys(aicache: Command, store: list[str], *args: str) -> list[str]:
    """Return the keys that `ls` lists."""
    done = aicache("ls", *store, *args)
    assert done.returncode == 0
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], ["bb33", "aa22", "aa11"]),
        (["--model", "gpt-4o"], ["aa22", "aa11"]),
        (["--host", "llm.example"], ["bb33"]),
        (["--older-than", "7d"], ["aa11"]),
        (["--limit", "1"], ["bb33"]),
        (["--model", "none"], []),
    ],
    ids=["all", "model", "host", "age", "limit", "nothing"],
)
def test_ls_lists_what_is_asked_for_newest_first(
    aicache: Command, store: list[str], args: list[str], expected: list[str]
):
    """Entries that are still served, chosen by model, host, age and number."""
    assert keys(aicache, store, *args) == expected


def test_ls_on_a_pipe_is_for_programs(aicache: Command, store: list[str]):
    """Columns are separated by tabs, with the whole key first."""
    first = aicache("ls", *store, "--host", "llm.example").stdout.split("\t")
    assert first[:4] == ["bb33", first[1], "gpt-4o-mini", "llm.example"]
    assert len(first) == 6


def test_show_prints_an_entry_by_the_beginning_of_its_key(aicache: Command, store: list[str]):
    """Facts, the request and the reply are readable, text outside ASCII included."""
    shown = aicache("show", "aa2", *store).stdout
    assert "from:         api.openai.com/v1/chat/completions" in shown
    assert "tokens:       9 in, 12 out" in shown
    assert '    "model": "gpt-4o"' in shown
    assert '"content": "hi €"' in shown


def test_show_prints_a_stream_event_by_event_with_times(aicache: Command, store: list[str]):
    """Each chunk has the time at which it came."""
    shown = aicache("show", "bb33", *store).stdout
    assert '    100 ms  data: {"id": "chatcmpl-1"' in shown
    assert shown.rstrip().endswith("400 ms  data: [DONE]")


def test_show_raw_is_the_recorded_bytes(aicache: Command, store: list[str]):
    """--raw adds and changes nothing."""
    assert aicache("show", "bb33", "--raw", *store).stdout.encode() == streamed("bb33").reply.body


@pytest.mark.parametrize("verb", ["show", "rm"])
@pytest.mark.parametrize(
    ("prefix", "said"),
    [("aa", "2 keys begin with 'aa'"), ("zz", "no entry's key begins with 'zz'")],
    ids=["several", "none"],
)
def test_a_key_that_is_not_clear_changes_nothing(aicache: Command, store: list[str], verb: str, prefix: str, said: str):
    """Several candidates are listed, none is guessed."""
    done = aicache(verb, prefix, *store)
    assert done.returncode == 1
    assert said in done.stderr
    assert (prefix == "zz") or all(key in done.stderr for key in ("aa11", "aa22"))
    assert keys(aicache, store) == ["bb33", "aa22", "aa11"]


def test_rm_removes_what_is_named_or_nothing(aicache: Command, store: list[str]):
    """One key that is not clear keeps the others from going, too."""
    assert aicache("rm", "aa11", "zz", *store).returncode == 1
    assert len(keys(aicache, store)) == 3
    assert aicache("rm", "aa11", "bb", *store).returncode == 0
    assert keys(aicache, store) == ["aa22"]


@pytest.mark.parametrize(
    ("args", "count", "left"),
    [
        (["--model", "gpt-4o"], 3, ["bb33"]),
        (["--host", "llm.example"], 1, ["aa22", "aa11"]),
        (["--older-than", "7d"], 1, ["bb33", "aa22"]),
        (["--model", "gpt-4o", "--older-than", "7d"], 1, ["bb33", "aa22"]),
        (["--expired"], 1, ["bb33", "aa22", "aa11"]),
        (["--all", "--yes"], 4, []),
    ],
    ids=["model", "host", "age", "model-and-age", "expired", "all"],
)
def test_purge_removes_what_meets_every_condition(
    aicache: Command, store: list[str], args: list[str], count: int, left: list[str]
):
    """Conditions narrow down; the number that went is said; the entries that stay stay."""
    assert aicache("purge", *args, *store).stdout == f"removed {count} {'entry' if count == 1 else 'entries'}\n"
    assert keys(aicache, store) == left


@pytest.mark.parametrize("args", [["--all"], ["--expired"], ["--older-than", "7d"]], ids=" ".join)
def test_purge_dry_run_removes_nothing(aicache: Command, store: list[str], args: list[str]):
    """--dry-run only counts."""
    done = aicache("purge", "--dry-run", *args, *store)
    assert done.stdout.startswith("would remove ")
    assert "0 entries" not in done.stdout
    assert len(keys(aicache, store)) == 3


def test_purge_all_asks_first(aicache: Command, store: list[str]):
    """Without a terminal to ask on and without --yes, everything stays."""
    done = aicache("purge", "--all", *store)
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert len(keys(aicache, store)) == 3


@pytest.mark.parametrize("args", [[], ["--all", "--model", "x"]], ids=["nothing", "both"])
def test_purge_wants_to_know_what(aicache: Command, store: list[str], args: list[str]):
    """No condition does not mean everything, and `--all` with a condition is a contradiction."""
    assert aicache("purge", *args, *store).returncode == 2
    assert len(keys(aicache, store)) == 3


def test_a_wrong_age_is_explained(aicache: Command, store: list[str]):
    """An age has a unit."""
    done = aicache("purge", "--older-than", "7", *store)
    assert done.returncode == 2
    assert "such as 7d" in done.stderr


def test_stats_counts_by_model_host_and_age(aicache: Command, store: list[str]):
    """How much there is, of what, and how much of it is expired."""
    shown = aicache("stats", *store).stdout
    assert "entries  4, " in shown
    assert "1 of them expired" in shown
    lines = [line.split("\t")[:2] for line in shown.splitlines() if "\t" in line]
    expected = [["gpt-4o", "2"], ["gpt-4o-mini", "1"], ["api.openai.com", "2"], ["llm.example", "1"]]
    assert lines == [*expected, ["under an hour", "2"], ["under 30 days", "1"]]


@pytest.mark.parametrize(
    "verb", [["ls"], ["show", "aa"], ["rm", "aa"], ["purge", "--all", "--yes"], ["stats"]], ids=lambda it: it[0]
)
def test_looking_does_not_make_a_store(aicache: Command, verb: list[str]):
    """Where there is no database yet, that is said with its path, and there is none afterwards either."""
    done = aicache(*verb, "--store", f"sqlite:{aicache.store}")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no store yet; it will be {aicache.store}" in done.stderr
    assert list(aicache.folder.iterdir()) == []


def test_a_memory_store_cannot_be_looked_at(aicache: Command):
    """It ended with its proxy, and that is said."""
    done = aicache("ls", "--store", "memory")
    assert done.returncode == 1
    assert "ends with its proxy" in done.stderr


def test_another_programs_database_is_left_alone(aicache: Command, tmp_path):
    """A database that is not ours gives a sentence, not a stack, and keeps its content."""
    import sqlite3

    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    done = aicache("purge", "--all", "--yes", "--store", f"sqlite:{path}")
    assert done.returncode == 1
    assert "another program's database" in done.stderr
    assert path.read_bytes() == before
