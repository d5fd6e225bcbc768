"""The indexes that are asked over HTTP: real ones, and contract fakes of the stores that no registry carries.

Real are Chroma, and a Milvus Lite and the Qdrant of its Python client behind the REST APIs that these lack.
Entry points: `HTTP_INDEXES`, rows of the congruence suite; `Opening`, a store and how to open an index on it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from llmcache.index.chroma import Chroma
from llmcache.index.dashvector import DashVector
from llmcache.index.elasticsearch import Elasticsearch
from llmcache.index.lindorm import Lindorm
from llmcache.index.milvus import Milvus
from llmcache.index.pinecone import Pinecone
from llmcache.index.qdrant import Qdrant
from llmcache.index.remote import Place, RemoteIndex, Service
from llmcache.index.weaviate import Weaviate

from support import chroma_server
from support.real_milvus import milvus_lite
from support.real_qdrant import qdrant_local
from support.upstream import Upstream
from support.vectorstores.dashvector import dashvector
from support.vectorstores.elastic import elasticsearch, lindorm
from support.vectorstores.milvus import milvus
from support.vectorstores.pinecone import pinecone
from support.vectorstores.qdrant import qdrant
from support.vectorstores.strict import KEY, Strict
from support.vectorstores.weaviate import weaviate

TIMEOUT = 10.0


@dataclass(frozen=True)
class Opening:
    """A fake, and how to reach it."""

    fake: Callable[[], Strict]
    service: Callable[[Place], Service]
    login: Mapping[str, str] = field(default_factory=lambda: {"api_key": KEY})

    def at(self, url: str, timeout: float = TIMEOUT) -> Service:
        """Return the service at *url*, with the collection `answers` and the right key."""
        return self.service(Place(url, "answers", timeout=timeout, **self.login))


async def _opened(opening: Opening, clock: Callable[[], float]) -> AsyncIterator[RemoteIndex]:
    fake = opening.fake()
    with Upstream(fake) as server:
        index = RemoteIndex(opening.at(server.url), clock)
        yield index
        await index.close()
    assert fake.faults == []


async def _chroma(clock: Callable[[], float]) -> AsyncIterator[RemoteIndex]:
    index = RemoteIndex(Chroma(Place(chroma_server.url(), f"aicache-{next(_COUNT)}")), clock)
    yield index
    await index.close()


def _row(
    opened: Callable[[Callable[[], float]], AsyncIterator[RemoteIndex]],
) -> Callable[[Path, Callable[[], float]], AbstractAsyncContextManager[RemoteIndex]]:
    @contextlib.asynccontextmanager
    async def opening(_: Path, clock: Callable[[], float]) -> AsyncIterator[RemoteIndex]:
        async for index in opened(clock):
            yield index

    return opening


_COUNT = itertools.count()
FAKES: Mapping[str, Opening] = {
    "qdrant": Opening(qdrant, Qdrant),
    "elasticsearch": Opening(elasticsearch, Elasticsearch),
    "lindorm": Opening(lindorm, Lindorm, {"user": "root", "password": KEY}),
    "weaviate": Opening(weaviate, Weaviate),
    "pinecone": Opening(pinecone, Pinecone),
    "milvus": Opening(milvus, Milvus),
    "dashvector": Opening(dashvector, DashVector),
}
HTTP_INDEXES = {
    "chroma": _row(_chroma),
    "milvus-lite": _row(functools.partial(_opened, Opening(milvus_lite, Milvus))),
    "qdrant-local": _row(functools.partial(_opened, Opening(qdrant_local, Qdrant))),
    **{name: _row(functools.partial(_opened, opening)) for name, opening in FAKES.items()},
}
"""One row an index, as `support.indexes` has them."""
