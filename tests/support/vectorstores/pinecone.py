"""Pinecone's data plane at the host of a serverless index: stats, upsert, query, delete. Entry point: `pinecone`."""

from __future__ import annotations

import json

from support.vectorstores.strict import KEY, Memory, Strict, exactly

METADATA_BYTES = 40 * 1024
UPSERTED = 1000


class _Pinecone:
    def __init__(self, dim):
        self.memory = Memory(dim)

    def stats(self, body):
        assert body == {}
        count = len(self.memory.points)
        namespaces = {"it": {"vectorCount": count}} if count else {}
        stats = {"namespaces": namespaces, "dimension": self.memory.dim, "indexFullness": 0, "totalVectorCount": count}
        return 200, {**stats, "metric": "cosine", "vectorType": "dense"}

    def upsert(self, body):
        exactly(body, "vectors", "namespace")
        assert body["namespace"] == "it"
        assert 0 < len(body["vectors"]) <= UPSERTED
        for vector in body["vectors"]:
            exactly(vector, "id", "values", "metadata")
            assert len(json.dumps(vector["metadata"], ensure_ascii=False).encode()) <= METADATA_BYTES
            assert all(isinstance(value, str | int | float | bool) for value in vector["metadata"].values())
            self.memory.put(vector["id"], vector["values"], vector["metadata"])
        return 200, {"upsertedCount": len(body["vectors"])}

    def query(self, body):
        asked = {"vector", "topK", "filter", "includeMetadata", "namespace"}
        exactly({name: None for name in body if name != "includeValues"}, *asked)
        assert body["namespace"] == "it"
        assert body["topK"] <= 10_000
        filters = body["filter"]
        exactly(filters, "context", "expires")
        exactly(filters["context"], "$eq")
        [(relation, bound)] = filters["expires"].items()
        holds = {"$gt": lambda value: value > bound, "$lte": lambda value: value <= bound}[relation]
        found = self.memory.near(
            body["vector"],
            body["topK"],
            lambda fields: fields["context"] == filters["context"]["$eq"] and holds(fields["expires"]),
        )
        more = [{"metadata": fields} if body["includeMetadata"] else {} for *_, fields in found]
        matches = [{"id": one, "score": score, **also} for (score, one, *_), also in zip(found, more, strict=True)]
        return 200, {"matches": matches, "namespace": "it", "usage": {"readUnits": 1}}

    def delete(self, body):
        exactly(body, "ids", "namespace")
        assert 0 < len(body["ids"]) <= UPSERTED
        if not self.memory.points:
            return 404, {"code": 5, "message": "Namespace not found", "details": []}
        for one in body["ids"]:
            self.memory.points.pop(one, None)
        return 200, {}


def pinecone(dim: int = 32) -> Strict:
    """Return the host of an empty index of *dim* dimensions."""
    one = _Pinecone(dim)
    return Strict(
        {
            ("POST", "/describe_index_stats"): one.stats,
            ("POST", "/vectors/upsert"): one.upsert,
            ("POST", "/query"): one.query,
            ("POST", "/vectors/delete"): one.delete,
        },
        {"api-key": KEY},
    )
