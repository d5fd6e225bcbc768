"""Vector stores asked by their providers' own clients: runs in .venv-servers, started by `index/test_official_clients`.

The arguments are the name of a store, its URL and its key. A row is what `llmcache.index.remote.row` makes.
"""

from __future__ import annotations

import sys

from bridge import serve

NAME, URL, KEY = sys.argv[1:]


class Qdrant:
    """qdrant-client."""

    def __init__(self):
        from qdrant_client import QdrantClient, models

        self.models = models
        self.client = QdrantClient(url=URL, api_key=KEY, check_compatibility=False)

    def create(self, dim):
        models = self.models
        params = models.VectorParams(size=dim, distance=models.Distance.COSINE)
        self.client.create_collection("answers", vectors_config=params)
        self.client.create_payload_index("answers", "context", models.PayloadSchemaType.KEYWORD)
        self.client.create_payload_index("answers", "expires", models.PayloadSchemaType.FLOAT)
        return self.client.get_collection("answers").config.params.vectors.size

    def put(self, row):
        point = self.models.PointStruct(id=row["id"], vector=row["vector"], payload=row["fields"])
        self.client.upsert("answers", [point])

    def search(self, wanted):
        models = self.models
        conditions = [
            models.FieldCondition(key="context", match=models.MatchValue(value=wanted["context"])),
            models.FieldCondition(key="expires", range=models.Range(gt=wanted["now"])),
        ]
        found = self.client.query_points(
            "answers", query=wanted["vector"], query_filter=models.Filter(must=conditions), limit=5, with_payload=True
        )
        return [[one.payload["entry"], one.score] for one in found.points]

    def delete(self, one):
        self.client.delete("answers", self.models.PointIdsList(points=[one]))

    def sweep(self, now):
        condition = self.models.FieldCondition(key="expires", range=self.models.Range(lte=now))
        self.client.delete("answers", self.models.FilterSelector(filter=self.models.Filter(must=[condition])))


class Elasticsearch:
    """elasticsearch."""

    def __init__(self):
        from elasticsearch import Elasticsearch as Client

        self.client = Client(URL, api_key=KEY)

    def create(self, dim):
        vector = {"type": "dense_vector", "dims": dim, "index": True, "similarity": "cosine"}
        kinds = {"question": "text", "answer": "text", "context": "keyword", "entry": "keyword"}
        fields = {name: {"type": kind} for name, kind in kinds.items()}
        fields |= {name: {"type": "double"} for name in ("created", "expires")}
        fields["embedding"] = {**vector, "index_options": {"type": "hnsw"}}
        self.client.indices.create(index="answers", mappings={"dynamic": False, "properties": fields})
        found = self.client.indices.get_mapping(index="answers")
        return found["answers"]["mappings"]["properties"]["embedding"]["dims"]

    def put(self, row):
        document = {"embedding": row["vector"], **row["fields"]}
        lines = [{"index": {"_id": row["id"]}}, document]
        assert not self.client.bulk(index="answers", refresh="wait_for", operations=lines)["errors"]

    def search(self, wanted):
        filters = [{"term": {"context": wanted["context"]}}, {"range": {"expires": {"gt": wanted["now"]}}}]
        knn = {"field": "embedding", "query_vector": wanted["vector"], "k": 5, "num_candidates": 50, "filter": filters}
        found = self.client.search(index="answers", knn=knn, size=5, source={"excludes": ["embedding"]})
        return [[hit["_source"]["entry"], 2 * hit["_score"] - 1] for hit in found["hits"]["hits"]]

    def delete(self, one):
        self.client.bulk(index="answers", refresh="wait_for", operations=[{"delete": {"_id": one}}])

    def sweep(self, now):
        query = {"range": {"expires": {"lte": now}}}
        self.client.delete_by_query(index="answers", conflicts="proceed", query=query)


class Weaviate:
    """weaviate-client 3, the last one that speaks REST and GraphQL."""

    def __init__(self):
        import weaviate

        self.client = weaviate.Client(URL, weaviate.AuthApiKey(KEY), startup_period=None)

    def create(self, dim):
        texts = [
            {"name": name, "dataType": ["text"], "tokenization": "field"}
            for name in ("question", "answer", "context", "entry")
        ]
        numbers = [{"name": name, "dataType": ["number"]} for name in ("created", "expires")]
        made = {"class": "Answers", "vectorizer": "none", "vectorIndexConfig": {"distance": "cosine"}}
        self.client.schema.create_class({**made, "properties": texts + numbers})
        return dim if self.client.schema.get("Answers")["class"] == "Answers" else None

    def put(self, row):
        with self.client.batch as batch:
            batch.add_data_object(row["fields"], "Answers", row["id"], row["vector"])

    def search(self, wanted):
        where = [
            {"path": ["context"], "operator": "Equal", "valueText": wanted["context"]},
            {"path": ["expires"], "operator": "GreaterThan", "valueNumber": wanted["now"]},
        ]
        names = ["question", "answer", "context", "entry", "created", "expires"]
        query = self.client.query.get("Answers", names).with_near_vector({"vector": wanted["vector"]})
        query = query.with_where({"operator": "And", "operands": where}).with_limit(5).with_additional(["distance"])
        found = query.do()["data"]["Get"]["Answers"]
        return [[one["entry"], 1 - one["_additional"]["distance"]] for one in found]

    def delete(self, one):
        self.client.data_object.delete(one, class_name="Answers")

    def sweep(self, now):
        where = {"path": ["expires"], "operator": "LessThanEqual", "valueNumber": now}
        self.client.batch.delete_objects("Answers", where)


class Pinecone:
    """pinecone."""

    def __init__(self):
        from pinecone import Pinecone as Client

        self.index = Client(api_key=KEY).Index(host=URL)

    def create(self, _):
        return self.index.describe_index_stats().dimension

    def put(self, row):
        vector = {"id": row["id"], "values": row["vector"], "metadata": row["fields"]}
        self.index.upsert(vectors=[vector], namespace="answers")

    def search(self, wanted):
        filters = {"context": {"$eq": wanted["context"]}, "expires": {"$gt": wanted["now"]}}
        found = self.index.query(
            vector=wanted["vector"], top_k=5, namespace="answers", filter=filters, include_metadata=True
        )
        return [[match.metadata["entry"], match.score] for match in found.matches]

    def delete(self, one):
        self.index.delete(ids=[one], namespace="answers")

    def sweep(self, now):
        self.index.delete(filter={"expires": {"$lte": now}}, namespace="answers")


CLIENTS = {"qdrant": Qdrant, "elasticsearch": Elasticsearch, "weaviate": Weaviate, "pinecone": Pinecone}

if __name__ == "__main__":
    client = CLIENTS[NAME]()
    names = ("create", "put", "search", "delete", "sweep")
    serve({name: getattr(client, name) for name in names}, lambda error: f"{type(error).__name__}: {error}")
