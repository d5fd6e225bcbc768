"""Elasticsearch's REST API and Lindorm's over the same protocol: an index, `_bulk`, `_search`, `_delete_by_query`.

Entry points: `elasticsearch`, `lindorm`.
"""

from __future__ import annotations

import base64

from support.vectorstores.strict import KEY, Memory, Strict, exactly

FIELDS = {"embedding", "question", "answer", "context", "entry", "created", "expires"}


class _Elastic:
    def __init__(self):
        self.memory = Memory()
        self.properties = {}

    def mapping(self):
        if self.memory.dim is None:
            error = {"type": "index_not_found_exception", "reason": "no such index [it]", "index": "it"}
            return 404, {"error": error, "status": 404}
        return 200, {"it": {"mappings": {"properties": self.properties}}}

    def create(self, body):
        exactly(body, "mappings")
        exactly(body["mappings"], "dynamic", "properties")
        vector = body["mappings"]["properties"]["embedding"]
        exactly(vector, "type", "dims", "index", "similarity", "index_options")
        assert (vector["type"], vector["index"]) == ("dense_vector", True)
        assert vector["index_options"] == {"type": "hnsw"}
        return self.created(body, vector["dims"])

    def created(self, body, dim):
        assert self.memory.dim is None
        self.properties = body["mappings"]["properties"]
        assert set(self.properties) == FIELDS
        assert self.properties["context"] == {"type": "keyword"}
        self.memory.dim = dim
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": "it"}

    def bulk(self, lines):
        items = []
        lines = iter(lines)
        for action in lines:
            [(verb, target)] = action.items()
            exactly(target, "_id")
            if verb == "index":
                document = next(lines)
                exactly(document, *FIELDS)
                is_new = target["_id"] not in self.memory.points
                self.memory.put(target["_id"], document["embedding"], document)
                status = 201 if is_new else 200
            else:
                assert verb == "delete"
                status = 200 if self.memory.points.pop(target["_id"], None) else 404
            items.append({verb: {"_index": "it", "_id": target["_id"], "status": status}})
        return 200, {"took": 1, "errors": False, "items": items}

    def search(self, body):
        exactly(body, "knn", "size", "_source")
        assert body["_source"] == {"excludes": ["embedding"]}
        knn = body["knn"]
        exactly(knn, "field", "query_vector", "k", "num_candidates", "filter")
        assert (knn["field"], knn["k"]) == ("embedding", body["size"])
        assert knn["k"] <= knn["num_candidates"] <= 10_000
        found = self.memory.near(knn["query_vector"], knn["k"], self.condition(knn["filter"]))
        return self.hits(
            [
                {"_score": (1 + score) / 2, "_source": {name: fields[name] for name in FIELDS - {"embedding"}}}
                for score, _, _, fields in found
            ]
        )

    @staticmethod
    def hits(hits):
        total = {"value": len(hits), "relation": "eq"}
        return 200, {"took": 1, "timed_out": False, "hits": {"total": total, "hits": hits}}

    def sweep(self, body):
        exactly(body, "query")
        exactly(body["query"], "range")
        exactly(body["query"]["range"], "expires")
        exactly(body["query"]["range"]["expires"], "lte")
        self.memory.drop(lambda fields: fields["expires"] > body["query"]["range"]["expires"]["lte"])
        return 200, {"took": 1, "timed_out": False, "deleted": 0, "failures": []}

    @staticmethod
    def condition(filters):
        [term, limits] = filters
        exactly(term, "term")
        exactly(term["term"], "context")
        exactly(limits, "range")
        exactly(limits["range"], "expires")
        exactly(limits["range"]["expires"], "gt")
        return lambda fields: (
            fields["context"] == term["term"]["context"] and fields["expires"] > limits["range"]["expires"]["gt"]
        )


class _Lindorm(_Elastic):
    def create(self, body):
        exactly(body, "settings", "mappings")
        assert body["settings"] == {"index": {"number_of_shards": 1, "knn": True}}
        exactly(body["mappings"], "properties")
        vector = body["mappings"]["properties"]["embedding"]
        exactly(vector, "type", "dimension", "data_type", "method")
        assert (vector["type"], vector["data_type"]) == ("knn_vector", "float")
        exactly(vector["method"], "engine", "name", "space_type", "parameters")
        assert (vector["method"]["engine"], vector["method"]["name"]) == ("lvector", "hnsw")
        assert vector["method"]["space_type"] in {"l2", "cosinesimil", "innerproduct"}
        exactly(vector["method"]["parameters"], "m", "ef_construction")
        return self.created(body, vector["dimension"])

    def search(self, body):
        exactly(body, "size", "query", "ext")
        assert body["ext"] == {"lvector": {"filter_type": "efficient_filter"}}
        exactly(body["query"], "knn")
        exactly(body["query"]["knn"], "embedding")
        knn = body["query"]["knn"]["embedding"]
        exactly(knn, "vector", "k", "filter")
        exactly(knn["filter"], "bool")
        exactly(knn["filter"]["bool"], "filter")
        found = self.memory.near(knn["vector"], knn["k"], self.condition(knn["filter"]["bool"]["filter"]))
        # A score of a scale that nobody may rely on.
        return self.hits([{"_score": 7 + score, "_source": fields} for score, _, _, fields in found[: body["size"]]])


def elasticsearch() -> Strict:
    """Return an Elasticsearch with no index, which can have one called `it`, behind an API key."""
    return _strict(_Elastic(), f"ApiKey {KEY}")


def lindorm() -> Strict:
    """Return a Lindorm with no index, which can have one called `it`, behind the password `KEY` of `root`."""
    return _strict(_Lindorm(), "Basic " + base64.b64encode(f"root:{KEY}".encode()).decode())


def _strict(one, authorization):
    return Strict(
        {
            ("GET", "/it/_mapping"): one.mapping,
            ("PUT", "/it"): one.create,
            ("POST", r"/it/_bulk\?refresh=wait_for"): one.bulk,
            ("POST", "/it/_search"): one.search,
            ("POST", r"/it/_delete_by_query\?conflicts=proceed"): one.sweep,
        },
        {"authorization": authorization},
    )
