"""Fakes of the embedding providers, strict about method, path, headers and body, each from its documentation.

What is not asked exactly as documented is answered 418 and noted in `faults`.
Entry points: `PROVIDERS`, and `Fake` as the `answer` of an `Upstream`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.upstream import Asked, Script

KEY = "sk-very-secret"
TRANSPORT = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type"}


def numbers(text: str) -> list[float]:
    """Return the vector of *text*, as the fakes answer it: four numbers, by its digest."""
    return [byte - 127.25 for byte in hashlib.sha256(text.encode()).digest()[:4]]


@dataclass(frozen=True)
class Provider:
    """One provider: what a request has to be, and how the answer looks."""

    settings: dict[str, Any]
    path: str
    headers: dict[str, str]
    body: Callable[[list[str]], Any]
    texts: Callable[[Any], Any]
    """The body -> its texts, a list or one."""
    reply: Callable[[list[list[float]]], Any]
    batch: int
    check: Callable[[Asked], str] = lambda _: ""
    """What else is wrong with the request."""


@dataclass
class Fake:
    """Answers as *provider* does."""

    provider: Provider
    faults: list[str] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Script:
        """Check the request, and answer it."""
        try:
            texts = self.provider.texts(asked.json)
            texts = [texts] if isinstance(texts, str) else texts
            fault = self._fault(asked, texts)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            fault = repr(error)
        if fault:
            self.faults.append(fault)
            return Script(b"{}", 418)
        self.asked.append(texts)
        return Script(json.dumps(self.provider.reply([numbers(text) for text in texts])).encode())

    def _fault(self, asked: Asked, texts: list[str]) -> str:
        provider = self.provider
        if (asked.method, asked.path.partition("?authorization=")[0]) != ("POST", provider.path):
            return f"{asked.method} {asked.path}"
        if asked.headers["content-type"] != "application/json":
            return f"content-type {asked.headers['content-type']}"
        headers = {name: value for name, value in asked.headers.items() if name not in TRANSPORT}
        if headers != provider.headers:
            return f"headers {headers}"
        if asked.json != provider.body(texts):
            return f"body {asked.json}"
        if not 0 < len(texts) <= provider.batch:
            return f"{len(texts)} texts"
        return provider.check(asked)


def one_or_many(texts: list[str]) -> str | list[str]:
    """Return what OpenAI and its like take: a text, or several."""
    return texts[0] if len(texts) == 1 else texts


def openai_reply(vectors: list[list[float]]) -> Any:
    """Answer as OpenAI does, in another order, for the rows say which text is theirs."""
    rows = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "data": rows[::-1], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def dashscope_reply(vectors: list[list[float]]) -> Any:
    """Answer as DashScope does."""
    rows = [{"text_index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"output": {"embeddings": rows[::-1]}, "usage": {"total_tokens": 3}, "request_id": "r"}


def cohere_reply(vectors: list[list[float]]) -> Any:
    """Answer as Cohere's second version does."""
    return {"id": "1", "embeddings": {"float": vectors}, "texts": [], "meta": {"api_version": {"version": "2"}}}


def spark_text(body: Any) -> str:
    """Return the text inside a request to xfyun."""
    messages = json.loads(base64.b64decode(body["payload"]["messages"]["text"]))
    ((message,),) = messages.values()
    assert set(messages) == {"messages"}
    assert message["role"] == "user"
    return str(message["content"])


def spark_body(texts: list[str]) -> Any:
    """Return what a request to xfyun is, with the text as JSON without blanks."""
    messages = json.dumps(
        {"messages": [{"content": texts[0], "role": "user"}]}, separators=(",", ":"), ensure_ascii=False
    )
    return {
        "header": {"app_id": "app", "status": 3},
        "parameter": {"emb": {"domain": "query", "feature": {"encoding": "utf8"}}},
        "payload": {"messages": {"text": base64.b64encode(messages.encode()).decode()}},
    }


def spark_reply(vectors: list[list[float]]) -> Any:
    """Answer as xfyun does: little-endian floats."""
    packed = base64.b64encode(struct.pack("<4f", *vectors[0])).decode()
    return {
        "header": {"code": 0, "message": "success", "sid": "emb1"},
        "payload": {
            "feature": {"encoding": "utf8", "compress": "raw", "format": "plain", "status": 3, "seq": 0, "text": packed}
        },
    }


def spark_signature(asked: Asked) -> str:
    """Check the signature in the address, computed anew."""
    query = parse_qs(urlsplit(asked.path).query, strict_parsing=True)
    (date,), (host,), (authorization,) = query.pop("date"), query.pop("host"), query.pop("authorization")
    age = abs(time.time() - parsedate_to_datetime(date).timestamp())
    lines = "\n".join([f"host: {host}", f"date: {date}", "POST / HTTP/1.1"])
    digest = base64.b64encode(hmac.new(b"hush", lines.encode(), hashlib.sha256).digest()).decode()
    says = f'api_key="{KEY}", algorithm="hmac-sha256", headers="host date request-line", signature="{digest}"'
    if query or host != asked.headers["host"] or age > 300 or not date.endswith(" GMT"):
        return f"signed {query} {host} {date}"
    return "" if base64.b64decode(authorization).decode() == says else "wrong signature"


PROVIDERS = {
    "openai": Provider(
        {"api_key": KEY, "model": "text-embedding-3-small"},
        "/v1/embeddings",
        {"authorization": f"Bearer {KEY}"},
        lambda texts: {"input": one_or_many(texts), "model": "text-embedding-3-small"},
        lambda body: body["input"],
        openai_reply,
        2048,
    ),
    "azure": Provider(
        {"api_key": KEY, "model": "my embedder", "api_version": "2024-10-21"},
        "/openai/deployments/my%20embedder/embeddings?api-version=2024-10-21",
        {"api-key": KEY},
        lambda texts: {"input": one_or_many(texts)},
        lambda body: body["input"],
        openai_reply,
        2048,
    ),
    "dashscope": Provider(
        {"api_key": KEY, "model": "text-embedding-v2"},
        "/api/v1/services/embeddings/text-embedding/text-embedding",
        {"authorization": f"Bearer {KEY}"},
        lambda texts: {
            "model": "text-embedding-v2",
            "input": {"texts": texts},
            "parameters": {"text_type": "query"},
        },
        lambda body: body["input"]["texts"],
        dashscope_reply,
        25,
    ),
    "cohere": Provider(
        {"api_key": KEY, "model": "embed-v4.0"},
        "/v2/embed",
        {"authorization": f"BEARER {KEY}"},
        lambda texts: {
            "texts": texts,
            "model": "embed-v4.0",
            "input_type": "search_document",
            "embedding_types": ["float"],
            "truncate": "NONE",
        },
        lambda body: body["texts"],
        cohere_reply,
        96,
    ),
    "ollama": Provider(
        {"model": "nomic-embed-text"},
        "/api/embed",
        {},
        lambda texts: {"input": one_or_many(texts), "model": "nomic-embed-text", "truncate": False},
        lambda body: body["input"],
        lambda vectors: {"model": "m", "embeddings": vectors, "total_duration": 1, "prompt_eval_count": 8},
        32,
    ),
    "huggingface": Provider(
        {"api_key": KEY, "model": "BAAI/bge-m3"},
        "/pipeline/feature-extraction/BAAI/bge-m3",
        {"authorization": f"Bearer {KEY}"},
        lambda texts: {"inputs": one_or_many(texts), "options": {"wait_for_model": True}},
        lambda body: body["inputs"],
        lambda vectors: vectors[0] if len(vectors) == 1 else vectors,
        32,
    ),
    "textin": Provider(
        {"textin_app_id": "app", "textin_secret_code": KEY, "textin_matryoshka_dim": 4},
        "/ai/service/v1/acge_embedding",
        {"x-ti-app-id": "app", "x-ti-secret-code": KEY},
        lambda texts: {"input": texts, "matryoshka_dim": 4},
        lambda body: body["input"],
        lambda vectors: {"code": 200, "message": "success", "result": {"embedding": vectors, "matryoshka_dim": 4}},
        16,
    ),
    "xfyun": Provider(
        {"api_key": KEY, "app_id": "app", "api_secret": "hush"},
        "/",
        {},
        spark_body,
        spark_text,
        spark_reply,
        1,
        spark_signature,
    ),
}
