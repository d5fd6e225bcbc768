"""Higress' `embedding` block: names, types, defaults, and what each embedder requires.

The values are plain and frozen; nothing here talks to an embedder.
Entry point: `read_embedding`, which notes every fault in the section it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .providers import MILLISECONDS, kind, require
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


def read_embedding(block: Section) -> Embedding:
    """Read the `embedding` block."""
    provider = kind(block, EMBEDDERS)
    known = EMBEDDERS.get(provider, _Embedder())
    embedding = Embedding(
        type=provider,
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
    require(block, provider, known.required)
    return embedding


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
"""What turns text into vectors: a model of our own, and the providers of Higress with its defaults."""
