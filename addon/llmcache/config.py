"""The configuration: what the user decided, as frozen values.

`load` reads a YAML file (the names are those of Higress' ai-cache, so that a plugin configuration can be pasted in),
checks everything and raises one `ConfigError` that lists every problem with file and line.
It opens nothing but that file, and it does not know what the settings do: `build` turns a `Config` into an engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import yaml

from . import higress
from .caching import Cache, check_cache, override_store, read_cache
from .embedding import LOCAL, Embedding, read_embedding
from .gjson import Query, compile_path
from .isolation import Namespace, Scope, ask_blocks, read_namespace, read_scope
from .matching import Match, read_match
from .policies import Policy, read_policy
from .redact import Secrets, read_secrets
from .settings import Notes, Section, choice, flag, milliseconds, number, parse, size, text, texts
from .templates import DEFAULT_JSON, DEFAULT_STREAM, Template, compile_json, compile_stream
from .vectors import Vector, read_vector

KEY_PATH = "messages.@reverse.0.content"
VALUE_PATH = "choices.0.message.content"
STREAM_VALUE_PATH = "choices.0.delta.content"
TOOL_CALLS_PATH = "choices.0.delta.tool_calls"


class ConfigError(Exception):
    """The configuration is wrong; `problems` has one line for each thing to repair."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"the configuration has {count} problem{'s' if count > 1 else ''}:"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


@cache
def _query(path: str) -> Query:
    """Compile *path* once, so that equal paths are the same query."""
    return compile_path(path)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes above which a call is passed on and not stored."""

    max_body: int = 10_000_000
    """`limits.maxBody`: of a reply."""
    max_request: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a backend may take, in milliseconds."""

    store: int = 1000
    """50 where the store is a Redis."""
    embed: int = 1000
    """How long a call waits for the vector of its question. What comes later is remembered for the next."""
    stale_if_error: int = 120_000
    """How long a provider may take to begin its answer before an expired one stands in for it."""


@dataclass(frozen=True, slots=True)
class Admit:
    """What may be stored beyond the default."""

    finish_reasons: frozenset[str] = frozenset()
    """Finish reasons accepted besides the natural ones."""
    truncated: bool = False
    """Whether a stream that the provider broke off is kept, for `replay` to break it off again."""


@dataclass(frozen=True, slots=True)
class Flights:
    """Identical calls at the same time."""

    enabled: bool = True
    """Whether they wait for the first one's answer instead of asking, too."""
    wait: int = 300_000
    """Milliseconds without a sign of life after which a call that waits goes upstream by itself."""
    across_processes: bool = False
    """Whether calls in other processes with the same Redis count, too."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How recorded streams come back."""

    speed: float = 0.0
    """0: at once, in one block; 1: as they came; n: n times as fast."""
    max_gap: int = 0
    """Milliseconds that one pause may last at the most; 0 for any."""
    exhausted: str = "repeat"
    """What a call gets that comes more often than it was recorded: `repeat` the last answer, or `refuse`."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the user decided; `Config()` is what an empty file means."""

    mode: str = "cache"
    """`cache`, `record`, `replay` or `off`; by default `cache`, and `replay` for recordings where `CI` is set."""
    compat: str = "none"
    """`none`, or `higress` for its key rule and its templates."""
    scope: Scope = field(default_factory=Scope)
    namespace: Namespace = field(default_factory=Namespace)
    match: Match = field(default_factory=Match)
    secrets: Secrets = field(default_factory=Secrets)
    cache: Cache = field(default_factory=Cache)
    cache_key_strategy: str = "lastQuestion"
    """`lastQuestion`, `allQuestions` or `disabled`."""
    cache_key_from: Query = field(default_factory=lambda: _query(KEY_PATH))
    cache_value_from: Query = field(default_factory=lambda: _query(VALUE_PATH))
    cache_stream_value_from: Query = field(default_factory=lambda: _query(STREAM_VALUE_PATH))
    cache_tool_calls_from: Query = field(default_factory=lambda: _query(TOOL_CALLS_PATH))
    response_template: Template | None = None
    """Hits as JSON are this template filled with the answer; None replays the recorded reply."""
    stream_response_template: Template | None = None
    limits: Limits = Limits()
    deadlines: Deadlines = Deadlines()
    admit: Admit = Admit()
    flights: Flights = Flights()
    replay: Replay = field(default_factory=Replay)
    enable_semantic_cache: bool = False
    """Whether near questions may be answered."""
    exact: bool = True
    """Whether there is an exact store; with `compat: higress`, vectors without a cache keep the answers themselves."""
    vector: Vector | None = None
    embedding: Embedding | None = None
    policy: Policy = field(default_factory=Policy)
    explicit: frozenset[str] = frozenset()
    """The top-level settings, blocks aside, that have another value than their default, by their YAML names."""
    warnings: tuple[str, ...] = ()
    """What the user should know but need not repair, one line each."""


def load(path: str | None, overrides: Mapping[str, str] = {}) -> Config:
    """Read the file at *path* (None or empty: all defaults) and apply *overrides* (`mode`, `store`).

    Raises `ConfigError` with every problem at once.
    """
    notes = Notes(path or "")
    root = parse(_content(path, notes), notes) if path else Section(notes)
    higress.modernize(root)
    _override(root, overrides)
    config = _read(root)
    check_cache(root.section("cache"), config.cache)
    _check_blocks(root, config)
    root.close()
    if notes.problems:
        raise ConfigError([line for _, line in sorted(notes.problems)])
    return replace(config, warnings=tuple(line for _, line in sorted(notes.warnings)))


def known_settings() -> frozenset[str]:
    """Return the full name of every setting that a file can have."""
    notes = Notes("")
    root = Section(notes)
    _read(root)
    read_vector(root.section("vector"))
    read_embedding(root.section("embedding"))
    ask_blocks(root)
    return frozenset(notes.known)


def _content(path: str, notes: Notes) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # a null byte and an unknown ~user are no OSError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        notes.problem(1, f"the configuration cannot be read: {reason}", path)
        return b""


def _override(root: Section, overrides: Mapping[str, str]) -> None:
    """Put the values of mitmproxy's options over those of the file."""
    if mode := overrides.get("mode"):
        root.put("mode", mode, where=f"aicache_mode={mode}")
    if store := overrides.get("store"):
        override_store(root.section("cache"), store)


def _read(root: Section) -> Config:
    compat = root.read("compat", "none", choice("none", "higress"))
    stored = read_cache(root.section("cache"))
    vector = _read_vector(root, compat, stored)
    embedding = read_embedding(root.section("embedding")) if root.ask("embedding") else None
    semantic = _read_semantic(root, compat)
    return Config(
        mode=_read_mode(root, stored),
        compat=compat,
        scope=read_scope(root),
        namespace=read_namespace(root),
        match=read_match(root.section("match")),
        secrets=read_secrets(root.section("secrets")),
        cache=stored,
        cache_key_strategy=root.read(
            "cacheKeyStrategy", "lastQuestion", choice("lastQuestion", "allQuestions", "disabled")
        ),
        cache_key_from=_read_path(root, "cacheKeyFrom", KEY_PATH),
        cache_value_from=_read_path(root, "cacheValueFrom", VALUE_PATH),
        cache_stream_value_from=_read_path(root, "cacheStreamValueFrom", STREAM_VALUE_PATH),
        cache_tool_calls_from=_read_path(root, "cacheToolCallsFrom", TOOL_CALLS_PATH),
        response_template=_read_template(root, "responseTemplate", compile_json)
        or (compile_json(DEFAULT_JSON) if compat == "higress" else None),
        stream_response_template=_read_template(root, "streamResponseTemplate", compile_stream)
        or (compile_stream(DEFAULT_STREAM) if compat == "higress" else None),
        limits=_read_limits(root.section("limits")),
        deadlines=_read_deadlines(root.section("deadlines"), stored),
        admit=_read_admit(root.section("admit")),
        flights=_read_flights(root.section("flights"), stored.type),
        replay=_read_replay(root.section("replay")),
        enable_semantic_cache=semantic,
        exact=not semantic or compat == "none" or _has_cache(root),
        vector=vector or (Vector("local") if semantic else None),
        embedding=embedding or (Embedding(LOCAL) if semantic else None),
        policy=read_policy(root),
        explicit=frozenset(root.changed),
    )


def _read_mode(root: Section, stored: Cache) -> str:
    """Read the mode; recordings under CI are replayed, unless the file or an option says otherwise."""
    strict = stored.type == "cassette" and os.environ.get("CI", "").lower() not in NO
    mode = root.read("mode", "replay" if strict else "cache", choice("cache", "record", "replay", "off"))
    if strict and not root.has("mode"):
        root.warning(
            "mode", "is `replay`, because `CI` is set and the store is recordings; `--mode` or `mode` names another"
        )
    elif strict and mode != "replay":
        root.warning("mode", f"is `{mode}` as you say, although `CI` is set and the store is recordings")
    return mode


def _read_vector(root: Section, compat: str, stored: Cache) -> Vector | None:
    if not root.ask("vector"):
        return None
    return read_vector(root.section("vector"), higress=compat == "higress", shared=stored.type == "redis")


def _read_admit(block: Section) -> Admit:
    reasons: tuple[str, ...] = block.read("finishReasons", (), texts)
    return Admit(frozenset(reasons), block.read("truncated", False, flag))


def _read_flights(block: Section, store: str) -> Flights:
    across = block.read("acrossProcesses", False, flag)
    if across and store != "redis":
        block.warning("acrossProcesses", f"does nothing with `type: {store}`; processes meet in a redis")
    return Flights(block.read("enabled", True, flag), block.read("wait", 300_000, milliseconds), across)


def _read_replay(block: Section) -> Replay:
    exhausted = block.read("exhausted", "repeat", choice("repeat", "refuse"))
    return Replay(block.read("speed", 0.0, speed), block.read("maxGap", 0, milliseconds), exhausted)


def _read_limits(block: Section) -> Limits:
    return Limits(block.read("maxBody", 10_000_000, size), block.read("maxRequest", 20_000_000, size))


def _read_deadlines(block: Section, stored: Cache) -> Deadlines:
    deadlines = Deadlines(
        block.read("store", PATIENCE.get(stored.type, 1000), milliseconds),
        block.read("embed", 1000, milliseconds),
        block.read("staleIfError", 120_000, milliseconds),
    )
    if "staleIfError" in block.changed and not stored.stale_if_error:
        block.warning("staleIfError", "does nothing without `cache.staleIfError`")
    return deadlines


def _read_path(root: Section, name: str, default: str) -> Query:
    query = root.read(name, _query(default), lambda node: _query(text(node)))
    for warning in query.warnings:
        root.warning(name, warning)
    if name == "cacheToolCallsFrom" and root.has(name) and root.settings[name].node.value == UPSTREAM_TOOL_CALLS_PATH:
        root.warning(
            name, f"is Higress' default, which finds no tool calls in OpenAI's streams; write `{TOOL_CALLS_PATH}`"
        )
    return query


def _read_template(root: Section, name: str, compiled: Callable[[str], Template]) -> Template | None:
    template = root.read(name, None, lambda node: compiled(text(node)))
    for warning in template.warnings if template else ():
        root.warning(name, warning)
    return template


def _read_semantic(root: Section, compat: str) -> bool:
    """Read `enableSemanticCache`; absent, it is on when there is all it needs, as Higress documents.

    What Higress does (#3880) is off unless there is no exact store; `compat: higress` keeps that.
    """
    able = root.has("vector") and root.has("embedding")
    default = able and (compat == "none" or not root.has("cache"))
    return root.read("enableSemanticCache", default, flag)


def _check_blocks(root: Section, config: Config) -> None:
    """Check which of cache, vector and embedding there are, and warn of what this version does not do."""
    if config.compat == "higress" and config.namespace != Namespace():
        root.problem("namespace", "does nothing with `compat: higress`, where only the question is the key; remove one")
    if config.compat == "higress" and (
        late := {"staleIfError", "staleWhileRevalidate"} & root.section("cache").changed
    ):
        root.section("cache").problem(min(late), "does not go with `compat: higress`, whose records have no times")
    if config.compat == "higress" and config.admit.truncated:
        root.section("admit").problem(
            "truncated", "does not go with `compat: higress`, whose records are whole answers"
        )
    if config.cache.encrypt and (config.compat == "higress" or config.enable_semantic_cache):
        other = "compat: higress" if config.compat == "higress" else "enableSemanticCache: true"
        root.section("cache").problem("encrypt", f"does not go with `{other}`, which keeps texts readable; remove one")
    blocks = [name for name in ("vector", "embedding") if root.has(name)]
    if config.compat == "higress" and not blocks and not _has_cache(root):
        root.problem("compat", "`higress` wants a block cache, vector or embedding; write `cache: {type: sqlite}`")
    if blocks == ["vector"] and not config.enable_semantic_cache:
        root.problem(
            "vector", "needs an `embedding:` block too, which turns questions into vectors; such as `{type: wordllama}`"
        )
    if blocks == ["embedding"]:
        root.warning("embedding", "does nothing without a `vector:` block")
    for name in root.section("match").changed & {"ignore", "replace"} if config.cache.type != "cassette" else ():
        does = f"does nothing with `cache.type: {config.cache.type}`; noise is left out where recordings are found"
        root.section("match").warning(name, does)
    if config.enable_semantic_cache and config.cache.type == "cassette":
        root.problem(
            "enableSemanticCache", "does not go with `cache.type: cassette`, which never answers a near question"
        )


def _has_cache(root: Section) -> bool:
    return root.has("cache") or bool(root.section("cache").settings)


def speed(node: yaml.Node) -> float:
    """Take a speed: 0 and more."""
    value = number(node)
    if value < 0:
        raise ValueError(
            f"{text(node)} is no speed; legal values: 0 (at once), 1 (as recorded), or how many times faster"
        )
    return value


NO = ("", "0", "false", "no", "off")
"""What `CI` says where there is none."""
PATIENCE = {"redis": 50}
"""Milliseconds that a call waits for each type of store by default; where it is not named, 1000."""
UPSTREAM_TOOL_CALLS_PATH = "choices.0.delta.content.tool_calls"
