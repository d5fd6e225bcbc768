"""A miss that needs no hop is a miss: the filter never hides what this process or another has stored."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Entry, Form, Reply
from llmcache.stores.known import Known
from llmcache.stores.sqlite import SqliteStore

ENTRY = Entry("a", "openai-chat", "h", "m", Form("json"), Reply(200, (), b"one"), created=1.0)
KEYS = st.sets(st.text(max_size=20), max_size=50)


@given(KEYS, KEYS)
def test_what_was_added_is_never_excluded(first: set[str], later: set[str]) -> None:
    """A Bloom filter errs on one side only."""
    known = Known(first, None, 1)
    for key in later:
        known.add(key)
    assert [key for key in first | later if known.excludes(key)] == []


def test_most_of_the_rest_is_excluded() -> None:
    """Or it would be of no use."""
    known = Known((f"key {number}" for number in range(10_000)), None, 1)
    assert sum(known.excludes(f"other {number}") for number in range(1000)) > 990


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store that has written once, and so knows what it holds."""
    opened = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: 100.0)
    await opened.put(ENTRY)
    assert opened._known
    yield opened
    await opened.close()


async def test_an_unknown_key_needs_no_hop(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane is not asked; a key that is there is found all the same."""
    assert await store.get("a") == ENTRY
    monkeypatch.setattr(store, "_do", None)
    assert await store.get("unknown") is None


async def test_our_own_writes_are_found(store: SqliteStore) -> None:
    """Stored now, found now, whatever was unknown a moment ago."""
    for name in "bcdefgh":
        assert await store.get(name) is None
        await store.put(replace(ENTRY, key=name))
        assert await store.get(name) == replace(ENTRY, key=name)


async def test_what_another_process_stores_is_found(store: SqliteStore, tmp_path: Path) -> None:
    """Before and after our next write, which learns the keys anew."""
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2] / "addon")!r})
from llmcache.chat import Entry, Form, Reply
from llmcache.stores.sqlite import SqliteStore
async def main():
    store = SqliteStore({str(tmp_path / "c.db")!r}, 100, 10**6, "lru")
    await store.put(Entry(sys.argv[1], "openai-chat", "h", "m", Form("json"), Reply(200, (), b"one"), created=1.0))
    await store.close()
asyncio.run(main())
"""
    assert await store.get("theirs") is None
    run([sys.executable, "-c", code, "theirs"], check=True)
    assert await store.get("theirs") == replace(ENTRY, key="theirs")
    run([sys.executable, "-c", code, "also theirs"], check=True)
    await store.put(replace(ENTRY, key="ours"))
    assert await store.get("also theirs") == replace(ENTRY, key="also theirs")
    assert await store.get("ours") == replace(ENTRY, key="ours")


async def test_removed_and_stored_again(store: SqliteStore) -> None:
    """A key that went and came back is found."""
    await store.delete("a")
    assert await store.get("a") is None
    await store.put(ENTRY)
    assert await store.get("a") == ENTRY
