"""Cohere's chat and generate of v1, which older clients still speak: a message or a prompt, streamed as lines of JSON.

A stream ends with the whole response, so nothing is put together; what the deltas of a chat said is held against it.
A generation's response lacks members in a stream, and server-sent events are written in no documentation: both are
replayed as they came. Embeddings, tokens and all of v2 are `cohere`, reranking is in `single`.
Source: Cohere, "API reference", v1 Chat and Generate, and the types of its Python SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import framing, jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from ..ndjson import ndjson
from . import chat_verdict, cohere, http
from .chat_assemble import same
from .chat_explode import pieces
from .frames import ReadAll, check_text, payloads
from .ollama_forms import objects

NAME = "cohere-v1"
MARKS_END = True

refusal = cohere.refusal

ASKED = {"/v1/chat": "message", "/v1/generate": "prompt"}
"""The path -> the member that asks. Applications have such paths too, so only a known prefix may stand before it."""

PREFIXES = ("", "/cohere")
END = "stream-end"
ANNOUNCED = {
    "search-queries-generation": ("search_queries",),
    "search-results": ("search_results", "documents"),
    "text-generation": ("text",),
    "citation-generation": ("citations",),
    "tool-calls-generation": ("tool_calls",),
}
"""An event of a chat's stream -> the members of the response that it announces; in the order in which they come."""

_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)

Body = dict[str, Any]


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `/v1/chat` or `/v1/generate`."""
    return method == "POST" and path in _PATHS


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json`, `no-prompt`, `conversation`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _wrong(request.path, body):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else "",
        form=_form(request, body),
        path=request.path,
        query=http.query(request),
        headers=(),
        content={key: value for key, value in body.items() if key not in cohere.DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the message or the prompt."""
    return str(call.body[_PATHS[call.path]])


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    form = reply_form(call, reply)
    try:
        body = _last(_events(reply, form, jsontext.skim_all)) if form.streamed else jsontext.skim(reply.body)
    except WireError as error:
        return Incomplete(str(error) if form.streamed else "not-json")
    if not isinstance(body, dict):
        return Incomplete("not-an-object")
    reason = _chat(body, finish) if call.path.endswith("chat") else _generated(call, body, finish)
    return Incomplete(reason) if reason else Complete(cohere.usage_of(body))


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - a verb of the protocol
    """Return the form that *reply* really has: by how it begins, for gateways know no `application/stream+json`."""
    if chat_verdict.is_stream(reply):
        return Form("sse")
    return Form("ndjson" if reply.body.lstrip().startswith((b'{"is_finished"', b'{"event_type"')) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the member where something would be lost, and with `sse` where we do not know how it is written.
    """
    try:
        match recorded.kind, wanted.kind:
            case one, other if one == other:
                return reply
            case "json", "ndjson":
                return _as_stream(reply)
            case (("ndjson" | "sse"), "json"):
                body = jsontext.dumps(_assembled(_events(reply, recorded, jsontext.read_all)))
                return Reply(reply.status, http.typed(reply.headers, "application/json"), body)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def _wrong(path: str, body: Body) -> str:
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        return "stream-not-bool"
    if body.get("conversation_id"):
        return "conversation"  # it grows with each call
    name = _PATHS[path]
    return "" if isinstance(body.get(name), str) and body[name] else f"no-{name}"


def _form(request: Request, body: Body) -> Form:
    if not body.get("stream"):
        return Form("json")
    accepted = (request.header(name) for name in ("accepts", "accept"))  # the first one is what Cohere documents
    return Form("sse" if "text/event-stream" in accepted else "ndjson")


def _events(reply: Reply, form: Form, read: ReadAll) -> list[Body]:
    """Return the JSON objects of a stream. Raises `WireError` with `truncated` or `bad-event`."""
    if form.kind == "ndjson":
        return objects(reply.body, read)
    check_text(reply.body)
    return list(payloads([event for event in framing.frames(reply.body) if event[1].strip()], read))


def _last(events: list[Body]) -> Any:
    """Return the response that a finished stream ends with. Raises `WireError` with why it is not finished."""
    kinds = [event.get("event_type") for event in events]
    if "stream-error" in kinds or any("event_type" not in event for event in events):
        raise WireError("error-event")
    if END not in kinds:
        raise WireError("truncated")
    if kinds.index(END) + 1 < len(kinds):
        raise WireError("after-done")
    return events[-1].get("response")


def _chat(body: Body, finish: frozenset[str]) -> str:
    """Return why a chat's response is not good, or an empty string."""
    if not isinstance(body.get("text"), str):
        return "error-body" if "message" in body else "empty"
    if reason := _finish(body, finish):
        return reason
    calls = body.get("tool_calls") or []
    if not isinstance(calls, list):
        return "tool-arguments"
    if not (body["text"].strip() or calls or body.get("search_queries")):
        return "empty"
    return "" if all(_callable(each) for each in calls) else "tool-arguments"


def _generated(call: Call, body: Body, finish: frozenset[str]) -> str:
    generations = body.get("generations")
    wanted = call.body.get("num_generations")
    if not isinstance(generations, list) or len(generations) != (wanted if isinstance(wanted, int) else 1):
        return "error-body" if "message" in body else "generations-missing"
    if not all(isinstance(each, dict) and str(each.get("text") or "").strip() for each in generations):
        return "empty"
    return next((reason for each in generations if (reason := _finish(each, finish))), "")


def _finish(answer: Body, finish: frozenset[str]) -> str:
    reason = answer.get("finish_reason")
    if not isinstance(reason, str):
        return "finish-unnamed"
    if reason in cohere.NATURAL or reason in finish:
        return ""
    return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"


def _callable(tool_call: Any) -> bool:
    return isinstance(tool_call, dict) and isinstance(tool_call.get("parameters", {}), dict)


def _assembled(events: list[Body]) -> Body:
    """Return a chat's response. Raises `Lossy` (`text`) where the deltas say something else."""
    body = _last(events)
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise Lossy("response")
    spelled = [str(event.get("text")) for event in events if event["event_type"] == "text-generation"]
    if spelled and "".join(spelled) != body["text"]:
        raise Lossy("text")
    return body


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise Lossy("response")
    events = list(_exploded(body))
    if not same(body, _assembled(events)):
        raise Lossy("response")
    return http.streamed(reply, [ndjson(jsontext.dumps(each)) for each in events], "application/stream+json")


def _exploded(body: Body) -> Iterator[Body]:
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": body.get("generation_id")}
    for kind, told in _announced(body):
        yield {"is_finished": False, "event_type": kind, **told}
    yield {"is_finished": True, "event_type": END, "response": body, "finish_reason": body.get("finish_reason")}


def _announced(body: Body) -> Iterator[tuple[str, Body]]:
    for kind, names in ANNOUNCED.items():
        if kind == "text-generation":
            yield from ((kind, {"text": piece}) for piece in pieces(body["text"]))
        elif told := {name: body[name] for name in names if body.get(name)}:
            yield kind, told


_PATHS = {prefix + path: name for path, name in ASKED.items() for prefix in PREFIXES}
