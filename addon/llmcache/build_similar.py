"""Config -> Similar: the parts of semantic answers, put together.

Apart from `build`, because most caches are exact and load none of this. Models begin to load at once, services are
connected to on first use. A backend is one `case` here, with its driver imported inside the arm that chose it.
Entry points: `open_similar`, `open_embedder`, `open_index`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import config, wire
from .caching import HIGRESS_PREFIX, Cache, default_path
from .chat import BackendError, Entry
from .embedding import Embedding
from .rules import Rules
from .scope import Scope
from .stores import Store

if TYPE_CHECKING:
    from .embed import Embedder
    from .index import Index
    from .index.remote import Place, RemoteIndex, Service
    from .ledger import Ledger
    from .semantic import Policy
    from .similar import Similar
    from .vectors import Vector

PREFIX = "aicache:"
"""What our own keys in a Redis begin with, unless `cacheKeyPrefix` names something else than Higress' default."""
log = logging.getLogger("aicache.similar")


def open_similar(settings: config.Config, store: Store, scope: Scope, given: Rules, *, start: bool = True) -> Similar:
    """Return the semantic tier that *settings* describe. Raises `BackendError` when a package is missing.

    Unless *start*, a local model is loaded when it is first asked.
    """
    from .experience import Experience  # noqa: PLC0415 - see the module's docstring
    from .lessons import Lessons  # noqa: PLC0415 - see the module's docstring
    from .nearby import Nearby, NearRules  # noqa: PLC0415 - see the module's docstring
    from .semantic.audit import Audit  # noqa: PLC0415 - see the module's docstring
    from .semantic.equal import equal  # noqa: PLC0415 - see the module's docstring
    from .similar import Similar  # noqa: PLC0415 - see the module's docstring

    policy, vector = settings.policy, settings.vector
    assert vector is not None
    embedder = open_embedder(settings, start=start)
    audit = Audit(policy.audit_share, policy.error_budget)
    journal = _journal(policy.near_miss_log, prompts=policy.log_prompts) if policy.near_miss_log else None
    ledger, name = _ledger(settings), embedder.name
    experience = Experience(lambda: _policy(settings, name), ledger)
    lessons = Lessons(experience, audit, _said, equal, time.time, ledger, journal)
    shared = settings.scope.mode == "shared"
    rules = NearRules(
        gate=policy.gate != "off",
        strict=policy.strict,
        shadow=policy.shadow,
        neighbors=vector.top_k,
        deadline=settings.deadlines.embed / 1000,
        carry=not settings.exact,
        sort=lambda question: policy.rules.sort(question, shared=shared),
    )
    return Similar(Nearby(embedder, open_index(settings), lessons, store, rules), given.question, scope, given.redactor)


def _policy(settings: config.Config, embedder: str) -> Policy:
    """Return what decides: by what the policy block says, else the vector block, else what is safe for the model."""
    policy, vector = settings.policy, settings.vector
    if policy.type == "errorBudget":
        from .semantic.budget import ErrorBudget  # noqa: PLC0415 - see the module's docstring

        return ErrorBudget(policy.error_budget, explore=policy.explore_share)
    from .semantic.threshold import Threshold, safe  # noqa: PLC0415 - see the module's docstring

    if policy.threshold is not None:
        return Threshold(policy.threshold, policy.threshold_relation or "gte")
    if vector is not None and vector.threshold is not None:
        return Threshold(vector.threshold, vector.threshold_relation)
    return safe(embedder)


def _said(entry: Entry) -> str | None:
    from .wire.said import said  # noqa: PLC0415 - see the module's docstring

    dialect = next((each for each in wire.DIALECTS if entry.dialect == each.NAME), wire.DIALECTS[0])
    return said(dialect, entry)


def _ledger(settings: config.Config) -> Ledger | None:
    """Return where what is learned is kept: in the Redis that is shared, else in a file beside the store."""
    cache = settings.cache
    if cache.type == "memory":
        return None
    if cache.type == "redis" and cache.address is not None:
        from .stores.redis_ledger import RedisLedger  # noqa: PLC0415 - see the module's docstring

        return RedisLedger(cache.address, f"{prefix(settings)}learned:".encode())
    from .ledger import FileLedger  # noqa: PLC0415 - see the module's docstring

    path = _beside(cache, "learned")
    assert path is not None
    return FileLedger(path)


def _journal(path: Path, *, prompts: bool) -> Callable[[Mapping[str, Any]], None]:
    """Return what writes the near-miss log: one line of JSON a candidate, without the questions unless asked for."""

    def write(record: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in record.items() if prompts or name not in ("asked", "stored")}
        if not prompts:
            kept["gate"] = str(kept["gate"]).partition(" ")[0]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(json.dumps(kept) + "\n")
        except OSError as error:
            log.warning("the near-miss log %s cannot be written: %s", path, error.strerror)

    return write


def open_embedder(settings: config.Config, *, start: bool = True) -> Embedder:
    """Return what turns questions into vectors, and remembers them.

    A local model begins to load in the background, if it is to *start*, a provider is connected to on first use.
    Raises `BackendError` when what it needs is not installed.
    """
    from .embed.memo import Memo  # noqa: PLC0415 - see the module's docstring

    assert settings.embedding is not None
    return Memo(_embedder(settings.embedding, offline=settings.mode == "replay", start=start))


def _embedder(embedding: Embedding, *, offline: bool, start: bool) -> Embedder:
    from .embed.guarded import Guarded  # noqa: PLC0415 - see the module's docstring

    match embedding.type:
        case "wordllama":
            from .embed.wordllama import open_wordllama  # noqa: PLC0415 - see the module's docstring

            return open_wordllama(start=start)
        case "fastembed":
            from .embed.models import open_fastembed  # noqa: PLC0415 - see the module's docstring

            return Guarded(open_fastembed(embedding.model, embedding.window, offline=offline, start=start))
        case "sentence-transformers":
            from .embed.models import open_sentence_transformers  # noqa: PLC0415 - see the module's docstring

            return Guarded(open_sentence_transformers(embedding.model, embedding.window, offline=offline, start=start))
        case "openai" | "azure" | "dashscope" | "cohere" | "ollama" | "huggingface" | "textin" | "xfyun":
            from .embed.formats import here  # noqa: PLC0415 - see the module's docstring
            from .embed.guarded import Unasked  # noqa: PLC0415 - see the module's docstring
            from .embed.remote import RemoteEmbedder  # noqa: PLC0415 - see the module's docstring

            remote = RemoteEmbedder(embedding)
            return Unasked(remote) if offline and not here(embedding) else Guarded(remote)
        case other:
            raise AssertionError(f"the configuration let the embedder {other!r} through")


def open_index(settings: config.Config) -> Index:
    """Return the index that *settings* name; it connects or opens its file on first use."""
    vector = settings.vector
    assert vector is not None
    match vector.type:
        case "local":
            from .index.local import LocalIndex  # noqa: PLC0415 - see the module's docstring

            return LocalIndex(_beside(settings.cache, "vectors.db"), settings.cache.max_entries)
        case "usearch":
            from .index.local import LocalIndex  # noqa: PLC0415 - see the module's docstring

            try:
                from .index.graph import Graphs  # noqa: PLC0415 - see the module's docstring
            except ImportError as error:
                raise _without("usearch", "usearch") from error
            graphs = Graphs(_beside(settings.cache, "graphs"))
            return LocalIndex(_beside(settings.cache, "vectors.db"), settings.cache.max_entries, memories=graphs)
        case "redis":
            from .index.redis import RedisIndex  # noqa: PLC0415 - see the module's docstring

            address = vector.address or settings.cache.address
            assert address is not None
            return RedisIndex(
                address,
                prefix(settings),
                vector.quantization,
                engine=vector.engine,
                name=vector.collection_id,
            )
        case "tair":
            from .index.tair import NAME, TairIndex  # noqa: PLC0415 - see the module's docstring

            assert vector.address is not None
            return TairIndex(vector.address, vector.collection_id or NAME)
        case "pgvector":
            try:
                from .index.pgvector import TABLE, PgvectorIndex  # noqa: PLC0415 - see the module's docstring
            except ImportError as error:
                raise _without("pgvector", "psycopg[binary]") from error
            return PgvectorIndex(vector.url, vector.collection_id or TABLE, vector.timeout / 1000)
        case other:
            return _open_remote_index(vector, other)


def _open_remote_index(vector: Vector, kind: str) -> RemoteIndex:
    """Return the index in the vector store *kind*, which is asked over HTTP."""
    from .index.remote import Place, RemoteIndex  # noqa: PLC0415 - see the module's docstring

    place = Place(
        url=vector.http_url,
        collection=vector.collection_id,
        api_key=vector.api_key,
        user=vector.es_username,
        password=vector.es_password,
        timeout=vector.timeout / 1000,
        proxy=vector.proxy,
        certificates=vector.tls_ca,
    )
    return RemoteIndex(_open_service(kind, place))


def _open_service(kind: str, place: Place) -> Service:
    match kind:
        case "chroma":
            from .index.chroma import Chroma  # noqa: PLC0415 - see the module's docstring

            return Chroma(place)
        case "qdrant":
            from .index.qdrant import Qdrant  # noqa: PLC0415 - see the module's docstring

            return Qdrant(place)
        case "elasticsearch":
            from .index.elasticsearch import Elasticsearch  # noqa: PLC0415 - see the module's docstring

            return Elasticsearch(place)
        case "weaviate":
            from .index.weaviate import Weaviate  # noqa: PLC0415 - see the module's docstring

            return Weaviate(place)
        case "pinecone":
            from .index.pinecone import Pinecone  # noqa: PLC0415 - see the module's docstring

            return Pinecone(place)
        case "milvus":
            from .index.milvus import Milvus  # noqa: PLC0415 - see the module's docstring

            return Milvus(place)
        case "dashvector":
            from .index.dashvector import DashVector  # noqa: PLC0415 - see the module's docstring

            return DashVector(place)
        case "lindorm":
            from .index.lindorm import Lindorm  # noqa: PLC0415 - see the module's docstring

            return Lindorm(place)
        case other:
            raise BackendError(f"`vector.type: {other}` is not in this version")


def _without(kind: str, package: str) -> BackendError:
    return BackendError(f"`vector.type: {kind}` needs a package that is not here: pip install '{package}'")


def _beside(cache: Cache, name: str) -> Path | None:
    """Return the path of a file that goes with the store; None where the store is in memory only."""
    match cache.type:
        case "memory":
            return None
        case "sqlite":
            return cache.path.with_name(f"{cache.path.stem}-{name}")
        case other:
            return default_path().with_name(f"{other}-{name}")


def prefix(settings: config.Config) -> str:
    """Return what our own keys in a Redis begin with."""
    prefix = settings.cache.key_prefix
    return PREFIX if prefix == HIGRESS_PREFIX else prefix
