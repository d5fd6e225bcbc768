"""The local index: what is on disk is there again, shared, private and bounded, and any order of work stays exact."""

import asyncio
import stat
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.build_similar import open_index
from llmcache.chat import BackendError
from llmcache.config import load
from llmcache.index.local import LocalIndex
from support.indexes import NOW, Clock, expected, point, vectors
from support.proxy import ROOT

A, B = "a" * 32, "b" * 32


@asynccontextmanager
async def opened(path, **options):
    """Open an index for the time of a block."""
    index = LocalIndex(path, clock=Clock(), **options)
    try:
        yield index
    finally:
        await index.close()


@pytest.fixture
def path(tmp_path):
    """Where the file is."""
    return tmp_path / "folder" / "cache-vectors.db"


async def found(index, partition, vector, count=10):
    """Return keys and cosines."""
    return [(one.key, pytest.approx(one.similarity, abs=1e-6)) for one in await index.nearest(partition, vector, count)]


async def test_points_outlive_the_process(path):
    """What was added is found after a restart, with the very same scores."""
    points = [point(number, vector) for number, vector in enumerate(vectors(50))]
    async with opened(path) as index:
        await index.add(A, points)
        await index.remove(A, [points[7].key])
        before = await index.nearest(A, points[7].vector, 9)
    async with opened(path) as index:
        assert await index.nearest(A, points[7].vector, 9) == before


async def test_the_file_is_private(path):
    """The file and its companions are their owner's alone, and so is the folder made for them."""
    async with opened(path) as index:
        await index.add(A, [point(1, vectors(1)[0])])
        modes = [stat.S_IMODE(file.stat().st_mode) for file in (path, *path.parent.iterdir())]
        assert set(modes) == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_two_indexes_share_a_file(path):
    """What one adds, replaces or removes, another that has the partition in memory already sees."""
    first, second, third = vectors(3)
    async with opened(path, fresh=0) as one, opened(path, fresh=0) as other:
        await one.add(A, [point(1, first), point(2, second)])
        assert len(await other.nearest(A, first, 5)) == 2
        await one.add(A, [point(3, third), point(2, third, "replaced")])
        assert [near.question for near in await other.nearest(A, third, 2)] == ["replaced", "question 3"]
        await one.remove(A, [f"{1:032x}"])
        await other.remove(A, [f"{3:032x}"])
        assert [near.question for near in await one.nearest(A, first, 5)] == ["replaced"]
        assert [near.question for near in await other.nearest(A, first, 5)] == ["replaced"]


CHILD = """
import asyncio, sys
from pathlib import Path
from llmcache.index.local import LocalIndex
from support.indexes import Clock, point, vectors
async def main():
    index = LocalIndex(Path(sys.argv[1]), clock=Clock())
    for number, vector in enumerate(vectors(20)):
        await index.add("a" * 32, [point(number + int(sys.argv[2]), vector)])
    await index.close()
asyncio.run(main())
"""


async def test_two_processes_write_at_once(path):
    """Two processes add to one partition at the same time: nothing is lost, and a third sees all of it."""
    env = {"PYTHONPATH": f"{ROOT / 'addon'}:{ROOT / 'tests'}"}
    children = [subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(first)], env=env) for first in (0, 100)]
    assert [await asyncio.to_thread(child.wait, 60) for child in children] == [0, 0]
    async with opened(path) as index:
        assert len(await index.nearest(A, vectors(1)[0], 100)) == 40


async def test_the_oldest_go_first(path):
    """With more points than are allowed the oldest of all partitions go, from memory and from the file."""
    points = [point(number, vector, created=NOW + number) for number, vector in enumerate(vectors(6))]
    async with opened(path, most=4) as index:
        await index.add(A, points[:3])
        assert len(await index.nearest(A, points[0].vector, 9)) == 3
        await index.add(B, points[3:])
        for partition, left in ((A, points[2:3]), (B, points[3:])):
            assert await found(index, partition, points[0].vector) == expected(left, points[0].vector, 9)
    async with opened(path, most=4) as index:
        assert len(await index.nearest(A, points[0].vector, 9)) == 1


@pytest.mark.parametrize("spoil", [b"garbage" * 100, b""], ids=["garbage", "empty"])
async def test_a_damaged_file_is_set_aside(path, spoil, caplog):
    """A file that is no database is kept under another name, with a message, and a new one goes on."""
    [vector] = vectors(1)
    path.parent.mkdir()
    path.write_bytes(spoil)
    async with opened(path) as index:
        assert await index.nearest(A, vector, 1) == []
        await index.add(A, [point(1, vector)])
        assert len(await index.nearest(A, vector, 1)) == 1
    aside = [file.name for file in path.parent.iterdir() if "corrupt" in file.name]
    assert len(aside) == (1 if spoil else 0)
    assert ("set aside" in caplog.text) == bool(spoil)


async def test_damage_under_an_open_file_costs_only_what_was_there(path):
    """A file that is overwritten while it is in use is set aside, and the next points are kept."""
    [second] = vectors(1, seed=5)
    async with opened(path, fresh=0) as index:
        await index.add(A, [point(number, vector) for number, vector in enumerate(vectors(500))])
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)
        for companion in path.parent.glob("*-wal"):
            companion.write_bytes(b"")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index._file, "_opened", None)  # as after a restart: SQLite's cache would hide the damage
            await index.add(A, [point(1, second)])
        assert await found(index, A, second, 1) == [(f"{1:032x}", 1.0)]


async def test_a_deleted_file_is_made_again(path):
    """When the file is deleted, nothing of it is found any more, and what comes is kept in a new one."""
    first, second = vectors(2)
    async with opened(path, fresh=0) as index:
        await index.add(A, [point(1, first)])
        assert len(await index.nearest(A, first, 5)) == 1
        path.unlink()
        await index.add(A, [point(2, second)])
        assert [near.key for near in await index.nearest(A, first, 5)] == [f"{2:032x}"]


async def test_another_programs_database_is_left_alone(tmp_path):
    """A database that is not ours is an error that says so, and stays as it is."""
    import sqlite3

    path = tmp_path / "notes.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE note (text)")
    async with opened(path) as index:
        with pytest.raises(BackendError, match=r"notes\.db: is another program's database"):
            await index.add(A, [point(1, vectors(1)[0])])


async def test_a_closed_index_says_so():
    """After closing, every call is an error of the index, not a crash."""
    index = LocalIndex(None)
    await index.close()
    with pytest.raises(BackendError, match="is closed"):
        await index.nearest(A, vectors(1)[0], 1)


async def test_another_dimension_is_named():
    """A vector of another model is refused with both dimensions."""
    async with opened(None) as index:
        await index.add(A, [point(1, vectors(1, 32)[0])])
        with pytest.raises(BackendError, match="has 16 numbers, and those in the index have 32"):
            await index.nearest(A, vectors(1, 16)[0], 1)
        await index.add(B, [point(1, vectors(1, 16)[0])])
        await index.remove(A, [f"{1:032x}"])
        await index.add(A, [point(1, vectors(1, 16)[0])])
        assert len(await index.nearest(A, vectors(1, 16)[0], 1)) == 1


async def test_what_has_expired_leaves_the_file(path):
    """An expired point is deleted with the next write."""
    async with opened(path) as index:
        await index.add(A, [point(1, vectors(1)[0], expires=NOW - 1)])
        await index.add(B, [point(2, vectors(1)[0])])
        assert await index.nearest(A, vectors(1)[0], 1) == []
        count = await index._do(lambda: index._file._connected().execute("SELECT count FROM state").fetchone()[0])
        assert count == 1


async def test_forgotten_partitions_come_back(path, monkeypatch):
    """What is dropped from memory for want of room is read again."""
    monkeypatch.setattr("llmcache.index.local.PARTITIONS", 2)
    [vector] = vectors(1)
    async with opened(path) as index:
        for number in range(5):
            await index.add(f"{number:032x}", [point(number, vector)])
        for number in [*range(5), *range(5)]:
            assert [near.key for near in await index.nearest(f"{number:032x}", vector, 1)] == [f"{number:032x}"]
            assert len(index._loaded) <= 2


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "search", "wait"]),
        st.integers(0, 12),
        st.integers(0, 5),
        st.one_of(st.none(), st.integers(1, 4)),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(OPERATIONS)
def test_any_order_of_work_is_exact(operations):
    """Adding, replacing, removing, expiring and searching in any order finds what a dictionary and numpy find."""
    asyncio.run(_work(operations))


async def _work(operations):
    several, clock, model = vectors(6, dim=5), Clock(), {}
    index = LocalIndex(None, clock=clock)
    for name, number, which, life in operations:
        match name:
            case "add":
                one = point(number, several[which], expires=None if life is None else clock.now + life)
                await index.add(A, [one])
                model[one.key] = one
            case "remove":
                await index.remove(A, [f"{number:032x}"])
                model.pop(f"{number:032x}", None)
            case "wait":
                clock.now += 1
        live = [one for one in model.values() if one.expires is None or one.expires > clock.now]
        assert await found(index, A, several[which], 1 + number) == expected(live, several[which], 1 + number)
    await index.close()


async def test_many_points_many_neighbors():
    """Where the bound comes from the bests of blocks, with many gone and many tied, the order is numpy's still."""
    points = [point(number, vector) for number, vector in enumerate(vectors(5000, dim=8))]
    points += [point(9000 + number, points[17].vector) for number in range(20)]
    async with opened(None) as index:
        await index.add(A, points)
        await index.remove(A, [one.key for one in points[1000:3000]])
        left = points[:1000] + points[3000:]
        for query in (points[17].vector, *vectors(3, dim=8, seed=3)):
            assert await found(index, A, query, 15) == expected(left, query, 15)


async def test_the_file_lies_beside_the_store(tmp_path):
    """`vector: {type: local}` keeps its points next to the cache; without a file for the cache there is none."""
    config = tmp_path / "c.yaml"
    block = "vector: {type: local, threshold: 0.9, thresholdRelation: gt}\nembedding: {type: ollama}\n"
    config.write_text(f"cache: {{path: {tmp_path}/my.db}}\n{block}")
    index = open_index(load(str(config)))
    await index.add(A, [point(1, vectors(1)[0])])
    await index.close()
    assert (tmp_path / "my-vectors.db").exists()
    config.write_text(f"cache: {{type: memory}}\n{block}")
    assert repr(open_index(load(str(config)))) == "<LocalIndex in memory, 0 partitions loaded>"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("type: usearch", "<LocalIndex in memory"),
        ("type: redis, url: 'redis://h'", "<RedisIndex <Link redis://h:6379"),
        ("type: redis, url: 'redis://h', engine: query, collectionID: c", "<RedisIndex <Link redis://h:6379"),
        ("type: tair, serviceHost: h, collectionID: c", "<TairIndex c of <Link redis://h:6379"),
        ("type: pgvector, url: 'postgresql://h/d', collectionID: c", "<PgvectorIndex pgvector index c"),
    ],
)
async def test_each_type_is_opened(tmp_path, block, expected):
    """The configuration names the index that is opened, which connects to nothing yet."""
    config = tmp_path / "c.yaml"
    rest = "threshold: 0.9, thresholdRelation: gt}\nembedding: {type: ollama}\ncache: {type: memory}\n"
    config.write_text(f"vector: {{{block}, {rest}")
    index = open_index(load(str(config)))
    assert repr(index).startswith(expected)
    await index.close()


async def test_points_are_checked_beside_the_loop(monkeypatch):
    """However many points are added, the event loop only hands them over: it runs no check and no statement."""
    from llmcache.index import local

    threads = []
    checked = local.sound_points
    monkeypatch.setattr(
        local, "sound_points", lambda *args: threads.append(threading.current_thread()) or checked(*args)
    )
    async with opened(None) as index:
        await index.add(A, [point(number, vector) for number, vector in enumerate(vectors(300))])
        assert len(await index.nearest(A, vectors(1)[0], 500)) == 300
    assert threads
    assert threading.main_thread() not in threads


async def test_a_large_partition_that_others_changed_is_freed_and_read_anew(path, monkeypatch):
    """After a removal by another process the old memory is emptied beside the loop, and what is found is the file's."""
    monkeypatch.setattr("llmcache.index.local.MANY", 10)
    points = [point(number, vector) for number, vector in enumerate(vectors(50))]
    async with opened(path, fresh=0) as one, opened(path, fresh=0) as other:
        await one.add(A, points)
        await one.nearest(A, points[0].vector, 1)
        old = one._loaded[A]
        await other.remove(A, [points[7].key])
        left = points[:7] + points[8:]
        assert await found(one, A, points[7].vector, 60) == expected(left, points[7].vector, 60)
        await one._writing.run(lambda: None)
        assert (len(old), len(one._loaded[A])) == (0, 49)


async def test_closing_frees_a_large_partition_beside_the_loop(monkeypatch):
    """What a closed index held in memory is let go of by its own thread: a change of settings closes it under way."""
    monkeypatch.setattr("llmcache.index.local.MANY", 10)
    async with opened(None) as index:
        await index.add(A, [point(number, vector) for number, vector in enumerate(vectors(50))])
        await index.nearest(A, vectors(1)[0], 1)
        memory, thread = index._loaded[A], index._writing._thread
    await asyncio.to_thread(thread.join)
    assert len(memory) == 0
