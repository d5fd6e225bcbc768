"""Milvus' REST API v2 (milvus.io/api-reference/restful): collections with a schema, entities with filter expressions.

Limits are those of "Milvus limits"; distances those of "Metric types"; filters those of "Filtering explained".
The same requests go to a real Milvus Lite, see `support.real_milvus`. Entry point: `milvus`.
"""

from __future__ import annotations

import json
import re

from support.vectorstores.strict import KEY, Memory, Strict, exactly

TYPES = {"VarChar": str, "Double": float}
TEXT_BYTES = 65_535
GONE = 200, {"code": 100, "message": "can't find collection[database=default][collection=answers]"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
SEARCH = re.compile(r'context == ("[^"]*") and expires > ([0-9.e+]+)')


class _Milvus:
    def __init__(self):
        self.memory = Memory(gone=GONE)
        self.fields = {}
        self.index = {}

    def has(self, body):
        exactly(body, "collectionName")
        return self.well({"has": self.memory.dim is not None})

    def describe(self, body):
        exactly(body, "collectionName")
        if self.memory.dim is None:
            return GONE
        fields = [
            {"autoId": False, "id": 100 + number, "name": name, "type": field["dataType"]}
            for number, (name, field) in enumerate(self.fields.items())
        ]
        for field in fields:
            if field["name"] == "vector":
                field["params"] = [{"key": "dim", "value": str(self.memory.dim)}]
        index = {"fieldName": "vector", "indexName": "vector", "metricType": self.index["metricType"]}
        return self.well(
            {
                "autoId": False,
                "collectionName": "answers",
                "enableDynamicField": False,
                "fields": fields,
                "indexes": [index],
                "load": "LoadStateLoaded",
            }
        )

    def create(self, body):
        if self.memory.dim is not None:
            return 200, {"code": 65535, "message": "duplicated collection name with different params"}
        assert NAME.fullmatch(body["collectionName"])
        exactly(body, "collectionName", "schema", "indexParams")
        exactly(body["schema"], "autoID", "enableDynamicField", "fields")
        for field in body["schema"]["fields"]:
            assert {"fieldName", "dataType", "elementTypeParams"} <= set(field)
            assert set(field) <= {"fieldName", "dataType", "elementTypeParams", "isPrimary", "isPartitionKey"}
            assert (field["dataType"] == "VarChar") == ("max_length" in field["elementTypeParams"])
        self.fields = {field["fieldName"]: field for field in body["schema"]["fields"]}
        assert [name for name, field in self.fields.items() if field.get("isPrimary")] == ["id"]
        assert [name for name, field in self.fields.items() if field.get("isPartitionKey")] == ["context"]
        [self.index] = body["indexParams"]
        exactly(self.index, "fieldName", "indexName", "metricType", "indexType")
        self.memory.dim = int(self.fields["vector"]["elementTypeParams"]["dim"])
        return self.well({})

    def upsert(self, body):
        exactly(body, "collectionName", "data")
        for entity in body["data"]:
            exactly(entity, *self.fields)
            for name, field in self.fields.items():
                if name != "vector":
                    assert isinstance(entity[name], TYPES[field["dataType"]]), name
                if field["dataType"] == "VarChar":
                    assert len(entity[name].encode()) <= field["elementTypeParams"]["max_length"] <= TEXT_BYTES
            self.memory.put(entity["id"], entity["vector"], entity)
        ids = [entity["id"] for entity in body["data"]]
        return self.well({"upsertCount": len(ids), "upsertIds": ids})

    def search(self, body):
        exactly(body, "collectionName", "data", "annsField", "filter", "limit", "outputFields", "consistencyLevel")
        assert (body["annsField"], body["consistencyLevel"]) == ("vector", "Strong")
        assert body["limit"] <= 16_384
        context, bound = SEARCH.fullmatch(body["filter"]).groups()
        [vector] = body["data"]
        found = self.memory.near(
            vector,
            body["limit"],
            lambda fields: fields["context"] == json.loads(context) and fields["expires"] > float(bound),
        )
        return self.well(
            [
                {"distance": score, "id": one, **{name: fields[name] for name in body["outputFields"]}}
                for score, one, _, fields in found
            ]
        )

    def delete(self, body):
        exactly(body, "collectionName", "filter")
        if swept := re.fullmatch(r"expires <= ([0-9.e+]+)", body["filter"]):
            self.memory.drop(lambda fields: fields["expires"] > float(swept[1]))
        else:
            for one in json.loads(re.fullmatch(r"id in (\[.+\])", body["filter"])[1]):
                self.memory.points.pop(one, None)
        return self.well({})

    @staticmethod
    def well(data):
        return 200, {"code": 0, "cost": 0, "data": data}


def milvus() -> Strict:
    """Return a Milvus with no collection, which can have one called `answers`."""
    one = _Milvus()
    collections, entities = "/v2/vectordb/collections", "/v2/vectordb/entities"
    return Strict(
        {
            ("POST", f"{collections}/has"): one.has,
            ("POST", f"{collections}/describe"): one.describe,
            ("POST", f"{collections}/create"): one.create,
            ("POST", f"{entities}/upsert"): one.upsert,
            ("POST", f"{entities}/search"): one.search,
            ("POST", f"{entities}/delete"): one.delete,
        },
        {"authorization": f"Bearer {KEY}"},
    )
