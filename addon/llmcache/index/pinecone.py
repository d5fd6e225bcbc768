"""Pinecone: one namespace of an index at its own host.

As with Higress `collectionID` is the namespace. Partitions are a field of the metadata, for there are as many of them
as there are dialogues, and namespaces are counted and paid for. What was written is found after some seconds.
The score of metric `cosine` is the cosine; `euclidean` is the squared distance (Pinecone's "Indexing overview").
An index is made in Pinecone's console: its place and its price are decisions. Entry point: `Pinecone`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .remote import Found, Place, Row, Shape, Wanted

SWEPT = 1000
"""Expired points that are deleted at once: the most that Pinecone takes."""


class Pinecone:
    """A namespace, which may be the one without a name, of the index whose host is in the URL."""

    def __init__(self, place: Place) -> None:
        remedies = {401: KEY, 403: KEY, 404: MISSING}
        self._http = place.client("Pinecone", {"api-key": place.api_key}, remedies)
        self._namespace = {"namespace": place.collection}

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Pinecone"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape:
        """Return what the index is like. A host that has none answers 404."""
        stats = (await self._http.ask("POST", "/describe_index_stats", {}, show=True)).body
        # Only newer versions of the API name the metric; `cosine` is what an index has by default.
        return Shape(stats.get("metric", "cosine"), stats["dimension"])

    async def create(self, dim: int) -> None:
        """Do nothing: a host without an index has failed before."""

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        vectors = [{"id": row.id, "values": row.vector, "metadata": row.fields} for row in rows]
        await self._ask("/vectors/upsert", {"vectors": vectors}, show=False)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        matches = await self._query(wanted, {"$gt": wanted.now})
        return [Found(match["score"], match.get("metadata") or {}) for match in matches]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these. A namespace without any point is unknown to Pinecone."""
        if ids:
            await self._ask("/vectors/delete", {"ids": list(ids)}, accept=(200, 404))

    async def sweep(self, context: str, now: float) -> None:
        """Forget what has expired in the context: serverless indexes delete by id, so it is searched for."""
        dim = (await self.describe()).dim or 1
        anywhere = {"vector": [1.0] + [0.0] * (dim - 1), "topK": SWEPT}
        filters = {"context": {"$eq": context}, "expires": {"$lte": now}}
        answer = await self._ask("/query", {**anywhere, "filter": filters, "includeMetadata": False})
        await self.delete([match["id"] for match in answer["matches"]])

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _query(self, wanted: Wanted, expires: dict[str, float]) -> list[dict[str, Any]]:
        body = {
            "vector": wanted.vector,
            "topK": wanted.count,
            "filter": {"context": {"$eq": wanted.context}, "expires": expires},
            "includeMetadata": True,
            "includeValues": False,
        }
        matches: list[dict[str, Any]] = (await self._ask("/query", body))["matches"]
        return matches

    async def _ask(
        self, path: str, body: dict[str, Any], *, accept: tuple[int, ...] = (200,), show: bool = True
    ) -> Any:
        return (await self._http.ask("POST", path, {**body, **self._namespace}, accept=accept, show=show)).body


KEY = "check `vector.apiKey`"
MISSING = "is `vector.serviceHost` the host of an index? Make one in Pinecone's console, with the metric cosine"
METRICS: dict[str, Callable[[float], float]] = {
    "cosine": lambda score: score,
    "dotproduct": lambda score: score,
    "euclidean": lambda score: 1 - score / 2,
}
