"""Elasticsearch 8.4 and newer: an index with a `dense_vector`, asked by `knn`.

The score of similarity `cosine` is (1 + cosine) / 2, that of `l2_norm` is 1 / (1 + distance squared) ("Dense vector
field type" in Elastic's documentation). Our index keeps whole floats: the quantized default would blur the scores.
What is protocol and not search is in `elastic`. Entry point: `Elasticsearch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .elastic import OTHER_FIELDS, VECTOR_FIELD, Documents, filters, found
from .remote import Found, Place, Row, Shape, Wanted

CANDIDATES = 100
"""Points that each shard compares at least, of which the nearest are taken."""
MOST_CANDIDATES = 10_000
"""What Elasticsearch takes at the most ("kNN search in Elasticsearch")."""


class Elasticsearch:
    """An index of Elasticsearch; an API key, or user and password."""

    def __init__(self, place: Place) -> None:
        self._documents = Documents("Elasticsearch", place)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Elasticsearch"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the index is like, None when there is none."""
        fields = await self._documents.fields()
        if fields is None:
            return None
        vector = self._documents.vector_field(fields, "dense_vector")
        return Shape(vector.get("similarity", "cosine"), vector.get("dims"))

    async def create(self, dim: int) -> None:
        """Make the index."""
        vector = {
            "type": "dense_vector",
            "dims": dim,
            "index": True,
            "similarity": "cosine",
            "index_options": {"type": "hnsw"},
        }
        await self._documents.create(
            {"mappings": {"dynamic": False, "properties": {VECTOR_FIELD: vector, **OTHER_FIELDS}}}
        )

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        await self._documents.put(rows)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest."""
        knn = {
            "field": VECTOR_FIELD,
            "query_vector": wanted.vector,
            "k": wanted.count,
            "num_candidates": min(MOST_CANDIDATES, max(CANDIDATES, 2 * wanted.count)),
            "filter": filters(wanted),
        }
        body = {"knn": knn, "size": wanted.count, "_source": {"excludes": [VECTOR_FIELD]}}
        return found(await self._documents.search(body))

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._documents.delete(ids)

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._documents.sweep(now)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._documents.close()


def _of_inner_product(score: float) -> float:
    """Return the cosine of a score of `max_inner_product`: 1 + product from 0 on, 1 / (1 - product) below."""
    return score - 1 if score >= 1 else 1 - 1 / score


METRICS: dict[str, Callable[[float], float]] = {
    "cosine": lambda score: 2 * score - 1,
    "dot_product": lambda score: 2 * score - 1,
    "l2_norm": lambda score: 1 - (1 / score - 1) / 2,
    "max_inner_product": _of_inner_product,
}
