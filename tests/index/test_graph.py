"""The graph in place of the matrix: saved, restored, completed from the points, and rebuilt when damaged."""

import importlib.util
import stat

import pytest
from support.absent import missing
from support.indexes import Clock, expected, point, vectors

A = "a" * 32


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Make an index whose graphs are saved however small they are."""
    if importlib.util.find_spec("usearch") is None:
        missing("the package usearch")
    from llmcache.index import graph
    from llmcache.index.local import LocalIndex

    monkeypatch.setattr(graph, "WORTHWHILE", 1)
    return lambda: LocalIndex(tmp_path / "v.db", clock=Clock(), memories=graph.Graphs(tmp_path / "graphs"))


def saved(tmp_path):
    """Return the files of the graph and its checksum."""
    return sorted((tmp_path / "graphs").iterdir())


async def filled(index, points):
    """Add points, search once so that they are in memory, and close."""
    await index.add(A, points)
    await index.nearest(A, points[0].vector, 1)
    await index.close()


async def found(index, query, count=9):
    """Search, close, and return the keys."""
    near = [one.key for one in await index.nearest(A, query, count)]
    await index.close()
    return near


async def test_a_graph_is_saved_and_used_again(opened, tmp_path):
    """After a restart the saved graph answers, and no vector is added to it anew."""
    points = [point(number, vector) for number, vector in enumerate(vectors(50))]
    await filled(opened(), points)
    assert [stat.S_IMODE(file.stat().st_mode) for file in saved(tmp_path)][1] == 0o600
    assert stat.S_IMODE((tmp_path / "graphs").stat().st_mode) == 0o700
    index = opened()
    assert [one.key for one in await index.nearest(A, points[3].vector, 9)] == [
        key for key, _ in expected(points, points[3].vector, 9)
    ]
    from llmcache.index.graph import EXPANSION

    assert not index._loaded[A].changed
    assert index._loaded[A]._index.expansion_search == EXPANSION
    await index.close()


async def test_what_a_saved_graph_has_missed_is_made_up_for(opened):
    """Points that were added, replaced or removed without it are right after the next start."""
    several = vectors(6)
    await filled(opened(), [point(number, vector) for number, vector in enumerate(several[:4])])
    index = opened()
    await index.add(A, [point(4, several[4]), point(0, several[5], "replaced")])
    await index.remove(A, [f"{1:032x}"])
    await index.close()  # the partition was not in memory, so nothing was saved
    index = opened()
    near = await index.nearest(A, several[5], 9)
    assert (near[0].question, len(near)) == ("replaced", 4)
    assert await found(index, several[4], 1) == [f"{4:032x}"]


@pytest.mark.parametrize("damage", ["flipped", "short", "gone", "unsummed"])
async def test_a_damaged_graph_is_built_anew(opened, tmp_path, damage):
    """A file that is not what was saved is not read: the points are what counts."""
    points = [point(number, vector) for number, vector in enumerate(vectors(20))]
    await filled(opened(), points)
    checksum, graph = saved(tmp_path)
    match damage:
        case "flipped":
            graph.write_bytes(graph.read_bytes()[:-9] + b"x" + graph.read_bytes()[-8:])
        case "short":
            graph.write_bytes(graph.read_bytes()[:100])
        case "gone":
            graph.unlink()
        case "unsummed":
            checksum.unlink()
    keys = [key for key, _ in expected(points, points[5].vector, 9)]
    assert await found(opened(), points[5].vector) == keys
    assert len(saved(tmp_path)) == 2
    assert await found(opened(), points[5].vector) == keys


async def test_the_graph_of_another_file_is_not_used(opened, tmp_path):
    """When the file of the points is deleted, what was saved of it answers nothing."""
    await filled(opened(), [point(number, vector) for number, vector in enumerate(vectors(20))])
    for file in tmp_path.glob("v.db*"):
        file.unlink()
    other = vectors(1, seed=9)[0]
    await filled(opened(), [point(1, other)])
    assert await found(opened(), vectors(20)[5]) == [f"{1:032x}"]


async def test_nearly_all_of_the_nearest_are_found(opened):
    """Of many points the graph finds nearly all that numpy finds."""
    points = [point(number, vector) for number, vector in enumerate(vectors(2000, dim=64))]
    index = opened()
    await index.add(A, points)
    right = 0
    for query in vectors(40, dim=64, seed=4):
        near = {one.key for one in await index.nearest(A, query, 5)}
        right += len(near & {key for key, _ in expected(points, query, 5)})
    await index.close()
    assert right >= 0.9 * 5 * 40
