"""The index in a Redis: what real servers of several kinds make of it, and what happens when they fail."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from llmcache.addresses import Address, parse_url
from llmcache.chat import BackendError
from llmcache.index import redis_sets
from llmcache.index.redis import RedisIndex
from llmcache.index.redis_sets import QUANTIZATIONS
from support.absent import missing
from support.indexes import NOW, Clock, expected, point, vectors
from support.redis_server import Server, binary, cluster

A = "a" * 32


@pytest.fixture
def program():
    """The program of a Redis 8."""
    return binary("redis8") or missing("a Redis 8")


@pytest.fixture
def server(tmp_path, program):
    """An empty Redis 8."""
    with Server(tmp_path / "redis", program=program) as running:
        yield running


@asynccontextmanager
async def opened(address, **options):
    """Open an index for the time of a block."""
    index = RedisIndex(address, clock=options.pop("clock", Clock()), **options)
    try:
        yield index
    finally:
        await index.close()


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
async def test_each_quantization_finds_the_nearest(server, quantization):
    """The nearest is the same however the numbers are kept; only `none` keeps the scores exact."""
    points = [point(number, vector) for number, vector in enumerate(vectors(30, dim=256))]
    async with opened(parse_url(server.url), quantization=quantization) as index:
        await index.add(A, points)
        for one in points[:5]:
            [near] = await index.nearest(A, one.vector, 1)
            assert near.key == one.key
            assert near.similarity == pytest.approx(1, abs={"none": 1e-5, "int8": 0.01, "binary": 1e-5}[quantization])


async def test_a_partition_lives_as_long_as_its_points(server):
    """A partition expires with its last point, a longer life prolongs it, and a point for ever keeps it for ever."""
    first, second, third = vectors(3)
    name = f"aicache:v:{A}"
    async with opened(parse_url(server.url)) as index:
        await index.add(A, [point(1, first, expires=NOW + 100)])
        assert server.command("TTL", name) == b":160\r\n"
        await index.add(A, [point(2, second, expires=NOW + 1000), point(3, third, expires=NOW + 50)])
        assert server.command("TTL", name) == b":1060\r\n"
        await index.add(A, [point(3, third, expires=NOW + 50)])
        assert server.command("TTL", name) == b":1060\r\n"
        await index.add(A, [point(2, second)])
        assert server.command("TTL", name) == b":-1\r\n"
        await index.add(A, [point(1, first, expires=NOW + 100)])
        assert server.command("TTL", name) == b":-1\r\n"


async def test_expired_points_are_removed_by_who_meets_them(server):
    """A search that meets expired points removes them from the server, and answers with those that live."""
    clock = Clock()
    points = [point(number, vector, expires=NOW + 10) for number, vector in enumerate(vectors(20))]
    late = point(99, -points[0].vector)
    async with opened(parse_url(server.url), clock=clock) as index:
        await index.add(A, [*points, late])
        clock.now += 10
        for _ in range(3):
            await index.nearest(A, points[0].vector, 5)
        assert [near.key for near in await index.nearest(A, points[0].vector, 5)] == [late.key]
        assert server.command("VCARD", f"aicache:v:{A}") == b":1\r\n"


async def test_elements_of_others_are_passed_over(server):
    """An element without our attributes is no neighbor, and no error."""
    one, other = vectors(2)
    async with opened(parse_url(server.url)) as index:
        await index.add(A, [point(1, one)])
        blob = other.astype("<f4").tobytes()
        server.command("VADD", f"aicache:v:{A}", "FP32", blob, "theirs", "NOQUANT")
        server.command("VADD", f"aicache:v:{A}", "FP32", blob, "broken", "NOQUANT", "SETATTR", '{"q":1}')
        assert [near.key for near in await index.nearest(A, other, 5)] == [f"{1:032x}"]


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("auto", r"neither vector sets, which came with Redis 8, nor the query engine.*local, pgvector"),
        ("query", r"does not know the commands of the `vector\.engine` that is set; leave it out.*local, pgvector"),
        ("vectorSets", r"does not know the commands of the `vector\.engine` that is set; leave it out"),
    ],
)
async def test_a_redis_without_vectors_says_what_to_do(tmp_path, engine, message):
    """A Redis 7 gives an error that names the choices, for reading, writing and forgetting."""
    program = binary("redis7") or missing("a Redis 7")
    with Server(tmp_path / "redis", program=program) as old:
        if b"redis_version:7" not in old.command("INFO", "server"):
            missing("a Redis 7")
        async with opened(parse_url(old.url), engine=engine) as index:
            [vector] = vectors(1)
            for work in (index.add(A, [point(1, vector)]), index.nearest(A, vector, 1), index.remove(A, ["0"])):
                with pytest.raises(BackendError, match=message):
                    await work


async def test_another_dimension_is_an_error(server):
    """The server's own words about dimensions reach the user, and nothing is stored."""
    async with opened(parse_url(server.url)) as index:
        await index.add(A, [point(1, vectors(1, 32)[0])])
        with pytest.raises(BackendError, match="dimension mismatch"):
            await index.add(A, [point(2, vectors(1, 16)[0])])
        assert server.command("VCARD", f"aicache:v:{A}") == b":1\r\n"


async def test_nobody_there_is_an_error_and_then_left_alone():
    """A server that is not there is an error each time, and after several it is not asked any more."""
    async with opened(Address(nodes=(("127.0.0.1", 1),))) as index:
        for _ in range(5):
            with pytest.raises(BackendError, match="redis index redis://127"):
                await index.nearest(A, vectors(1)[0], 1)
        with pytest.raises(BackendError, match="is left alone until it answers"):
            await index.nearest(A, vectors(1)[0], 1)
    with pytest.raises(BackendError, match="is closed"):
        await index.nearest(A, vectors(1)[0], 1)


async def test_a_frozen_server_is_given_up_by_the_caller(server):
    """A search that is given up leaves an index that works again when the server does."""
    [vector] = vectors(1)
    async with opened(parse_url(server.url), patience=10) as index:
        await index.add(A, [point(1, vector)])
        server.freeze()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(index.nearest(A, vector, 1), 0.05)
        server.thaw()
        assert len(await index.nearest(A, vector, 1)) == 1


async def test_a_cluster_keeps_partitions_on_its_nodes(tmp_path, program):
    """In a cluster each partition lies on one node, and all of them are found."""
    several = vectors(8)
    with cluster(tmp_path / "cluster", program) as nodes:
        address = parse_url("redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes))
        async with opened(address, patience=10) as index:
            for number in range(6):
                points = [point(at, vector) for at, vector in enumerate(several)]
                await index.add(f"{number:032x}", points)
                near = await index.nearest(f"{number:032x}", several[number], 3)
                assert [one.key for one in near] == [key for key, _ in expected(points, several[number], 3)]
                await index.remove(f"{number:032x}", [points[number].key])
                assert len(await index.nearest(f"{number:032x}", several[number], 9)) == 7
        assert sum(b":0" not in node.command("DBSIZE") for node in nodes) > 1


async def test_groups_of_nearly_equal_questions_hide_nobody(server):
    """Of points that are much nearer to each other than to the rest, as questions with numbers are, all are found."""
    dice = np.random.default_rng(5)
    groups = np.repeat(vectors(20, dim=64), 100, axis=0) + 0.005 * dice.normal(size=(2000, 64))
    places = (groups / np.linalg.norm(groups, axis=1, keepdims=True)).astype(np.float32)
    async with opened(parse_url(server.url)) as index:
        await index.add(A, [point(number, vector) for number, vector in enumerate(places)])
        found = [(await index.nearest(A, vector, 1))[0].key for vector in places]
    assert found == [point(number, vector).key for number, vector in enumerate(places)]


async def test_where_the_graph_knows_nothing_near_all_are_compared(server, monkeypatch):
    """The nearest and their scores are those of a whole search; what has expired is none of them, and goes.

    Here the graph tells one neighbor only, and what it tells counts as far away.
    """
    monkeypatch.setattr(redis_sets, "WHOLE", 0)
    monkeypatch.setattr(redis_sets, "SEARCH", redis_sets.SEARCH.replace("ARGV[2], unpack", "0 + 1, unpack"))
    monkeypatch.setattr(redis_sets, "FAR", 2.0)
    clock = Clock()
    points = [point(number, vector) for number, vector in enumerate(vectors(40, dim=16))]
    second = points[0].vector + 0.1 * points[1].vector
    brief = point(40, second / np.linalg.norm(second), expires=NOW + 5)
    async with opened(parse_url(server.url), clock=clock) as index:
        await index.add(A, [*points, brief])
        clock.now += 10
        right = expected(points, points[0].vector, 5)
        found = await index.nearest(A, points[0].vector, 5)
        assert [near.key for near in found] == [key for key, _ in right[:4]]  # the expired one is removed
        found = await index.nearest(A, points[0].vector, 5)
        assert [near.key for near in found] == [key for key, _ in right]
        assert [near.similarity for near in found] == pytest.approx([score for _, score in right], abs=1e-5)
        assert found[1].question == f"question {int(found[1].key, 16)}"
        monkeypatch.setattr(redis_sets, "SPARED", 30)
        assert len(await index.nearest(A, points[0].vector, 5)) == 1
