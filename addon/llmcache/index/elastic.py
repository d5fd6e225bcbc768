"""Documents over the protocol of Elasticsearch, which Lindorm speaks too: all but the search by vector.

Fields `embedding`, `question` and `answer` are those of Higress; the others are ours.
Writes wait for the next refresh, after which they are found. It does not know how vectors are compared.
Entry points: `Documents`, `filters`, `found`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..chat import BackendError
from .remote import Found, Place, Row, Wanted


class Documents:
    """An index of the service *name*; an API key, or user and password."""

    def __init__(self, name: str, place: Place) -> None:
        self._http = place.client(name, _headers(place), {401: KEY, 403: KEY})
        self._name, self._index = name, place.quoted

    async def fields(self) -> dict[str, Any] | None:
        """Return how the fields of the index are mapped, None when there is no index."""
        answer = await self._http.ask("GET", f"/{self._index}/_mapping", accept=(200, 404), show=True)
        if answer.status == 404:  # noqa: PLR2004 - a status
            return None
        # The index has another name here where ours is an alias.
        (index,) = answer.body.values()
        fields: dict[str, Any] = index["mappings"].get("properties", {})
        return fields

    def vector_field(self, fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Return how the vector is mapped. Raises `BackendError` when no vector of this kind can be searched."""
        field: dict[str, Any] = fields.get(VECTOR_FIELD, {})
        if field.get("type") != kind or field.get("index") is False:
            raise BackendError(
                f"{self._name}: the field `{VECTOR_FIELD}` of this index is no {kind} that can be searched: "
                "name another `vector.collectionID`, which is then made"
            )
        return field

    async def create(self, body: dict[str, Any]) -> None:
        """Make the index."""
        await self._http.ask("PUT", f"/{self._index}", body, show=True)

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        lines: list[dict[str, Any]] = []
        for row in rows:
            lines += [{"index": {"_id": row.id}}, {VECTOR_FIELD: row.vector, **row.fields}]
        await self._bulk(lines, (200, 201))

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._bulk([{"delete": {"_id": one}} for one in ids], (200, 404))

    async def _bulk(self, lines: Sequence[dict[str, Any]], accept: tuple[int, ...]) -> None:
        """Do many things at once. Each has a status of its own; the whole is 200 whatever they are."""
        body = b"".join(orjson.dumps(line, option=_LINE) for line in lines)
        headers = {"content-type": "application/x-ndjson"}
        answer = await self._http.ask("POST", f"/{self._index}/_bulk?refresh=wait_for", body, headers=headers)
        results = [next(iter(item.values())) for item in answer.body["items"]]
        for result in results:
            if result["status"] not in accept:
                kind = result.get("error", {}).get("type", "no reason given")
                raise BackendError(f"{self._name} refused a point with {result['status']} ({kind})")

    async def search(self, body: dict[str, Any]) -> Any:
        """Return the hits."""
        answer = await self._http.ask("POST", f"/{self._index}/_search", body, show=True)
        if answer.body.get("timed_out"):
            raise BackendError(f"{self._name} ran out of time before it had looked everywhere")
        return answer.body["hits"]["hits"]

    async def sweep(self, now: float) -> None:
        """Forget what has expired."""
        query = {"query": {"range": {"expires": {"lte": now}}}}
        await self._http.ask("POST", f"/{self._index}/_delete_by_query?conflicts=proceed", query, show=True)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._http.close()


def filters(wanted: Wanted) -> list[dict[str, Any]]:
    """Return the conditions that a point must meet."""
    return [{"term": {"context": wanted.context}}, {"range": {"expires": {"gt": wanted.now}}}]


def found(hits: Sequence[Mapping[str, Any]]) -> list[Found]:
    """Return the hits with the store's own scores."""
    return [Found(hit["_score"], hit["_source"]) for hit in hits]


def _headers(place: Place) -> dict[str, str]:
    if place.api_key:
        return {"authorization": f"ApiKey {place.api_key}"}
    if place.user or place.password:
        return {"authorization": "Basic " + base64.b64encode(f"{place.user}:{place.password}".encode()).decode()}
    return {}


VECTOR_FIELD = "embedding"
OTHER_FIELDS: dict[str, dict[str, Any]] = {
    "question": {"type": "text", "index": False},
    "answer": {"type": "text", "index": False},
    "context": {"type": "keyword"},
    "entry": {"type": "keyword"},
    "created": {"type": "double"},
    "expires": {"type": "double"},
}
"""How the fields beside the vector are mapped: what is not filtered by is not indexed."""
KEY = "check `vector.apiKey`, or `vector.esUsername` and `vector.esPassword`, and what they may do"
_LINE = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
