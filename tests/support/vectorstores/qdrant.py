"""Qdrant's REST API: collections, payload indexes, points. Entry point: `qdrant`."""

from __future__ import annotations

import uuid

from support.vectorstores.strict import KEY, Memory, Strict, exactly


class _Qdrant:
    def __init__(self):
        self.memory = Memory()
        self.indexed = {}

    def describe(self):
        if self.memory.dim is None:
            return 404, {"status": {"error": "Not found: Collection `it` doesn't exist!"}, "time": 0.0}
        vectors = {"size": self.memory.dim, "distance": "Cosine"}
        return self.well({"status": "green", "config": {"params": {"vectors": vectors}}})

    def create(self, body):
        assert self.memory.dim is None
        exactly(body, "vectors")
        exactly(body["vectors"], "size", "distance")
        assert body["vectors"]["distance"] in {"Cosine", "Euclid", "Dot", "Manhattan"}
        self.memory.dim = int(body["vectors"]["size"])
        return self.well(result=True)

    def index(self, body):
        exactly(body, "field_name", "field_schema")
        assert body["field_schema"] in {"keyword", "float", "integer"}
        self.indexed[body["field_name"]] = body["field_schema"]
        return self.well({"operation_id": 1, "status": "completed"})

    def put(self, body):
        exactly(body, "points")
        for point in body["points"]:
            exactly(point, "id", "vector", "payload")
            uuid.UUID(point["id"])
            self.memory.put(point["id"], point["vector"], point["payload"])
        return self.well({"operation_id": 2, "status": "completed"})

    def query(self, body):
        self.memory.insist()
        exactly(body, "query", "limit", "with_payload", "filter")
        assert body["with_payload"] is True
        found = self.memory.near(body["query"], body["limit"], self.condition(body["filter"]))
        points = [{"id": one, "version": 1, "score": score, "payload": fields} for score, one, _, fields in found]
        return self.well({"points": points})

    def delete(self, body):
        if "filter" in body:
            exactly(body, "filter")
            gone = self.condition(body["filter"])
            self.memory.drop(lambda fields: not gone(fields))
        else:
            exactly(body, "points")
            for one in body["points"]:
                self.memory.points.pop(str(uuid.UUID(one)), None)
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


def qdrant() -> Strict:
    """Return a Qdrant with no collection, which can have one called `it`."""
    one = _Qdrant()
    return Strict(
        {
            ("GET", "/collections/it"): one.describe,
            ("PUT", "/collections/it"): one.create,
            ("PUT", r"/collections/it/index\?wait=true"): one.index,
            ("PUT", r"/collections/it/points\?wait=true"): one.put,
            ("POST", "/collections/it/points/query"): one.query,
            ("POST", r"/collections/it/points/delete\?wait=true"): one.delete,
        },
        {"api-key": KEY},
    )
