"""Cohere's API: chat (v2) in both forms, and embeddings, reranking and tokens (v1 and v2), which are JSON only.

The verbs of a dialect; the work on chat streams is done by `cohere_events`.
Chat and generate of v1 are `cohere_v1`; its reranking has the form that others share (`single`).
Source: Cohere, "API reference", v2 Chat, Embed, Rerank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from .. import framing, jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage, Verdict, WireError
from . import http
from .chat_verdict import body_of, is_stream
from .cohere_events import END, assemble, events, explode
from .toolcalls import callable_all

NAME = "cohere"
MARKS_END = True

CHAT = "/v2/chat"

RESULTS = {
    "/v2/embed": "embeddings",
    "/v1/embed": "embeddings",
    "/v2/rerank": "results",
    "/v1/tokenize": "tokens",
    "/v1/detokenize": "text",
}
"""How the other paths end -> the member of a reply without which it is not whole."""

DENIED = {
    "stream": "the form of the answer, not the answer",
    "priority": "how early the provider takes the call when it is busy",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

NATURAL = frozenset({"COMPLETE", "TOOL_CALL", "STOP_SEQUENCE"})
"""Finish reasons after which nothing is missing; not `MAX_TOKENS`, `ERROR`, `TIMEOUT` or what we do not know."""

_ASKED = ("query", "text", "texts", "inputs", "tokens")
_ENDINGS = (CHAT, *RESULTS)
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to a path that ends as Cohere's do, whatever host and prefix."""
    return method == "POST" and path.endswith(_ENDINGS)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json` or `no-messages`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _wrong(request.path, body):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else "",
        form=Form("sse" if body.get("stream") else "json"),
        path=request.path,
        query=http.query(request),
        headers=(),
        content={key: value for key, value in body.items() if key not in DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text, the query, or the texts; the body as JSON text where there is none."""
    match call.body:
        case {"messages": [*_, {"content": str(text)}]} if text:
            return text
        case {"messages": [*_, {"content": [_, *_] as parts}]} if all(_is_text(part) for part in parts):
            return "\n".join(part["text"] for part in parts)
        case {"messages": [*_, last]}:
            return jsontext.canonical(last).decode("utf-8", "replace")
    asked = next((call.body[name] for name in _ASKED if call.body.get(name)), call.body)
    if isinstance(asked, list) and all(isinstance(each, str) for each in asked):
        return "\n".join(asked)
    return asked if isinstance(asked, str) else jsontext.canonical(asked).decode("utf-8", "replace")


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    body = body_of(reply, _of_stream)
    if isinstance(body, Incomplete):
        return body
    member = next((name for ending, name in RESULTS.items() if call.path.endswith(ending)), "")
    reason = _result(body, member) if member else _chat(body, finish)
    return Incomplete(reason) if reason else Complete(usage_of(body))


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - a verb of the protocol
    """Return the form that *reply* really has."""
    return Form("sse" if is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", "sse":
                return _as_stream(reply)
            case "sse", "json":
                body = jsontext.dumps(assemble(events(reply.body)))
                return Reply(reply.status, http.typed(reply.headers, "application/json"), body)
            case one, other if one == other:
                return reply
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Cohere writes them."""
    return jsontext.dumps({"id": code, "message": message})


def usage_of(body: dict[str, Any]) -> Usage:
    """Return the tokens of a reply: what the model read and wrote, else what was billed."""
    meta = body.get("meta")
    usage = next((each for each in (body.get("usage"), meta) if isinstance(each, dict)), {})
    counts = next((each for name in ("tokens", "billed_units") if isinstance(each := usage.get(name), dict)), {})
    return Usage(
        _count(counts.get("input_tokens")), _count(counts.get("output_tokens")), _count(usage.get("cached_tokens"))
    )


def _wrong(path: str, body: dict[str, Any]) -> str:
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        return "stream-not-bool"
    if not path.endswith(CHAT):
        return "" if body else "empty-body"
    messages = body.get("messages")
    if not messages:
        return "no-messages"
    fine = isinstance(messages, list) and all(isinstance(each, dict) and "role" in each for each in messages)
    return "" if fine else "bad-messages"


def _of_stream(stream: bytes) -> dict[str, Any]:
    """Return what a finished stream adds up to. Raises `WireError` with the reason why it is not finished."""
    seen: list[tuple[Any, bool]] = []
    body = assemble(_noted(events(stream, jsontext.skim_all), seen), strict=False)
    kinds = [kind for kind, _ in seen]
    if END not in kinds:
        raise WireError("error-event" if any(complains for _, complains in seen) else "truncated")
    if kinds[-1] != END:
        raise WireError("after-done")
    return body


def _noted(told: Iterable[dict[str, Any]], seen: list[tuple[Any, bool]]) -> Iterator[dict[str, Any]]:
    """Yield the events; add to *seen* the type of each, and whether it has a message of its own as errors have."""
    for event in told:
        seen.append((event.get("type"), "message" in event))
        yield event


def _result(body: dict[str, Any], member: str) -> str:
    """Return why a reply other than chat is not good, or an empty string."""
    if member in body:
        return "" if body[member] else "empty"
    return "error-body" if isinstance(body.get("message"), str) else f"no-{member}"


def _chat(body: dict[str, Any], finish: frozenset[str]) -> str:
    message, reason = body.get("message"), body.get("finish_reason")
    if body.get("error") or isinstance(message, str):
        return "error-body"
    if not isinstance(message, dict) or not isinstance(reason, str):
        return "truncated"
    if reason not in NATURAL and reason not in finish:
        return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"
    calls, content = message.get("tool_calls") or [], message.get("content")
    if not calls and not (isinstance(content, list) and any(_says(part) for part in content)):
        return "empty"
    return "" if callable_all(calls) else "tool-arguments"


def _says(part: Any) -> bool:
    """Whether a content block says anything; thinking alone is no answer."""
    return isinstance(part, dict) and part.get("type") != "thinking" and bool(str(part.get("text", part)).strip())


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    written = [framing.sse(framing.Event(jsontext.dumps(each).decode(), each["type"])) for each in explode(body)]
    return http.streamed(reply, written, "text/event-stream")


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and part.keys() <= {"type", "text"}


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value > 0 else 0
