"""Anthropic Messages, as Anthropic, Vertex AI and the compatible gateways speak it: JSON and server-sent events.

The verbs of a dialect; the work on replies is done by `anthropic_verdict`, `anthropic_assemble` and
`anthropic_explode`, which know no framing and so serve Bedrock too. Counting tokens is `anthropic_count`.
Source: Anthropic, "Create a Message", "Streaming Messages", "Errors"; Google Cloud, "Request predictions with Claude".
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Form, Headers, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import http, vertex
from .anthropic_assemble import Payload, assemble
from .anthropic_explode import explode
from .anthropic_verdict import judge_body, judge_events
from .chat_verdict import is_stream
from .frames import ReadAll, check_text, payloads, sent

NAME = "anthropic"
MARKS_END = True

DENIED = {
    "stream": "the form of the answer, not the answer",
    "metadata": "an end user's id for abuse reports; the model never sees it",
    "fallback_credit_token": "a voucher for the price of one call, good once",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

MEANINGFUL = frozenset(
    {
        "anthropic-version",
        "anthropic-beta",
        "anthropic-workspace-id",
        "anthropic-user-profile-id",
        "x-portkey-config",  # gateways: the header chooses the provider
        "x-portkey-provider",
    }
)
"""Headers that change the answer."""

PUBLISHERS = frozenset({"anthropic"})
"""Who publishes these models on Vertex."""

COUNT = f"/publishers/anthropic/models/count-tokens{vertex.WHOLE}"
"""Where Vertex counts tokens: no model, another dialect."""

_OK = 200


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../v1/messages` or Vertex' `...:rawPredict`, or anything about message batches."""
    if method == "POST" and path.endswith("/v1/messages"):
        return True
    return _is_batch(path) or (method == "POST" and vertex.is_raw(path, PUBLISHERS) and not path.endswith(COUNT))


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: `batches`, `not-json`, `bad-messages`, ..."""
    if _is_batch(request.path):
        return Bypass("batches")  # answered later and elsewhere; a batch that is read again may have gone on
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := wrong(body):
        return Bypass(reason)
    # "true" and 1 are taken for true by some gateways and refused by others.
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        return Bypass("stream-not-bool")
    return Call(
        dialect=NAME,
        request=request,
        model=vertex.model(request.path) or (body["model"] if isinstance(body.get("model"), str) else ""),
        form=Form("sse" if body.get("stream") else "json"),
        path=vertex.plain(request.path),
        query=http.query(request),
        headers=meaningful(request.headers),
        content=sealed({key: value for key, value in body.items() if key not in DENIED}),
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text; blocks that are not all text as their JSON text."""
    content = call.body["messages"][-1].get("content")
    match content:
        case None:
            return ""
        case str():
            return content
        case list() if all(_is_text(block) for block in content):
            return "\n".join(block["text"] for block in content)
    return jsontext.canonical(content).decode()


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - the verb of every dialect
    """Decide whether *reply* is whole, natural and good. *finish*: further stop reasons to accept."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    streamed = is_stream(reply)
    try:
        if streamed:
            return judge_events(list(events(reply.body, jsontext.skim_all)), finish)
        return judge_body(jsontext.skim(reply.body), finish)
    except WireError as error:
        return Incomplete(str(error) if streamed else "not-json")


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - the verb of every dialect
    """Return the form that *reply* really has; there are no options."""
    return Form("sse" if is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the member where something would be lost or is not there.
    """
    try:
        match recorded.kind, wanted.kind:
            case ("json", "json") | ("sse", "sse"):
                return reply
            case "json", "sse":
                return _as_stream(reply)
            case "sse", "json":
                return _as_json(reply)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Anthropic writes them (Anthropic, "Errors")."""
    return jsontext.dumps({"type": "error", "error": {"type": code, "message": message}})


def events(stream: bytes, read: ReadAll = jsontext.read_all) -> Iterator[Payload]:
    """Yield the name and JSON object of every event.

    Raises `WireError`: `error-event`, `bad-event` for what is no JSON object, `truncated` for an event that was cut.
    """
    check_text(stream)
    told = sent(stream)
    if any(name == b"error" for name, _, _ in told):
        raise WireError("error-event")
    for (name, _, cut), payload in zip(told, payloads(told, read), strict=True):
        if cut and payload.get("type") != "message_stop":
            raise WireError("truncated")
        yield name.decode(), payload


def wrong(body: dict[str, Any]) -> str:
    """Return why *body* asks nothing that can be understood, or an empty string."""
    messages = body.get("messages")
    if not messages:
        return "no-messages"
    if not isinstance(messages, list) or not all(_is_message(each) for each in messages):
        return "bad-messages"
    return ""


def meaningful(headers: Headers) -> Headers:
    """Return the headers that change the answer, sorted; betas as one list without order or repetition."""
    betas = {beta.strip() for name, value in headers if name == "anthropic-beta" for beta in value.split(",")} - {""}
    others = [pair for pair in http.chosen(headers, MEANINGFUL) if pair[0] != "anthropic-beta"]
    return tuple(sorted([*others, *([("anthropic-beta", ",".join(sorted(betas)))] if betas else [])]))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return *content* with each MCP server's token as its digest: it keeps users apart, and is stored nowhere."""
    servers = content.get("mcp_servers")
    if not isinstance(servers, list):
        return content
    return {**content, "mcp_servers": [_without_token(server) for server in servers]}


def _without_token(server: Any) -> Any:
    if not isinstance(server, dict) or server.get("authorization_token") is None:
        return server
    digest = blake2b(jsontext.canonical(server["authorization_token"]), digest_size=16).hexdigest()
    return {**server, "authorization_token": f"blake2b:{digest}"}


def _is_batch(path: str) -> bool:
    return "/v1/messages/batches" in path


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    written = [f"event: {name}\ndata: ".encode() + jsontext.dumps(data) + b"\n\n" for name, data in explode(body)]
    return http.streamed(reply, written, "text/event-stream; charset=utf-8")


def _as_json(reply: Reply) -> Reply:
    body = assemble(events(reply.body))
    if not isinstance(body.get("usage"), dict):
        raise Lossy("usage")
    return Reply(reply.status, http.typed(reply.headers, "application/json"), jsontext.dumps(body))
