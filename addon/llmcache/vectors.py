"""Higress' `vector` block: names, types, defaults, and what each vector store requires.

The values are plain and frozen; nothing here talks to a vector store.
Entry point: `read_vector`, which notes every fault in the section it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .providers import MILLISECONDS, kind, require
from .settings import Section, choice, host, number, text, whole


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


def read_vector(block: Section) -> Vector:
    """Read the `vector` block."""
    _check_threshold(block)
    vector = Vector(
        type=kind(block, VECTORS),
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
    require(block, vector.type, VECTORS.get(vector.type, ()))
    if not (vector.service_host or vector.service_name):
        block.problem("serviceHost", "is missing: where is the vector store?")
    return vector


def _check_threshold(block: Section) -> None:
    """Insist on a threshold: Higress takes 1000 with lt, by which the nearest neighbour of any question is a hit."""
    if not block.has("threshold"):
        block.problem("threshold", f"is missing, and by Higress' default any question would be a hit; {_ADVICE}")
    elif not block.has("thresholdRelation"):
        block.warning("threshold", f"is read as a distance (lt), for no `thresholdRelation` is given; {_ADVICE}")


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
