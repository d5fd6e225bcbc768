"""Qdrant's REST API as its OpenAPI file has it (api.qdrant.tech): collections, payload indexes, points.

Scores of `Cosine` are cosines ("Collections"); ids are unsigned integers or UUIDs ("Points"); a filter needs an index
of its field where Qdrant is strict ("Indexing", "Strict mode"). Entry point: `qdrant`.
"""

from __future__ import annotations

import uuid

from support.vectorstores.strict import KEY, Memory, Strict, exactly

GONE = 404, {"status": {"error": "Not found: Collection `answers` doesn't exist!"}, "time": 0.0}
TAKEN = 409, {"status": {"error": "Wrong input: Collection `answers` already exists!"}, "time": 0.0}
HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, "max_indexing_threads": 0, "on_disk": False}
OPTIMIZER = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "flush_interval_sec": 5,
}


class _Qdrant:
    def __init__(self):
        self.memory = Memory(gone=GONE)
        self.indexed = {}

    def describe(self):
        self.memory.insist()
        vectors = {"size": self.memory.dim, "distance": "Cosine"}
        return self.well(
            {
                "status": "green",
                "optimizer_status": "ok",
                "points_count": len(self.memory.points),
                "segments_count": 1,
                "config": {"params": {"vectors": vectors}, "hnsw_config": HNSW, "optimizer_config": OPTIMIZER},
                "payload_schema": {name: {"data_type": kind, "points": 0} for name, kind in self.indexed.items()},
            }
        )

    def create(self, body):
        if self.memory.dim is not None:
            return TAKEN
        exactly(body, "vectors")
        exactly(body["vectors"], "size", "distance")
        assert body["vectors"]["distance"] in {"Cosine", "Euclid", "Dot", "Manhattan"}
        assert 1 <= body["vectors"]["size"] <= 65_536
        self.memory.dim = body["vectors"]["size"]
        return self.well(result=True)

    def index(self, body):
        self.memory.insist()
        exactly(body, "field_name", "field_schema")
        assert body["field_schema"] in {"keyword", "float", "integer"}
        self.indexed[body["field_name"]] = body["field_schema"]
        return self.well({"operation_id": 1, "status": "completed"})

    def put(self, body):
        exactly(body, "points")
        for point in body["points"]:
            exactly(point, "id", "vector", "payload")
            self.memory.put(identified(point["id"]), point["vector"], point["payload"])
        return self.well({"operation_id": 2, "status": "completed"})

    def query(self, body):
        self.memory.insist()
        exactly(body, "query", "limit", "with_payload", "filter", with_vector=False)
        assert body["with_payload"] is True
        vector = body["query"]["nearest"] if isinstance(body["query"], dict) else body["query"]
        found = self.memory.near(vector, body["limit"], self.condition(body["filter"]))
        points = [{"id": one, "version": 1, "score": score, "payload": fields} for score, one, _, fields in found]
        return self.well({"points": points})

    def delete(self, body):
        self.memory.insist()
        if "filter" in body:
            exactly(body, "filter")
            gone = self.condition(body["filter"])
            self.memory.drop(lambda fields: not gone(fields))
        else:
            exactly(body, "points")
            for one in body["points"]:
                self.memory.points.pop(identified(one), None)
        return self.well({"operation_id": 3, "status": "completed"})

    def condition(self, filters):
        exactly(filters, "must")
        assert {one["key"] for one in filters["must"]} <= set(self.indexed), "a filter over what is not indexed"
        return lambda fields: all(self.holds(one, fields[one["key"]]) for one in filters["must"])

    @staticmethod
    def holds(one, value):
        if "match" in one:
            exactly(one, "key", "match")
            exactly(one["match"], "value")
            return value == one["match"]["value"]
        exactly(one, "key", "range")
        [(relation, bound)] = one["range"].items()
        return {"gt": value > bound, "lte": value <= bound}[relation]

    @staticmethod
    def well(result):
        return 200, {"result": result, "status": "ok", "time": 0.001}


def identified(one):
    """Insist on a UUID, the one kind of id that is a text, and return it as Qdrant writes it."""
    return str(uuid.UUID(one))


def qdrant() -> Strict:
    """Return a Qdrant with no collection, which can have one called `answers`."""
    one = _Qdrant()
    return Strict(
        {
            ("GET", "/collections/answers"): one.describe,
            ("PUT", "/collections/answers"): one.create,
            ("PUT", r"/collections/answers/index\?wait=true"): one.index,
            ("PUT", r"/collections/answers/points\?wait=true"): one.put,
            ("POST", "/collections/answers/points/query"): one.query,
            ("POST", r"/collections/answers/points/delete\?wait=true"): one.delete,
        },
        {"api-key": KEY},
    )
