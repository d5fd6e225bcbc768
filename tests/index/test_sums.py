"""A large partition is searched without reading all of it, and what is found is what a whole search finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.index import pages, sums
from llmcache.index.matrix import Matrix
from llmcache.index.pages import Rows

ALL, NOTHING = 1 << 60, 0
"""Numbers above which a partition counts as large."""


def rows(vectors, first=0):
    """Return points with these vectors."""
    count = len(vectors)
    return Rows(
        seqs=np.arange(first, first + count),
        keys=np.array([f"{number:032x}" for number in range(first, first + count)], object),
        questions=np.array([f"question {number}" for number in range(first, first + count)], object),
        created=np.zeros(count),
        has_answer=np.zeros(count, bool),
        expires=np.full(count, np.inf),
        vectors=vectors,
    )


def unit(values):
    """Return rows of length 1, shape (n, dim)."""
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def places(seed, count, dim, topics, spread):
    """Return unit vectors around so many middles; some of them twice, and some with zeros in front or behind."""
    dice = np.random.default_rng(seed)
    found = dice.normal(size=(topics, dim))[dice.integers(0, topics, count)]
    found = found + spread * dice.normal(size=(count, dim))
    found[dice.integers(0, count, count // 20)] = found[0]
    found[count // 2 : count // 2 + count // 20, : dim // 2] = 0
    found[count // 3 : count // 3 + count // 20, dim // 2 + 1 :] = 0
    return unit(found + 1e-9)


def both(dim):
    """Return two empty partitions: one that reads everything, one that reads no more than it must."""
    return Matrix(dim, ALL), Matrix(dim, NOTHING)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 3000),
    dim=st.sampled_from([1, 2, 3, 8, 24, 64]),
    topics=st.sampled_from([1, 7, 500]),
    spread=st.sampled_from([0.0, 1e-4, 0.3, 3.0]),
    wanted=st.sampled_from([1, 2, 5, 20, 4000]),
    gone=st.floats(0, 1),
)
def test_the_same_is_found(seed, count, dim, topics, spread, wanted, gone):
    """Keys, scores and their order are those of a whole search, whatever lies where and what was removed."""
    vectors = places(seed, count, dim, topics, spread)
    dice = np.random.default_rng(seed)
    removed = np.flatnonzero(dice.random(count) < gone * dice.integers(0, 2))
    asked = np.concatenate([vectors[:2], places(seed + 1, 3, dim, topics, spread), -vectors[:1]])
    whole, part = both(dim)
    for memory in (whole, part):
        memory.put(rows(vectors))
        for number in removed.tolist():
            memory.remove(f"{number:032x}")
    for vector in asked:
        assert part.nearest(vector, wanted, 0.0) == whole.nearest(vector, wanted, 0.0)


def test_rounding_loses_no_neighbor():
    """Points that differ in their last bits only are told apart by the score in float64, not by sums in float32."""
    vectors = places(4, 4000, 64, 500, 1e-6)
    whole, part = both(64)
    whole.put(rows(vectors))
    part.put(rows(vectors))
    for vector in vectors[:500]:
        assert part.nearest(vector, 2, 0.0) == whole.nearest(vector, 2, 0.0)


def test_the_nearest_of_all_are_found_across_pages(monkeypatch):
    """By numpy's own word, where the points lie on many pages and the last one is not full."""
    monkeypatch.setattr(pages, "SLOTS", 256)
    vectors = places(1, 5000, 64, 40, 0.5)
    memory = Matrix(64, NOTHING)
    memory.put(rows(vectors))
    for vector in places(2, 30, 64, 40, 0.5):
        scores = np.round(vectors.astype(np.float64) @ vector.astype(np.float64), 9)
        right = np.sort(scores)[::-1][:7]
        assert [near.similarity for near in memory.nearest(vector, 7, 0.0)] == pytest.approx(right.tolist(), abs=1e-7)


def test_what_cannot_be_near_is_not_read_to_its_end():
    """Points whose first numbers leave them too far away may have anything behind: nobody looks."""
    dim, dice = 64, np.random.default_rng(3)
    near = unit(np.ones((50, dim)) + 0.05 * dice.normal(size=(50, dim)))
    far = unit(-np.ones((4000, dim)) + 0.05 * dice.normal(size=(4000, dim)))
    first = sums.steps(dim)[0]
    memory = Matrix(dim, NOTHING)
    memory.put(rows(near))
    memory.put(rows(far, first=50))
    before = memory.nearest(near[0], 5, 0.0)
    for _, used, page in memory._pages:
        poisoned = page.vectors[:, :used]
        poisoned[first:, (poisoned[:first] < 0).all(axis=0)] = np.nan
    assert memory.nearest(near[0], 5, 0.0) == before
    assert before[0].kept.key == f"{0:032x}"


def test_equal_points_are_all_there():
    """Many points of one and the same vector tie, and their keys decide, though the first numbers leave all of them."""
    memory = Matrix(32, NOTHING)
    memory.put(rows(np.repeat(unit(np.ones((1, 32))), 2000, axis=0)))
    found = memory.nearest(unit(np.ones((1, 32)))[0], 3, 0.0)
    assert [near.kept.key for near in found] == [f"{number:032x}" for number in range(3)]
