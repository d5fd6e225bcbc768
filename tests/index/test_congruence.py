"""Every index answers as numpy does: same vectors in, same neighbours out, whoever keeps them."""

import numpy as np
import pytest
from llmcache.chat import BackendError
from support.indexes import INDEXES, NOW, Clock, expected, point, vectors

A, B = "a" * 32, "b" * 32
"""Two partitions."""
CLOSE = 1e-5
"""How exact a score must be: rounding, not quantization."""


@pytest.fixture
def clock():
    """A clock that stands still until it is set."""
    return Clock()


@pytest.fixture(params=INDEXES)
async def index(request, tmp_path, clock):
    """Open each index in turn, empty."""
    async with INDEXES[request.param](tmp_path, clock) as opened:
        yield opened


async def keys(index, partition, vector, count=10):
    """Return the keys that are found, nearest first."""
    return [found.key for found in await index.nearest(partition, vector, count)]


def same(found, wanted):
    """Check that neighbours are those that numpy names, with its scores."""
    assert [one.key for one in found] == [key for key, _ in wanted]
    assert [one.similarity for one in found] == pytest.approx([score for _, score in wanted], abs=CLOSE)


async def test_nearest_as_numpy_finds_them(index):
    """Keys, order and cosines are numpy's, for one, several and many neighbours, negative cosines among them."""
    points = [point(number, vector) for number, vector in enumerate(vectors(60))]
    await index.add(A, points[:40])
    await index.add(A, points[40:])
    for query in vectors(4, seed=1):
        for count in (1, 5, 60):
            same(await index.nearest(A, query, count), expected(points, query, count))


async def test_as_many_neighbors_as_may_be_asked_for(index):
    """With the largest `topK` that can be configured all points are found: no store is asked for more than it takes."""
    points = [point(number, vector) for number, vector in enumerate(vectors(20))]
    await index.add(A, points)
    same(await index.nearest(A, points[0].vector, 10_000), expected(points, points[0].vector, 20))


async def test_a_point_is_told_whole(index):
    """Question, answer and time come back as they were given, in any script."""
    texts = ["Wie weit ist es?", "多少公里?", "كم كيلومترا؟", "👩‍🚀🚀", "a \"b\" \\ \n\t {c} 'd' $e -- ;", "x" * 20_000]
    points = [
        point(number, vector, text, f"answer: {text}", NOW - number)
        for number, (text, vector) in enumerate(zip(texts, vectors(len(texts)), strict=True))
    ]
    await index.add(A, points)
    for one in points:
        [found] = await index.nearest(A, one.vector, 1)
        assert (one.key, one.question, one.answer, one.created) == (
            found.key,
            found.question,
            found.answer,
            pytest.approx(found.created, abs=0.001),
        )


async def test_half_a_surrogate_pair_is_no_fault(index):
    """A question or an answer that is no valid Unicode is kept with a question mark, and found."""
    [vector] = vectors(1)
    await index.add(A, [point(1, vector, "broken \ud83d end", "\udc00 too")])
    [found] = await index.nearest(A, vector, 1)
    assert (found.question, found.answer) == ("broken ? end", "? too")


async def test_ties_are_in_the_order_of_keys(index):
    """Points that are equally near come in the order of their keys, however they were added."""
    [vector] = vectors(1)
    for number in (3, 1, 2):
        await index.add(A, [point(number, vector)])
    assert await keys(index, A, vector) == [f"{number:032x}" for number in (1, 2, 3)]


async def test_nothing_is_found_where_nothing_is(index):
    """An unknown partition has no neighbours, before and after another one has some."""
    [vector] = vectors(1)
    assert await index.nearest(A, vector, 5) == []
    await index.add(B, [point(1, vector)])
    assert await index.nearest(A, vector, 5) == []
    assert await keys(index, B, vector) == [f"{1:032x}"]


async def test_partitions_never_mix(index):
    """The same key and vector in two partitions are two points; neither search nor removal crosses over."""
    first, second = vectors(2)
    await index.add(A, [point(1, first, "in a"), point(2, second, "in a too")])
    await index.add(B, [point(1, first, "in b")])
    assert [found.question for found in await index.nearest(B, first, 5)] == ["in b"]
    await index.remove(A, [f"{1:032x}"])
    assert [found.question for found in await index.nearest(A, first, 5)] == ["in a too"]
    assert [found.question for found in await index.nearest(B, first, 5)] == ["in b"]


async def test_a_removed_point_is_gone(index):
    """What was removed is not found; removing what is not there, here or anywhere, is no error."""
    points = [point(number, vector) for number, vector in enumerate(vectors(5))]
    await index.remove(A, [points[0].key])
    await index.add(A, points)
    await index.remove(A, [points[1].key, points[3].key, "f" * 32])
    await index.remove(B, [points[0].key])
    left = [points[0], points[2], points[4]]
    same(await index.nearest(A, points[1].vector, 5), expected(left, points[1].vector, 5))
    await index.add(A, [points[1]])
    assert await keys(index, A, points[1].vector, 1) == [points[1].key]


async def test_a_later_point_replaces_the_earlier(index):
    """Of two points with one key the later is found, and only once, with its own vector, question and answer."""
    first, second = vectors(2)
    await index.add(A, [point(1, first, "old", "old answer", expires=NOW + 5)])
    await index.add(A, [point(1, first, "older"), point(1, second, "new", "new answer")])
    [found] = await index.nearest(A, second, 5)
    assert (found.question, found.answer, found.similarity) == ("new", "new answer", pytest.approx(1, abs=CLOSE))


async def test_a_point_is_found_until_it_expires(index, clock):
    """A point is found until just before its time, then never again; the others stay, and take its place."""
    points = [
        point(number, vector, expires=expires)
        for number, (vector, expires) in enumerate(zip(vectors(4), (NOW + 10, None, NOW + 20, NOW + 10), strict=True))
    ]
    await index.add(A, points)
    clock.now = NOW + 9
    assert len(await keys(index, A, points[0].vector)) == 4
    clock.now = NOW + 10
    same(await index.nearest(A, points[0].vector, 1), expected(points[1:3], points[0].vector, 1))
    clock.now = NOW + 30
    assert await keys(index, A, points[0].vector) == [points[1].key]
    await index.add(A, [point(0, points[0].vector, expires=NOW + 99)])
    assert await keys(index, A, points[0].vector, 1) == [points[0].key]


BAD = {
    "nan": np.array([np.nan] * 32, np.float32),
    "infinite": np.array([np.inf] + [0] * 31, np.float32),
    "zero": np.zeros(32, np.float32),
    "short": vectors(1, 31)[0],
    "long": vectors(1, 33)[0],
    "empty": np.zeros(0, np.float32),
    "matrix": vectors(2, 16),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_what_is_no_vector_is_refused(index, bad):
    """It can neither be searched for nor stored, and of what came with it nothing is stored either."""
    good, other = vectors(2)
    await index.add(A, [point(1, good)])
    with pytest.raises(BackendError):
        await index.nearest(A, bad, 1)
    with pytest.raises(BackendError):
        await index.add(A, [point(2, other), point(3, bad)])
    assert await keys(index, A, good) == [f"{1:032x}"]


async def test_closing_twice_is_no_error(index):
    """An index may be closed again, also one that was never used."""
    await index.close()
    await index.close()
