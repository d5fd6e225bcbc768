"""Pinecone: one namespace of an index at its own host.

As with Higress `collectionID` is the namespace. Partitions are a field of the metadata, for there are as many of them
as there are dialogues, and namespaces are counted and paid for. What was written is found after some seconds.
The score of metric `cosine` is the cosine; `euclidean` is the squared distance (Pinecone's "Indexing overview").
Requests name the version of the API that they were written for, else they would get another one with time ("API
versioning"); expired points are deleted by a filter ("Delete records").
An index is made in Pinecone's console: its place and its price are decisions. Entry point: `Pinecone`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .remote import Found, Place, Row, Shape, Wanted

VERSION = "2025-10"
"""Of Pinecone's API."""


class Pinecone:
    """A namespace, which may be the one without a name, of the index whose host is in the URL."""

    def __init__(self, place: Place) -> None:
        remedies = {401: KEY, 403: KEY, 404: MISSING}
        headers = {"api-key": place.api_key, "x-pinecone-api-version": VERSION}
        self._http = place.client("Pinecone", headers, remedies)
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
        # Not every index tells its metric; `cosine` is what it has by default.
        return Shape(stats.get("metric", "cosine"), stats["dimension"])

    async def create(self, dim: int) -> None:
        """Do nothing: a host without an index has failed before."""

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        vectors = [{"id": row.id, "values": row.vector, "metadata": row.fields} for row in rows]
        await self._ask("/vectors/upsert", {"vectors": vectors}, show=False)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        body = {
            "vector": wanted.vector,
            "topK": wanted.count,
            "filter": {"context": {"$eq": wanted.context}, "expires": {"$gt": wanted.now}},
            "includeMetadata": True,
            "includeValues": False,
        }
        matches = (await self._ask("/query", body))["matches"]
        return [Found(match["score"], match.get("metadata") or {}) for match in matches]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._delete({"ids": list(ids)})

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._delete({"filter": {"expires": {"$lte": now}}})

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _delete(self, what: dict[str, Any]) -> None:
        """Delete; a namespace without any point is unknown to Pinecone."""
        await self._ask("/vectors/delete", what, accept=(200, 404))

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
