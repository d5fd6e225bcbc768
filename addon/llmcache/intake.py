"""Interactions that other tools recorded, taken in as if they had just gone by: same identity, judge, scan and store.

Each goes through an engine of its own settings, which is told the moment at which it was recorded.
It knows no file format. Entry points: `Intake`, `unscoped`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from . import config
from .build import build_engine
from .capture import request_body, value
from .chat import Bypass, Miss, WireError
from .control import Control, read_control
from .stats import Observation
from .traffic import Interaction

TAKEN, AGAIN = "imported", "imported again"
"""What becomes of an interaction that is stored; the second where an earlier one of this run had the same call:
recordings keep both, in their order, and a cache the later one."""

Held = Callable[[str], Awaitable[float | None]]
"""Says when the entry that a store holds under a key was recorded; None where it holds none."""


def unscoped(settings: config.Config) -> bool:
    """Whether entries are found without a credential: recordings of others have none, or a false one."""
    shared = settings.scope.mode == "shared" or settings.compat == "higress"
    return shared or settings.cache.type == "cassette"


@dataclass
class Intake:
    """Takes interactions into the store of *settings*."""

    settings: config.Config
    held: Held
    _outcome: str = ""
    _moment: float = 0.0
    _keys: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Make the engine. Raises `BackendError`."""
        # As in a run that records: several answers to one call keep their order in a folder of recordings.
        quiet = replace(self.settings, mode="record", enable_semantic_cache=False, exact=True)
        self._engine = build_engine(quiet, self._observe, lambda: self._moment)

    def _observe(self, seen: Observation) -> None:
        self._outcome = seen.stored or seen.reason

    async def take(self, found: Interaction, moment: float) -> str:
        """Take one in; return `TAKEN`, `AGAIN`, or a slug that says why not. *moment*: when it was if it does not say.

        Raises `BackendError` where the store cannot be read.
        """
        engine, request = self._engine, found.request
        dialect = engine.claims(request.method, request.host, request.path)
        if "aicache; hit" in value(found.exchange.headers, "cache-status"):
            return "answered-by-aicache"
        if dialect is None:
            return engine.passes(request.host, request.path) or "no-llm-call"
        try:
            request_body(request.body, "", engine.rules.max_request)
        except WireError as error:
            return str(error)
        self._moment = min(time.time(), moment if found.moment is None else found.moment)
        outcome, ticket = await engine.lookup(dialect, request, self._control(read_control(request.headers)))
        if not isinstance(outcome, Miss) or ticket is None:
            return outcome.reason if isinstance(outcome, Bypass) else "not-recordable"
        held = await self.held(ticket.key)
        if held is not None and held > self._moment:
            engine.abandon(ticket, "newer-is-stored")
            return self._outcome
        engine.record(ticket, found.exchange)
        await engine.settled()
        if self._outcome != "stored":
            return self._outcome
        again = ticket.key in self._keys
        self._keys.add(ticket.key)
        return AGAIN if again else TAKEN

    def _control(self, asked: Control) -> Control:
        """Return what holds of the wishes that a request had; what is to expire does so from now on."""
        cache = self.settings.cache
        ttl = cache.ttl + int(time.time() - self._moment) if cache.ttl else None
        lane = asked.lane if cache.type == "cassette" else ""
        return Control(
            no_store=asked.no_store, namespace=asked.namespace, lane=lane, malformed=asked.malformed, ttl=ttl
        )

    async def close(self) -> None:
        """Let go of the store."""
        await self._engine.close()
