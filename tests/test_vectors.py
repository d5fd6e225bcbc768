"""The `vector` block for stores that are asked over HTTP: where they are, what is missing, and what is then opened."""

from __future__ import annotations

import pytest
from llmcache import build_similar, config
from llmcache.index.remote import RemoteIndex

REST = "threshold: 0.9, thresholdRelation: gt"
EMBEDDING = "\nembedding: {type: wordllama}"
NAMES = {
    "chroma": "Chroma",
    "qdrant": "Qdrant",
    "elasticsearch": "Elasticsearch",
    "weaviate": "Weaviate",
    "pinecone": "Pinecone",
    "milvus": "Milvus",
    "dashvector": "DashVector",
    "lindorm": "Lindorm",
}


@pytest.fixture
def read(tmp_path):
    """Read a configuration that has this vector block."""

    def reading(block):
        path = tmp_path / "config.yaml"
        path.write_text(f"vector: {{{block}, {REST}}}{EMBEDDING}\n")
        return config.load(path)

    return reading


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param("serviceHost: db.example.com", "https://db.example.com", id="Higress' default port"),
        pytest.param("serviceHost: db.example.com, servicePort: 6333", "https://db.example.com:6333", id="far"),
        pytest.param("serviceHost: localhost, servicePort: 6333", "http://localhost:6333", id="near"),
        pytest.param("serviceName: qdrant, servicePort: 80", "http://qdrant", id="name"),
        pytest.param(
            "serviceHost: h, url: 'http://h.example.com:6333/qdrant'", "http://h.example.com:6333/qdrant", id="url"
        ),
    ],
)
def test_where_it_is(read, block, expected):
    """It is a URL, or a host and port; without TLS a key goes to port 80 and to machines that are near only."""
    assert read(f"type: qdrant, collectionID: c, {block}").vector.http_url == expected


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        pytest.param("type: qdrant, collectionID: c", "vector.url: is missing: where is the vector store?", id="place"),
        pytest.param("type: qdrant, serviceHost: h", "vector.collectionID: is missing", id="collection"),
        pytest.param("type: pinecone, apiKey: k", "vector.serviceHost: is missing", id="pinecone"),
        pytest.param("type: dashvector, url: 'http://h', collectionID: c", "vector.apiKey: is missing", id="key"),
        pytest.param("type: milvus, collectionID: c, url: h:1", "vector.url: is no URL", id="no URL"),
        pytest.param("type: milvus, collectionID: c, url: 'http://u:p@h'", "has a user or password", id="login in it"),
        pytest.param(
            "type: milvus, collectionID: c, url: 'http://h', proxy: x", "vector.proxy: is no proxy", id="proxy"
        ),
        pytest.param("type: faiss", "`faiss` is not known; legal values: dashvector, chroma", id="type"),
    ],
)
def test_what_is_missing(read, block, problem):
    """What a store needs and does not have is a problem at the start."""
    with pytest.raises(config.ConfigError, match=problem.replace("?", r"\?")):
        read(block)


@pytest.mark.parametrize("kind", NAMES)
async def test_each_store_is_opened(read, kind):
    """Each type gives an index on the store that it names, which has not been asked for anything yet."""
    settings = read(f"type: {kind}, url: 'http://127.0.0.1:1', collectionID: c, apiKey: secret, timeout: 500")
    index = build_similar.open_index(settings)
    assert isinstance(index, RemoteIndex)
    assert f"<RemoteIndex {NAMES[kind]}: not opened yet>" == repr(index)
    [problem] = await index.check()
    assert problem.startswith(f"{NAMES[kind]} at 127.0.0.1:1 cannot be reached")
    await index.close()
