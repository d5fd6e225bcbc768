"""The nouns of an LLM call, and the outcomes of looking one up.

Everything here is a frozen value; nothing here parses, stores or talks.
It does not know mitmproxy, any provider's wire format, or any store.
The words are those of the README's glossary: call, reply, entry, form, hit, miss, bypass, refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order they came, names in lower case."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived at the proxy."""

    method: str
    scheme: str
    """`http` or `https`: how the provider is reached."""
    host: str
    """The provider's name, lower case, without port."""
    port: int
    path: str
    """The path as sent, still percent-encoded, without the query."""
    query: str
    """What follows the `?`, as sent; empty without one."""
    headers: Headers
    body: bytes
    """The body with every content coding undone."""

    def header(self, name: str, default: str = "") -> str:
        """Return the first value of the header *name* (lower case)."""
        return next((value for key, value in self.headers if key == name), default)


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written on the wire: asked for by a request, or found in a recording."""

    kind: str
    """`json` for one whole body; `sse`, `ndjson`, `array`, `eventstream` for a stream; `raw` for bytes."""
    options: frozenset[str] = frozenset()
    """What else shapes the answer but not its meaning, such as `usage` (OpenAI's `include_usage`)."""

    @property
    def streamed(self) -> bool:
        """Whether the answer comes as a stream of frames."""
        return self.kind not in ("json", "raw")


BARE = Form("raw", frozenset({"answer"}))
"""The form of a record that is the answer's text and nothing else, such as those of Higress."""

SEALED = Form("raw", frozenset({"sealed"}))
"""The form of an entry that only its own call can open (`cache.encrypt`)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a dialect understands as an LLM call."""

    dialect: str
    request: Request
    model: str
    """The model as asked for; empty where the call names none."""
    form: Form
    path: str
    """The path as far as it takes part in the identity."""
    query: tuple[tuple[str, str], ...]
    """The query parameters that take part in the identity (no credentials), in their order."""
    headers: tuple[tuple[str, str], ...]
    """The headers that change the meaning of the call, sorted by name."""
    content: Any
    """The JSON value of the body without what the dialect's deny-list leaves out."""
    body: Any
    """The JSON value of the whole body, as parsed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a reply cost, as the provider counted them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    """Input tokens that the provider read from its own prompt cache; part of `input`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it was received, content codings undone."""

    status: int
    headers: Headers
    """The headers worth keeping (allow-list); never framing, coding or cookies."""
    body: bytes
    """One whole body, or every byte of the stream."""
    chunks: tuple[tuple[int, int], ...] = ()
    """For a stream: (milliseconds after the request was sent, length in bytes) of each chunk as it came."""

    def header(self, name: str, default: str = "") -> str:
        """Return the first value of the header *name* (lower case)."""
        return next((value for key, value in self.headers if key == name), default)


@dataclass(frozen=True, slots=True)
class Complete:
    """A verdict: the reply is whole, natural and good."""

    usage: Usage = Usage()
    model: str = ""
    """The model that answered, as the reply names it."""
    marked: bool = True
    """Whether the reply itself says that it is over; if not, a stream counts only where HTTP marked its end."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A verdict: the reply must not be stored."""

    reason: str
    """A short slug, such as `truncated`, `finish-length`, `error-event`, `empty`, `status-429`."""


Verdict = Complete | Incomplete


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored reply with its provenance."""

    key: str
    """Hexadecimal digest of the identity."""
    dialect: str
    host: str
    model: str
    form: Form
    """The form in which the reply was recorded."""
    reply: Reply
    created: float
    """When the reply was recorded, Unix seconds."""
    expires: float | None = None
    """When it is gone, Unix seconds; None for never."""
    usage: Usage = Usage()
    seconds: float = 0.0
    """How long the provider took for the whole reply."""
    request: bytes = b""
    """The identity as it was keyed: canonical JSON, secrets left out."""
    path: str = ""
    question: str = ""
    """The text that the call asks, for people who look at the store; may be shortened."""
    sequence: int = 0
    """Which of several recordings of the same call, in their order; only a folder of recordings keeps more than one."""
    fresh: float | None = None
    """When it becomes stale, Unix seconds, where it is kept longer than that; None: as long as it is kept."""
    origin: str = ""
    """For an answer that was given to a near question: the key of the entry that was recorded; else empty."""
    truncated: bool = False
    """Whether the reply is the beginning of a stream that upstream broke off; it is served as such or not at all."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The call is answered from the store."""

    entry: Entry
    reply: Reply
    """The reply in the form that was asked for."""
    kind: str = "exact"
    """`exact`, or `scrubbed` where only the rules of the user (`match.ignore`, `match.replace`) make two calls one."""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Miss:
    """The call goes upstream, and its reply may be stored."""

    reason: str = "unknown"


@dataclass(frozen=True, slots=True)
class Bypass:
    """The request goes upstream untouched, and nothing is stored."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing recorded answers the call, and nothing may leave: in replay mode, or because the request says so."""

    message: str
    reason: str = "unknown"
    status: int = 424


Outcome = Hit | Miss | Bypass | Refusal


class WireError(ValueError):
    """What they sent cannot be read. The message is a short slug that can stand in a header."""


class Lossy(ValueError):  # noqa: N818 - what happened, as StopIteration: no error of anybody
    """The reply cannot be written in the wanted form without losing something."""


class BackendError(Exception):
    """A store or provider of ours failed; the message says which and how."""


class SecretFound(BackendError):  # noqa: N818 - what happened
    """A recording is not written because there is a secret in it; the message says where, never what."""
