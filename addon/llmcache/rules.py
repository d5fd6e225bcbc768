"""What the user decided about answers, as the engine wants to know it. A value; it decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .answer import AnswerRule
from .freshness import Stale
from .pace import Pace
from .question import QuestionRule
from .recorder import Admission
from .redact import Redactor, Secrets


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user decided about answers; the engine's settings in one value."""

    mode: str = "cache"
    hosts: tuple[str, ...] = ()
    """Globs on the provider's name; empty for any."""
    paths: tuple[str, ...] = ()
    """Globs on the path of traffic that no dialect knows and that is to be recorded byte for byte."""
    question: QuestionRule = field(default_factory=QuestionRule)
    scrub: Callable[[bytes], str] = lambda _: ""
    """The key of an identity after `match.ignore` and `match.replace`, empty where they change nothing."""
    redactor: Redactor = field(default_factory=lambda: Redactor(Secrets()))
    """What is taken out of a call before it is compared and stored."""
    answer: AnswerRule | None = None
    """None replays what was recorded; else templates may shape hits."""
    higress_prefix: str | None = None
    """Not None: keys are this prefix and the question, and nothing else (`compat: higress`)."""
    header_namespaces: bool = True
    """Whether a request may ask for a namespace of its own, inside the configured one."""
    stale: Stale = field(default_factory=Stale)
    """How long expired answers may serve."""
    admission: Admission = field(default_factory=Admission)
    never_cache: Callable[[str], str] | None = None
    """A question -> the name of the rule by which it is not cached at all, or nothing."""
    max_request: int = 20_000_000
    """Bytes of a request above which it is not even parsed."""
    max_pending: int = 64_000_000
    """Bytes of replies waiting to be stored; more are dropped, and counted as `overload`."""
    deadline: float = 1.0
    """Seconds a store may take before a call goes upstream."""
    flights: float = 300.0
    """Seconds that a call waits for an identical one that gives no sign of life; 0: each goes upstream by itself."""
    pace: Pace = field(default_factory=Pace)
    """How streams are replayed."""
