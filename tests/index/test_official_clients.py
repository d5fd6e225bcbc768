"""Our drivers and the providers' own clients on one store: each finds, replaces and forgets what the other wrote.

The store is the contract fake, so this also shows that the fake takes what the provider's client really sends.
Those of DashVector and Tair were tried by hand: the first needs packages of 2023, the second an older driver.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from llmcache.index.remote import RemoteIndex, id_of, row
from support.absent import missing
from support.bridge import Bridge, installed
from support.http_indexes import FAKES
from support.indexes import NOW, Clock, expected, point, vectors
from support.upstream import Script, Upstream
from support.vectorstores.strict import KEY

A = "a" * 32
SCRIPT = Path(__file__).parents[1] / "support" / "official_clients.py"
HOUSEKEEPING = {"/v1/meta": {"version": "1.30.0", "modules": {}}, "/v1/nodes": {"nodes": []}}
"""What a client asks besides, and what it is told."""


@pytest.mark.parametrize("name", ["qdrant", "elasticsearch", "weaviate", "pinecone"])
async def test_both_find_what_the_other_wrote(name):
    """Collections, points, scores, filters and deletions are the same for the driver and the provider's client."""
    package = {"weaviate": "weaviate", "qdrant": "qdrant_client"}.get(name, name)
    if not installed(package):
        missing(f"the client of {name} (scripts/test-servers fetches it)")
    opening = FAKES[name]
    fake, clock = opening.fake(), Clock()

    def answer(asked):
        if asked.path in HOUSEKEEPING:
            return Script(json.dumps(HOUSEKEEPING[asked.path]).encode())
        return fake(asked)

    ours, theirs, late, vector = vectors(4)
    points = [point(1, ours), point(2, theirs), point(3, late, expires=NOW + 5)]
    with Upstream(answer) as server:
        client = Bridge(SCRIPT, name, server.url, KEY)

        async def ask(what, body):
            return await asyncio.to_thread(client.ask, what, body)

        async def both():
            wanted = {"context": A, "now": clock.now, "vector": vector.tolist()}
            found = await index.nearest(A, vector, 5)
            return [(one.key, one.similarity) for one in found], [tuple(one) for one in await ask("search", wanted)]

        def same(left):
            right = expected(left, vector, 5)
            keys = [key for key, _ in right]
            return keys, pytest.approx([score for _, score in right], abs=1e-5)

        index = RemoteIndex(opening.at(server.url), clock)
        assert await ask("create", 32) == 32
        await index.add(A, [points[0], points[2]])
        other = row(A, points[1])
        assert await ask("put", {"id": other.id, "vector": theirs.tolist(), "fields": other.fields}) is None
        for left in (points, points[:2]):
            for found in await both():
                assert ([key for key, _ in found], [score for _, score in found]) == same(left)
            clock.now = NOW + 5
        assert await ask("sweep", clock.now) is None
        clock.now = NOW
        for found in await both():
            assert [key for key, _ in found] == same(points[:2])[0]
        await index.remove(A, [points[1].key])
        assert await ask("delete", id_of(A, points[0].key)) is None
        assert await both() == ([], [])
        await index.close()
        assert fake.faults == []
