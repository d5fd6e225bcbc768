"""The memory of a partition: pages that grow and are freed a little at a time, which the garbage collector skips."""

import gc
from itertools import islice

import numpy as np
import pytest
from llmcache.index import pages
from llmcache.index.matrix import Matrix
from llmcache.index.pages import Kept, Pages, Rows
from support.indexes import vectors


def rows(numbers, dim=8, expires=np.inf):
    """Return points of these numbers, with different vectors."""
    count = len(numbers)
    return Rows(
        seqs=np.array(numbers),
        keys=np.array([f"{number:032x}" for number in numbers], object),
        questions=np.array([f"question {number}" for number in numbers], object),
        created=np.arange(count, dtype=float),
        has_answer=np.zeros(count, bool),
        expires=np.full(count, float(expires)),
        vectors=vectors(count, dim),
    )


def put(memory, numbers, **options):
    """Put all of some points. Returns their slots."""
    return memory.put(rows(numbers, **options), np.arange(len(numbers)))


@pytest.fixture
def small(monkeypatch):
    """Let a page have eight slots."""
    monkeypatch.setattr(pages, "SLOTS", 8)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_was_put_is_there_across_pages(order):
    """Every point has its own slot with its own vector, whatever page it came to lie in and however that grew."""
    memory = Pages(8, order)
    given = rows(range(29))
    slots = [memory.put(given, np.array([number]))[0] for number in range(29)]
    assert slots == list(range(29))
    assert [count for _, count, _ in memory] == [8, 8, 8, 5]
    for number, slot in enumerate(slots):
        page, at = memory.at(slot)
        assert (page.vectors[:, at] == given.vectors[number]).all()
        assert memory.told(slot) == Kept(f"{number:032x}", f"question {number}", float(number), False)
        assert memory.find(f"{number:032x}") == slot


@pytest.mark.usefixtures("small")
def test_a_slot_is_used_again():
    """What is removed or has expired leaves its slot to the next point, and what is replaced keeps its own."""
    memory = Pages(8, "C")
    put(memory, range(10))
    put(memory, range(10, 12), expires=5)
    memory.remove(f"{3:032x}")
    memory.remove(f"{99:032x}")
    memory.expire(4)
    assert len(memory) == 11
    memory.expire(5)
    assert len(memory) == 9
    assert sorted(put(memory, [20, 21, 22])) == [3, 10, 11]
    assert put(memory, [5]) == [5]
    assert len(memory) == 12


def test_the_collector_sees_no_points():
    """Of thousands of points there are no more objects for the garbage collector to visit than of a few."""
    memory = Matrix(8)
    memory.put(rows(range(20)))
    gc.collect()
    before = len(gc.get_objects())
    memory.put(rows(range(20, 5000)))
    gc.collect()
    assert len(gc.get_objects()) - before < 100


@pytest.mark.usefixtures("small")
def test_memory_is_freed_a_little_at_a_time():
    """Clearing goes page by page, and nothing is found from its first step on."""
    memory = Matrix(8)
    memory.put(rows(range(50)))
    steps = memory.clear()
    next(steps)
    assert (len(memory), memory.nearest(vectors(1, 8)[0], 5, 0.0)) == (0, [])
    assert memory.bytes == 6 * 8 * 8 * 4
    list(islice(steps, 6))
    assert memory.bytes == 0
    list(steps)
    memory.put(rows(range(3)))
    assert len(memory.nearest(vectors(1, 8)[0], 5, 0.0)) == 3


def test_near_ones_that_came_together_cost_no_more(monkeypatch):
    """Where many near points share a few blocks, only those that can be among the nearest are compared again."""
    from llmcache.index import matrix

    looked = []
    ranked = matrix.ranked
    monkeypatch.setattr(matrix, "ranked", lambda *args: looked.append(len(args[2])) or ranked(*args))
    memory = Matrix(8)
    memory.put(rows(range(10_000)))
    [query] = vectors(1, 8, seed=3)
    close = query + vectors(200, 8, seed=4) * np.linspace(0.01, 0.1, 200, dtype=np.float32)[:, None]
    close /= np.linalg.norm(close, axis=1, keepdims=True)
    together = rows(range(10_000, 10_200))
    memory.put(Rows(*(getattr(together, name) for name in Rows.__slots__ if name != "vectors"), vectors=close))
    found = [near.kept.key for near in memory.nearest(query, 5, 0.0)]
    assert found == [f"{10_000 + number:032x}" for number in np.argsort(-(close @ query))[:5]]
    assert looked == [5]
