"""Entries that wait to be written are readable at once, go in order, and never come back after a removal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.stores.gathering import MOST, Gathering, Outcomes
from llmcache.stores.sqlite import SqliteStore

ENTRY = Entry("k", "openai-chat", "h", "m", Form("json"), Reply(200, (), b"one"), created=1.0)
COPY = replace(ENTRY, origin="recorded")


class Written:
    """Takes batches; each is done when `done` says so."""

    def __init__(self) -> None:
        self.batches: list[list[Entry]] = []
        self.came = asyncio.Event()
        self._futures: list[asyncio.Future[Outcomes]] = []

    def __call__(self, entries: list[Entry]) -> asyncio.Future[Outcomes]:
        """Take a batch."""
        self.batches.append(entries)
        self.came.set()
        self._futures.append(asyncio.get_running_loop().create_future())
        return self._futures[-1]

    def done(self, *outcomes: Exception | None) -> None:
        """End the oldest batch."""
        self._futures.pop(0).set_result(list(outcomes))


async def turns() -> None:
    """Let the loop come round."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
def written() -> Written:
    """What was handed over."""
    return Written()


@pytest.fixture
def gathering(written: Written) -> Gathering:
    """A gathering whose failures name themselves."""
    return Gathering(written, lambda error: BackendError(f"failed: {error}"))


async def test_what_comes_at_once_is_written_together(gathering: Gathering, written: Written) -> None:
    """One batch in the next turn of the loop, readable until it is written, and told then."""
    other = replace(ENTRY, key="other")
    waits = [gathering.put(ENTRY), gathering.put(other)]
    assert written.batches == []
    await turns()
    assert written.batches == [[ENTRY, other]]
    assert (gathering.get("k"), "other" in gathering) == (ENTRY, True)
    written.done(None, None)
    await asyncio.gather(*waits)
    assert (gathering.get("k"), "other" in gathering) == (None, False)


async def test_a_copy_waits_and_is_readable(gathering: Gathering, written: Written) -> None:
    """No turn of the loop writes it; its own time does."""
    waits = gathering.put(COPY)
    await turns()
    assert written.batches == []
    assert gathering.get("k") == COPY
    await written.came.wait()
    written.done(None)
    await waits
    assert "k" not in gathering


async def test_a_recorded_answer_does_not_wait_for_copies(gathering: Gathering, written: Written) -> None:
    """It takes those along that came before, in order: of two for one key the later one counts."""
    gathering.put(COPY)
    gathering.put(ENTRY)
    assert gathering.get("k") == ENTRY
    await turns()
    assert written.batches == [[COPY, ENTRY]]
    gathering.put(replace(ENTRY, key="next"))
    await turns()
    assert [len(batch) for batch in written.batches] == [2, 1]


async def test_many_do_not_wait(gathering: Gathering, written: Written) -> None:
    """A batch has an end, also one of copies."""
    for number in range(MOST):
        gathering.put(replace(COPY, key=f"{number}"))
    assert [len(batch) for batch in written.batches] == [MOST]


async def test_the_newer_of_two_stays_readable(gathering: Gathering, written: Written) -> None:
    """Writing an entry does not take the one away that came for its key meanwhile."""
    gathering.put(ENTRY)
    await turns()
    newer = replace(ENTRY, created=2.0)
    gathering.put(newer)
    written.done(None)
    await turns()
    assert gathering.get("k") == newer


async def test_each_is_told_its_own_outcome(gathering: Gathering, written: Written) -> None:
    """What failed is not readable any more; who gave up waiting harms nobody."""
    bad, gone, good = (gathering.put(replace(ENTRY, key=key)) for key in ("bad", "gone", "good"))
    gone.cancel()
    await turns()
    written.done(ValueError("bad"), None, None)
    await good
    with pytest.raises(BackendError, match="failed: bad"):
        await bad
    assert "bad" not in gathering


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with nothing in it."""
    opened = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: 100.0)
    yield opened
    await opened.close()


async def test_a_copy_that_waits_is_at_hand(store: SqliteStore) -> None:
    """Who asks again at once finds it without the database."""
    waits = store.put(COPY)
    assert store.peek("k") == COPY
    assert await store.get("k") == COPY
    assert not store.excludes("k")
    await waits
    assert await store.get("k") == COPY


async def test_what_is_removed_stays_removed(store: SqliteStore) -> None:
    """A copy that waits is gone with a delete and with a purge that come after it."""
    store.put(COPY)
    assert await store.delete("k")
    assert (store.peek("k"), await store.get("k")) == (None, None)
    store.put(COPY)
    assert await store.purge() == 1
    assert (store.peek("k"), await store.get("k"), await store.totals()) == (None, None, (0, 0))


async def test_listings_and_the_end_have_what_waits(store: SqliteStore, tmp_path: Path) -> None:
    """Nothing that was accepted is missing from a listing, nor lost when the store is closed."""
    store.put(COPY)
    assert [row.key for row in await store.rows()] == ["k"]
    store.put(replace(COPY, key="last"))
    await store.close()
    again = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: 100.0)
    assert await again.get("last") == replace(COPY, key="last")
    await again.close()


async def test_a_copy_replaces_no_younger_answer(store: SqliteStore, tmp_path: Path) -> None:
    """What another process has stored for the very call while a copy waited stays; what is older or over goes."""
    other = SqliteStore(tmp_path / "c.db", 100, 10**6, "lru", clock=lambda: 100.0)
    stored = [replace(ENTRY, key="younger", created=2.0), replace(ENTRY, key="older", created=0.5)]
    stored.append(replace(ENTRY, key="over", created=2.0, expires=99.0))
    waits = [store.put(replace(COPY, key=entry.key)) for entry in stored]
    await asyncio.gather(*map(other.put, stored))
    await asyncio.gather(*waits)
    assert [await store.get(entry.key) for entry in stored] == [
        stored[0],
        replace(COPY, key="older"),
        replace(COPY, key="over"),
    ]
    newest = replace(ENTRY, key="younger", created=1.5)
    await asyncio.gather(store.put(replace(COPY, key="younger")), store.put(newest))
    assert await store.get("younger") == newest
    await other.close()
