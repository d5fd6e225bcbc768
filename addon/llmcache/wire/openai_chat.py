"""OpenAI chat completions, as OpenAI, Azure and the many compatible providers speak it.

The verbs of a dialect: what is a call, what does it ask, when is its reply good, how is it written in another form.
The work on replies is done by `chat_verdict`, `chat_assemble` and `chat_explode`; nothing here does I/O.
Source: OpenAI, "Create chat completion"; Azure OpenAI, "REST API reference"; Mistral, "FIM" and "Agents Completion";
Google Cloud, "Mistral AI models"; the compatible providers' pages.
"""

from __future__ import annotations

from typing import Any

from .. import framing, jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import chat_verdict, http, vertex
from .chat_assemble import assemble
from .chat_explode import explode
from .frames import payloads, placed

NAME = "openai-chat"
MARKS_END = True

DENIED = {
    "stream": "the form of the answer, not the answer",
    "user": "an end user's id for abuse reports; the model never sees it",
    "safety_identifier": "what replaces `user`",
    "prompt_cache_key": "where the provider looks for its own prompt cache",
    "prompt_cache_retention": "how long the provider keeps that cache",
    "metadata": "labels for the provider's dashboard; the answer does not carry them",
    "store": "whether the provider keeps the answer for its dashboard: a hit is not kept there again",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

STREAM_OPTIONS = {
    "include_usage": "part of the form: the stream ends with a usage chunk",
    "include_obfuscation": "padding; a stream means the same with and without",
}
"""Members of `stream_options` that do not change the answer; an unknown one does, so it stays in the identity."""

MEANINGFUL = frozenset(
    {
        "openai-beta",
        "openai-organization",
        "openai-project",
        "extra-parameters",  # Azure AI: what becomes of unknown members of the body
        "x-dashscope-datainspection",
        "x-dashscope-workspace",
        "x-portkey-config",  # gateways: the header chooses the provider
        "x-portkey-provider",
    }
)
"""Headers that change the answer. Attribution (OpenRouter's `http-referer`, `x-title`) does not."""

USAGE = frozenset({"usage"})

FILL = "/fim/completions"
"""Where Mistral fills in the middle of a code: a prompt and a suffix, answered like a chat."""

PUBLISHERS = frozenset({"mistralai", "ai21"})
"""Whose models speak this protocol on Vertex too, where both of Mistral's have one path; others are at `openapi`."""


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../chat/completions`, or to Mistral's that answer like it, on any host."""
    if method == "POST" and path.endswith(("/chat/completions", FILL, "/agents/completions")):
        return True
    return method == "POST" and vertex.is_raw(path, PUBLISHERS)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json` or `bad-messages`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _unfilled(body) if _fills(request.path, body) else _wrong(body):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else vertex.model(request.path),
        form=_form(body),
        path=vertex.plain(request.path),
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content=http.kept(body, DENIED, STREAM_OPTIONS),
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text; parts that are not all text as their JSON text; nothing as an empty string."""
    content = call.body["prompt"] if _fills(call.path, call.body) else call.body["messages"][-1].get("content")
    match content:
        case None:
            return ""
        case str():
            return content
        case list() if all(_is_text(part) for part in content):
            return "\n".join(part["text"] for part in content)
    return jsontext.canonical(content).decode()


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    return chat_verdict.judge(call, reply, finish)


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has; the options are those that the call asked for."""
    if not chat_verdict.is_stream(reply):
        return Form("json")
    return call.form if call.form.kind == "sse" else Form("sse")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost or is not there.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", "json":
                return reply
            case "json", "sse":
                return _as_stream(reply, wanted)
            case "sse", "json":
                return _as_json(reply)
            case "sse", "sse":
                return _as_other_stream(reply, recorded.options & USAGE, wanted.options & USAGE)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as OpenAI writes them."""
    error = {"message": message, "type": "aicache_refusal", "param": None, "code": code}
    return jsontext.dumps({"error": error})


def _wrong(body: dict[str, Any]) -> str:
    messages = body.get("messages")
    if not messages:
        return "no-messages"
    if not isinstance(messages, list) or not all(_is_message(each) for each in messages):
        return "bad-messages"
    return ""


def _fills(path: str, body: dict[str, Any]) -> bool:
    return path.endswith(FILL) or (path.endswith((vertex.WHOLE, vertex.STREAMED)) and "messages" not in body)


def _unfilled(body: dict[str, Any]) -> str:
    return "" if isinstance(body.get("prompt"), str) and body["prompt"] else "no-prompt"


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _form(body: dict[str, Any]) -> Form:
    if not _wants_stream(body.get("stream")):
        return Form("json")
    options = body.get("stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    return Form("sse", USAGE if asked else frozenset())


def _wants_stream(value: Any) -> bool:
    """Read the flag as Higress' GJSON does (row B21): `true`, a text that says so, a number other than 0."""
    if isinstance(value, str):
        return value.lower() in ("1", "t", "true")
    return isinstance(value, bool | int | float) and bool(value)


def _as_stream(reply: Reply, wanted: Form) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    events = explode(body, wanted)
    return http.streamed(reply, events, "text/event-stream; charset=utf-8")


def _as_json(reply: Reply) -> Reply:
    body = assemble(reply.body)
    if not isinstance(body.get("usage"), dict):
        raise Lossy("usage")
    return Reply(reply.status, http.typed(reply.headers, "application/json"), jsontext.dumps(body))


def _as_other_stream(reply: Reply, recorded: frozenset[str], wanted: frozenset[str]) -> Reply:
    if recorded == wanted:
        return reply
    if not wanted:
        return http.without(reply, usage_spans(reply.body))
    if isinstance(assemble(reply.body, strict=False).get("usage"), dict):
        return reply  # many providers send usage unasked
    raise Lossy("usage")


def usage_spans(stream: bytes) -> list[tuple[int, int]]:
    """Return the byte ranges that are there only because usage was asked for: its chunk, and `"usage": null`."""
    spans = []
    events = placed(stream)
    for event, chunk in zip(events, payloads([(b"", event.data.encode(), b"") for event in events]), strict=True):
        if isinstance(chunk.get("usage"), dict) and chunk.get("choices") == []:
            spans.append((event.start, event.end))
        elif "usage" in chunk and chunk["usage"] is None:
            spans += _member_span(stream, event)
    return spans


def _member_span(stream: bytes, event: framing.Event) -> list[tuple[int, int]]:
    """Return where the member `usage` stands in the event; nothing when its data spans lines (a null does no harm)."""
    data = event.data.encode()
    at = stream.find(data, event.start, event.end)
    span = jsontext.member(event.data, "usage")
    if at < 0 or span is None:
        return []
    start, end = (len(event.data[:border].encode()) for border in span)
    return [(at + start, at + end)]
