"""Higress' `embedding` block: names, types, defaults, and what each embedder requires.

The values are plain and frozen; nothing here talks to an embedder.
Entry point: `read_embedding`, which notes every fault in the section it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from .providers import MILLISECONDS, base_url, kind, proxy_url, require
from .settings import Section, host, text, whole


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
    url: str = ""
    """Where the provider's API begins, such as `http://127.0.0.1:8080/v1`; it stands in for host and port."""
    path: str = ""
    """Where it is asked, if not where its documentation says."""
    proxy: str = field(default="", repr=False)
    """The proxy on the way to it: a URL, `environment`, or none."""
    tls_ca: str = ""
    """A file of certificates to trust besides none; empty: the system's."""
    window: int = 0
    """Characters that the model reads whole; 0: what is known of the model."""

    @property
    def home(self) -> str:
        """The provider's own host."""
        return EMBEDDERS[self.type].host


def read_embedding(block: Section) -> Embedding:
    """Read the `embedding` block."""
    provider = kind(block, EMBEDDERS)
    known = EMBEDDERS.get(provider, _Embedder())
    embedding = Embedding(
        type=provider,
        service_name=block.read("serviceName", "", text),
        service_host=_read_host(block, known),
        service_port=block.read("servicePort", 0, whole(0, 65535)) or known.port,
        timeout=block.read("timeout", 0, whole()) or MILLISECONDS,
        model=_read_model(block, provider, known),
        api_key=block.read("apiKey", "", text),
        api_version=block.read("apiVersion", "", text),
        textin_app_id=block.read("textinAppId", "", text),
        textin_secret_code=block.read("textinSecretCode", "", text),
        textin_matryoshka_dim=block.read("textinMatryoshkaDim", 0, whole()),
        app_id=block.read("appId", "", text),
        api_secret=block.read("apiSecret", "", text),
        url=block.read("url", "", base_url),
        path=block.read("path", "", _path),
        proxy=block.read("proxy", "", proxy_url),
        tls_ca=block.read("tlsCA", "", text),
        window=block.read("window", 0, whole()),
    )
    require(block, provider, _required(embedding, known))
    return embedding


def _read_host(block: Section, known: _Embedder) -> str:
    """Read `serviceHost`; the host that a provider has given up stands for the one that it has today."""
    name = block.read("serviceHost", known.host, host)
    if name in RETIRED_HOSTS:
        block.warning("serviceHost", f"was given up by its provider; {RETIRED_HOSTS[name]} is asked instead")
    return RETIRED_HOSTS.get(name, name)


def _read_model(block: Section, provider: str, known: _Embedder) -> str:
    model = block.read("model", "", text) or known.model
    if provider == "cohere" and model.endswith("-v2.0"):
        block.warning("model", f"`{model}` was retired by Cohere in April 2026; write `{known.model}`")
    return model


def _required(embedding: Embedding, known: _Embedder) -> tuple[str, ...]:
    """Return what is required: a server of one's own needs no key, and a URL says the host."""
    own = embedding.url or embedding.service_host != known.host
    left = {"serviceHost"} if embedding.url else set()
    if own and embedding.type in KEYLESS:
        left.add("apiKey")
    return tuple(name for name in known.required if name not in left)


def _path(node: yaml.Node) -> str:
    written = text(node)
    if not written.startswith("/"):
        raise ValueError("is no path; write it from its first `/` on")
    return written


@dataclass(frozen=True, slots=True)
class _Embedder:
    """What is known of an embedding provider."""

    host: str = ""
    port: int = 443
    model: str = ""
    required: tuple[str, ...] = ()


LOCAL = "wordllama"
"""The embedder where semantic answers are wanted and none is named."""

EMBEDDERS: dict[str, _Embedder] = {
    LOCAL: _Embedder(model="l2_supercat_256"),
    "fastembed": _Embedder(model="BAAI/bge-small-en-v1.5"),
    "sentence-transformers": _Embedder(model="sentence-transformers/all-MiniLM-L6-v2"),
    "dashscope": _Embedder("dashscope.aliyuncs.com", 443, "text-embedding-v2", ("apiKey",)),
    "openai": _Embedder("api.openai.com", 443, "text-embedding-3-small", ("apiKey",)),
    "azure": _Embedder("", 443, "text-embedding-ada-002", ("serviceHost", "apiKey", "apiVersion")),
    "cohere": _Embedder("api.cohere.com", 443, "embed-v4.0", ("apiKey",)),
    "ollama": _Embedder("localhost", 11434, "llama3.2"),
    "huggingface": _Embedder("router.huggingface.co", 443, "sentence-transformers/all-MiniLM-L6-v2", ("apiKey",)),
    "textin": _Embedder("api.textin.com", 443, "", ("textinAppId", "textinSecretCode", "textinMatryoshkaDim")),
    "xfyun": _Embedder("emb-cn-huabei-1.xf-yun.com", 443, "", ("apiKey", "appId", "apiSecret")),
}
"""What turns text into vectors: models on this machine, and the providers of Higress.

The defaults are its own, but for those that their providers have retired: Hugging Face's host, and Cohere's model.
"""
RETIRED_HOSTS = {"api-inference.huggingface.co": "router.huggingface.co"}
KEYLESS = {"openai", "huggingface"}
"""Whose API is spoken by servers that one runs oneself, mostly without a key."""
