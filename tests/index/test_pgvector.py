"""The index in a PostgreSQL: what a real one makes of it, and what its faults are called."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import psycopg
import pytest
from llmcache.chat import BackendError
from llmcache.index.pgvector import PgvectorIndex
from support import postgres
from support.absent import missing
from support.indexes import NOW, Clock, expected, point, vectors

A = "a" * 32


@pytest.fixture(scope="module")
def url():
    """Where the server is."""
    return postgres.url() or missing("a PostgreSQL with pgvector")


@pytest.fixture
def name():
    """Return the name of a table that is not there, and needs quotes."""
    return f'Mine "{uuid.uuid4().hex[:12]}"'


@asynccontextmanager
async def opened(url, name, **options):
    """Open an index for the time of a block."""
    index = PgvectorIndex(url, name, clock=options.pop("clock", Clock()), **options)
    try:
        yield index
    finally:
        await index.close()


async def test_two_make_the_table_at_once(url, name):
    """Processes that start together make one table, and lose nothing; a restart finds everything."""
    points = [point(number, vector) for number, vector in enumerate(vectors(12))]
    async with opened(url, name) as one, opened(url, name) as other:
        await asyncio.gather(one.add(A, points[:6]), other.add(A, points[6:]))
    async with opened(url, name) as index:
        found = [near.key for near in await index.nearest(A, points[0].vector, 12)]
        assert found == [key for key, _ in expected(points, points[0].vector, 12)]


async def test_many_searches_share_few_connections(url, name):
    """Searches at once wait for a connection, and each gets its own answer."""
    points = [point(number, vector) for number, vector in enumerate(vectors(30))]
    async with opened(url, name) as index:
        await index.add(A, points)
        found = await asyncio.gather(*(index.nearest(A, one.vector, 1) for one in points))
        assert [near.key for [near] in found] == [one.key for one in points]
        assert len(index._idle) <= 4


async def test_a_search_that_is_given_up_costs_its_connection_only(url, name):
    """Giving up does not leave half an answer for the next search."""
    [vector] = vectors(1)
    async with opened(url, name) as index:
        await index.add(A, [point(1, vector)])
        for _ in range(3):
            search = asyncio.ensure_future(index.nearest(A, vector, 1))
            await asyncio.sleep(0)
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)
        assert [near.key for near in await index.nearest(A, vector, 1)] == [f"{1:032x}"]


async def test_another_dimension_is_named(url, name):
    """The server's words about dimensions reach the user with the remedy, for reading and writing."""
    async with opened(url, name) as index:
        await index.add(A, [point(1, vectors(1, 32)[0])])
        for work in (index.add(A, [point(2, vectors(1, 16)[0])]), index.nearest(A, vectors(1, 16)[0], 1)):
            with pytest.raises(BackendError, match=r"32.*16.*another `collectionID`"):
                await work


async def test_vectors_too_long_for_a_graph_are_compared_one_by_one(url, name):
    """A model of 3072 numbers works, without the graph that pgvector cannot make for it."""
    points = [point(number, vector) for number, vector in enumerate(vectors(3, 3072))]
    async with opened(url, name) as index:
        await index.add(A, points)
        assert [near.key for near in await index.nearest(A, points[2].vector, 1)] == [points[2].key]


async def test_a_null_character_is_no_fault(url, name):
    """What PostgreSQL cannot hold in a text is replaced."""
    [vector] = vectors(1)
    async with opened(url, name) as index:
        await index.add(A, [point(1, vector, "a\0b", "c\0d")])
        [near] = await index.nearest(A, vector, 1)
        assert (near.question, near.answer) == ("a\ufffdb", "c\ufffdd")


async def test_what_has_expired_is_deleted(url, name):
    """Expired points leave the table with the next write."""
    first, second = vectors(2)
    clock = Clock()
    async with opened(url, name, clock=clock) as index:
        await index.add(A, [point(1, first, expires=NOW + 5)])
        clock.now += 5
        await index.add(A, [point(2, second)])
    with psycopg.connect(url) as connection:
        table = psycopg.sql.Identifier(name)
        rows = connection.execute(psycopg.sql.SQL("SELECT key FROM {}").format(table)).fetchall()
        assert rows == [(f"{2:032x}",)]


async def test_nobody_there_is_an_error_and_then_left_alone():
    """A server that is not there is an error without the password, and after several it is not asked any more."""
    async with opened("postgresql://u:secret@127.0.0.1:1/d", "t") as index:
        for _ in range(5):
            with pytest.raises(BackendError, match="pgvector index t: connection failed") as caught:
                await index.nearest(A, vectors(1)[0], 1)
            assert "secret" not in str(caught.value)
        with pytest.raises(BackendError, match="is left alone until it answers"):
            await index.nearest(A, vectors(1)[0], 1)
    with pytest.raises(BackendError, match="is closed"):
        await index.nearest(A, vectors(1)[0], 1)
