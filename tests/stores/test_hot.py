"""Entries at hand are those of the database as it is now: whoever writes to it, they are read anew."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
from llmcache.chat import Entry, Form, Reply
from llmcache.stores.hot import BYTES, ENTRIES, Hot
from llmcache.stores.sqlite import HOT_SECONDS, SqliteStore

ENTRY = Entry("k", "openai-chat", "h", "m", Form("json"), Reply(200, (), b"one"), created=1.0)


def age_log(path: Path) -> None:
    """Make the log look as if it had been written a second ago: what is fresh is not trusted."""
    then = time.time_ns() - 10**9
    os.utime(f"{path}-wal", ns=(then, then))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with one entry, read once."""
    opened = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: 100.0)
    await opened.put(ENTRY)
    age_log(tmp_path / "c.db")
    assert await opened.get("k") == ENTRY
    yield opened
    await opened.close()


async def test_what_was_read_is_at_hand(store: SqliteStore) -> None:
    """A second look needs no hop; an unknown key is not made up."""
    assert store.peek("k") == ENTRY
    assert store.peek("other") is None


async def test_nothing_is_at_hand_before_it_was_read(tmp_path: Path) -> None:
    """Peeking opens no file."""
    assert SqliteStore(tmp_path / "none.db", 1, 1, "lru").peek("k") is None
    assert list(tmp_path.iterdir()) == []


async def test_our_own_write_is_seen(store: SqliteStore) -> None:
    """A replaced entry is never served from memory."""
    newer = replace(ENTRY, reply=Reply(200, (), b"two"))
    await store.put(newer)
    assert store.peek("k") in (None, newer)
    assert await store.get("k") == newer


async def test_our_own_delete_is_seen(store: SqliteStore) -> None:
    """A removed entry is gone."""
    await store.delete("k")
    assert store.peek("k") is None


@pytest.mark.parametrize("statement", ["UPDATE entry SET model = 'x'", "DELETE FROM entry"])
async def test_another_process_is_seen(store: SqliteStore, tmp_path: Path, statement: str) -> None:
    """One commit of a stranger, and everything is read anew."""
    code = f"import sqlite3; c = sqlite3.connect({str(tmp_path / 'c.db')!r}); c.execute({statement!r}); c.commit()"
    assert store.peek("k") == ENTRY
    run([sys.executable, "-c", code], check=True)
    assert store.peek("k") is None


async def test_a_write_right_after_the_read_is_seen(store: SqliteStore, tmp_path: Path) -> None:
    """File times move in ticks: what was read within one of a write is not kept, or the next write could hide in it."""
    for text in (b"two", b"three", b"four"):
        newer = replace(ENTRY, reply=Reply(200, (), text))
        await store.put(newer)
        await store.get("k")
        await store.put(ENTRY)
        assert store.peek("k") in (None, ENTRY)


async def test_a_removed_database_is_seen(store: SqliteStore, tmp_path: Path) -> None:
    """Who deletes the files has deleted the answers."""
    for path in tmp_path.iterdir():
        path.unlink()
    assert store.peek("k") is None


async def test_ttl_counts_in_memory_too(tmp_path: Path) -> None:
    """An entry at hand ends when it ends."""
    now = 100.0
    store = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: now)
    await store.put(replace(ENTRY, expires=101.0))
    age_log(tmp_path / "c.db")
    await store.get("k")
    assert store.peek("k")
    now = 101.0
    assert store.peek("k") is None
    await store.close()


async def test_hits_from_memory_are_counted(store: SqliteStore) -> None:
    """Eviction knows them: a get and two peeks are three hits."""
    assert store.peek("k")
    assert store.peek("k")
    assert [row.hits for row in await store.rows()] == [3]


async def test_a_hot_entry_is_counted_while_it_is_hot(tmp_path: Path) -> None:
    """Another process must not evict as unused what is served all the time: hits are written every few seconds."""
    now = 100.0
    store = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: now)
    await store.put(ENTRY)
    age_log(tmp_path / "c.db")
    await store.get("k")
    now += HOT_SECONDS
    assert store.peek("k")
    assert store._hot_touched == {}
    await store.close()


def test_memory_is_bounded(tmp_path: Path) -> None:
    """By entries and by bytes, least recently used first."""
    (tmp_path / "c.db-wal").touch()
    age_log(tmp_path / "c.db")
    hot = Hot(str(tmp_path / "c.db"))
    for number in range(ENTRIES + 5):
        hot.keep(replace(ENTRY, key=str(number)), hot.stamp())
    assert repr(hot).startswith(f"<Hot {ENTRIES} entries")
    assert hot.get("0") is None
    big = Reply(200, (), bytes(BYTES // 2 + 1))
    for key in ("a", "b"):
        hot.keep(replace(ENTRY, key=key, reply=big), hot.stamp())
    assert hot.get("a") is None
    assert hot.get("b")
