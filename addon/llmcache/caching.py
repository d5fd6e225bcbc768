"""The `cache:` block: where answers are kept.

Higress' settings of its Redis, a URL, or a type that needs neither: all become one `Cache`.
It opens nothing. Entry points: `read_cache`, `check_cache`, `override_store`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from .addresses import SCHEMES, Address, Tls, masked, parse_url
from .settings import Section, choice, flag, host, size, text, whole

HIGRESS_PREFIX = "higress-ai-cache:"
RECORDINGS = Path("tests/recordings")
"""Where a `cassette` is unless `path` says it, from where the proxy is started."""


def default_path() -> Path:
    """Return the database in the user's cache folder (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "aicache" / "cache.db"


@dataclass(frozen=True, slots=True)
class Near:
    """What is kept of a Redis in this process."""

    entries: int = 1000
    seconds: int = 5
    """How long at the most; 0 asks Redis each time."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The exact store."""

    type: str = "sqlite"
    """`sqlite`, `memory`, `redis` or `cassette`."""
    path: Path = field(default_factory=default_path)
    """The database file of `sqlite`, the folder of `cassette`."""
    ttl: int = 0
    """`cacheTTL`: seconds that an entry is served; 0 for ever."""
    stale_if_error: int = 0
    """Seconds that an expired answer stands in for a provider that fails."""
    stale_while_revalidate: int = 0
    """Seconds that an expired answer is served while it is asked for anew."""
    key_prefix: str = "higress-ai-cache:"
    max_entries: int = 1_000_000
    max_bytes: int = 4_000_000_000
    eviction: str = "lru"
    service_name: str = ""
    service_host: str = ""
    service_port: int = 6379
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: int = 10_000
    """Milliseconds."""
    database: int = 0
    address: Address | None = field(default=None, repr=False)
    """Where the Redis is, of `url` or of the settings above; None for other stores."""
    near: Near = Near()
    encrypt: bool = False
    """Whether entries are sealed for their own calls."""


def read_cache(block: Section) -> Cache:
    """Read the block."""
    service = block.read("serviceName", "", text)
    kind = block.read("type", "sqlite", choice("sqlite", "memory", "redis", "cassette"))
    cache = Cache(
        type=kind,
        path=block.read("path", RECORDINGS if kind == "cassette" else default_path(), expanded),
        ttl=block.read("cacheTTL", 0, whole()),
        stale_if_error=block.read("staleIfError", 0, whole(0, LONGEST)),
        stale_while_revalidate=block.read("staleWhileRevalidate", 0, whole(0, LONGEST)),
        key_prefix=block.read("cacheKeyPrefix", HIGRESS_PREFIX, text),
        max_entries=block.read("maxEntries", 1_000_000, whole(1)),
        max_bytes=block.read("maxBytes", 4_000_000_000, size),
        eviction=block.read("eviction", "lru", choice("lru", "lfu", "fifo")),
        service_name=service,
        service_host=block.read("serviceHost", "", host),
        service_port=block.read("servicePort", 80 if service.endswith(".static") else 6379, whole(1, 65535)),
        username=block.read("username", "", text),
        password=block.read("password", "", text),
        timeout=block.read("timeout", 10_000, whole()),
        database=block.read("database", 0, whole()),
        near=_read_near(block.section("near")),
        encrypt=block.read("encrypt", False, flag),
    )
    url, tls = block.read("url", None, _url), _read_tls(block)
    client_name = block.read("clientName", "aicache", text)
    if cache.type != "redis":
        return cache
    address = _with_settings(url or _of_service(cache), cache, client_name)
    return replace(cache, address=replace(address, tls=tls or address.tls))


def override_store(block: Section, store: str) -> None:
    """Put the value of mitmproxy's option, `TYPE`, `TYPE:PATH` or a Redis URL, over what the file says."""
    kind, _, path = store.partition(":")
    if kind in SCHEMES and kind != store:
        block.put("type", "redis", where=f"aicache_store={masked(store)}")
        block.put("url", store, where=f"aicache_store={masked(store)}")
        return
    block.put("type", kind, where=f"aicache_store={store}")
    if path:
        block.put("path", path, where=f"aicache_store={store}")


def check_cache(block: Section, cache: Cache) -> None:
    """Note what does not go together."""
    _check_stale(block, cache)
    if cache.encrypt and cache.type == "memory":
        block.warning("encrypt", "is not used by `type: memory`, which writes nothing anywhere")
    if cache.type == "cassette":
        _check_cassette(block, cache)
    if cache.type != "redis":
        for name in REDIS_ONLY:
            if name in block.changed:
                block.warning(name, f"is not used by `type: {cache.type}`, only by redis")
    elif block.has("url"):
        for name in ("serviceName", "serviceHost", "servicePort"):
            if block.has(name) and block.settings[name].node.value:
                block.warning(name, "is not used: `url` says where the Redis is")
    elif not (cache.service_name or cache.service_host):
        block.problem("serviceName", "is missing; `type: redis` requires it, or `serviceHost`, or a `url`")
    else:
        _explain_service(block, cache)


def _check_cassette(block: Section, cache: Cache) -> None:
    if cache.encrypt:
        block.problem("encrypt", "is not for `type: cassette`, whose files are there to be read; leave it out")
    for name in ("maxEntries", "maxBytes", "eviction"):
        if name in block.changed:
            block.warning(name, "is not used by `type: cassette`: no recording is ever removed by itself")


def _check_stale(block: Section, cache: Cache) -> None:
    for name in ("staleIfError", "staleWhileRevalidate"):
        if name in block.changed and not cache.ttl:
            block.warning(name, "is only for answers that expire: `cacheTTL` is 0, so only those with `ttl=N` do")
        if name in block.changed and cache.type == "cassette":
            block.problem(name, "is not for `type: cassette`, whose recordings do not grow old; leave it out")


def _explain_service(block: Section, cache: Cache) -> None:
    """Say what becomes of a name that only Higress' gateway knows."""
    suffix = next((suffix for suffix in REGISTRIES if cache.service_name.endswith(suffix)), "")
    if suffix and cache.service_host:
        block.warning(
            "serviceName",
            f"`{suffix}` is a registry of Higress' gateway, which is not asked; "
            f"`serviceHost` is used: {cache.service_host}:{cache.service_port}",
        )
    elif suffix:
        block.warning(
            "serviceName",
            f"`{suffix}` is a registry of Higress' gateway, which is not asked; the name before it is taken: "
            f"{_host_of(cache)}:{cache.service_port}; if that is wrong, write `serviceHost` and `servicePort`",
        )


def _read_near(block: Section) -> Near:
    return Near(block.read("entries", 1000, whole(1)), block.read("seconds", 5, whole()))


def _read_tls(block: Section) -> Tls | None:
    """Read how TLS is spoken; without a setting for it that is a matter of the URL."""
    tls = Tls(
        ca=block.read("tlsCA", "", _file),
        cert=block.read("tlsCert", "", _file),
        key=block.read("tlsKey", "", _file),
        verify=block.read("tlsVerify", True, flag),
    )
    return None if tls == Tls() else tls


def _file(node: yaml.Node) -> str:
    return str(expanded(node))


def _url(node: yaml.Node) -> Address | None:
    return parse_url(text(node))


def _host_of(cache: Cache) -> str:
    name = cache.service_name
    for suffix in REGISTRIES:
        name = name.removesuffix(suffix)
    return cache.service_host or name


def _of_service(cache: Cache) -> Address:
    return Address(nodes=((_host_of(cache), cache.service_port),), database=cache.database)


def _with_settings(address: Address, cache: Cache, client_name: str) -> Address:
    """Complete *address*; what a URL says goes before the settings."""
    return replace(
        address,
        username=address.username or cache.username,
        password=address.password or cache.password,
        database=address.database or (0 if address.kind == "cluster" else cache.database),
        client_name=address.client_name or client_name,
        timeout=cache.timeout / 1000 or None,
    )


def expanded(node: yaml.Node) -> Path:
    """Take a path in which `~` and `$VARIABLE` stand for what they stand for in a shell."""
    path = os.path.expanduser(os.path.expandvars(text(node)))  # noqa: PTH111 - Path's raises for an unknown user
    if left := _VARIABLE.search(path):
        raise ValueError(f"the environment has no variable `{left.group()}`")
    if "\0" in path:
        raise ValueError("a path cannot hold a null byte")
    return Path(path)


LONGEST = 2**31
"""Seconds; RFC 9111 section 1.2.2."""
REDIS_ONLY = (
    "url",
    "serviceName",
    "serviceHost",
    "servicePort",
    "username",
    "password",
    "timeout",
    "database",
)
REGISTRIES = (".static", ".dns")
"""Ends of Envoy's cluster names that are no part of a host's name."""

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")
