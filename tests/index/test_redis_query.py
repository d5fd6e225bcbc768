"""The index in a Redis with a query engine: what a real one makes of it, and which of the two ways is taken."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from llmcache.addresses import parse_url
from llmcache.chat import BackendError
from llmcache.index.redis import RedisIndex
from support.indexes import NOW, Clock, expected, point, vectors
from support.redis_server import redis_query

A, B = "a" * 32, "b" * 32


@pytest.fixture
def server(tmp_path):
    """An empty Redis 8 with the query engine."""
    with redis_query(tmp_path / "redis") as running:
        yield running


@asynccontextmanager
async def opened(url, **options):
    """Open an index for the time of a block."""
    index = RedisIndex(parse_url(url), **{"engine": "query", "clock": Clock(), "patience": 10, **options})
    try:
        yield index
    finally:
        await index.close()


@asynccontextmanager
async def without_vector_sets(server):
    """Give the URL of that server as one that has only the query engine: it is asked for commands that it lacks."""

    async def pump(reader, writer, change):
        while data := await reader.read(2**16):
            for known in change:
                data = data.replace(known, known[:1] + b"?" + known[2:])
            writer.write(data)
            await writer.drain()
        writer.close()

    async def relay(reader, writer):
        upstream = await asyncio.open_unix_connection(str(server.socket))
        await asyncio.gather(pump(reader, upstream[1], (b"VADD", b"VSIM", b"VREM")), pump(upstream[0], writer, ()))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as listening:
        yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_it_is_taken_where_there_are_no_vector_sets(server):
    """Without a choice the query engine serves a Redis that lacks vector sets; one with both keeps vector sets."""
    points = [point(number, vector) for number, vector in enumerate(vectors(9))]
    async with without_vector_sets(server) as url, opened(url, engine="auto") as index:
        await index.remove(A, [points[0].key])
        await index.add(A, points)
        near = await index.nearest(A, points[4].vector, 3)
        assert [one.key for one in near] == [key for key, _ in expected(points, points[4].vector, 3)]
    assert b"aicache:vectors" in server.command("FT._LIST")
    async with opened(server.url, engine="auto") as index:
        await index.add(B, points)
        assert server.command("VCARD", f"aicache:v:{B}") == b":9\r\n"


async def test_a_hash_lives_as_long_as_its_point(server):
    """A point's hash expires a minute after the point; one that replaces it has its own time to live, or none."""
    [vector] = vectors(1)
    name = f"aicache:vectors:{A}:{1:032x}"
    async with opened(server.url) as index:
        for expires, ttl in ((NOW + 100, b":160\r\n"), (NOW + 1000, b":1060\r\n"), (None, b":-1\r\n")):
            await index.add(A, [point(1, vector, expires=expires)])
            assert server.command("TTL", name) == ttl
        await index.add(A, [point(2, vector, expires=NOW)])
        assert server.command("EXISTS", f"aicache:vectors:{A}:{2:032x}") == b":0\r\n"


async def test_hashes_of_others_are_passed_over(server):
    """A hash under our names that lacks a field, or is of another partition, is no neighbor, and no error."""
    one, other = vectors(2)
    async with opened(server.url) as index:
        await index.add(A, [point(1, one)])
        blob, forever = other.astype("<f4").tobytes(), "99999999999"
        theirs = ("vector", blob, "partition", A, "expires", forever)
        server.command("HSET", "aicache:vectors:theirs", *theirs)
        server.command("HSET", "aicache:vectors:broken", *theirs, "question", b"\xff", "answer", "", "created", "1")
        both = f"{A},{B}"  # which the engine takes for two tags
        whole = ("question", "q", "answer", "", "created", "1")
        server.command("HSET", "aicache:vectors:both", *theirs[:2], "partition", both, "expires", forever, *whole)
        assert [near.key for near in await index.nearest(A, other, 5)] == [f"{1:032x}"]
        assert await index.nearest(B, other, 5) == []


async def test_another_dimension_names_the_remedy(server):
    """The engine would pass such a vector over in silence: it is refused, by a process that has just started too."""
    [vector], [other] = vectors(1, 32), vectors(1, 16)
    async with opened(server.url) as index:
        await index.add(A, [point(1, vector)])
    async with opened(server.url) as index:
        for work in (index.nearest(B, other, 1), index.add(B, [point(2, other)])):
            with pytest.raises(BackendError, match="another embedding model needs another collection"):
                await work
    async with opened(server.url, name="another") as index:
        await index.add(A, [point(1, other)])
        assert len(await index.nearest(A, other, 1)) == 1


@pytest.mark.parametrize(
    "schema",
    [
        "partition TAG expires NUMERIC vector VECTOR FLAT 6 TYPE FLOAT32 DIM 32 DISTANCE_METRIC L2",
        "partition TEXT expires NUMERIC vector VECTOR FLAT 6 TYPE FLOAT32 DIM 32 DISTANCE_METRIC COSINE",
        "partition TAG expires NUMERIC vector VECTOR FLAT 6 TYPE FLOAT64 DIM 32 DISTANCE_METRIC COSINE",
        "title TEXT NOSTEM SORTABLE",
    ],
)
async def test_an_index_of_others_is_refused(server, schema):
    """An index that was not made here and cannot be searched so is left alone, and the remedy named."""
    server.command("FT.CREATE", "aicache:vectors", "ON", "HASH", "PREFIX", "1", "x:", "SCHEMA", *schema.split())
    async with opened(server.url) as index:
        for work in (index.nearest(A, vectors(1)[0], 1), index.add(A, [point(1, vectors(1)[0])])):
            with pytest.raises(BackendError, match=r"no index of vectors by COSINE.*`vector\.collectionID`"):
                await work


async def test_an_index_that_was_dropped_is_made_again(server):
    """After the search that finds it gone, the next point makes it anew, and earlier ones are found again."""
    first, second = vectors(2)
    async with opened(server.url) as index:
        await index.add(A, [point(1, first)])
        assert len(await index.nearest(A, first, 1)) == 1
        server.command("FT.DROPINDEX", "aicache:vectors")
        with pytest.raises(BackendError, match="no such index"):
            await index.nearest(A, first, 1)
        assert await index.nearest(A, first, 1) == []
        await index.add(A, [point(2, second)])
        async with asyncio.timeout(10):  # the engine reads what is there in the background
            while len(near := await index.nearest(A, first, 2)) < 2:
                pass
        assert [one.key for one in near] == [f"{1:032x}", f"{2:032x}"]


async def test_many_processes_make_one_index(server):
    """Of several that find no index, each keeps its point: who comes second takes the first one's index."""
    several = vectors(4)
    async with opened(server.url) as one, opened(server.url) as two, opened(server.url) as three:
        await asyncio.gather(
            *(index.add(A, [point(number, several[number])]) for number, index in enumerate((one, two, three)))
        )
        for index in (one, two, three):
            assert len(await index.nearest(A, several[3], 5)) == 3


async def test_only_the_first_database_is_indexed(server):
    """In another database the engine's own words say why nothing can be kept."""
    async with opened(f"{server.url}/1") as index:
        with pytest.raises(BackendError, match="Cannot create index on db != 0"):
            await index.add(A, [point(1, vectors(1)[0])])


async def test_a_partition_is_never_a_query(server):
    """What would widen the search, were it part of the query, is a partition that nobody has."""
    [vector] = vectors(1)
    async with opened(server.url) as index:
        await index.add(A, [point(1, vector)])
        for partition in ("*", f"{A}}} | @partition:{{{A}", "a*", A.upper(), "$vector"):
            assert await index.nearest(partition, vector, 5) == []
