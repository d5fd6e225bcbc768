"""OpenAI Responses, as OpenAI, Azure, ChatGPT's Codex backend and the compatible providers speak it.

The verbs of a dialect; the work on replies is done by `responses_verdict`, `responses_assemble`, `responses_explode`.
What depends on more than the request: `previous_response_id` names a response that never changes, so it is identity;
a `conversation` grows with each call and a `background` answer comes later, so both are passed through.
A hit's id may be named by a later call, and exists only if the first was made with `store`, so that is identity too.
Source: OpenAI, "Create a model response"; Azure OpenAI, "Responses API".
"""

from __future__ import annotations

from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import http, responses_verdict
from .chat_verdict import is_stream
from .openai_chat import MEANINGFUL, refusal
from .responses_assemble import assemble
from .responses_explode import explode

__all__ = ["MARKS_END", "NAME", "call", "convert", "judge", "matches", "question", "refusal", "reply_form"]

NAME = "openai-responses"
MARKS_END = True

DENIED = {
    "stream": "the form of the answer, not the answer",
    "user": "an end user's id for abuse reports; the model never sees it",
    "safety_identifier": "what replaces `user`",
    "prompt_cache_key": "where the provider looks for its own prompt cache; coding agents send a new one each session",
    "prompt_cache_retention": "how long the provider keeps that cache",
    "prompt_cache_options": "how the provider uses that cache",
    "metadata": "labels for the provider's dashboard; a hit repeats those of the recorded call",
    "client_metadata": "what the Codex CLI says of its installation",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

STREAM_OPTIONS = {"include_obfuscation": "padding; a stream means the same with and without"}
"""Members of `stream_options` that do not change the answer."""


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../responses`; stored responses, `/compact` and `/input_tokens` are not claimed."""
    return method == "POST" and path.endswith("/responses")


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
        content=http.kept(body, DENIED, STREAM_OPTIONS),
        body=body,
    )


def question(call: Call) -> str:
    """Return the text of the last input item; other items, and a stored prompt, as their JSON text."""
    asked = call.body.get("input")
    match asked:
        case str():
            return asked
        case [*_, {"content": content}] | [*_, {"output": content}]:
            return _text(content)
        case [*_, last]:
            return jsontext.canonical(last).decode()
    return jsontext.canonical(call.body["prompt"]).decode() if call.body.get("prompt") else ""


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - the verb of every dialect
    """Decide whether *reply* is whole, natural and good. *finish*: further reasons of an `incomplete` to accept."""
    return responses_verdict.judge(reply, finish)


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - the verb of every dialect
    """Return the form that *reply* really has."""
    return Form("sse" if is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* in the form *wanted*; the same form gives the same object. Raises `Lossy` with the field."""
    try:
        match recorded.kind, wanted.kind:
            case ("json", "json") | ("sse", "sse"):
                return reply
            case "json", "sse":
                return _as_stream(reply)
            case "sse", "json":
                headers = http.typed(reply.headers, "application/json")
                return Reply(reply.status, headers, jsontext.dumps(assemble(reply.body)))
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    events = explode(body)
    return http.streamed(reply, events, "text/event-stream; charset=utf-8")


def _wrong(body: dict[str, Any]) -> str:
    if body.get("background"):
        return "background"
    if body.get("conversation"):
        return "conversation"
    asked = body.get("input")
    if not asked and not body.get("prompt"):
        return "no-input"
    if not isinstance(asked, str | list | None) or not all(isinstance(item, dict) for item in _items(asked)):
        return "bad-input"
    # "true" and 1 are taken for true by some providers and refused by others: nobody can say what the answer will be.
    return "" if body.get("stream") is None or isinstance(body["stream"], bool) else "stream-not-bool"


def _items(asked: Any) -> list[Any]:
    return asked if isinstance(asked, list) else []


def _text(content: Any) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case list() if all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            return "\n".join(part["text"] for part in content)
    return jsontext.canonical(content).decode()
