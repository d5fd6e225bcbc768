"""Amazon Bedrock's Converse and ConverseStream: one protocol for the models of every vendor.

The verbs of a dialect; the work on replies is done by `converse_events`, what both Bedrock dialects share by `bedrock`.
Source: AWS, "Amazon Bedrock API Reference", actions Converse and ConverseStream; botocore's service model.
"""

from __future__ import annotations

import re
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import bedrock, http
from .converse_events import assemble, explode

NAME = "bedrock-converse"
MARKS_END = True

refusal = bedrock.refusal

DENIED = {"requestMetadata": "labels for the provider's invocation logs; the model never sees them"}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

NATURAL = frozenset({"end_turn", "tool_use", "stop_sequence"})
"""Stop reasons after which nothing is missing."""

ACTIONS = {"converse": Form("json"), "converse-stream": Form("eventstream")}

_OK = 200
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../model/{modelId}/converse` or `.../converse-stream`, whatever host and prefix."""
    return method == "POST" and path.endswith(("/converse", "/converse-stream")) and "/model/" in path


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json` or `bad-messages`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _wrong(body):
        return Bypass(reason)
    _, model, action = bedrock.split(request.path)
    return Call(
        dialect=NAME,
        request=request,
        model=model,
        form=ACTIONS[action],
        path=bedrock.plain_path(request.path, "converse"),
        query=http.query(request),
        headers=http.chosen(request.headers, bedrock.MEANINGFUL),
        content={key: value for key, value in body.items() if key not in DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text; blocks that are not all text as their JSON text."""
    messages = call.body.get("messages")
    content = messages[-1]["content"] if messages else ""
    if isinstance(content, list) and all(_is_text(block) for block in content):
        return "\n".join(block["text"] for block in content)
    return jsontext.canonical(content).decode() if content else ""


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - a verb of the protocol
    """Decide whether *reply* is whole, natural and good. *finish*: further stop reasons to accept."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    streamed = bedrock.is_stream(reply)
    try:
        body = _of_stream(reply.body) if streamed else jsontext.skim(reply.body)
    except WireError as error:
        return Incomplete(str(error) if streamed else "not-json")
    if reason := wrong(body, finish):
        return Incomplete(reason)
    return Complete(bedrock.usage_of(body.get("usage")))


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - a verb of the protocol
    """Return the form that *reply* really has."""
    return Form("eventstream" if bedrock.is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", "eventstream":
                return bedrock.as_stream(reply, explode(_body(reply)))
            case "eventstream", "json":
                return bedrock.as_json(reply, assemble(bedrock.events(reply.body)))
            case one, other if one == other:
                return reply
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def wrong(body: Any, finish: frozenset[str]) -> str:
    """Return why a Converse body is not good, or an empty string."""
    match body:
        case {"output": {"message": {"content": list(content)}}, "stopReason": str(reason)}:
            pass
        case {"__type": _} | {"message": str()}:
            return "error-body"
        case dict():
            return "no-output"
        case _:
            return "not-an-object"
    if reason not in NATURAL and reason not in finish:
        return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"
    return "" if any(_says(block) for block in content) else "empty"


def _of_stream(stream: bytes) -> dict[str, Any]:
    """Return what a finished stream adds up to. Raises `WireError` with the reason why it is not finished."""
    events = list(bedrock.events(stream, jsontext.skim_all))
    names = [name for name, _ in events]
    if names[-2:] != ["messageStop", "metadata"]:
        raise WireError("truncated")
    return assemble(events, strict=False)


def _body(reply: Reply) -> dict[str, Any]:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    return body


def _wrong(body: dict[str, Any]) -> str:
    messages = body.get("messages")
    if messages is None and "promptVariables" in body:
        return ""  # a prompt kept at the provider has the messages
    if not messages:
        return "no-messages"
    fine = isinstance(messages, list) and all(
        isinstance(each, dict) and isinstance(each.get("role"), str) and isinstance(each.get("content"), list)
        for each in messages
    )
    return "" if fine else "bad-messages"


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.keys() == {"text"} and isinstance(block["text"], str)


def _says(block: Any) -> bool:
    """Whether a block says or asks for anything; reasoning alone is no answer."""
    match block:
        case {"text": text}:
            return isinstance(text, str) and bool(text.strip())
        case {"reasoningContent": _}:
            return False
        case {"citationsContent": {"content": list(parts)}}:
            return any(_says(part) for part in parts)
    return bool(block)
