"""DashVector's HTTP API as help.aliyun.com/document_detail/2510281.html and its neighbors have it: each answer a code.

Names, batches and `topk` are bounded as in "Constraints and limits" and Alibaba's own SDK; filters are those of
"Conditional filtering", integers of 32 bits; codes those of "Return status codes". Entry point: `dashvector`.
"""

from __future__ import annotations

import re

from support.vectorstores.strict import KEY, Memory, Strict, exactly

TYPES = {"STRING": str, "INT": int}
DOC_ID = re.compile(r"[a-zA-Z0-9_\-!@#$%+=.]{1,64}")
NAME = re.compile(r"[a-zA-Z0-9_\-]{3,32}")
CONDITION = re.compile(r"context = '([0-9a-zA-Z]*)' and expires > (\d+)")
GONE = 200, {"code": -2021, "message": "Inexistent Collection", "request_id": "1"}
INT_MOST = 2**31 - 1


class _DashVector:
    def __init__(self):
        self.memory = Memory(gone=GONE)
        self.schema = {}

    def describe(self):
        if self.memory.dim is None:
            return GONE
        output = {
            "name": "answers",
            "dimension": self.memory.dim,
            "dtype": "FLOAT",
            "metric": "cosine",
            "status": "SERVING",
        }
        return self.well({**output, "fields_schema": self.schema, "partitions": {"default": "SERVING"}})

    def create(self, body):
        if self.memory.dim is not None:
            return 200, {"code": -2025, "message": "Duplicate Collection", "request_id": "1"}
        exactly(body, "name", "dimension", "metric", "fields_schema", dtype="FLOAT")
        assert NAME.fullmatch(body["name"])
        assert 1 < body["dimension"] <= 20_000
        assert (body["name"], body["metric"]) == ("answers", "cosine")
        assert set(body["fields_schema"].values()) <= set(TYPES)
        self.memory.dim, self.schema = body["dimension"], body["fields_schema"]
        return self.well(None)

    def upsert(self, body):
        exactly(body, "docs", partition=None)
        assert 0 < len(body["docs"]) <= 1024
        for doc in body["docs"]:
            exactly(doc, "id", "vector", "fields", score=0.0)
            assert len(doc["fields"]) <= 1024
            assert DOC_ID.fullmatch(doc["id"])
            for name, value in doc["fields"].items():
                assert isinstance(value, TYPES[self.schema[name]]), name
                assert isinstance(value, str) or abs(value) <= INT_MOST
            self.memory.put(doc["id"], doc["vector"], doc["fields"])
        return self.well([{"doc_op": "upsert", "id": doc["id"], "code": 0, "message": ""} for doc in body["docs"]])

    def query(self, body):
        if "vector" not in body:
            exactly(body, "topk", "include_vector", "filter", id=None, output_fields=[])
            assert 1 <= body["topk"] <= 1024
            bound = int(re.fullmatch(r"expires <= (\d+)", body["filter"])[1])
            gone = [one for one, (_, fields) in self.memory.points.items() if fields["expires"] <= bound]
            return self.well([{"id": one, "fields": {}, "score": 0} for one in gone[: body["topk"]]])
        exactly(body, "vector", "topk", "include_vector", "filter", id=None, output_fields=[])
        assert body["include_vector"] is True
        assert body["topk"] <= 100
        context, bound = CONDITION.fullmatch(body["filter"]).groups()
        found = self.memory.near(
            body["vector"],
            body["topk"],
            lambda fields: fields["context"] == context and fields["expires"] > int(bound),
        )
        return self.well(
            [
                {"id": one, "vector": [float(number) for number in vector], "fields": fields, "score": 1 - score}
                for score, one, vector, fields in found
            ]
        )

    def delete(self, body):
        exactly(body, "ids", delete_all=False, filter="", partition="")
        assert 0 < len(body["ids"]) <= 1024
        for one in body["ids"]:
            assert DOC_ID.fullmatch(one)
            self.memory.points.pop(one, None)
        return self.well([{"doc_op": "delete", "id": one, "code": 0, "message": ""} for one in body["ids"]])

    @staticmethod
    def well(output):
        answer = {"code": 0, "request_id": "19215409-ea66-4db9-8764-26ce2eb5bb99", "message": "Success"}
        return 200, answer if output is None else {**answer, "output": output}


def dashvector() -> Strict:
    """Return a DashVector with no collection, which can have one called `answers`."""
    one = _DashVector()
    return Strict(
        {
            ("POST", "/v1/collections"): one.create,
            ("GET", "/v1/collections/answers"): one.describe,
            ("POST", "/v1/collections/answers/docs/upsert"): one.upsert,
            ("DELETE", "/v1/collections/answers/docs"): one.delete,
            ("POST", "/v1/collections/answers/query"): one.query,
        },
        {"dashvector-auth-token": KEY},
    )
