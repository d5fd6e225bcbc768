"""The `vector` block: names, types, defaults, and what each index requires; Higress' settings and a few of ours.

The values are plain and frozen; nothing here talks to a vector store.
Entry point: `read_vector`, which notes every fault in the section it reads.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import yaml

from .addresses import PORT, Address, parse_url
from .providers import MILLISECONDS, base_url, kind, origin, proxy_url, require
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
    top_k: int = 5
    """How many neighbors are judged; Higress, and `compat: higress`, look at 1."""
    timeout: int = MILLISECONDS
    """Milliseconds."""
    threshold: float | None = None
    """None for what is safe with the embedder."""
    threshold_relation: str = "lt"
    """How a score must compare to the threshold: `lt`, `lte` (distances), `gt`, `gte` (similarities)."""
    url: str = field(default="", repr=False)
    """Where the PostgreSQL of `pgvector` is, with its credentials; or where the API of a store begins that is asked
    over HTTP, instead of its host and port."""
    address: Address | None = field(default=None, repr=False)
    """Where the Redis or Tair is; None for other indexes, and where it is the one of the cache."""
    engine: str = "auto"
    """What searches a Redis: `vectorSets`, `query` (`FT.*`), or `auto` for the first of them that the server has."""
    quantization: str = "none"
    """How exactly the vector sets of a Redis keep the numbers: `none` (as they are), `int8` or `binary`."""
    es_username: str = ""
    es_password: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)
    """The proxy on the way to a store that is asked over HTTP: a URL, `environment`, or none."""
    tls_ca: str = ""
    """A file of certificates that such a store is trusted by; empty: the system's."""

    @property
    def http_url(self) -> str:
        """Where a store is that is asked over HTTP."""
        return self.url or origin(self.service_host or self.service_name, self.service_port)


def read_vector(block: Section, *, higress: bool = False, shared: bool = False) -> Vector:
    """Read the `vector` block; *higress* asks for its defaults; *shared*: the cache's Redis may keep vectors too."""
    _check_threshold(block, higress=higress)
    vector = Vector(
        type=kind(block, VECTORS),
        service_name=block.read("serviceName", "", text),
        service_host=block.read("serviceHost", "", host),
        service_port=block.read("servicePort", 0, whole(0, 65535)) or 443,
        api_key=block.read("apiKey", "", text),
        collection_id=block.read("collectionID", "", text),
        top_k=block.read("topK", 0, whole(0, 10_000)) or (1 if higress else 5),
        timeout=block.read("timeout", 0, whole()) or MILLISECONDS,
        threshold=block.read("threshold", None, number),
        threshold_relation=block.read("thresholdRelation", "lt", choice("lt", "lte", "gt", "gte")),
        engine=block.read("engine", "auto", choice("auto", "vectorSets", "query")),
        quantization=block.read("quantization", "none", choice("none", "int8", "binary")),
        es_username=block.read("esUsername", "", text),
        es_password=block.read("esPassword", "", text),
        proxy=block.read("proxy", "", proxy_url),
        tls_ca=block.read("tlsCA", "", text),
    )
    required = VECTORS.get(vector.type, ())
    require(block, vector.type, [name for name in required if not (name == "serviceHost" and block.has("url"))])
    return _with_place(block, vector, shared=shared)


def _with_place(block: Section, vector: Vector, *, shared: bool) -> Vector:
    """Read `url`, and note a place that is missing."""
    at = vector.service_host or vector.service_name
    if vector.engine == "query" and vector.quantization != "none":
        block.problem("quantization", "is that of vector sets; leave it out, or write `engine: vectorSets`")
    match vector.type:
        case "redis" | "tair":
            port = vector.service_port if block.has("servicePort") else PORT
            address = block.read("url", None, _address) or (Address(nodes=((at, port),)) if at else None)
            if address is None and not block.has("url") and not (shared and vector.type == "redis"):
                block.problem("url", f"is missing: where is it? `type: {vector.type}` requires it, or `serviceHost`")
            return replace(vector, address=address and replace(address, timeout=vector.timeout / 1000))
        case "pgvector":
            return replace(vector, url=block.read("url", "", _postgres))
        case "local" | "usearch":
            pass
        case _:
            url = block.read("url", "", base_url)
            if not (at or block.has("url")) and "serviceHost" not in VECTORS.get(vector.type, ()):
                block.problem("url", "is missing: where is the vector store? Or write `serviceHost`")
            return replace(vector, url=url)
    if block.ask("url"):
        block.warning("url", f"is not used by `type: {vector.type}`, which keeps its own file")
    return vector


def _address(node: yaml.Node) -> Address | None:
    return parse_url(text(node))


def _postgres(node: yaml.Node) -> str:
    url = text(node)
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("is no address of a PostgreSQL; write `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`")
    # A sign that belongs to the password would make the driver name the rest of it, as a host or port, in its messages.
    parts, port = urlsplit(url), None
    with contextlib.suppress(ValueError):
        port = parts.port or 5432
    if port is None or parts.netloc.count("@") > 1 or "@" in parts.path + parts.query + parts.fragment:
        raise ValueError("is no address; in a password `/` is written %2F, `?` %3F, `#` %23, `@` %40, `:` %3A")
    return url


def _check_threshold(block: Section, *, higress: bool) -> None:
    """See to it that there is a threshold: by Higress' default the nearest neighbour of any question is a hit."""
    if not block.has("threshold") and higress:
        block.problem("threshold", f"is missing, and by Higress' default any question would be a hit; {_ADVICE}")
    elif not block.has("threshold") and block.has("thresholdRelation"):
        block.warning("thresholdRelation", f"does nothing without a `threshold`; {_ADVICE}")
    elif not block.has("threshold"):
        return  # what is safe with the embedder is taken
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
    "lindorm": ("collectionID",),
    "local": (),
    "redis": (),
    "tair": (),
    "pgvector": ("url",),
    "usearch": (),
}
"""The indexes, and what each requires besides an address."""
