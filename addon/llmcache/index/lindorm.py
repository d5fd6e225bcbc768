"""Lindorm's vector engine: the protocol of Elasticsearch 7 with index settings and a search of its own.

The vector is a `knn_vector` of the engine `lvector`, asked by a `knn` query whose filter is applied while the graph is
walked (`efficient_filter`). Alibaba's documentation does not say what a score of `cosinesimil` is made of, so the
vectors are kept in the documents and compared here. Entry point: `Lindorm`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .door import Vector
from .elastic import OTHER_FIELDS, VECTOR_FIELD, Documents, filters
from .remote import Found, Place, Row, Shape, Wanted


class Lindorm:
    """An index of Lindorm; the URL is what LindormSearch gives for Elasticsearch, with port 30070."""

    def __init__(self, place: Place) -> None:
        self._documents = Documents("Lindorm", place)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "Lindorm"

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """See `METRICS`."""
        return METRICS

    async def describe(self) -> Shape | None:
        """Return what the index is like, None when there is none."""
        fields = await self._documents.fields()
        if fields is None:
            return None
        vector = self._documents.vector_field(fields, "knn_vector")
        return Shape(vector["method"]["space_type"], vector["dimension"])

    async def create(self, dim: int) -> None:
        """Make the index; the graph is built as points come, so it serves from the first one."""
        method = {
            "engine": "lvector",
            "name": "hnsw",
            "space_type": "cosinesimil",
            "parameters": {"m": 24, "ef_construction": 200},
        }
        vector = {"type": "knn_vector", "dimension": dim, "data_type": "float", "method": method}
        await self._documents.create(
            {
                "settings": {"index": {"number_of_shards": 1, "knn": True}},
                "mappings": {"properties": {VECTOR_FIELD: vector, **OTHER_FIELDS}},
            }
        )

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        await self._documents.put(rows)

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest, compared here."""
        knn = {"vector": wanted.vector, "k": wanted.count, "filter": {"bool": {"filter": filters(wanted)}}}
        body = {
            "size": wanted.count,
            "query": {"knn": {VECTOR_FIELD: knn}},
            "ext": {"lvector": {"filter_type": "efficient_filter"}},
        }
        sources = [hit["_source"] for hit in await self._documents.search(body)]
        return [Found(cosine(wanted.vector, source[VECTOR_FIELD]), source) for source in sources]

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these."""
        await self._documents.delete(ids)

    async def sweep(self, context: str, now: float) -> None:  # noqa: ARG002 - all contexts at once
        """Forget what has expired."""
        await self._documents.sweep(now)

    async def close(self) -> None:
        """Let go of every resource."""
        await self._documents.close()


def cosine(one: Vector, other: Sequence[float]) -> float:
    """Return the cosine of a unit vector and one that a store gave back.

    Raises `ValueError` for another dimension, and `ArithmeticError` for a length of zero.
    """
    numbers = np.asarray(other, np.float64)
    return float(one.astype(np.float64) @ numbers) / math.sqrt(numbers @ numbers)


METRICS: dict[str, Callable[[float], float]] = dict.fromkeys(("cosinesimil", "innerproduct", "l2"), lambda score: score)
"""Whatever the engine measures by, unit vectors come in the same order, and the score is ours."""
