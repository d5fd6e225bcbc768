"""Config -> Engine: the only place that knows every part.

Opens no file and no socket but the scope key and recordings; other stores open themselves on first use.
A backend is one `case` here, with its driver imported inside the arm that chose it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from . import config
from .answer import AnswerRule
from .build_similar import prefix
from .caching import Cache, default_path
from .crowd import Locks
from .engine import Engine
from .freshness import Stale
from .leaks import Scanner
from .pace import Pace
from .question import QuestionRule
from .recorder import Admission
from .redact import Redactor
from .rules import Rules
from .scope import Scope, read_secret
from .stats import Observation
from .stores import Seal, Store
from .telling import Teller

if TYPE_CHECKING:
    from .stores.cassette import CassetteStore
    from .stores.memory import MemoryStore
    from .stores.near import NearStore
    from .stores.nothing import NoStore
    from .stores.redis import RedisStore
    from .stores.redis_records import Records
    from .stores.sqlite import SqliteStore
    from .stores.turns import Turns


def build_engine(
    settings: config.Config, observe: Callable[[Observation], None], clock: Callable[[], float] = time.time
) -> Engine:
    """Return the engine that *settings* describe.

    Raises `BackendError` when the scope key cannot be read, or a recording.
    """
    opened, scope, given = open_store(settings), open_scope(settings), rules(settings)
    recordings = open_turns(settings, cast("CassetteStore", opened)) if settings.cache.type == "cassette" else None
    store: Store = recordings or opened
    similar = None
    if settings.enable_semantic_cache and settings.mode == "cache":
        from .build_similar import open_similar  # noqa: PLC0415 - see the module's docstring

        similar = open_similar(settings, store, scope, given)
    seal, locks = open_seal(settings), open_locks(settings, store)
    engine = Engine(store, scope, given, observe, clock, seal, similar, locks, recordings)
    if settings.mode == "replay":
        from .stores.cassette_leaks import masked  # noqa: PLC0415 - see the module's docstring

        engine.mask = partial(masked, scanner=Scanner(os.environ, settings.secrets.allow))
    if recordings:
        engine.tell = Teller(_to_stderr, os.environ)
    return engine


def open_turns(settings: config.Config, folder: CassetteStore) -> Turns:
    """Return the recordings in *folder*, several of one call in their order. Only in replay may they run out."""
    from .stores.turns import Turns  # noqa: PLC0415 - see the module's docstring

    repeat = settings.replay.exhausted == "repeat" or settings.mode != "replay"
    return Turns(folder, repeat=repeat, renew=settings.mode == "record")


def _to_stderr(text: str) -> None:
    """Write *text* to what is stderr now, at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def open_locks(settings: config.Config, store: Store) -> Locks | None:
    """Return what makes processes wait for each other's calls, where that is wanted; it has the Redis of *store*."""
    flights = settings.flights
    if not (flights.enabled and flights.across_processes and settings.cache.type == "redis"):
        return None
    from .stores.locks import LASTS, RedisLocks  # noqa: PLC0415 - see the module's docstring
    from .stores.near import NearStore  # noqa: PLC0415 - see the module's docstring
    from .stores.redis import RedisStore  # noqa: PLC0415 - see the module's docstring

    far = store.far if isinstance(store, NearStore) else store
    assert isinstance(far, RedisStore)
    return RedisLocks(far, min(LASTS, flights.wait / 1000), settings.deadlines.store / 1000)


def open_store(settings: config.Config) -> SqliteStore | MemoryStore | RedisStore | NearStore | CassetteStore | NoStore:
    """Return the store that *settings* name. It opens on first use, but for a folder of recordings.

    That one is looked at now: a recording that cannot be read is a `BackendError` at the start.
    """
    cache = settings.cache
    if not settings.exact:
        from .stores.nothing import NoStore  # noqa: PLC0415 - see the module's docstring

        return NoStore()
    match cache.type:
        case "memory":
            from .stores.memory import MemoryStore  # noqa: PLC0415 - see the module's docstring

            return MemoryStore(cache.max_entries, cache.max_bytes, cache.eviction)
        case "sqlite":
            from .stores.sqlite import SqliteStore  # noqa: PLC0415 - see the module's docstring

            return SqliteStore(cache.path, cache.max_entries, cache.max_bytes, cache.eviction)
        case "redis":
            from .stores.near import NearStore  # noqa: PLC0415 - see the module's docstring
            from .stores.redis import RedisStore  # noqa: PLC0415 - see the module's docstring

            assert cache.address is not None
            records = _records(settings)
            store = RedisStore(cache.address, records, settings.deadlines.store / 1000)
            if not cache.near.seconds:
                return store
            channel = records.prefix + b"changed"
            return NearStore(store, cache.address, channel, cache.near.entries, cache.near.seconds)
        case "cassette":
            from .stores import cassette_leaks  # noqa: PLC0415 - see the module's docstring
            from .stores.cassette import CassetteStore  # noqa: PLC0415 - see the module's docstring

            scrubber, scanner = settings.match.scrubber(), Scanner(os.environ, settings.secrets.allow)
            recordings = CassetteStore(
                cache.path, scrubber.words, scrubber.key, lambda entry: cassette_leaks.check(entry, scanner)
            )
            recordings.open()
            return recordings
        case other:
            raise AssertionError(f"the configuration let the store {other!r} through")


def _records(settings: config.Config) -> Records:
    """Return what the Redis holds: our records, or with `compat: higress` those of the plugin."""
    if settings.compat == "higress" and (answer := _answer(settings)):
        from .stores.higress_records import HigressRecords  # noqa: PLC0415 - see the module's docstring

        return HigressRecords(settings.cache.key_prefix, answer.text)
    from .stores.redis_records import OwnRecords  # noqa: PLC0415 - see the module's docstring

    return OwnRecords(prefix(settings))


def open_scope(settings: config.Config) -> Scope:
    """Return what keeps users apart: the key of the credential digest, kept beside the store, and the namespace.

    Recordings are replayed where nobody has a credential, so it is no part of what they are found by.
    """
    names = settings.namespace.name, settings.namespace.hosts
    if settings.scope.mode == "shared" or settings.cache.type == "cassette":
        return Scope(None, *names)
    return Scope(_secret(settings), *names)


def open_seal(settings: config.Config) -> Seal | None:
    """Return what seals entries, or None where nobody wants it, or nothing is written anywhere."""
    if not settings.cache.encrypt or settings.cache.type == "memory":
        return None
    from .sealing import Sealer  # noqa: PLC0415 - see the module's docstring

    return Sealer(_secret(settings))


def _secret(settings: config.Config) -> bytes:
    """Return the key of digests: the user's, or one of our own that is made on first use."""
    if settings.scope.secret:
        return settings.scope.secret.encode()[:64]
    return read_secret(scope_key_path(settings.cache))


def scope_key_path(cache: Cache) -> Path:
    """Return where the key of the credential digest is kept: beside the database, or in the user's cache folder."""
    return (cache.path if cache.type == "sqlite" else default_path()).with_name("scope.key")


def rules(settings: config.Config) -> Rules:
    """Return what the engine needs of *settings*."""
    higress, answer = settings.compat == "higress", _answer(settings)
    cache = settings.cache
    stale = Stale(cache.stale_if_error, cache.stale_while_revalidate, settings.deadlines.stale_if_error / 1000)
    return Rules(
        mode=settings.mode,
        hosts=settings.match.hosts,
        paths=settings.match.paths,
        scrub=settings.match.scrubber().key,
        redactor=Redactor(settings.secrets),
        question=_question(settings, higress=higress),
        answer=answer,
        header_namespaces=settings.namespace.header,
        higress_prefix=settings.cache.key_prefix if higress else None,
        stale=stale,
        admission=Admission(
            finish_reasons=settings.admit.finish_reasons,
            truncated=settings.admit.truncated,
            ttl=settings.cache.ttl,
            keep=stale.keep,
            max_body=settings.limits.max_body,
            answer=answer if higress else None,
        ),
        never_cache=settings.policy.rules.never if settings.policy.rules.never_cache else None,
        max_request=settings.limits.max_request,
        deadline=settings.deadlines.store / 1000,
        flights=settings.flights.wait / 1000 if settings.flights.enabled else 0.0,
        pace=Pace(settings.replay.speed, settings.replay.max_gap / 1000),
    )


def _question(settings: config.Config, *, higress: bool) -> QuestionRule:
    """Read the question by path only where the user names one: a dialect finds its own last question faster."""
    named = higress or "cacheKeyFrom" in settings.explicit
    return QuestionRule(settings.cache_key_strategy, settings.cache_key_from if named else None)


def _answer(settings: config.Config) -> AnswerRule | None:
    if settings.response_template is None and settings.stream_response_template is None:
        return None
    return AnswerRule(
        settings.cache_value_from,
        settings.cache_stream_value_from,
        settings.cache_tool_calls_from,
        settings.response_template,
        settings.stream_response_template,
    )
