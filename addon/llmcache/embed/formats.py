"""What each provider of embeddings is sent and answers: one row of a table each, as its documentation has it.

A question is compared with questions, so texts that are stored and texts that are asked are embedded alike.
Nothing here talks to anyone. Entry points: `FORMATS`, and `url` for where a provider is asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ..chat import BackendError
from ..embedding import Embedding
from ..providers import origin
from . import xfyun


@dataclass(frozen=True, slots=True)
class Format:
    """How a provider is asked, and where its vectors are."""

    path: Callable[[Embedding], str]
    headers: Callable[[Embedding], Mapping[str, str]]
    body: Callable[[Embedding, Sequence[str]], Mapping[str, Any]]
    vectors: Callable[[Any], Any]
    """The answer's JSON value -> one list of numbers for each text, in order; raises for what is not understood."""
    batch: Callable[[str], int]
    """Model -> how many texts a request may have."""
    characters: int = 100_000
    """How many characters all texts of a request may have together."""
    sign: Callable[[Embedding, str], str] = lambda _, url: url
    """What is appended to the address anew for each request."""


def url(embedding: Embedding) -> str:
    """Return where *embedding* is asked: its `url`, or its host, port and path."""
    documented = FORMATS[embedding.type].path(embedding)
    if not embedding.url:
        return origin(embedding.service_host, embedding.service_port) + (embedding.path or documented)
    base = embedding.url.rstrip("/")
    if embedding.path:
        return base + embedding.path
    if embedding.type != "openai":
        return base + documented
    if base.endswith("/embeddings"):
        return base
    return base + ("/embeddings" if base.partition("://")[2].count("/") else documented)


def here(embedding: Embedding) -> bool:
    """Whether *embedding* is asked on this very machine, so that nothing leaves it."""
    host = urlsplit(url(embedding)).hostname or ""
    return host == "localhost" or _loopback(host)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bearer(embedding: Embedding) -> dict[str, str]:
    return {"authorization": f"Bearer {embedding.api_key}"} if embedding.api_key else {}


def _one_or_many(texts: Sequence[str]) -> str | list[str]:
    """Return a single text bare, as Higress sends it."""
    return texts[0] if len(texts) == 1 else list(texts)


def _openai(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"input": _one_or_many(texts), "model": embedding.model}


def _azure(_: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"input": _one_or_many(texts)}


def _dashscope(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": embedding.model, "input": {"texts": list(texts)}, "parameters": {"text_type": "query"}}


def _cohere(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "texts": list(texts),
        "model": embedding.model,
        "input_type": "search_document",
        "embedding_types": ["float"],
        "truncate": "NONE",  # a text that is too long is refused; the default would embed its beginning
    }


def _ollama(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"input": _one_or_many(texts), "model": embedding.model, "truncate": False}  # as for cohere


def _huggingface(_: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"inputs": _one_or_many(texts), "options": {"wait_for_model": True}}


def _textin(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    return {"input": list(texts), "matryoshka_dim": embedding.textin_matryoshka_dim}


def _by_number(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """Return the embeddings in the order of the texts: each row says the number of its text as *name*."""
    found = {row.get(name, at): row["embedding"] for at, row in enumerate(rows)}
    return [found[at] for at in range(len(rows))]


def _huggingface_vectors(answer: Any) -> Any:
    """Read one vector, or a list of them."""
    return answer if isinstance(answer[0], list) else [answer]


def _textin_vectors(answer: Any) -> Any:
    if answer["code"] != _OK:
        raise BackendError(f"answered the code {int(answer['code'])}: its documentation says what that means")
    return answer["result"]["embedding"]


def _huggingface_path(embedding: Embedding) -> str:
    """Return today's path on Hugging Face's own host, and on another the one that its old host had."""
    model = quote(embedding.model)
    if embedding.service_host == "router.huggingface.co" and not embedding.url:
        return f"/hf-inference/models/{model}/pipeline/feature-extraction"
    return f"/pipeline/feature-extraction/{model}"


def _azure_path(embedding: Embedding) -> str:
    model, version = quote(embedding.model, safe=""), quote(embedding.api_version, safe="")
    return f"/openai/deployments/{model}/embeddings?api-version={version}"


_OK = 200
_DASHSCOPE_BATCH = {"text-embedding-v1": 25, "text-embedding-v2": 25}

FORMATS: dict[str, Format] = {
    # 2048 texts are allowed; so many large vectors would be more than an answer may have bytes.
    "openai": Format(
        lambda _: "/v1/embeddings",
        _bearer,
        _openai,
        lambda answer: _by_number(answer["data"], "index"),
        lambda _: 256,
    ),
    # Azure adds the tokens of all texts up, to 8192 a request.
    "azure": Format(
        _azure_path,
        lambda embedding: {"api-key": embedding.api_key},
        _azure,
        lambda answer: _by_number(answer["data"], "index"),
        lambda _: 256,
        8000,
    ),
    "dashscope": Format(
        lambda _: "/api/v1/services/embeddings/text-embedding/text-embedding",
        _bearer,
        _dashscope,
        lambda answer: _by_number(answer["output"]["embeddings"], "text_index"),
        lambda model: _DASHSCOPE_BATCH.get(model, 10),
    ),
    "cohere": Format(
        lambda _: "/v2/embed",
        lambda embedding: {"authorization": f"BEARER {embedding.api_key}"},
        _cohere,
        lambda answer: answer["embeddings"]["float"],
        lambda _: 96,
    ),
    # No limit is documented; a local model computes one text after the other all the same.
    "ollama": Format(lambda _: "/api/embed", lambda _: {}, _ollama, lambda answer: answer["embeddings"], lambda _: 32),
    # What the server behind it takes by default (text-embeddings-inference, --max-client-batch-size).
    "huggingface": Format(_huggingface_path, _bearer, _huggingface, _huggingface_vectors, lambda _: 32),
    # A list is documented, its limit is not.
    "textin": Format(
        lambda _: "/ai/service/v1/acge_embedding",
        lambda embedding: {
            "x-ti-app-id": embedding.textin_app_id,
            "x-ti-secret-code": embedding.textin_secret_code,
        },
        _textin,
        _textin_vectors,
        lambda _: 16,
    ),
    "xfyun": Format(lambda _: "/", lambda _: {}, xfyun.body, xfyun.vectors, lambda _: 1, sign=xfyun.sign),
}
