"""Amazon Bedrock's InvokeModel and InvokeModelWithResponseStream, where body and reply are the model vendor's own.

A stream's chunks carry the vendor's events in base64. Anthropic's and Nova's can be written as one body and back; the
streams of other vendors are replayed as they came, and as nothing else. CountTokens is here too: it asks the same.
The verbs of a dialect; the verdict is in `invoke_verdict`, what both Bedrock dialects share in `bedrock`.
Source: AWS, "Inference request parameters and response fields for foundation models".
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import anthropic_assemble, anthropic_explode, bedrock, converse_events, frames, http, invoke_verdict

NAME = "bedrock-invoke"
MARKS_END = True

refusal = bedrock.refusal

ACTIONS = {
    "invoke": Form("json"),
    "invoke-with-response-stream": Form("eventstream"),
    "count-tokens": Form("json"),
}

PLAIN = {"", "*/*", "application/json"}
"""What may be said of the answer's media type without asking for another answer."""

_ENDINGS = tuple(f"/{action}" for action in ACTIONS)
_ACCEPT = ("accept", "x-amzn-bedrock-accept")
_BODY_TYPES = {"application/json", "application/octet-stream", ""}


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../model/{modelId}/` and one of `ACTIONS`, whatever host and prefix."""
    return method == "POST" and path.endswith(_ENDINGS) and "/model/" in path


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json` or `empty-body`."""
    body = _request_body(request)
    if isinstance(body, Bypass):
        return body
    if not body:
        return Bypass("empty-body")
    _, model, action = bedrock.split(request.path)
    return Call(
        dialect=NAME,
        request=request,
        model=model,
        form=ACTIONS[action],
        path=bedrock.plain_path(request.path, "count-tokens" if action == "count-tokens" else "invoke"),
        query=http.query(request),
        headers=_headers(request),
        content=_content(body),
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text or the prompt; the whole body as JSON text where there is neither."""
    match call.body:
        case {"messages": [*_, {"content": str(text)}]} | {"prompt": str(text)} | {"inputText": str(text)} if text:
            return text
        case {"messages": [*_, {"content": [_, *_] as parts}]} if all(_is_text(part) for part in parts):
            return "\n".join(part["text"] for part in parts)
    return jsontext.canonical(call.body).decode("utf-8", "replace")


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - a verb of the protocol
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    return invoke_verdict.judge(reply, finish, payloads)


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - a verb of the protocol
    """Return the form that *reply* really has."""
    return Form("eventstream" if bedrock.is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost, and `vendor` for a vendor whose streams we only replay.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", "eventstream":
                return _as_stream(reply)
            case "eventstream", "json":
                return bedrock.as_json(reply, _assembled(payloads(reply.body)))
            case one, other if one == other:
                return reply
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def payloads(stream: bytes, read: frames.ReadAll = jsontext.read_all) -> list[dict[str, Any]]:
    """Return the vendor's events in a stream. Raises `WireError` as `bedrock.events` does."""
    events = [event for name, event in bedrock.events(stream, jsontext.skim_all) if name == "chunk"]
    try:
        told = [(b"", b64decode(event.get("bytes", ""), validate=True), b"") for event in events]
    except (binascii.Error, TypeError, ValueError):
        raise WireError("bad-event") from None
    return list(frames.payloads(told, read))


def _request_body(request: Request) -> dict[str, Any] | Bypass:
    """Return the vendor's request; SDKs that are told no content type send it as bytes."""
    if http.media_type(request.header("content-type")) not in _BODY_TYPES:
        return Bypass("not-json")
    try:
        body = jsontext.parse(request.body)
    except WireError as error:
        return Bypass("not-json" if str(error) == "json-invalid" else str(error))
    return body if isinstance(body, dict) else Bypass("not-an-object")


def _headers(request: Request) -> tuple[tuple[str, str], ...]:
    asked = tuple((name, value) for name, value in request.headers if name in _ACCEPT and value.lower() not in PLAIN)
    return tuple(sorted((*http.chosen(request.headers, bedrock.MEANINGFUL), *asked)))


def _content(body: dict[str, Any]) -> dict[str, Any]:
    """Return what of the body is identity; of Anthropic's, `metadata` is an end user's id that the model never sees."""
    if "anthropic_version" not in body:
        return body
    return {key: value for key, value in body.items() if key != "metadata"}


def _assembled(events: list[dict[str, Any]]) -> dict[str, Any]:
    if invoke_verdict.is_anthropic(events):
        return anthropic_assemble.assemble(("", event) for event in events)
    if invoke_verdict.is_nova(events):
        return _plain(converse_events.assemble(invoke_verdict.nova(events)))
    raise Lossy("vendor")


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    match body:
        case {"type": "message"}:
            events = [event for _, event in anthropic_explode.explode(body)]
        case {"output": {"message": _}, "stopReason": _} if "metrics" not in body and "trace" not in body:
            events = [{name: _filled(name, event)} for name, event in converse_events.explode(body)]
        case _:
            raise Lossy("vendor")
    return bedrock.as_stream(reply, (("chunk", {"bytes": b64encode(jsontext.dumps(each)).decode()}) for each in events))


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Nova's streams say and its bodies do not: that there are no metrics and no trace."""
    return {key: value for key, value in body.items() if key not in ("metrics", "trace") or value != {}}


def _filled(name: str, event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "metrics": {}, "trace": {}} if name == "metadata" else event


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and part.keys() <= {"type", "text"}
