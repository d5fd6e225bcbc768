"""Google's Interactions, which Gemini is asked by beside generateContent: JSON and server-sent events.

What depends on more than the request: `previous_interaction_id` names an interaction that never changes, so it is
identity, and so is `store`, for a later call may name a hit. Agents, environments and background calls go on at the
provider and are passed through. The two forms are turned into each other by `interactions_forms`.
Source: Google, "Interactions API" and "Streaming interactions" (ai.google.dev), the types of its Python SDK.
"""

from __future__ import annotations

import re
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage, Verdict, WireError
from . import google, http
from .chat_verdict import body_of, is_stream
from .frames import DONE
from .interactions_forms import END, Body, assemble, events, explode

NAME = "google-interactions"
MARKS_END = True

refusal = google.refusal

DENIED = google.DENIED | {"stream": "the form of the answer, not the answer"}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

MEANINGFUL = google.MEANINGFUL | {"api-revision"}
"""Headers that change the answer; the revision changes its shape."""

ELSEWHERE = {"background": "background", "agent": "agent", "environment": "environment"}
"""A member that makes more of a call than a question -> why it is passed through."""

NATURAL = frozenset({"completed", "requires_action"})
"""How an interaction ends after which nothing is missing; a function that is called is an action that is required.

Not among them: `incomplete` (a limit), `failed`, `cancelled`, `budget_exceeded`, and every word that we do not know.
"""

UNFINISHED = frozenset({"in_progress", "queued"})

HOLLOW = re.compile(r"thought|\w+_result|(?!function_)\w+_call")
"""Steps that the provider made on the way to an answer: alone they are none."""

_TAIL = 64
"""Bytes in which the mark at the end stands."""
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `/v1beta/interactions` or to a project's on Vertex; kept ones are not claimed."""
    return method == "POST" and _PATH.search(path) is not None


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `background` or `no-input`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _wrong(body):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else "",
        form=Form("sse" if body.get("stream") else "json"),
        path=request.path,
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content={key: value for key, value in body.items() if key not in DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the text of the last input; what is not all text as its JSON text."""
    asked = call.body["input"]
    last = asked[-1] if isinstance(asked, list) else asked
    match last:
        case str() | {"type": "text", "text": str()}:
            return last if isinstance(last, str) else str(last["text"])
        case {"content": [*parts]} if all(
            isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts
        ):
            return "\n".join(part["text"] for part in parts)
    return jsontext.canonical(last).decode()


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - a verb of the protocol
    """Decide whether *reply* is whole, natural and good. *finish*: further statuses to accept (`incomplete`)."""
    body = body_of(reply, _of_stream)
    if isinstance(body, Incomplete):
        return body
    if reason := _flaw(body, finish):
        return Incomplete(reason)
    # Google closes with `[DONE]`; where only the interaction says that it is over, HTTP must say it too.
    marked = not is_stream(reply) or DONE in reply.body[-_TAIL:]
    return Complete(_usage(body.get("usage")), body["model"] if isinstance(body.get("model"), str) else "", marked)


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - a verb of the protocol
    """Return the form that *reply* really has."""
    return Form("sse" if is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the step or the delta that only one of the forms can say as it was.
    """
    try:
        match recorded.kind, wanted.kind:
            case ("json", "json") | ("sse", "sse"):
                return reply
            case "json", "sse":
                return http.streamed(reply, explode(jsontext.read(reply.body)), "text/event-stream")
            case "sse", "json":
                body = jsontext.dumps(assemble(events(reply.body)))
                return Reply(reply.status, http.typed(reply.headers, "application/json"), body)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def _wrong(body: Body) -> str:
    """Return why *body* is passed through, or an empty string."""
    if reason := next((reason for name, reason in ELSEWHERE.items() if body.get(name)), ""):
        return reason
    if not body.get("input"):
        return "no-input"
    return "" if body.get("stream") is None or isinstance(body["stream"], bool) else "stream-not-bool"


def _of_stream(stream: bytes) -> Any:
    """Return what a finished stream adds up to. Raises `WireError` with the reason why it is not finished."""
    told = list(events(stream, jsontext.skim_all))
    kinds = [each.get("event_type") for each in told]
    if END not in kinds:
        raise WireError("truncated")
    if kinds[-1] != END:
        raise WireError("after-done")
    return assemble(told, strict=False)


def _flaw(body: Body, finish: frozenset[str]) -> str:
    if body.get("error") or body.get("errors"):
        return "error-body"
    status = body["status"] if isinstance(body.get("status"), str) else ""
    if status in UNFINISHED:
        return "truncated"
    if status not in NATURAL and status not in finish:
        return f"finish-{status}" if _SLUG.fullmatch(status) else "finish-unknown"
    found = body.get("steps")
    steps = [step for step in found if isinstance(step, dict)] if isinstance(found, list) else []
    if not any(_says(step) for step in steps):
        return "empty"
    return "" if all(isinstance(step.get("arguments", {}), dict) for step in steps) else "tool-arguments"


def _says(step: Body) -> bool:
    """Whether a step answers or asks for something; an unknown one does."""
    if step.get("type") != "model_output":
        return not HOLLOW.fullmatch(str(step.get("type")))
    content = step.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return any(str(part.get("text", part)).strip() for part in parts)


def _usage(usage: Any) -> Usage:
    counts = usage if isinstance(usage, dict) else {}
    asked, tools, said, thought, cached = (
        count if isinstance(count := counts.get(f"total_{name}_tokens"), int) else 0
        for name in ("input", "tool_use", "output", "thought", "cached")
    )
    return Usage(asked + tools, said + thought, cached)


_PATH = re.compile(r"/v1\w*(/projects/[^/]+/locations/[^/]+)?/interactions$")
