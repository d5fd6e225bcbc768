"""Ollama's own API: chat, generate, embed; its OpenAI- and Anthropic-like paths belong to those dialects.

Streams are lines of JSON, and a call that does not say `stream` gets one.
Many web applications have an `/api/chat` of their own, so the shape of the body decides, not the path alone.
The work on replies is done by `ollama_verdict` and `ollama_forms`; nothing here does I/O.
Source: Ollama, "API reference" (docs.ollama.com/api).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import http, ollama_verdict
from .ollama_forms import assemble, explode, objects

NAME = "ollama"
MARKS_END = True

DENIED = {
    "stream": "the form of the answer, not the answer",
    "keep_alive": "how long the model stays loaded afterwards",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

PATHS = ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings")


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to one of `PATHS`, whatever host and prefix."""
    return method == "POST" and path.endswith(PATHS)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: `not-ollama`, `no-prompt`, `stream-not-bool`, ..."""
    # The server reads JSON whatever the type says, and `curl -d` of the documentation calls it a form.
    body = http.json_object(replace(request, headers=()))
    if isinstance(body, Bypass):
        return body
    verb = request.path.rpartition("/")[2]
    if reason := _wrong(body) or _SHAPES[verb](body):
        return Bypass(reason)
    streamed = verb in ("chat", "generate") and body.get("stream") is not False
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"],
        form=Form("ndjson" if streamed else "json"),
        path=request.path,
        query=http.query(request),
        headers=(),
        content={key: value for key, value in body.items() if key not in DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text, the prompt or the inputs; what is not all text as its JSON text."""
    body = call.body
    match call.path.rpartition("/")[2]:
        case "chat":
            last = body["messages"][-1]
            return last.get("content") or jsontext.canonical(last).decode()
        case "embed":
            asked = body["input"]
            return asked if isinstance(asked, str) else "\n".join(asked)
    return str(body["prompt"])


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further reasons to accept (`length`)."""
    return ollama_verdict.judge(call, reply, finish)


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has."""
    found = "ndjson" if ollama_verdict.is_stream(reply) else "json"
    return call.form if found == call.form.kind else Form(found)


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost.
    """
    if recorded.kind == wanted.kind:
        return reply
    try:
        match recorded.kind, wanted.kind:
            case "json", "ndjson":
                return _as_stream(reply)
            case "ndjson", "json":
                body = jsontext.dumps(assemble(objects(reply.body)))
                return Reply(reply.status, http.typed(reply.headers, "application/json; charset=utf-8"), body)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Ollama writes them; the code stands beside the message."""
    return jsontext.dumps({"error": message, "code": code})


def _wrong(body: dict[str, Any]) -> str:
    """Return what is wrong whatever is asked for."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "not-ollama"
    return "" if body.get("stream") is None or isinstance(body["stream"], bool) else "stream-not-bool"


def _chat(body: dict[str, Any]) -> str:
    messages = body.get("messages")
    if not messages:
        return "no-messages"  # loads or unloads the model
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        return "not-ollama"
    return ""


def _is_message(value: Any) -> bool:
    """Whether this is a message of Ollama's, whose content is a text; others send lists of parts."""
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content", ""), str)


def _generate(body: dict[str, Any]) -> str:
    if not body.get("prompt"):
        return "no-prompt"  # loads or unloads the model
    return "" if isinstance(body["prompt"], str) else "not-ollama"


def _embed(body: dict[str, Any]) -> str:
    asked = body.get("input")
    if not asked:
        return "no-prompt"
    if isinstance(asked, str) or (isinstance(asked, list) and all(isinstance(each, str) for each in asked)):
        return ""
    return "not-ollama"


def _as_stream(reply: Reply) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    lines = explode(body)
    return http.streamed(reply, lines, "application/x-ndjson")


_SHAPES = {"chat": _chat, "generate": _generate, "embed": _embed, "embeddings": _generate}
