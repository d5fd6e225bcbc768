"""Weaviate's REST and GraphQL API: a class, a batch of objects, `Get` with `nearVector` and `where`.

REST is that of its OpenAPI file (docs.weaviate.io, "REST API"); searches are those of "Vector similarity search" and
"Filters"; distances those of "Distance metrics"; names those of "Collection definition". An object of a class that is
not there makes one ("Auto-schema"), whose texts are cut into words. Entry point: `weaviate`.
"""

from __future__ import annotations

import re
import uuid

from support.vectorstores.graphql import get
from support.vectorstores.strict import KEY, Memory, Strict, exactly

MAXIMUM_RESULTS = 10_000
"""Of a search, and of a deletion by filter (`QUERY_MAXIMUM_RESULTS`)."""
KINDS = {"text": str, "number": int | float}


class _Weaviate:
    def __init__(self):
        self.memory = Memory()
        self.properties = None
        self.tokenization = {}

    def describe(self):
        if self.properties is None:
            return 404, None
        properties = [
            {"name": name, "dataType": [kind], **({"tokenization": self.tokenization[name]} if kind == "text" else {})}
            for name, kind in self.properties.items()
        ]
        index = {"vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine", "ef": -1}}
        return 200, {"class": "Answers", "vectorizer": "none", **index, "properties": properties}

    def create(self, body):
        assert re.fullmatch("[A-Z][_0-9A-Za-z]{0,255}", body["class"])
        if self.properties is not None:
            return 422, {"error": [{"message": "class name Answers already exists"}]}
        exactly(body, "class", "vectorizer", "vectorIndexConfig", "properties", vectorIndexType="hnsw")
        assert (body["class"], body["vectorizer"]) == ("Answers", "none")
        exactly(body["vectorIndexConfig"], "distance", skipDefaultQuantization=True)
        assert body["vectorIndexConfig"]["distance"] in {"cosine", "dot", "l2-squared", "manhattan", "hamming"}
        for one in body["properties"]:
            assert re.fullmatch("[_A-Za-z][_0-9A-Za-z]{0,230}", one["name"])
            more = {"indexFilterable", "indexSearchable"} | ({"tokenization"} if one["dataType"] == ["text"] else set())
            assert set(one) <= {"name", "dataType"} | more
        self.properties = {one["name"]: one["dataType"][0] for one in body["properties"]}
        self.tokenization = {one["name"]: one.get("tokenization", "word") for one in body["properties"]}
        return 200, body

    def put(self, body):
        exactly(body, "objects", fields=["ALL"])
        if self.properties is None:
            first = body["objects"][0]["properties"]
            self.properties = {name: "text" if isinstance(value, str) else "number" for name, value in first.items()}
            self.tokenization = dict.fromkeys(first, "word")
        for one in body["objects"]:
            exactly(one, "class", "id", "vector", "properties")
            assert one["class"] == "Answers"
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
            return 200, {"errors": [{"message": 'Cannot query field "Answers" on type "GetObjectsObj".'}], "data": None}
        asked = get(body["query"])
        assert asked.name == "Answers"
        if not {"nearVector", "where"} & set(asked.arguments):
            assert (asked.arguments, asked.fields) == ({"limit": 1}, {"_additional": {"vector": None}})
            first = [list(vector) for vector, _ in self.memory.points.values()][:1]
            return self.got([{"_additional": {"vector": vector}} for vector in first])
        exactly(asked.arguments, "limit", "nearVector", "where")
        exactly(asked.arguments["nearVector"], "vector")
        assert asked.fields == {**dict.fromkeys(self.properties), "_additional": {"distance": None}}
        assert asked.arguments["limit"] <= MAXIMUM_RESULTS
        keep = self.condition(asked.arguments["where"])
        if not self.memory.points:
            return self.got([])
        vector = [float(number) for number in asked.arguments["nearVector"]["vector"]]
        found = self.memory.near(vector, asked.arguments["limit"], keep)
        return self.got([{**fields, "_additional": {"distance": 1 - score}} for score, _, _, fields in found])

    def condition(self, where):
        exactly(where, "operator", "operands")
        context, expires = where["operands"]
        assert where["operator"] == ":And"
        exactly(context, "path", "operator", "valueText")
        exactly(expires, "path", "operator", "valueNumber")
        assert (context["path"], context["operator"]) == (["context"], ":Equal")
        assert (expires["path"], expires["operator"]) == (["expires"], ":GreaterThan")
        # Any other way to cut the text into words would find neighbors of other partitions.
        assert self.tokenization["context"] == "field"
        wanted, now = context["valueText"], expires["valueNumber"]
        assert isinstance(wanted, str)
        assert isinstance(now, int | float)
        return lambda fields: fields["context"] == wanted and fields["expires"] > now

    @staticmethod
    def got(objects):
        return 200, {"data": {"Get": {"Answers": objects}}}

    def delete(self, one):
        return (204, None) if self.memory.points.pop(one, None) else (404, None)

    def sweep(self, body):
        exactly(body, "match", dryRun=False, output="minimal")
        exactly(body["match"], "class", "where")
        where = body["match"]["where"]
        exactly(where, "path", "operator", "valueNumber")
        assert (where["path"], where["operator"]) == (["expires"], "LessThanEqual")
        self.memory.drop(lambda fields: fields["expires"] > where["valueNumber"])
        results = {"matches": 0, "limit": MAXIMUM_RESULTS, "successful": 0, "failed": 0}
        return 200, {"match": body["match"], "output": "minimal", "dryRun": False, "results": results}


def weaviate() -> Strict:
    """Return a Weaviate with no class, which can have one called `Answers`."""
    one = _Weaviate()
    return Strict(
        {
            ("GET", "/v1/schema/Answers"): one.describe,
            ("POST", "/v1/schema"): one.create,
            ("POST", "/v1/batch/objects"): one.put,
            ("DELETE", "/v1/batch/objects"): one.sweep,
            ("POST", "/v1/graphql"): one.graphql,
            ("DELETE", r"/v1/objects/Answers/([0-9a-f-]{36})"): one.delete,
        },
        {"authorization": f"Bearer {KEY}"},
    )
