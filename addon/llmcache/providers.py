"""Higress' `vector` and `embedding` blocks: names, types, defaults, and what each provider requires.

The values are plain and frozen; nothing here talks to a provider.
Entry points are `read_vector` and `read_embedding`, which note every fault in the section they read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .settings import Section, choice, host, number, text, whole

MILLISECONDS = 10_000
"""Higress' default for the time that a provider may take."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Where vectors are kept."""

    type: str
    service_name: str = ""
    service_host: str = ""
    service_port: int = 443
    api_key: str = field(default="", repr=False)
    collection_id: str = ""
    top_k: int = 1
    timeout: int = MILLISECONDS
    """Milliseconds."""
    threshold: float = 0.0
    threshold_relation: str = "lt"
    """How a score must compare to the threshold: `lt`, `lte` (distances), `gt`, `gte` (similarities)."""
    es_username: str = ""
    es_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Embedding:
    """Who turns text into a vector."""

    type: str
    service_name: str = ""
    service_host: str = ""
    service_port: int = 443
    timeout: int = MILLISECONDS
    """Milliseconds."""
    model: str = ""
    api_key: str = field(default="", repr=False)
    api_version: str = ""
    textin_app_id: str = ""
    textin_secret_code: str = field(default="", repr=False)
    textin_matryoshka_dim: int = 0
    app_id: str = ""
    api_secret: str = field(default="", repr=False)


def read_vector(block: Section) -> Vector:
    """Read the `vector` block."""
    _check_threshold(block)
    vector = Vector(
        type=_kind(block, VECTORS),
        service_name=block.read("serviceName", "", text),
        service_host=block.read("serviceHost", "", host),
        service_port=block.read("servicePort", 0, whole(0, 65535)) or 443,
        api_key=block.read("apiKey", "", text),
        collection_id=block.read("collectionID", "", text),
        top_k=block.read("topK", 0, whole(0, 10_000)) or 1,
        timeout=block.read("timeout", 0, whole()) or MILLISECONDS,
        threshold=block.read("threshold", 0.0, number),
        threshold_relation=block.read("thresholdRelation", "lt", choice("lt", "lte", "gt", "gte")),
        es_username=block.read("esUsername", "", text),
        es_password=block.read("esPassword", "", text),
    )
    _require(block, vector.type, VECTORS.get(vector.type, ()))
    if not (vector.service_host or vector.service_name):
        block.problem("serviceHost", "is missing: where is the vector store?")
    return vector


def read_embedding(block: Section) -> Embedding:
    """Read the `embedding` block."""
    kind = _kind(block, EMBEDDERS)
    known = EMBEDDERS.get(kind, _Embedder())
    embedding = Embedding(
        type=kind,
        service_name=block.read("serviceName", "", text),
        service_host=block.read("serviceHost", known.host, host),
        service_port=block.read("servicePort", 0, whole(0, 65535)) or known.port,
        timeout=block.read("timeout", 0, whole()) or MILLISECONDS,
        model=block.read("model", "", text) or known.model,
        api_key=block.read("apiKey", "", text),
        api_version=block.read("apiVersion", "", text),
        textin_app_id=block.read("textinAppId", "", text),
        textin_secret_code=block.read("textinSecretCode", "", text),
        textin_matryoshka_dim=block.read("textinMatryoshkaDim", 0, whole()),
        app_id=block.read("appId", "", text),
        api_secret=block.read("apiSecret", "", text),
    )
    _require(block, kind, known.required)
    return embedding


def _kind(block: Section, legal: Iterable[str]) -> str:
    if not block.has("type"):
        block.problem("type", f"is missing; legal values: {', '.join(legal)}")
    return block.read("type", "", choice(*legal))


def _require(block: Section, kind: str, names: Iterable[str]) -> None:
    for name in names:
        if not (block.has(name) and block.settings[name].node.value):
            block.problem(name, f"is missing; `type: {kind}` requires it")


def _check_threshold(block: Section) -> None:
    """Insist on a threshold: Higress takes 1000 with lt, by which the nearest neighbour of any question is a hit."""
    if not block.has("threshold"):
        block.problem("threshold", f"is missing, and by Higress' default any question would be a hit; {_ADVICE}")
    elif not block.has("thresholdRelation"):
        block.warning("threshold", f"is read as a distance (lt), for no `thresholdRelation` is given; {_ADVICE}")


@dataclass(frozen=True, slots=True)
class _Embedder:
    """What is known of an embedding provider."""

    host: str = ""
    port: int = 443
    model: str = ""
    required: tuple[str, ...] = ()


_ADVICE = (
    "write `threshold: 0.95` with `thresholdRelation: gt` for a similarity, or such as 0.05 with lt for a distance"
)

VECTORS: dict[str, tuple[str, ...]] = {
    "dashvector": ("serviceHost", "apiKey", "collectionID"),
    "chroma": ("collectionID",),
    "elasticsearch": ("collectionID",),
    "weaviate": ("collectionID",),
    "pinecone": ("serviceHost", "apiKey"),
    "qdrant": ("collectionID",),
    "milvus": ("collectionID",),
}
"""The vector stores of Higress, and what each requires besides an address."""

EMBEDDERS: dict[str, _Embedder] = {
    "dashscope": _Embedder("dashscope.aliyuncs.com", 443, "text-embedding-v2", ("apiKey",)),
    "openai": _Embedder("api.openai.com", 443, "text-embedding-3-small", ("apiKey",)),
    "azure": _Embedder("", 443, "text-embedding-ada-002", ("serviceHost", "apiKey", "apiVersion")),
    "cohere": _Embedder("api.cohere.com", 443, "embed-english-v2.0", ("apiKey",)),
    "ollama": _Embedder("localhost", 11434, "llama3.2"),
    "huggingface": _Embedder(
        "api-inference.huggingface.co", 443, "sentence-transformers/all-MiniLM-L6-v2", ("apiKey",)
    ),
    "textin": _Embedder("api.textin.com", 443, "", ("textinAppId", "textinSecretCode", "textinMatryoshkaDim")),
    "xfyun": _Embedder("emb-cn-huabei-1.xf-yun.com", 443, "", ("apiKey", "appId", "apiSecret")),
}
"""The embedding providers of Higress with its defaults."""
