"""Qdrant's REST calls, done by the Qdrant inside its own client: runs in .venv-servers.

Bodies are read by the client's models, so that names, filters, ids and distances are judged by Qdrant's own code.
Started by `support.real_qdrant`.
"""

from __future__ import annotations

import warnings

from bridge import serve
from qdrant_client import QdrantClient, models

warnings.simplefilter("ignore")
CLIENT = QdrantClient(":memory:")
NAME = "answers"


def describe(_):
    """Tell what the collection is like."""
    if not CLIENT.collection_exists(NAME):
        return 404, {"status": {"error": f"Not found: Collection `{NAME}` doesn't exist!"}, "time": 0.0}
    return well(CLIENT.get_collection(NAME).model_dump(mode="json"))


def create(body):
    """Make the collection."""
    return well(CLIENT.create_collection(NAME, models.CreateCollection(**body).vectors))


def index(body):
    """Read what index of a field is wanted; this Qdrant needs none."""
    models.CreateFieldIndex(**body)
    return well({"operation_id": 1, "status": "completed"})


def put(body):
    """Keep points."""
    return well(CLIENT.upsert(NAME, models.PointsList(**body).points).model_dump(mode="json"))


def query(body):
    """Find points."""
    asked = models.QueryRequest(**body)
    found = CLIENT.query_points(
        NAME, query=asked.query, query_filter=asked.filter, limit=asked.limit, with_payload=asked.with_payload
    )
    return well(found.model_dump(mode="json"))


def delete(body):
    """Forget points."""
    kind = models.FilterSelector if "filter" in body else models.PointIdsList
    return well(CLIENT.delete(NAME, kind(**body)).model_dump(mode="json"))


def drop(_):
    """Remove the collection, for the next test."""
    return well(CLIENT.delete_collection(NAME))


def well(result):
    """Return a success as Qdrant words it."""
    return 200, {"result": result, "status": "ok", "time": 0.001}


def failed(error):
    """Return a refusal as Qdrant words it."""
    return 400, {"status": {"error": f"Wrong input: {error}"[:500]}, "time": 0.0}


CALLS = {each.__name__: each for each in (describe, create, index, put, query, delete, drop)}

if __name__ == "__main__":
    serve(CALLS, failed)
