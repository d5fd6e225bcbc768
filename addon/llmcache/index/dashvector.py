"""DashVector, Alibaba Cloud's vector store, over its HTTP API.

Every answer has a `code`, 0 for success, and so has each point of a write. Sources disagree whether the `score` of
metric `cosine` is a distance or a similarity, so the vectors are asked back and compared here.
As with Higress the question is the field `query`. Its numbers have 32 bits: times that are compared are whole
seconds. Entry point: `DashVector`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..chat import BackendError
from .lindorm import cosine
from .remote import Found, Place, Row, Shape, Wanted

LAST = 2**31 - 1
"""The last second that its INT holds, in 2038; who expires later does not expire."""
INEXISTENT = -2021
"""The code for a collection that is not there."""
BATCH = 100
"""Points that are asked back at once with their vectors, and swept at once: the most that it gives."""


class DashVector:
    """A collection of DashVector; the URL has the endpoint of the cluster."""

    def __init__(self, place: Place) -> None:
        headers = {"dashvector-auth-token": place.api_key}
        self._http = place.client("DashVector", headers, {401: KEY, 403: KEY})
        self._collection = place.collection
        self._path = f"/v1/collections/{place.quoted}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return "DashVector"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the collection is like, None when there is none."""
        answer = await self._http.ask("GET", self._path, accept=(200, 404), show=True)
        if answer.body["code"] == INEXISTENT:
            return None
        output = self._output(answer.body)
        return Shape(output.get("metric", "cosine"), output["dimension"])

    async def create(self, dim: int) -> None:
        """Make the collection. A cluster takes some seconds until it can be used."""
        body = {"name": self._collection, "dimension": dim, "metric": "cosine", "fields_schema": SCHEMA}
        self._output((await self._http.ask("POST", "/v1/collections", body, show=True)).body)

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        docs = [{"id": row.id, "vector": row.vector, "fields": _written(row.fields)} for row in rows]
        answer = await self._http.ask("POST", f"{self._path}/docs/upsert", {"docs": docs})
        for one in self._output(answer.body, show=False):
            if one["code"]:
                raise BackendError(f"DashVector refused a point with code {one['code']}{_remedy(one['code'])}")

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest, compared here."""
        body = {
            "vector": wanted.vector,
            "topk": min(wanted.count, BATCH),
            "include_vector": True,
            "filter": f"context = '{wanted.context}' and expires > {math.floor(wanted.now)}",
        }
        found = await self._query(body)
        return [Found(cosine(wanted.vector, one["vector"]), _read(one["fields"])) for one in found]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        self._output((await self._http.ask("DELETE", f"{self._path}/docs", {"ids": list(ids)}, show=True)).body)

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget some of what has expired."""
        filters = f"expires <= {math.floor(now)}"
        found = await self._query({"topk": BATCH, "include_vector": False, "filter": filters})
        if ids := [one["id"] for one in found]:
            await self.delete(ids)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()

    async def _query(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._output(
            (await self._http.ask("POST", f"{self._path}/query", body, show=True)).body
        )
        return found

    def _output(self, body: dict[str, Any], *, show: bool = True) -> Any:
        """Return what an answer holds, if it is a success."""
        if body["code"]:
            said = f" ({body.get('message')})" if show else ""
            raise BackendError(f"DashVector refused with code {body['code']}{said}{_remedy(body['code'])}")
        return body.get("output") or []


def _written(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields under DashVector's names and with its kind of times."""
    texts = {name: fields[name] for name in ("answer", "context", "entry")}
    times = {"created": repr(fields["created"]), "expires": min(math.floor(fields["expires"]), LAST)}
    return {"query": fields["question"], **texts, **times}


def _read(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "question": fields.get("query"), "created": float(fields.get("created", "nan"))}


def _remedy(code: int) -> str:
    """Return what to do about a refusal, in words that follow it."""
    return f": {REMEDIES[code]}" if code in REMEDIES else ""


KEY = "check `vector.apiKey`"
REMEDIES = {
    -2019: "another embedding model needs another `vector.collectionID`",
    -2030: "the collection was just made, and can be used in some seconds",
    -2034: "it gets too many calls",
    -2042: "`vector.collectionID` has 3 to 32 letters, digits, _ and -",
}
"""Code -> what to do about it ("Return status codes")."""
SCHEMA = {
    "query": "STRING",
    "answer": "STRING",
    "context": "STRING",
    "entry": "STRING",
    "created": "STRING",
    "expires": "INT",
}
METRICS: dict[str, Callable[[float], float]] = dict.fromkeys(("cosine", "dotproduct", "euclidean"), lambda score: score)
"""Whatever the collection measures by, unit vectors come in the same order, and the score is ours."""
