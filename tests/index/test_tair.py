"""The index in a Tair: the commands that it is sent, and what its faults are called."""

from contextlib import asynccontextmanager

import pytest
from llmcache.addresses import Address
from llmcache.chat import BackendError
from llmcache.index.tair import TairIndex
from support.indexes import NOW, Clock, point, vectors
from support.redis_server import Server, binary
from support.tair import Tair, encoded

A = "a" * 32


@pytest.fixture
def tair():
    """A Tair."""
    with Tair() as server:
        yield server


@asynccontextmanager
async def opened(port, name="mine"):
    """Open an index for the time of a block."""
    index = TairIndex(Address(nodes=(("127.0.0.1", port),)), name, clock=Clock(), patience=10)
    try:
        yield index
    finally:
        await index.close()


async def test_the_search_is_narrowed_to_the_partition_first(tair):
    """A search names partition and time in its filter, and asks for the partition to be looked up first."""
    async with opened(tair.port) as index:
        await index.add(A, [point(1, vectors(1)[0])])
        await index.nearest(A, vectors(1)[0], 5)
    within = f'partition == "{A}" && expires > {NOW:.3f}'
    policy = ["ef_search", "200", "search_policy", "scala", "ivf_filter_count", "100000"]
    assert tair.searches == [["mine", "5", within, *policy]]


async def test_tair_removes_what_expires(tair):
    """A point with an end gets a time to live a little longer; one that replaces it and never ends has none."""
    [vector] = vectors(1)
    async with opened(tair.port) as index:
        await index.add(A, [point(1, vector, expires=NOW + 5), point(2, vector)])
        assert tair.lives == {f"{A}:{1:032x}": 65_000}
        await index.add(A, [point(1, vector)])
        assert tair.lives == {}


async def test_another_dimension_is_named(tair):
    """A vector of another model is refused before anything is written."""
    async with opened(tair.port) as index:
        await index.add(A, [point(1, vectors(1, 32)[0])])
        with pytest.raises(BackendError, match="has 16 numbers, and those in the index have 32"):
            await index.add(A, [point(2, vectors(1, 16)[0])])
        with pytest.raises(BackendError, match="has 16 numbers"):
            await index.nearest(A, vectors(1, 16)[0], 1)
        assert len(tair.indexes["mine"][1]) == 1


async def test_an_index_that_is_deleted_is_made_again(tair):
    """When somebody deletes the index, one write fails and the next makes it again."""
    [vector] = vectors(1)
    async with opened(tair.port) as index:
        await index.add(A, [point(1, vector)])
        tair.indexes.clear()
        with pytest.raises(BackendError, match="index not exist"):
            await index.add(A, [point(2, vector)])
        await index.add(A, [point(2, vector)])
        assert [near.key for near in await index.nearest(A, vector, 5)] == [f"{2:032x}"]


async def test_an_index_by_another_distance_is_refused(tair, monkeypatch):
    """An index that compares otherwise would give scores that are no cosines."""
    monkeypatch.setattr(tair, "_getindex", lambda name: ["dimension", "32", "distance_method", "L2"])
    async with opened(tair.port) as index:
        with pytest.raises(BackendError, match="no index by COSINE; name another `collectionID`"):
            await index.nearest(A, vectors(1)[0], 1)


async def test_a_redis_says_what_to_do(tmp_path):
    """A server without these commands gives an error that names the choices."""
    if binary("redis7") is None:
        pytest.skip("a Redis is not here")
    with Server(tmp_path / "redis") as server:
        async with opened(server.port) as index:
            with pytest.raises(BackendError, match=r"has no TairVector; use a Tair .*redis \(Redis 8\)"):
                await index.add(A, [point(1, vectors(1)[0])])


def test_the_fake_refuses_what_tair_does():
    """The fake is strict: a wrong word, count or range is an error, not a guess."""
    tair = Tair()
    tair._server.server_close()
    create = ["TVS.CREATEINDEX", "i", "2", "HNSW", "COSINE", "auto_gc", "true", "inverted_index_partition", "string"]
    assert tair.answer(create) == encoded("OK")
    for wrong in (
        create,
        ["TVS.NOTHING"],
        ["tvs.getindex", "i"],
        ["TVS.GETINDEX"],
        ["TVS.HSET", "other", "k", "VECTOR", "[1,2]"],
        ["TVS.HSET", "i", "k", "VECTOR", "[1,2,3]"],
        ["TVS.HSET", "i", "k", "VECTOR", "1,2"],
        ["TVS.KNNSEARCH", "i", "0", "[1,2]", f'partition == "{A}" && expires > 1.0'],
        ["TVS.KNNSEARCH", "i", "1", "[1,2]", f'partition=="{A}"'],
    ):
        assert tair.answer(wrong).startswith(b"-ERR"), wrong
