"""A process that dies at each statement of a write, and a clock that is set back: what a SQLite store has then."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache.chat import Entry, Form, Reply
from llmcache.stores.memory import MemoryStore
from llmcache.stores.sqlite import SqliteStore

ADDON = Path(__file__).resolve().parents[2] / "addon"
OLD, NEW = b"old " * 3000, b"new " * 3000
ENTRY = Entry("k", "d", "h", "m", Form("json"), Reply(200, (), OLD), created=1.0)

DIES = """
import asyncio, os, signal, sys
from llmcache.chat import Entry, Form, Reply
from llmcache.stores import sqlite
from llmcache.stores.sqlite import SqliteStore

def count(statement):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = SqliteStore(sys.argv[1], 1, 1_000_000, "lru")
    await store.get("k")
    await store._run(lambda connection: connection.set_trace_callback(count))
    for key in ("k", "other"):
        await store.put(Entry(key, "d", "h", "m", Form("json"), Reply(200, (), b"new " * 3000), created=2.0))

for line in sys.stdin:
    left = int(line)
    child = os.fork()
    if child == 0:
        asyncio.run(main())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""For each number on its input: a process that replaces an entry, makes room for another, and dies before that one."""


@contextlib.contextmanager
def processes(path: Path) -> Iterator[Callable[[int], int]]:
    """Yield a function that has a process write until the statement of a number, and returns its exit code."""
    command = [sys.executable, "-c", DIES, str(path)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ADDON)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        to, of = parent.stdin, parent.stdout

        def until(step: int) -> int:
            print(step, file=to, flush=True)
            return int(of.readline())

        yield until


async def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[Any]]) -> Any:
    """Do *work* with a store at *path*, and close it."""
    store = SqliteStore(path, 1, 1_000_000, "lru")
    try:
        return await work(store)
    finally:
        await store.close()


async def look(store: SqliteStore) -> list[Entry]:
    """Return the entries, each of which is whole and counted."""
    entries = [each async for each in store.scan()]
    assert {each.reply.body for each in entries} <= {OLD, NEW}
    assert (await store.totals())[0] == len(entries) <= 1
    return entries


async def test_killed_at_each_statement(tmp_path: Path) -> None:
    """Whenever `kill -9` comes, the next process finds each entry whole, the old or the new, and goes on writing."""
    path, found, step, code = tmp_path / "c.db", set(), 0, -signal.SIGKILL
    with processes(path) as dying:
        while code == -signal.SIGKILL:
            await with_store(path, lambda store: store.put(ENTRY))
            code = dying(step)
            entries = await with_store(path, look)
            found |= {each.reply.body for each in entries if each.key == "k"}
            await with_store(path, lambda store: store.purge())
            step += 1
    assert code == 0
    assert step > 10
    assert found == {OLD, NEW}
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [name for name in os.listdir(tmp_path) if "corrupt" in name] == []  # noqa: PTH208 - names are what counts


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_clock_set_back(tmp_path: Path, kind: str) -> None:
    """A day back: what is stored is served, replaced, listed, evicted and expires as before; nothing is lost."""
    now = 100_000.0
    store = (
        MemoryStore(2, 10**6, "lru", clock=lambda: now)
        if kind == "memory"
        else SqliteStore(tmp_path / "c.db", 2, 10**6, "lru", clock=lambda: now)
    )
    lasting = replace(ENTRY, created=now, expires=now + 60)
    await store.put(lasting)
    now -= 86_400
    assert await store.get("k") == lasting
    await store.put(replace(ENTRY, key="other", created=now, expires=now + 60))
    assert [row.key for row in await store.rows()] == ["k", "other"]
    await store.get("k")
    await store.put(replace(ENTRY, key="third", created=now))
    assert await store.get("third") is not None
    assert len(await store.rows()) == 2
    now += 2 * 86_400
    assert await store.get("k") is None
    assert await store.get("third") is not None
    await store.close()
