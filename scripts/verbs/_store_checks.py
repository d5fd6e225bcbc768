"""Whether the store works, and what semantic answers rest on: opened, asked, written to as far as that leaves no trace.

A folder of recordings is never written to, and neither is a Redis of Higress. Entry points: `store`, `semantic`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from llmcache import config
from llmcache.addresses import Address
from llmcache.build import open_store
from llmcache.chat import BackendError, Entry, Form, Reply

from ._check import FAILED, OK, WARNING, Check

PATIENCE = 15.0
"""Seconds for a server to answer, however short the deadline of a call is."""
MODEL_PATIENCE = 120.0
"""Seconds for an embedding model to load."""
SKEW = 5.0
"""Seconds by which two clocks may differ."""
ROOM = 1_000_000_000
"""Bytes of free disk below which it gets tight."""
SEARCHED_BY = {"vectorSets": ("VSIM",), "query": ("FT.SEARCH",), "auto": ("VSIM", "FT.SEARCH")}
"""What `vector.engine` needs of a Redis: one of these commands."""
SETS_FROM = "vector.type redis needs Redis 8 (vector sets) or a query engine (Redis Stack); another: vector.type local"


async def store(settings: config.Config) -> list[Check]:
    """Return what is to say of the store of *settings*."""
    match settings.cache.type:
        case "memory":
            return [Check("store", OK, "in memory: its answers end with the proxy")]
        case "sqlite":
            return [*_disk(settings.cache.path), await _guarded("store", _sqlite, settings)]
        case "cassette":
            return [*_disk(settings.cache.path), await _guarded("store", _cassette, settings)]
        case _:
            assert settings.cache.address is not None
            return [
                await _guarded("store", _written, settings),
                *await redis("store", settings.cache.address, settings),
            ]


async def _guarded(what: str, check: Callable[[config.Config], Awaitable[Check]], settings: config.Config) -> Check:
    """Return what *check* finds; a failure of the backend is what it found."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await check(settings)
    except BackendError as error:
        return Check(what, FAILED, str(error), "see the block `cache:` of the configuration, or choose another --store")
    except TimeoutError:
        return Check(what, FAILED, f"no answer within {PATIENCE:.0f} s", "is the server there, and the way to it open?")


async def _sqlite(settings: config.Config) -> Check:
    path = settings.cache.path
    if not path.exists():
        return Check("store", OK, f"{path} is not there yet; it is made when the first call is stored")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("store", WARNING, f"others may read {path}, and with it every prompt", f"chmod 600 {path}")
    return await _written(settings)


async def _cassette(settings: config.Config) -> Check:
    path = settings.cache.path
    if not path.is_dir():
        found, remedy = f"{path} is not there", "aicache run --mode record -- CMD makes it"
        return Check("store", FAILED if settings.mode == "replay" else OK, found, remedy)
    opened = open_store(settings)
    try:
        return Check("store", OK, f"{opened!r}"[1:-1] + ", each readable")
    finally:
        await opened.close()


async def _written(settings: config.Config) -> Check:
    """Write an entry, read it, remove it."""
    opened = open_store(settings)
    started = time.perf_counter()
    now = time.time()
    reply = Reply(200, (("content-type", "application/json"),), b"{}")
    key = os.urandom(32).hex()
    entry = Entry(key, "openai-chat", "aicache-doctor.invalid", "", Form("json"), reply, now, now + 60)
    try:
        if settings.compat == "higress":
            await opened.get(key)
            return Check("store", OK, f"{opened!r}"[1:-1] + " is read (and not written: its records are Higress')")
        await opened.put(entry)
        read = await opened.get(key)
        await opened.delete(key)
    finally:
        await opened.close()
    if read is None or read.reply.body != reply.body:
        return Check("store", FAILED, "what was written a moment ago is not there", "is its memory or disk full?")
    spent = (time.perf_counter() - started) * 1000
    return Check("store", OK, f"{settings.cache.type} is opened, written and read ({spent:.0f} ms)")


def _disk(path: Path) -> list[Check]:
    """Return whether there is a folder to write to, and room in it."""
    folder = next(each for each in (path if path.is_dir() else path.parent, *path.absolute().parents) if each.exists())
    if not os.access(folder, os.W_OK):
        return [Check("disk", FAILED, f"{folder} is not writable", "make it yours, or choose another place: --store")]
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    return [Check("disk", OK if free > ROOM else WARNING, found, "" if free > ROOM else "make room, or move the store")]


async def redis(what: str, address: Address, settings: config.Config) -> list[Check]:
    """Return what a Redis says of itself: version, eviction, clock, vector sets where they are needed."""
    from llmcache.stores.redis_client import FAILURES, connect  # noqa: PLC0415 - a driver, where it was chosen

    if address.kind == "cluster":
        return []
    try:
        async with asyncio.timeout(PATIENCE):
            client = await connect(address)
            try:
                return await _told(what, client, settings)
            finally:
                await client.aclose()
    except (*FAILURES, TimeoutError) as error:
        return [
            Check(what, FAILED, f"{address}: {type(error).__name__}", "is the server there, and the way to it open?")
        ]


async def _told(what: str, client: Any, settings: config.Config) -> list[Check]:
    info = await client.info()
    version, policy = info.get("redis_version", "?"), info.get("maxmemory_policy", "?")
    limit = int(info.get("maxmemory", 0))
    checks = [Check(what, OK, f"Redis {version}, eviction {policy}, {info.get('used_memory_human', '?')} used")]
    if limit and policy == "noeviction":
        remedy = "CONFIG SET maxmemory-policy allkeys-lru"
        checks = [Check(what, WARNING, f"Redis {version} refuses to store once it is full ({policy})", remedy)]
    elif limit and policy.startswith("volatile") and not settings.cache.ttl:
        found = f"Redis {version} evicts only what expires ({policy}), and entries do not"
        checks = [Check(what, WARNING, found, "set cache.cacheTTL, or maxmemory-policy allkeys-lru")]
    seconds, micros = await client.time()
    skew = seconds + micros / 1e6 - time.time()
    if abs(skew) > SKEW:
        found = f"the Redis' clock differs from ours by {skew:+.0f} s, so that entries expire early or late"
        checks.append(Check("clock", WARNING, found, "let both follow a time server"))
    if settings.enable_semantic_cache and settings.vector and settings.vector.type == "redis":
        commands = SEARCHED_BY[settings.vector.engine]
        # Under a name of its own, for the driver cannot read that a command is not there.
        if not any(await client.execute_command("COMMAND INFO", *commands)):
            checks.append(Check("index", FAILED, f"Redis {version} does not know {' or '.join(commands)}", SETS_FROM))
    return checks


async def semantic(settings: config.Config) -> list[Check]:
    """Return whether the embedder gives vectors and the index answers; nothing where semantic answers are off."""
    if not settings.enable_semantic_cache:
        return []
    from llmcache.build_similar import open_embedder  # noqa: PLC0415 - see the module's docstring

    assert settings.embedding is not None
    started = time.perf_counter()
    try:
        embedder = open_embedder(settings)
        try:
            async with asyncio.timeout(MODEL_PATIENCE):
                vectors = await embedder.embed(["Why is the sky blue?"])
        finally:
            await embedder.close()
    except (BackendError, TimeoutError) as error:
        found = str(error) or f"no vector within {MODEL_PATIENCE:.0f} s"
        return [Check("embedder", FAILED, found, "see the block `embedding:` of the configuration")]
    spent = (time.perf_counter() - started) * 1000
    found = f"{embedder.name}: vectors of {vectors.shape[1]} numbers, the first after {spent:.0f} ms"
    return [Check("embedder", OK, found), *await _index(settings, vectors[0])]


async def _index(settings: config.Config, vector: Any) -> list[Check]:
    from llmcache.build_similar import open_index  # noqa: PLC0415 - see the module's docstring
    from llmcache.index.remote import RemoteIndex  # noqa: PLC0415 - see the module's docstring

    assert settings.vector is not None
    kind = settings.vector.type
    try:
        index = open_index(settings)
        try:
            async with asyncio.timeout(PATIENCE):
                if isinstance(index, RemoteIndex):
                    problems = await index.check()
                    return [Check("index", FAILED, each, REPAIR) for each in problems] or [Check("index", OK, kind)]
                if kind not in ("local", "usearch"):  # files are opened, and made, by the first question
                    await index.nearest("0" * 32, vector, 1)
        finally:
            await index.close()
    except (BackendError, TimeoutError) as error:
        return [Check("index", FAILED, str(error) or f"{kind} does not answer within {PATIENCE:.0f} s", REPAIR)]
    return [Check("index", OK, f"{kind} is there")]


REPAIR = "see the block `vector:` of the configuration"
