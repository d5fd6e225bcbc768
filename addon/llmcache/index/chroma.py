"""Chroma 1.x over its v2 API.

A collection is found by name and asked by id. The score of a collection with the space `cosine` is a distance: 1 minus
the cosine; `l2` is the squared distance ("Configure collections" in Chroma's documentation).
As Higress does, the answer is the document; the question is metadata, for as an id it could not be of two contexts.
Entry point: `Chroma`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .remote import Found, Place, Row, Shape, Wanted

KEY = "check `vector.apiKey`"


class Chroma:
    """A collection of Chroma. With a key the tenant and database are those that the key belongs to."""

    def __init__(self, place: Place) -> None:
        headers = {"x-chroma-token": place.api_key} if place.api_key else {}
        remedies = {401: KEY, 403: KEY, 410: "it is older than Chroma 1; update it"}
        self._http = place.client("Chroma", headers, remedies)
        self._place = place
        self._database = ""
        self._id = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Chroma"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the collection is like, None when there is none."""
        path = f"{await self._collections()}/{self._place.quoted}"
        answer = await self._http.ask("GET", path, accept=(200, 404), show=True)
        if answer.status == 404:  # noqa: PLR2004 - a status
            return None
        self._id = str(answer.body["id"])
        kinds = answer.body["configuration_json"]
        return Shape((kinds.get("hnsw") or kinds.get("spann"))["space"], answer.body.get("dimension"))

    async def create(self, dim: int) -> None:  # noqa: ARG002 - it takes that of the first point
        """Make the collection."""
        body = {"name": self._place.collection, "get_or_create": True, "configuration": {"hnsw": {"space": "cosine"}}}
        answer = await self._http.ask("POST", await self._collections(), body, show=True)
        self._id = str(answer.body["id"])

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        body = {
            "ids": [row.id for row in rows],
            "embeddings": [row.vector for row in rows],
            "documents": [row.fields["answer"] for row in rows],
            "metadatas": [{name: row.fields[name] for name in row.fields if name != "answer"} for row in rows],
        }
        await self._ask("upsert", body)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        body = {
            "query_embeddings": [wanted.vector],
            "n_results": wanted.count,
            "where": {"$and": [{"context": wanted.context}, {"expires": {"$gt": wanted.now}}]},
            "include": ["distances", "documents", "metadatas"],
        }
        found = await self._ask("query", body, show=True)
        columns = found["distances"][0], found["metadatas"][0], found["documents"][0]
        return [
            Found(distance, {**(metadata or {}), "answer": document})
            for distance, metadata, document in zip(*columns, strict=True)
        ]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._ask("delete", {"ids": list(ids)}, show=True)

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._ask("delete", {"where": {"expires": {"$lte": now}}}, show=True)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _ask(self, what: str, body: dict[str, Any], *, show: bool = False) -> Any:
        path = f"{await self._collections()}/{self._id}/{what}"
        return (await self._http.ask("POST", path, body, show=show)).body

    async def _collections(self) -> str:
        """Return the path of the database's collections."""
        if not self._database:
            tenant, database = "default_tenant", "default_database"
            if self._place.api_key:
                who = (await self._http.ask("GET", "/api/v2/auth/identity", show=True)).body
                tenant, database = who["tenant"], min(who["databases"])
            self._database = f"/api/v2/tenants/{tenant}/databases/{database}/collections"
        return self._database


METRICS: dict[str, Callable[[float], float]] = {
    "cosine": lambda distance: 1 - distance,
    "ip": lambda distance: 1 - distance,
    "l2": lambda distance: 1 - distance / 2,
}
"""Of unit vectors, the squared distance is 2 minus twice the cosine."""
