"""Milvus' REST calls, done by a real Milvus Lite: runs in .venv-servers.

Milvus Lite speaks gRPC only. This translates names and nothing else, so that schema, filters, partition key, upserts
and distances are judged by Milvus itself. Started by `support.real_milvus`, with the file of its data.
"""

from __future__ import annotations

import functools
import sys

from bridge import serve
from pymilvus import DataType, MilvusClient

TYPES = {"VarChar": DataType.VARCHAR, "Double": DataType.DOUBLE, "FloatVector": DataType.FLOAT_VECTOR}


def has(client, name, _):
    """Tell whether there is the collection."""
    return {"has": client.has_collection(name)}


def describe(client, name, _):
    """Tell what the collection is like."""
    found, index = client.describe_collection(name), client.describe_index(name, "vector")
    fields = [{"name": field["name"]} for field in found["fields"]]
    for field, known in zip(fields, found["fields"], strict=True):
        if "dim" in known["params"]:
            field["params"] = [{"key": "dim", "value": str(known["params"]["dim"])}]
    return {
        "autoId": found["auto_id"],
        "enableDynamicField": found["enable_dynamic_field"],
        "fields": fields,
        "indexes": [{"fieldName": "vector", "metricType": index["metric_type"]}],
    }


def create(client, name, body):
    """Make the collection."""
    wanted, [index] = body["schema"], body["indexParams"]
    schema = client.create_schema(auto_id=wanted["autoID"], enable_dynamic_field=wanted["enableDynamicField"])
    for field in wanted["fields"]:
        schema.add_field(
            field["fieldName"],
            TYPES[field["dataType"]],
            is_primary=field.get("isPrimary", False),
            is_partition_key=field.get("isPartitionKey", False),
            **field["elementTypeParams"],
        )
    indexes = client.prepare_index_params()
    indexes.add_index(field_name="vector", metric_type=index["metricType"], index_type=index["indexType"])
    client.create_collection(name, schema=schema, index_params=indexes)
    return {}


def upsert(client, name, body):
    """Keep entities."""
    client.upsert(name, body["data"])
    return {}


def delete(client, name, body):
    """Forget entities."""
    client.delete(name, filter=body["filter"])
    return {}


def search(client, name, body):
    """Find entities."""
    [found] = client.search(
        name,
        data=body["data"],
        anns_field=body["annsField"],
        filter=body["filter"],
        limit=body["limit"],
        output_fields=body["outputFields"],
        consistency_level=body["consistencyLevel"],
    )
    return [{"id": one["id"], "distance": one["distance"], **one["entity"]} for one in found]


def drop(client, name, _):
    """Remove the collection: not of the REST API, but for the next test."""
    client.drop_collection(name)
    return {}


def done(call, client, body):
    """Do a call."""
    return {"code": 0, "data": call(client, body["collectionName"], body)}


def failed(error):
    """Return a refusal as Milvus words it."""
    return {"code": 1100, "message": f"{type(error).__name__}: {error}"[:500]}


CALLS = {
    "collections/has": has,
    "collections/describe": describe,
    "collections/create": create,
    "entities/upsert": upsert,
    "entities/delete": delete,
    "entities/search": search,
    "drop": drop,
}

if __name__ == "__main__":
    open_client = MilvusClient(sys.argv[1])
    serve({name: functools.partial(done, call, open_client) for name, call in CALLS.items()}, failed)
