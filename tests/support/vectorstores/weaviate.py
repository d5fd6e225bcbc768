"""Weaviate's REST and GraphQL API: a class, a batch of objects, `Get` with `nearVector` and `where`.

Entry point: `weaviate`.
"""

from __future__ import annotations

import json
import re
import uuid

from support.vectorstores.strict import KEY, Memory, Strict, exactly

NAMES = "question answer context entry created expires"
GET = re.compile(
    r"\{Get\{It\(limit:(?P<limit>\d+),nearVector:\{vector:(?P<vector>\[[^\]]*\])\},"
    r'where:\{operator:And,operands:\[\{path:\["context"\],operator:Equal,valueText:(?P<context>"[^"]*")\},'
    r'\{path:\["expires"\],operator:GreaterThan,valueNumber:(?P<now>[0-9.]+)\}\]\}\)'
    rf"\{{{NAMES} _additional\{{distance\}}\}}\}}\}}"
)
KINDS = {"text": str, "number": int | float}


class _Weaviate:
    def __init__(self):
        self.memory = Memory()
        self.properties = None

    def describe(self):
        if self.properties is None:
            return 404, None
        properties = [{"name": name, "dataType": [kind]} for name, kind in self.properties.items()]
        config = {"distance": "cosine", "ef": -1}
        return 200, {"class": "It", "vectorizer": "none", "vectorIndexConfig": config, "properties": properties}

    def create(self, body):
        assert self.properties is None
        exactly(body, "class", "vectorizer", "vectorIndexConfig", "properties")
        assert (body["class"], body["vectorizer"]) == ("It", "none")
        assert body["vectorIndexConfig"] == {"distance": "cosine"}
        self.properties = {one["name"]: one["dataType"][0] for one in body["properties"]}
        [context] = [one for one in body["properties"] if one["name"] == "context"]
        # Any other way to cut the text into words would find neighbors of other partitions.
        assert context["tokenization"] == "field"
        return 200, body

    def put(self, body):
        exactly(body, "objects")
        if self.properties is None:
            return 422, {"error": [{"message": "class It not found"}]}
        for one in body["objects"]:
            exactly(one, "class", "id", "vector", "properties")
            uuid.UUID(one["id"])
            exactly(one["properties"], *self.properties)
            for name, kind in self.properties.items():
                assert isinstance(one["properties"][name], KINDS[kind])
            self.memory.dim = self.memory.dim or len(one["vector"])
            self.memory.put(one["id"], one["vector"], one["properties"])
        return 200, [{**one, "result": {"status": "SUCCESS"}} for one in body["objects"]]

    def graphql(self, body):
        exactly(body, "query")
        if self.properties is None:
            return 200, {"errors": [{"message": 'Cannot query field "It" on type "GetObjectsObj".'}], "data": None}
        if body["query"] == "{Get{It(limit:1){_additional{vector}}}}":
            first = [list(vector) for vector, _ in self.memory.points.values()][:1]
            return self.got([{"_additional": {"vector": vector}} for vector in first])
        asked = GET.fullmatch(body["query"])
        assert asked, "a query that is not the documented one"
        context, now = json.loads(asked["context"]), float(asked["now"])
        if not self.memory.points:
            return self.got([])
        found = self.memory.near(
            json.loads(asked["vector"]),
            int(asked["limit"]),
            lambda fields: fields["context"] == context and fields["expires"] > now,
        )
        return self.got([{**fields, "_additional": {"distance": 1 - score}} for score, _, _, fields in found])

    @staticmethod
    def got(objects):
        return 200, {"data": {"Get": {"It": objects}}}

    def delete(self, one):
        return (204, None) if self.memory.points.pop(one, None) else (404, None)

    def sweep(self, body):
        exactly(body, "match")
        exactly(body["match"], "class", "where")
        where = body["match"]["where"]
        exactly(where, "path", "operator", "valueNumber")
        assert (where["path"], where["operator"]) == (["expires"], "LessThanEqual")
        self.memory.drop(lambda fields: fields["expires"] > where["valueNumber"])
        return 200, {"match": body["match"], "results": {"matches": 0, "successful": 0, "failed": 0}}


def weaviate() -> Strict:
    """Return a Weaviate with no class, which can have one called `It`."""
    one = _Weaviate()
    return Strict(
        {
            ("GET", "/v1/schema/It"): one.describe,
            ("POST", "/v1/schema"): one.create,
            ("POST", "/v1/batch/objects"): one.put,
            ("DELETE", "/v1/batch/objects"): one.sweep,
            ("POST", "/v1/graphql"): one.graphql,
            ("DELETE", r"/v1/objects/It/([0-9a-f-]{36})"): one.delete,
        },
        {"authorization": f"Bearer {KEY}"},
    )
