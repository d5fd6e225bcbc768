"""Elasticsearch's REST API and Lindorm's over the same protocol: an index, `_bulk`, `_search`, `_delete_by_query`.

The first is that of Elastic's OpenAPI file, with the limits and scores of "Dense vector field type" and "kNN search in
Elasticsearch"; a write to an index that is not there makes one ("Create or index a document").
The second is that of Alibaba's "Access the vector engine through curl". Entry points: `elasticsearch`, `lindorm`.
"""

from __future__ import annotations

import base64

from support.vectorstores.strict import KEY, Gone, Memory, Strict, exactly, numbers

DIMS = 4096
"""The most numbers of a `dense_vector`."""
MADE_BY_A_WRITE = {"embedding": {"type": "float"}, "context": {"type": "text"}}
"""What a write makes of some of our fields: fewer than 128 numbers become no vector."""
FIELDS = {"embedding", "question", "answer", "context", "entry", "created", "expires"}


class _Elastic:
    def __init__(self):
        self.memory = Memory()
        self.properties = {}

    def mapping(self):
        if not self.properties:
            return failed(404, "index_not_found_exception", "no such index [answers]")
        return 200, {"answers": {"mappings": {"properties": self.properties}}}

    def create(self, body):
        exactly(body, "mappings")
        exactly(body["mappings"], "dynamic", "properties")
        vector = body["mappings"]["properties"]["embedding"]
        exactly(vector, "type", "dims", "index", "similarity", "index_options")
        assert (vector["type"], vector["index"]) == ("dense_vector", True)
        assert vector["index_options"] == {"type": "hnsw"}
        assert 1 <= vector["dims"] <= DIMS
        return self.created(body, vector["dims"])

    def created(self, body, dim):
        if self.properties:
            return failed(400, "resource_already_exists_exception", "index [answers/x] already exists")
        self.properties = body["mappings"]["properties"]
        assert set(self.properties) == FIELDS
        assert self.properties["context"] == {"type": "keyword"}
        self.memory.dim = dim
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": "answers"}

    def bulk(self, lines):
        items = []
        self.properties = self.properties or MADE_BY_A_WRITE
        lines = iter(lines)
        for action in lines:
            [(verb, target)] = action.items()
            exactly(target, "_id")
            if verb == "index":
                document = next(lines)
                exactly(document, *FIELDS)
                is_new = target["_id"] not in self.memory.points
                assert len(target["_id"].encode()) <= 512
                assert any(document["embedding"]), "cosine is not defined for a vector without length"
                self.memory.points[target["_id"]] = numbers(document["embedding"], self.memory.dim), document
                status = 201 if is_new else 200
            else:
                assert verb == "delete"
                status = 200 if self.memory.points.pop(target["_id"], None) else 404
            items.append({verb: {"_index": "answers", "_id": target["_id"], "status": status}})
        return 200, {"took": 1, "errors": False, "items": items}

    def searchable(self):
        """Raise what is answered where nothing can be searched by vector."""
        if not self.properties:
            raise Gone(*failed(404, "index_not_found_exception", "no such index [answers]"))
        if self.properties is MADE_BY_A_WRITE:
            reason = "[knn] queries are only supported on [dense_vector] fields"
            raise Gone(*failed(400, "illegal_argument_exception", reason))

    def search(self, body):
        self.searchable()
        exactly(body, "knn", "size", "_source")
        assert body["_source"] == {"excludes": ["embedding"]}
        knn = body["knn"]
        exactly(knn, "field", "query_vector", "k", "num_candidates", "filter")
        assert (knn["field"], knn["k"]) == ("embedding", body["size"])
        assert knn["k"] <= knn["num_candidates"] <= 10_000
        found = self.memory.near(knn["query_vector"], knn["k"], self.condition(knn["filter"]))
        return self.hits(
            [
                hit(one, (1 + score) / 2, {name: fields[name] for name in FIELDS - {"embedding"}})
                for score, one, _, fields in found
            ]
        )

    @staticmethod
    def hits(hits):
        total, best = {"value": len(hits), "relation": "eq"}, hits[0]["_score"] if hits else None
        shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
        found = {"total": total, "max_score": best, "hits": hits}
        return 200, {"took": 1, "timed_out": False, "_shards": shards, "hits": found}

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


def hit(one, score, source):
    """Return a document that was found."""
    return {"_index": "answers", "_id": one, "_score": score, "_source": source}


def failed(status, kind, reason):
    """Return a refusal as Elasticsearch words it."""
    cause = {"type": kind, "reason": reason, "index": "answers"}
    return status, {"error": {"root_cause": [cause], **cause}, "status": status}


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
        self.searchable()
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
        return self.hits([hit(one, 7 + score, fields) for score, one, _, fields in found[: body["size"]]])


def elasticsearch() -> Strict:
    """Return an Elasticsearch with no index, which can have one called `answers`, behind an API key."""
    return _strict(_Elastic(), f"ApiKey {KEY}")


def lindorm() -> Strict:
    """Return a Lindorm with no index, which can have one called `answers`, behind the password `KEY` of `root`."""
    return _strict(_Lindorm(), "Basic " + base64.b64encode(f"root:{KEY}".encode()).decode())


def _strict(one, authorization):
    return Strict(
        {
            ("GET", "/answers/_mapping"): one.mapping,
            ("PUT", "/answers"): one.create,
            ("POST", r"/answers/_bulk\?refresh=wait_for"): one.bulk,
            ("PUT", r"/answers/_bulk\?refresh=wait_for"): one.bulk,
            ("POST", "/answers/_search"): one.search,
            ("POST", r"/answers/_delete_by_query\?conflicts=proceed"): one.sweep,
        },
        {"authorization": authorization},
        # By which Elastic's clients know what they talk to.
        {"x-elastic-product": "Elasticsearch"},
    )
