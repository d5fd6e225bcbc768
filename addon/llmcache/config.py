"""The configuration: what the user decided, as frozen values.

`load` reads a YAML file (the names are those of Higress' ai-cache, so that a plugin configuration can be pasted in),
checks everything and raises one `ConfigError` that lists every problem with file and line.
It opens nothing but that file, and it does not know what the settings do: `build` turns a `Config` into an engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .gjson import Query
    from .templates import Template

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


def default_path() -> Path:
    """Return the database in the user's cache folder (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "aicache" / "cache.db"


def _query(path: str) -> Query:
    from .gjson import compile_path  # noqa: PLC0415 - until that module has landed

    return compile_path(path)


@dataclass(frozen=True, slots=True)
class Scope:
    """What may never share answers."""

    mode: str = "credential"
    """`credential` (each credential has its own answers) or `shared`."""
    secret: str = ""
    """The key of the keyed digest that stands for a credential; empty lets the store make and keep one."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which traffic is looked at."""

    hosts: tuple[str, ...] = ()
    """Globs on the provider's name; empty means any host."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The exact store."""

    type: str = "sqlite"
    """`sqlite`, `memory` or `redis`."""
    path: Path = field(default_factory=default_path)
    """The database file of `sqlite`."""
    ttl: int = 0
    """`cacheTTL`: seconds that an entry is served; 0 for ever."""
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


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes above which a call is passed on and not stored."""

    max_body: int = 10_000_000
    """`limits.maxBody`: of a reply."""
    max_request: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a backend may take, in milliseconds."""

    store: int = 50


@dataclass(frozen=True, slots=True)
class Admit:
    """What may be stored beyond the default."""

    finish_reasons: frozenset[str] = frozenset()
    """Finish reasons accepted besides the natural ones."""


@dataclass(frozen=True, slots=True)
class Log:
    """What log lines may contain."""

    prompts: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the user decided; `Config()` is what an empty file means."""

    mode: str = "cache"
    """`cache`, `record`, `replay` or `off`."""
    compat: str = "none"
    """`none`, or `higress` for its key rule and its templates."""
    scope: Scope = Scope()
    namespace: str = ""
    match: Match = Match()
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
    log: Log = Log()
    explicit: frozenset[str] = frozenset()
    """The top-level settings that the user wrote, by their YAML names; a default and the same value written differ."""
    warnings: tuple[str, ...] = ()
    """What the user should know but need not repair, one line each."""


def load(path: str | None, overrides: Mapping[str, str] = {}, *, check_available: bool = True) -> Config:  # noqa: B006 - never changed
    """Read the file at *path* (None or empty: all defaults) and apply *overrides* (`mode`, `store`).

    Raises `ConfigError` with every problem at once.
    """
    raise NotImplementedError
