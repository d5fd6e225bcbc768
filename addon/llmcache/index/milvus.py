"""Milvus 2.4 and newer, and Zilliz Cloud, over the REST API v2.

Every call is a POST whose status is 200; `code` 0 in the body says that it went well. The `distance` of metric
`COSINE` is the cosine, that of `L2` the squared distance ("Metric types" in Milvus' documentation).
Partitions are Milvus' own: `context` is the partition key. Searches see every write (`Strong`).
Milvus Lite has no REST API. Entry point: `Milvus`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..chat import BackendError
from .remote import FIELDS, Found, Place, Row, Shape, Wanted

TEXT_BYTES = 65_535
"""The most that Milvus takes of a text; a longer answer is refused, and then only its exact key is answered."""


class Milvus:
    """A collection of Milvus; the key is a token, or `user:password`."""

    def __init__(self, place: Place) -> None:
        headers = {"authorization": f"Bearer {place.api_key}"} if place.api_key else {}
        self._http = place.client("Milvus", headers, {401: KEY, 403: KEY})
        self._collection = {"collectionName": place.collection}

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Milvus"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the collection is like, None when there is none."""
        if not (await self._ask("collections/has", {}))["has"]:
            return None
        found = await self._ask("collections/describe", {})
        names = {one["name"] for one in found["fields"]}
        metrics = [one["metricType"] for one in found["indexes"] if one["fieldName"] == "vector"]
        if not metrics or found.get("autoId") or (not names.issuperset(NEEDED) and not found.get("enableDynamicField")):
            raise BackendError(
                "Milvus: this collection lacks a field, or gives ids of its own, by which answers would pile up: "
                "name another `vector.collectionID`, which is then made"
            )
        (vector,) = (one for one in found["fields"] if one["name"] == "vector")
        return Shape(metrics[0], next(int(one["value"]) for one in vector["params"] if one["key"] == "dim"))

    async def create(self, dim: int) -> None:
        """Make the collection with its indexes, and load it."""
        fields = [{**field, "elementTypeParams": {**field.get("elementTypeParams", {})}} for field in SCHEMA]
        vector = {"fieldName": "vector", "dataType": "FloatVector", "elementTypeParams": {"dim": dim}}
        index = {"fieldName": "vector", "indexName": "vector", "metricType": "COSINE", "indexType": "AUTOINDEX"}
        schema = {"autoID": False, "enableDynamicField": False, "fields": [*fields, vector]}
        await self._ask("collections/create", {"schema": schema, "indexParams": [index]})

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        data = [{"id": row.id, "vector": row.vector, **row.fields} for row in rows]
        await self._ask("entities/upsert", {"data": data}, show=False)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        body = {
            "data": [wanted.vector],
            "annsField": "vector",
            "filter": f"context == {json.dumps(wanted.context)} and expires > {wanted.now!r}",
            "limit": wanted.count,
            "outputFields": list(FIELDS),
            "consistencyLevel": "Strong",
        }
        return [Found(one["distance"], one) for one in await self._ask("entities/search", body)]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._ask("entities/delete", {"filter": f"id in {json.dumps(list(ids))}"})

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._ask("entities/delete", {"filter": f"expires <= {now!r}"})

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _ask(self, what: str, body: dict[str, Any], *, show: bool = True) -> Any:
        """Return the data of an answer whose code is 0; older versions say 200 instead."""
        answer = await self._http.ask("POST", f"/v2/vectordb/{what}", {**self._collection, **body}, show=show)
        code = answer.body["code"]
        if code not in {0, 200}:
            said = f" ({answer.body.get('message')})" if show else ""
            remedy = f": {REMEDIES[code]}" if code in REMEDIES else ""
            raise BackendError(f"Milvus refused {what} with code {code}{said}{remedy}")
        return answer.body.get("data")


KEY = "check `vector.apiKey`: a token, or user:password"
BUSY = "it gets too many calls, or the quota is used up"
REMEDIES = {8: BUSY, 1807: BUSY, 1400: KEY, 1401: KEY, 1800: KEY}
"""Code -> what to do about it; 65535 is any error without a code of its own."""
NEEDED = {"id", "vector", *FIELDS}
_TEXT = {"dataType": "VarChar", "elementTypeParams": {"max_length": TEXT_BYTES}}
SCHEMA: list[dict[str, Any]] = [
    {"fieldName": "id", "dataType": "VarChar", "isPrimary": True, "elementTypeParams": {"max_length": 64}},
    {"fieldName": "question", **_TEXT},
    {"fieldName": "answer", **_TEXT},
    {"fieldName": "context", "dataType": "VarChar", "isPartitionKey": True, "elementTypeParams": {"max_length": 256}},
    {"fieldName": "entry", "dataType": "VarChar", "elementTypeParams": {"max_length": 256}},
    {"fieldName": "created", "dataType": "Double"},
    {"fieldName": "expires", "dataType": "Double"},
]
"""The fields beside the vector."""
METRICS: dict[str, Callable[[float], float]] = {
    "COSINE": lambda score: score,
    "IP": lambda score: score,
    "L2": lambda distance: 1 - distance / 2,
}
