"""What Amazon Bedrock's two dialects share: the model in the path, the headers that matter, frames and errors.

The model id stands in the path, percent-encoded in more than one way; signatures and bearer keys are credentials,
which `scope` knows. A path ending that asks for a stream is form, not identity.
Source: AWS, "Amazon Bedrock API Reference", actions Converse, ConverseStream, InvokeModel, CountTokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .. import eventstream, jsontext
from ..chat import Reply, Usage, WireError
from ..eventstream import Header
from . import http
from .frames import ReadAll, payloads

Event = tuple[str, dict[str, Any]]
"""An event of a stream: its name, and its payload."""

MEDIA_TYPE = "application/vnd.amazon.eventstream"

MEANINGFUL = frozenset(
    {
        "x-amzn-bedrock-guardrailidentifier",
        "x-amzn-bedrock-guardrailversion",
        "x-amzn-bedrock-performanceconfig-latency",
        "x-amzn-bedrock-service-tier",
        "x-amzn-bedrock-trace",  # the reply carries the guardrail's trace then
    }
)
"""Headers that change the answer; `x-amzn-bedrock-request-metadata` labels the provider's logs only."""

PADDING = "p"
"""The member of an event that only hides how long it is."""


def split(path: str) -> tuple[str, str, str]:
    """Return what stands before `/model/`, the model id in the clear, and the action: `converse`, `invoke`, ..."""
    before, _, rest = path.partition("/model/")
    model, _, action = rest.rpartition("/")
    return before, unquote_to_bytes(model).decode("utf-8", "replace"), action


def plain_path(path: str, action: str) -> str:
    """Return *path* with the model id encoded in one way only (`:` and `/` too), asking for *action*."""
    before, _, rest = path.partition("/model/")
    return f"{before}/model/{quote(unquote_to_bytes(rest.rpartition('/')[0]), safe='')}/{action}"


def is_stream(reply: Reply) -> bool:
    """Whether the body is an event stream: by its content type, else by how it begins."""
    return http.media_type(reply.header("content-type")) == MEDIA_TYPE or eventstream.begins(reply.body)


def events(stream: bytes, read: ReadAll = jsontext.read_all) -> Iterator[Event]:
    """Yield the events of a stream without their padding.

    Raises `WireError` with `truncated`, `bad-frame`, `error-event` (exceptions and errors) or `bad-event`.
    """
    messages = eventstream.parse(stream)
    if any(message.header(":message-type") in ("exception", "error") for message in messages):
        raise WireError("error-event")
    told = payloads([(b"", message.payload, b"") for message in messages], read)
    for message, payload in zip(messages, told, strict=True):
        payload.pop(PADDING, None)
        yield message.header(":event-type"), payload


def frame(name: str, payload: dict[str, Any]) -> bytes:
    """Write an event as Bedrock does."""
    headers = (
        Header(":event-type", name),
        Header(":content-type", "application/json"),
        Header(":message-type", "event"),
    )
    return eventstream.message(headers, jsontext.dumps(payload))


def as_stream(reply: Reply, found: Iterable[Event]) -> Reply:
    """Return *reply* as a stream of the events *found*, one chunk each, all at once."""
    frames = [frame(name, payload) for name, payload in found]
    return http.streamed(reply, frames, MEDIA_TYPE)


def as_json(reply: Reply, body: dict[str, Any]) -> Reply:
    """Return *reply* as one JSON body."""
    return Reply(reply.status, http.typed(reply.headers, "application/json"), jsontext.dumps(body))


def usage_of(usage: Any) -> Usage:
    """Return the tokens that a `usage` member counts; Bedrock counts cached input apart from the rest."""
    counts = usage if isinstance(usage, dict) else {}
    fresh, read, written, output = (
        count if isinstance(count := counts.get(name), int) and count > 0 else 0
        for name in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")
    )
    return Usage(fresh + read + written, output, read)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Bedrock writes them; with status 424 the SDKs do not try again."""
    return jsontext.dumps({"__type": "ModelErrorException", "message": message, "code": code})
