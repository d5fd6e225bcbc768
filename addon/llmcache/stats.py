"""What happened to one call: one record, and the counters made of such records.

Nothing here formats for a screen or talks to a store; `Stats` is a plain callable of `Observation`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .chat import Call, Usage

HOSTS = 1000
"""Hosts without LLM calls that are counted one by one."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One call and its outcome; no text of the call is in it."""

    outcome: str
    """`hit`, `miss`, `bypass` or `refusal`."""
    reason: str = ""
    """`exact` for a hit; why it was no hit for the others."""
    dialect: str = ""
    host: str = ""
    path: str = ""
    model: str = ""
    stream: bool = False
    seconds: float = 0.0
    """How long the caller waited for us (hit) or for the provider (miss)."""
    saved: float = 0.0
    """How long the provider took for the reply that a hit repeats."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the reply: saved by a hit, spent by a miss."""
    stored: str = ""
    """For a miss: `stored`, or why its reply was not; `stored-truncated` where half of one was wanted."""

    def line(self) -> str:
        """Return the log line: what happened, to which call, and what it was worth."""
        what = f"{self.outcome} {self.reason}".rstrip()
        if self.stored:
            what += f", {self.stored}" if self.stored.startswith("stored") else f", not stored: {self.stored}"
        form = "stream" if self.stream else "json"
        line = f"{what}: {self.dialect or self.path} {self.model or '-'} @ {self.host} ({form}, {_time(self.seconds)}"
        return f"{line}, saved {_time(self.saved)})" if self.saved else f"{line})"


def observed(call: Call, outcome: str, reason: str, seconds: float, **more: Any) -> Observation:
    """Return what is to be noted of *call*; *more* are further fields of the observation."""
    request = call.request
    return Observation(
        outcome,
        reason,
        dialect=call.dialect,
        host=request.host,
        path=call.path,
        model=call.model,
        stream=call.form.streamed,
        seconds=seconds,
        **more,
    )


@dataclass(slots=True)
class Stats:
    """Counters since the start."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (outcome, reason)."""
    stored: Counter[str] = field(default_factory=Counter)
    """What became of the replies of misses: `stored`, `stored-truncated`, or the reason why not."""
    saved: dict[tuple[str, str], Usage] = field(default_factory=dict)
    """Tokens that hits saved, by (host, model)."""
    saved_seconds: float = 0.0
    strangers: Counter[str] = field(default_factory=Counter)
    """Requests that are no LLM calls, by host."""

    def passed(self, host: str) -> None:
        """Count a request that is no LLM call; of very many hosts the later ones are not told apart."""
        self.strangers[host if host in self.strangers or len(self.strangers) < HOSTS else "others"] += 1

    def __call__(self, seen: Observation) -> None:
        """Count *seen*."""
        self.outcomes[seen.outcome] += 1
        self.reasons[seen.outcome, seen.reason] += 1
        if seen.stored:
            self.stored[seen.stored] += 1
        if seen.outcome == "hit":
            where = seen.host, seen.model
            self.saved[where] = added(self.saved.get(where, Usage()), seen.usage)
            self.saved_seconds += seen.saved

    @property
    def calls(self) -> int:
        """How many LLM calls were seen."""
        return self.outcomes.total()

    @property
    def tokens_saved(self) -> int:
        """Input and output tokens that hits did not cost again."""
        return sum(usage.input + usage.output for usage in self.saved.values())


def added(one: Usage, other: Usage) -> Usage:
    """Return the sum of two usages."""
    return Usage(one.input + other.input, one.output + other.output, one.cached + other.cached)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
