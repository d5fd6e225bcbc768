"""Pinecone's data plane at the host of an index, as docs.pinecone.io/reference/api/2025-10/data-plane has it.

Limits are those of "Operation limits"; dense vectors have a number that is not zero ("Known limitations"); a filter
can delete ("Delete records"); a request names the API's version ("API versioning"). Entry point: `pinecone`.
"""

from __future__ import annotations

import json
import re

from support.vectorstores.strict import KEY, Memory, Strict, exactly

METADATA_BYTES = 40 * 1024
REQUEST_BYTES = 2 * 2**20
AT_ONCE = 1000
"""Vectors of an upsert, ids of a deletion."""
NO_NAMESPACE = 404, {"code": 5, "message": "Namespace not found", "details": []}


class _Pinecone:
    def __init__(self, dim):
        self.memory = Memory(dim)

    def stats(self, body):
        assert body == {}
        count = len(self.memory.points)
        namespaces = {"answers": {"vectorCount": count}} if count else {}
        stats = {"namespaces": namespaces, "dimension": self.memory.dim, "indexFullness": 0, "totalVectorCount": count}
        return 200, {**stats, "metric": "cosine", "vectorType": "dense"}

    def upsert(self, body):
        exactly(body, "vectors", "namespace")
        assert body["namespace"] == "answers"
        assert 0 < len(body["vectors"]) <= AT_ONCE
        for vector in body["vectors"]:
            exactly(vector, "id", "values", "metadata")
            assert vector["id"].isascii()
            assert 0 < len(vector["id"]) <= 512
            assert any(vector["values"])
            assert len(json.dumps(vector["metadata"], ensure_ascii=False).encode()) <= METADATA_BYTES
            assert all(isinstance(value, str | int | float | bool) for value in vector["metadata"].values())
            self.memory.put(vector["id"], vector["values"], vector["metadata"])
        return 200, {"upsertedCount": len(body["vectors"])}

    def query(self, body):
        exactly(body, "vector", "topK", "filter", "includeMetadata", "namespace", includeValues=False)
        assert body["namespace"] == "answers"
        assert body["topK"] <= 10_000
        found = self.memory.near(body["vector"], body["topK"], condition(body["filter"]))
        more = [{"metadata": fields} if body["includeMetadata"] else {} for *_, fields in found]
        matches = [{"id": one, "score": score, **also} for (score, one, *_), also in zip(found, more, strict=True)]
        return 200, {"matches": matches, "namespace": "answers", "usage": {"readUnits": 1}}

    def delete(self, body):
        assert body["namespace"] == "answers"
        if not self.memory.points:
            return NO_NAMESPACE
        if "filter" in body:
            exactly(body, "filter", "namespace")
            gone = condition(body["filter"])
            self.memory.drop(lambda fields: not gone(fields))
        else:
            exactly(body, "ids", "namespace")
            assert 0 < len(body["ids"]) <= AT_ONCE
            for one in body["ids"]:
                self.memory.points.pop(one, None)
        return 200, {}


def condition(filters):
    """Return what a filter over metadata says of a point ("Filter by metadata"); numbers have 64 bits."""
    assert filters
    parts = []
    for name, wanted in filters.items():
        [(relation, bound)] = wanted.items()
        assert isinstance(bound, str if relation == "$eq" else float)
        parts.append((name, RELATIONS[relation], bound))
    return lambda fields: all(holds(fields[name], bound) for name, holds, bound in parts)


RELATIONS = {"$eq": lambda a, b: a == b, "$gt": lambda a, b: a > b, "$lte": lambda a, b: a <= b}


class _Versioned(Strict):
    def __call__(self, asked):
        if not re.fullmatch(r"\d{4}-\d{2}", asked.headers.get("x-pinecone-api-version", "")):
            self.faults.append(f"{asked.path}: no version of the API")
        return super().__call__(asked)


def pinecone(dim: int = 32) -> Strict:
    """Return the host of an empty index of *dim* dimensions."""
    one = _Pinecone(dim)
    return _Versioned(
        {
            ("POST", "/describe_index_stats"): one.stats,
            ("POST", "/vectors/upsert"): one.upsert,
            ("POST", "/query"): one.query,
            ("POST", "/vectors/delete"): one.delete,
        },
        {"api-key": KEY},
        most=REQUEST_BYTES,
    )
