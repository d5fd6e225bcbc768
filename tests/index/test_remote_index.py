"""The vector stores that are asked over HTTP: what is made of bad answers, of strangers' points, and of time."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid

import numpy as np
import pytest
from llmcache.chat import BackendError
from llmcache.httpclient import HttpClient
from llmcache.index.chroma import Chroma
from llmcache.index.remote import NEVER, Place, RemoteIndex, id_of
from support import chroma_server
from support.http_indexes import FAKES, Opening
from support.indexes import NOW, Clock, point, vectors
from support.upstream import Asked, Script, Upstream
from support.vectorstores.strict import KEY, Strict

A = "a" * 32
QUESTION = "what does my doctor say"

every = pytest.mark.parametrize("opening", FAKES.values(), ids=FAKES)


class Kept:
    """A store with some points, whose answers a test may replace from then on."""

    def __init__(self, opening: Opening, timeout: float = 5.0) -> None:
        self.fake: Strict = opening.fake()
        self.server = Upstream(self.fake)
        self._opening, self._timeout = opening, timeout
        self.clock = Clock()

    async def __aenter__(self):
        self.server.__enter__()
        self.index = RemoteIndex(self._opening.at(self.server.url, self._timeout), self.clock)
        self.points = [point(number, vector, f"{QUESTION} {number}") for number, vector in enumerate(vectors(3))]
        await self.index.add(A, self.points)
        self.server.calls.clear()
        return self

    async def __aexit__(self, *_):
        await self.index.close()
        self.server.stop()

    async def fault(self) -> str:
        """Search, store and remove; all must fail alike. Return what the search says."""
        messages = []
        for call in (
            self.index.nearest(A, self.points[0].vector, 2),
            self.index.add(A, self.points),
            self.index.remove(A, [self.points[0].key]),
        ):
            with pytest.raises(BackendError) as caught:
                await call
            assert KEY not in str(caught.value)
            assert QUESTION not in str(caught.value)
            messages.append(str(caught.value))
        return messages[0]

    def say(self, script: Script) -> None:
        """Answer so from now on."""
        self.server.answer = lambda _: script


@every
@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(Script(b"<html>"), "no JSON", id="garbage"),
        pytest.param(Script(b"", 401), "answered 401: check", id="401"),
        pytest.param(Script(b"", 403), "answered 403: check", id="403"),
        pytest.param(Script(b"", 429, {"retry-after": "0"}), "answered 429: it gets too many", id="429"),
        pytest.param(Script(b"", 500), "answered 500", id="500"),
        pytest.param(Script([b'{"resu'], framing="chunked", cut="fin"), "broke off", id="half a body"),
    ],
)
async def test_a_bad_answer_is_a_fault(opening, script, message):
    """Garbage, refusals and half a body are a `BackendError` with the remedy, whatever was asked."""
    async with Kept(opening) as kept:
        kept.say(script)
        assert message in await kept.fault()


SHAPES = (b"{}", b"null", b"[]", b"[1]", b'"text"', b"7", b'{"result": null}', b'{"code": 0}', b'{"data": {}}', b"")
"""JSON of every kind, and nothing at all: what a store never says."""


@every
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
async def test_an_answer_of_another_shape_finds_nothing(opening, shape):
    """JSON that is no answer never becomes a neighbor, and no other error than ours."""
    async with Kept(opening) as kept:
        kept.say(Script(shape))
        with contextlib.suppress(BackendError):
            assert await kept.index.nearest(A, kept.points[0].vector, 2) == []


@every
async def test_a_slow_store(opening):
    """A store that does not answer costs the timeout and no more."""
    gate = threading.Event()
    async with Kept(opening, timeout=0.3) as kept:
        kept.say(Script(b"{}", gate=gate))
        with pytest.raises(BackendError, match="did not answer in time"):
            await kept.index.nearest(A, kept.points[0].vector, 2)
        gate.set()


def tampered(fake: Strict, change):
    """Answer as the fake does, with *change* made to each text of an answer."""

    def answer(asked: Asked) -> Script:
        script = fake(asked)
        assert isinstance(script.body, bytes)
        script.body = change(script.body.decode()).encode()
        return script

    return answer


@every
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(A, "b" * 32, id="another partition"),
        pytest.param(json.dumps(NEVER), "1800000000.0", id="over its time"),
        pytest.param('"context"', '"kontext"', id="no partition, as Higress' own points"),
        pytest.param('"entry"', '"entri"', id="no entry"),
        pytest.param(f'"{QUESTION} ', '[7], "": "', id="a question that is no text"),
    ],
)
async def test_no_filter_is_believed(opening, before, after):
    """A point that is not of the partition, not alive or not ours is dropped, whatever the store was asked for."""
    async with Kept(opening) as kept:
        assert len(await kept.index.nearest(A, kept.points[0].vector, 5)) == 3

        def change(said):
            if str(2**31 - 1) in said and before == json.dumps(NEVER):  # DashVector's numbers end there
                return said.replace(str(2**31 - 1), "1800000000")
            return said.replace(before, after)

        kept.server.answer = tampered(kept.fake, change)
        assert await kept.index.nearest(A, kept.points[0].vector, 5) == []


@every
async def test_another_dimension_names_the_remedy(opening):
    """A model of another dimension is told to take another collection; nothing is sent."""
    async with Kept(opening) as kept:
        [other] = vectors(1, 16)
        for call in (kept.index.nearest(A, other, 1), kept.index.add(A, [point(9, other)])):
            with pytest.raises(BackendError, match=r"keeps vectors of 32 numbers.* 16: name another `vector\.collect"):
                await call
        assert kept.server.calls == []


@every
async def test_a_restart_finds_what_was_stored(opening):
    """Another process, which finds the collection made, has the same points, and insists on the same dimension."""
    async with Kept(opening) as kept:
        index = RemoteIndex(opening.at(kept.server.url), kept.clock)
        [first, *_] = await index.nearest(A, kept.points[1].vector, 1)
        assert (kept.points[1].key, kept.points[1].question) == (first.key, first.question)
        with pytest.raises(BackendError, match="of 32 numbers"):
            await index.nearest(A, vectors(1, 8)[0], 1)
        assert await index.check() == []
        await index.close()
        assert kept.fake.faults == []


@pytest.mark.parametrize("name", [name for name in FAKES if name != "pinecone"])
async def test_a_collection_that_was_removed_is_made_again(name):
    """After a fault the collection is looked at anew: one that somebody removed is made again."""
    async with Kept(FAKES[name]) as kept:
        kept.fake.routes = FAKES[name].fake().routes
        with pytest.raises(BackendError):
            await kept.index.nearest(A, kept.points[0].vector, 1)
        await kept.index.add(A, kept.points)
        assert len(await kept.index.nearest(A, kept.points[0].vector, 5)) == 3
        assert kept.fake.faults == []


@pytest.mark.parametrize("name", ["elasticsearch", "lindorm"])
async def test_an_index_that_a_write_made_names_the_remedy(name):
    """Where the index was removed between a search and a write, the write makes one without vectors: that is told."""
    async with Kept(FAKES[name]) as kept:
        kept.fake.routes = FAKES[name].fake().routes
        await kept.index.add(A, kept.points)
        with pytest.raises(BackendError, match="only supported on"):
            await kept.index.nearest(A, kept.points[0].vector, 1)
        [problem] = await kept.index.check()
        assert "no dense_vector" in problem or "no knn_vector" in problem
        assert "name another `vector.collectionID`" in problem


@every
async def test_what_has_expired_is_deleted(opening):
    """Expired points do not pile up: adding others deletes them, at most every ten minutes."""
    async with Kept(opening) as kept:
        await kept.index.add(A, [point(5, kept.points[0].vector, "short", expires=NOW + 5)])
        kept.clock.now += 700
        await kept.index.add(A, [kept.points[0]])
        sent = [call.path + call.body.decode() for call in kept.server.calls]
        index = RemoteIndex(opening.at(kept.server.url), Clock())
        found = await index.nearest(A, kept.points[0].vector, 5)
        await index.close()
        assert "short" not in [one.question for one in found]
        assert len(found) == 3
        assert kept.fake.faults == []
        kept.server.calls.clear()
        await kept.index.add(A, [kept.points[0]])
        assert len(kept.server.calls) < len(sent)


@every
async def test_nobody_is_there(opening):
    """`check` says in a sentence what is wrong, and changes nothing."""
    index = RemoteIndex(opening.at("http://127.0.0.1:1", 1))
    [problem] = await index.check()
    assert "cannot be reached: check that it runs" in problem
    await index.close()


@every
async def test_a_score_that_is_no_cosine(opening):
    """A score beyond [-1, 1] is a fault and no hit: the collection measures something else."""
    async with Kept(opening) as kept:
        scores = re.compile(r'"(score|distance|_score)": [-+.e0-9]+')
        kept.server.answer = tampered(kept.fake, lambda said: scores.sub(r'"\1": 9.5', said))
        if type(opening.at("http://x")).__name__ in {"DashVector", "Lindorm"}:  # their scores are not read
            assert len(await kept.index.nearest(A, kept.points[0].vector, 5)) == 3
        else:
            with pytest.raises(BackendError, match="no cosine"):
                await kept.index.nearest(A, kept.points[0].vector, 5)


@pytest.mark.parametrize("name", ["qdrant", "elasticsearch", "weaviate", "pinecone", "milvus"])
async def test_another_metric(name):
    """A collection that compares by what is no cosine is refused, and the remedy named."""
    async with Kept(FAKES[name]) as kept:
        kept.server.answer = tampered(
            kept.fake,
            lambda said: (
                said.replace("Cosine", "Manhattan").replace("COSINE", "JACCARD").replace('"cosine"', '"manhattan"')
            ),
        )
        index = RemoteIndex(FAKES[name].at(kept.server.url))
        [problem] = await index.check()
        assert "which is no cosine: name another `vector.collectionID`" in problem
        with pytest.raises(BackendError, match="which is no cosine"):
            await index.add(A, kept.points)
        await index.close()


@pytest.mark.parametrize("name", FAKES)
def test_scores_of_other_measures(name):
    """Of unit vectors every measure that is accepted gives the cosine."""
    service = FAKES[name].at("http://x")
    one, other = (vector.astype(np.float64) for vector in vectors(2))
    cosine, squared = float(one @ other), float((one - other) @ (one - other))
    scores = {
        "qdrant": {"Cosine": cosine, "Dot": cosine, "Euclid": squared**0.5},
        "elasticsearch": {
            "cosine": (1 + cosine) / 2,
            "dot_product": (1 + cosine) / 2,
            "l2_norm": 1 / (1 + squared),
            "max_inner_product": 1 / (1 - cosine) if cosine < 0 else cosine + 1,
        },
        "weaviate": {"cosine": 1 - cosine, "dot": -cosine, "l2-squared": squared},
        "pinecone": {"cosine": cosine, "dotproduct": cosine, "euclidean": squared},
        "milvus": {"COSINE": cosine, "IP": cosine, "L2": squared},
    }.get(name, dict.fromkeys(service.metrics, cosine))
    assert set(scores) == set(service.metrics)
    for metric, score in scores.items():
        assert service.metrics[metric](score) == pytest.approx(cosine, abs=1e-6)


def test_ids_stay_the_same():
    """An id depends on partition and key alone, for a later version must replace the points of an earlier one."""
    assert id_of("aa", "bb") == "c3d9c7a0-6bc2-52ea-8d7c-c1b90577b32f"
    assert len({id_of("aa", "bb"), id_of("bb", "aa"), id_of("a", "abb")}) == 3


def test_nothing_shows_a_key():
    """Neither a place nor an index shows keys and passwords."""
    place = Place("http://localhost:1", "answers", KEY, "root", KEY, proxy=f"http://u:{KEY}@p")
    assert KEY not in repr(place)
    for opening in FAKES.values():
        assert KEY not in repr(RemoteIndex(opening.at("http://localhost:1")))


async def test_chroma_says_what_is_wrong():
    """A real Chroma's own words come along, and a collection of another measure serves, or is refused."""
    url = chroma_server.url()
    collections = "/api/v2/tenants/default_tenant/databases/default_database/collections"
    http = HttpClient("Chroma", url)
    for space in ("l2", "ip"):
        name = f"aicache-{uuid.uuid4()}"
        await http.ask("POST", collections, {"name": name, "configuration": {"hnsw": {"space": space}}})
        index = RemoteIndex(Chroma(Place(url, name)), Clock())
        one, other = vectors(2)
        await index.add(A, [point(1, one), point(2, other)])
        first, second = await index.nearest(A, one, 5)
        assert (first.similarity, second.similarity) == (
            pytest.approx(1, abs=1e-6),
            pytest.approx(one @ other, abs=1e-5),
        )
        await index.close()
    await http.close()
    index = RemoteIndex(Chroma(Place(url, "x")))
    with pytest.raises(BackendError, match=r"Chroma at 127.0.0.1:\d+ answered 400 \(.*name.*\)"):
        await index.add(A, [point(1, one)])
    await index.close()


async def test_chroma_with_a_key(upstream):
    """With a key, tenant and database are those that the key belongs to."""
    said = {"user_id": "u", "tenant": "t", "databases": ["d"]}
    identity = Script(json.dumps(said).encode())
    upstream.answer = lambda asked: identity if asked.path.endswith("/identity") else Script(b"{}", 404)
    index = RemoteIndex(Chroma(Place(upstream.url, "answers", KEY)))
    assert await index.check() == []
    await index.close()
    assert ["/api/v2/auth/identity", "/api/v2/tenants/t/databases/d/collections/answers"] == [
        call.path for call in upstream.calls
    ]
    assert all(call.headers["x-chroma-token"] == KEY for call in upstream.calls)


ROWS = {"ids": [["1"]], "distances": [[0.1]], "documents": [["a"]], "metadatas": [[{"question": "q"}]]}


@pytest.mark.parametrize(
    "shape",
    [
        *SHAPES,
        b'{"ids": []}',
        b'{"ids": null, "distances": null, "documents": null, "metadatas": null}',
        json.dumps({**ROWS, "distances": [[]]}).encode(),
        json.dumps({**ROWS, "documents": [[]]}).encode(),
        json.dumps({**ROWS, "metadatas": [[None]]}).encode(),
        json.dumps(ROWS).encode(),
    ],
    ids=repr,
)
async def test_chroma_answers_of_another_shape_find_nothing(upstream, shape):
    """E8: what breaks the plugin (lists that are missing, empty or shorter than others) is no neighbor here."""
    about = Script(json.dumps({"id": "1", "configuration_json": {"hnsw": {"space": "cosine"}}}).encode())
    upstream.answer = lambda asked: about if asked.method == "GET" else Script(shape)
    index = RemoteIndex(Chroma(Place(upstream.url, "answers")))
    with contextlib.suppress(BackendError):
        assert await index.nearest(A, vectors(1)[0], 2) == []
    await index.close()


@every
async def test_a_partition_cannot_end_a_filter(opening):
    """Some stores are asked in a language: a partition that could end its quotes is refused before it is sent."""
    async with Kept(opening) as kept:
        for partition in ("", "a' or 1 = 1 or context = '", 'a"', "a" * 129):
            with pytest.raises(BackendError, match="a partition is named"):
                await kept.index.nearest(partition, kept.points[0].vector, 1)
            with pytest.raises(BackendError, match="a partition is named"):
                await kept.index.add(partition, kept.points)
        assert kept.server.calls == []


@pytest.mark.parametrize("name", ["dashvector", "lindorm"])
@pytest.mark.parametrize("vector", ["[]", "[0.0, 0.0]", json.dumps([0.0] * 32), "null", '"x"', "[NaN]"])
async def test_vectors_that_come_back_broken(name, vector):
    """Vectors that are asked back and are no vectors are a fault, and no hit."""
    async with Kept(FAKES[name]) as kept:
        field = re.compile(r'"(vector|embedding)": \[[^\]]*\]')
        kept.server.answer = tampered(kept.fake, lambda said: field.sub(rf'"\1": {vector}', said))
        with pytest.raises(BackendError):
            await kept.index.nearest(A, kept.points[0].vector, 1)


@pytest.mark.parametrize(
    ("name", "code", "remedy"),
    [
        ("milvus", 1401, ": check `vector.apiKey`"),
        ("milvus", 8, "quota is used up"),
        ("milvus", 65535, r"65535$"),
        ("dashvector", -2034, "too many calls"),
        ("dashvector", -999, r"-999$"),
    ],
)
async def test_a_code_names_its_remedy(name, code, remedy):
    """Stores whose status is always 200 give a code, whose remedy is named; one that may mean anything has none."""
    async with Kept(FAKES[name]) as kept:
        kept.say(Script(json.dumps({"code": code}).encode()))
        with pytest.raises(BackendError, match=remedy):
            await kept.index.add(A, kept.points)
