"""Qdrant, 1.10 and newer: collections over its REST API.

Points are asked for with `/points/query`, of which Higress' `/points/search` is the deprecated form.
The score of a collection with `Cosine` is the cosine itself; see "Collections" and "Search" in Qdrant's documentation.
Entry point: `Qdrant`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..chat import BackendError
from .remote import Found, Place, Row, Shape, Wanted


class Qdrant:
    """A collection of Qdrant."""

    def __init__(self, place: Place) -> None:
        headers = {"api-key": place.api_key} if place.api_key else {}
        self._http = place.client("Qdrant", headers, {401: KEY, 403: KEY})
        self._path = f"/collections/{place.quoted}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Qdrant"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the collection is like, None when there is none."""
        answer = await self._http.ask("GET", self._path, accept=(200, 404), show=True)
        if answer.status == 404:  # noqa: PLR2004 - a status
            return None
        vectors = answer.body["result"]["config"]["params"]["vectors"]
        if "size" not in vectors:
            raise BackendError(
                "Qdrant: this collection has several named vectors, and one without a name is needed: "
                "name another `vector.collectionID`"
            )
        return Shape(vectors["distance"], vectors["size"])

    async def create(self, dim: int) -> None:
        """Make the collection, and the indexes that its filters need."""
        await self._http.ask("PUT", self._path, {"vectors": {"size": dim, "distance": "Cosine"}}, show=True)
        for name, kind in (("context", "keyword"), ("expires", "float")):
            index = {"field_name": name, "field_schema": kind}
            await self._http.ask("PUT", f"{self._path}/index?wait=true", index, show=True)

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        points = [{"id": row.id, "vector": row.vector, "payload": row.fields} for row in rows]
        await self._http.ask("PUT", f"{self._path}/points?wait=true", {"points": points})

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        body = {
            "query": wanted.vector,
            "limit": wanted.count,
            "with_payload": True,
            "filter": {
                "must": [
                    {"key": "context", "match": {"value": wanted.context}},
                    {"key": "expires", "range": {"gt": wanted.now}},
                ]
            },
        }
        answer = await self._http.ask("POST", f"{self._path}/points/query", body, show=True)
        return [Found(one["score"], one["payload"] or {}) for one in answer.body["result"]["points"]]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._delete({"points": list(ids)})

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._delete({"filter": {"must": [{"key": "expires", "range": {"lte": now}}]}})

    async def _delete(self, what: dict[str, Any]) -> None:
        await self._http.ask("POST", f"{self._path}/points/delete?wait=true", what, show=True)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()


KEY = "check `vector.apiKey`"
METRICS: dict[str, Callable[[float], float]] = {
    "Cosine": lambda score: score,
    "Dot": lambda score: score,
    "Euclid": lambda score: 1 - score * score / 2,
}
