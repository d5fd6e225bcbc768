"""OpenAI's legacy completions, as OpenAI, Azure, DeepSeek and vLLM speak them: a prompt is continued.

The verbs of a dialect; the two forms are turned into each other by `completions_forms`.
Mistral's `/fim/completions` and `/agents/completions` answer in the shape of chats and are `openai_chat`'s.
Source: OpenAI, "Completions (legacy)"; DeepSeek, "FIM Completion"; vLLM, "OpenAI-compatible server".
"""

from __future__ import annotations

import re
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import http
from .chat_verdict import NATURAL, body_of, is_stream, usage_of
from .completions_forms import Body, assemble, explode, merged
from .frames import check_text
from .openai_chat import DENIED, MEANINGFUL, STREAM_OPTIONS, USAGE, refusal, usage_spans
from .verbatim import finished

__all__ = ["MARKS_END", "NAME", "call", "convert", "judge", "matches", "question", "refusal", "reply_form"]

NAME = "openai-completions"
MARKS_END = True

_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)
_OTHERS = ("/chat/completions", "/fim/completions", "/agents/completions")


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../completions` that is no chat's."""
    return method == "POST" and path.endswith("/completions") and not path.endswith(_OTHERS)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json` or `no-prompt`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if not body.get("prompt") or not isinstance(body["prompt"], str | list):
        return Bypass("no-prompt")
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        return Bypass("stream-not-bool")
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else "",
        form=_form(body),
        path=request.path,
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content=http.kept(body, DENIED, STREAM_OPTIONS),
        body=body,
    )


def question(call: Call) -> str:
    """Return the prompt; several as lines, tokens as their JSON text."""
    prompt = call.body["prompt"]
    if isinstance(prompt, str):
        return prompt
    if all(isinstance(each, str) for each in prompt):
        return "\n".join(prompt)
    return jsontext.canonical(prompt).decode()


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    body = body_of(reply, _of_stream)
    if isinstance(body, Incomplete):
        return body
    if flaw := _flaw(call.body, body, finish):
        return Incomplete(flaw)
    return Complete(usage_of(body), body["model"] if isinstance(body.get("model"), str) else "")


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has; the options are those that the call asked for."""
    if not is_stream(reply):
        return Form("json")
    return call.form if call.form.kind == "sse" else Form("sse")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* in the form *wanted*; the same form gives the same object. Raises `Lossy` with the field."""
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


def _form(body: Body) -> Form:
    if not body.get("stream"):
        return Form("json")
    options = body.get("stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    return Form("sse", USAGE if asked else frozenset())


def _of_stream(stream: bytes) -> Body:
    """Return what a finished stream adds up to. Raises `WireError` with the reason why it is not finished."""
    told = finished(stream)
    check_text(stream)
    return merged(told, strict=False)


def _flaw(asked: Body, body: Body, finish: frozenset[str]) -> str:
    """Return why the body is not good, or an empty string."""
    if body.get("error"):
        return "error-body"
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(each, dict) for each in choices):
        return "choices-missing"
    if len(choices) != _wanted(asked):
        return "choices-missing"
    return next((flaw for choice in choices if (flaw := _choice(choice, finish))), "")


def _wanted(asked: Body) -> int:
    """Return how many choices were asked for: `n` for each prompt; one list of numbers is one prompt in tokens."""
    prompt, each = asked["prompt"], asked.get("n")
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    return prompts * (each if isinstance(each, int) else 1)


def _choice(choice: Body, finish: frozenset[str]) -> str:
    reason = choice.get("finish_reason")
    if reason is None:
        return "truncated"
    if not isinstance(reason, str) or not _SLUG.fullmatch(reason):
        return "finish-unknown"
    if reason not in NATURAL and reason not in finish:
        return f"finish-{reason}"
    text: Any = choice.get("text")
    return "" if isinstance(text, str) and text.strip() else "empty"


def _as_stream(reply: Reply, wanted: Form) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    events = explode(body, usage="usage" in wanted.options)
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
    if isinstance(assemble(reply.body).get("usage"), dict):
        return reply
    raise Lossy("usage")
