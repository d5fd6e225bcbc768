"""Weaviate 1.19 and newer: a class of objects with vectors of ours, searched with GraphQL.

The distance of a class with `cosine` is 1 minus the cosine ("Distance metrics" in Weaviate's documentation).
Objects are written in one batch, each with a result of its own. Entry point: `Weaviate`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from ..chat import BackendError
from .remote import FIELDS, Found, Place, Row, Shape, Wanted


class Weaviate:
    """A class of Weaviate; its name begins with a capital letter, as Weaviate has it."""

    def __init__(self, place: Place) -> None:
        headers = {"authorization": f"Bearer {place.api_key}"} if place.api_key else {}
        self._http = place.client("Weaviate", headers, {401: KEY, 403: KEY, 410: "its GraphQL is switched off"})
        # Weaviate would do it itself, and then answer under that name.
        self._class = place.quoted[:1].upper() + place.quoted[1:]

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Weaviate"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the class is like, None when there is none. The dimension is that of the first object."""
        answer = await self._http.ask("GET", f"/v1/schema/{self._class}", accept=(200, 404), show=True)
        if answer.status == 404:  # noqa: PLR2004 - a status
            return None
        config = answer.body.get("vectorIndexConfig")
        if not config:
            raise BackendError(
                "Weaviate: this class has several named vectors, and one without a name is needed: "
                "name another `vector.collectionID`"
            )
        objects = await self._graphql(f"{{Get{{{self._class}(limit:1){{_additional{{vector}}}}}}}}")
        return Shape(config["distance"], len(objects[0]["_additional"]["vector"]) if objects else None)

    async def create(self, dim: int) -> None:  # noqa: ARG002 - it takes that of the first object
        """Make the class."""
        body = {
            "class": self._class,
            "vectorizer": "none",
            "vectorIndexType": "hnsw",
            # Since 1.33 Weaviate would keep 8 bits of each number ("Rotational quantization"), and blur the scores.
            "vectorIndexConfig": {"distance": "cosine", "skipDefaultQuantization": True},
            "properties": PROPERTIES,
        }
        await self._http.ask("POST", "/v1/schema", body, show=True)

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        objects = [{"class": self._class, "id": row.id, "vector": row.vector, "properties": row.fields} for row in rows]
        answer = await self._http.ask("POST", "/v1/batch/objects", {"objects": objects})
        results = [one["result"] for one in answer.body]
        if any(result.get("errors") or result.get("status") == "FAILED" for result in results):
            raise BackendError("Weaviate refused a point: is the dimension of the class another?")

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest. Its GraphQL writes texts as JSON does, and names without quotes."""
        where = (
            f'{{operator:And,operands:[{{path:["context"],operator:Equal,valueText:{json.dumps(wanted.context)}}},'
            f'{{path:["expires"],operator:GreaterThan,valueNumber:{wanted.now!r}}}]}}'
        )
        vector = orjson.dumps(wanted.vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        found = await self._graphql(
            f"{{Get{{{self._class}(limit:{wanted.count},nearVector:{{vector:{vector}}},where:{where})"
            f"{{{' '.join(FIELDS)} _additional{{distance}}}}}}}}"
        )
        return [Found(one["_additional"]["distance"], one) for one in found]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        for one in ids:
            await self._http.ask("DELETE", f"/v1/objects/{self._class}/{one}", accept=(204, 404), show=True)

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        where = {"path": ["expires"], "operator": "LessThanEqual", "valueNumber": now}
        body = {"match": {"class": self._class, "where": where}}
        await self._http.ask("DELETE", "/v1/batch/objects", body, show=True)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _graphql(self, query: str) -> list[dict[str, Any]]:
        """Return the objects that *query* gets. GraphQL's faults come with status 200."""
        answer = await self._http.ask("POST", "/v1/graphql", {"query": query}, show=True)
        if answer.body.get("errors"):
            raise BackendError(f"Weaviate could not search: {str(answer.body['errors'][0].get('message'))[:200]}")
        found: list[dict[str, Any]] = answer.body["data"]["Get"][self._class] or []
        return found


KEY = "check `vector.apiKey`"
_UNSEARCHED = {"dataType": ["text"], "indexFilterable": False, "indexSearchable": False}
_FILTERED = {"dataType": ["text"], "indexFilterable": True, "indexSearchable": False, "tokenization": "field"}
_NUMBER = {"dataType": ["number"]}
PROPERTIES: list[dict[str, Any]] = [
    {"name": "question", **_UNSEARCHED},
    {"name": "answer", **_UNSEARCHED},
    {"name": "context", **_FILTERED},
    {"name": "entry", **_FILTERED},
    {"name": "created", **_NUMBER},
    {"name": "expires", **_NUMBER},
]
METRICS: dict[str, Callable[[float], float]] = {
    "cosine": lambda distance: 1 - distance,
    "dot": lambda distance: -distance,
    "l2-squared": lambda distance: 1 - distance / 2,
}
