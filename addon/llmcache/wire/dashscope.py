"""DashScope's own API (Alibaba Cloud Model Studio): text and multimodal generation, embeddings, reranking.

The verbs of a dialect; the work on streams is done by `dashscope_forms`. A stream is asked for in the headers, and
whether its events carry pieces or the whole text so far is form too. Its OpenAI-compatible paths are `openai_chat`.
Source: Alibaba Cloud Model Studio, "DashScope API reference"; the `dashscope` SDK for Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage, Verdict, WireError
from . import http
from .chat_verdict import body_of, is_stream
from .dashscope_forms import NOT_YET, assemble, events, explode, grows
from .toolcalls import callable_all

NAME = "dashscope"
MARKS_END = True

GENERATION = (
    "/services/aigc/text-generation/generation",
    "/services/aigc/multimodal-generation/generation",
)

RESULTS = {
    "/services/embeddings/text-embedding/text-embedding": "embeddings",
    "/services/embeddings/multimodal-embedding/multimodal-embedding": "embeddings",
    "/services/rerank/text-rerank/text-rerank": "results",
}
"""How the other paths end -> the member of `output` without which a reply is not whole."""

MEANINGFUL = frozenset(
    {
        "x-dashscope-datainspection",
        "x-dashscope-ossresourceresolve",
        "x-dashscope-plugin",
        "x-dashscope-workspace",
    }
)
"""Headers that change the answer."""

FORM = "incremental_output"
"""The member of `parameters` that is form: whether a stream's events carry pieces or the whole text so far."""

CUMULATIVE, UNSAID = "cumulative", "unsaid"
"""Options of a form: events carry the whole text so far; the call left the kind of stream to the model."""

INCREMENTAL_BY_DEFAULT = ("qwq", "qvq", "qwen3-")
"""Models that stream pieces when the call does not say which."""

ENOUGH = 3
"""Steps of growth that prove what kind of stream it is when the call did not say."""

NATURAL = frozenset({"stop", "tool_calls"})
"""Finish reasons after which nothing is missing; not `length`, and no word that we do not know."""

LINKS = frozenset({"image", "result_image", "audio", "video"})
"""Parts of an answer that are links which live for a day; others say of a text where it stands in a picture."""

_ENDINGS = (*GENERATION, *RESULTS)
_SLUG = re.compile(r"[\w.-]{1,40}", re.ASCII)


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to one of the services above, whatever host and prefix."""
    return method == "POST" and path.endswith(_ENDINGS)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: a slug such as `not-json`, `async` or `no-input`."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := _wrong(request, body):
        return Bypass(reason)
    model = body["model"] if isinstance(body.get("model"), str) else ""
    return Call(
        dialect=NAME,
        request=request,
        model=model,
        form=_form(request, body, model),
        path=request.path,
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content=_content(body),
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text, the prompt, the query or the texts; else the input as JSON text."""
    match call.body["input"]:
        case {"messages": [*_, {"content": str(text)}]} | {"prompt": str(text)} | {"query": str(text)} if text:
            return text
        case {"messages": [*_, {"content": [_, *_] as parts}]} if all(_is_text(part) for part in parts):
            return "\n".join(part["text"] for part in parts)
        case {"messages": [*_, last]}:
            return jsontext.canonical(last).decode("utf-8", "replace")
        case {"texts": [_, *_] as texts} if all(isinstance(each, str) for each in texts):
            return "\n".join(texts)
        case asked:
            return jsontext.canonical(asked).decode("utf-8", "replace")


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept."""
    body = body_of(reply, partial(_of_stream, call))
    if isinstance(body, Incomplete):
        return body
    if body.get("code"):
        return Incomplete("error-body")
    member = next((name for ending, name in RESULTS.items() if call.path.endswith(ending)), "")
    output = _dict(body.get("output"))
    reason = ("" if output.get(member) else f"no-{member}") if member else _generated(call, output, finish)
    return Incomplete(reason) if reason else Complete(usage_of(body))


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has: not every model sends the kind of stream that was asked for."""
    if not is_stream(reply):
        return Form("json")
    unsaid = call.form.options & {UNSAID}
    try:
        growing = _grows(call, list(events(reply.body, jsontext.skim_all)))
    except WireError:
        growing = CUMULATIVE in call.form.options
    return Form("sse", unsaid | {CUMULATIVE} if growing else unsaid)


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    A stream whose kind was left to the model answers every call that leaves it, as it came.
    Raises `Lossy` with the field where something would be lost.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", "sse":
                return _as_stream(reply, _object(reply), wanted)
            case "sse", "json":
                return Reply(
                    reply.status, http.typed(reply.headers, "application/json"), jsontext.dumps(_body(reply, recorded))
                )
            case "sse", "sse" if not _alike(recorded.options, wanted.options):
                return _as_stream(reply, _body(reply, recorded), wanted)
            case one, other if one == other:
                return reply
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as DashScope writes them."""
    return jsontext.dumps({"code": code, "message": message, "request_id": ""})


def usage_of(body: dict[str, Any]) -> Usage:
    """Return the tokens of a reply; embeddings and rankings count only all of them."""
    usage = _dict(body.get("usage"))
    cached = _dict(usage.get("prompt_tokens_details")).get("cached_tokens")
    asked = usage.get("input_tokens", 0 if "output_tokens" in usage else usage.get("total_tokens"))
    return Usage(_count(asked), _count(usage.get("output_tokens")), _count(cached))


def _wrong(request: Request, body: dict[str, Any]) -> str:
    if request.header("x-dashscope-async").lower() == "enable":
        return "async"  # the reply is only the number of a task
    if request.header("x-dashscope-encryptionkey"):
        return "encrypted"
    if not body.get("input"):
        return "no-input"
    parameters = body.get("parameters")
    if not isinstance(body["input"], dict) or not isinstance(parameters, dict | None):
        return "bad-input"
    return "" if isinstance((parameters or {}).get(FORM), bool | None) else "incremental-not-bool"


def _form(request: Request, body: dict[str, Any], model: str) -> Form:
    asked = request.header("x-dashscope-sse").lower() == "enable"
    if not request.path.endswith(GENERATION) or not (asked or "text/event-stream" in request.header("accept").lower()):
        return Form("json")
    incremental = (body.get("parameters") or {}).get(FORM)
    if incremental is not None:
        return Form("sse", frozenset() if incremental else frozenset({CUMULATIVE}))
    unsaid = frozenset({UNSAID})
    return Form("sse", unsaid if model.startswith(INCREMENTAL_BY_DEFAULT) else unsaid | {CUMULATIVE})


def _content(body: dict[str, Any]) -> dict[str, Any]:
    """Return what of the body is identity: all but `parameters.incremental_output`."""
    parameters = body.get("parameters")
    if not isinstance(parameters, dict) or FORM not in parameters:
        return body
    kept = {key: value for key, value in parameters.items() if key != FORM}
    rest = {key: value for key, value in body.items() if key != "parameters"}
    return {**rest, "parameters": kept} if kept else rest


def _grows(call: Call, found: list[dict[str, Any]]) -> bool:
    """Whether the events carry the whole text so far: as asked for, unless the texts say that it cannot be."""
    asked, unsaid = CUMULATIVE in call.form.options, UNSAID in call.form.options
    if not (asked or unsaid):
        return False
    steps = grows(found)
    return steps >= 0 and (asked or steps >= ENOUGH)


def _alike(recorded: frozenset[str], wanted: frozenset[str]) -> bool:
    return recorded & {CUMULATIVE} == wanted & {CUMULATIVE} or (UNSAID in recorded and UNSAID in wanted)


def _of_stream(call: Call, stream: bytes) -> dict[str, Any]:
    """Return what a stream adds up to. Raises `WireError` with the reason why it is not finished."""
    found: Iterable[dict[str, Any]] = events(stream, jsontext.skim_all)
    growing = False
    if call.form.options & {CUMULATIVE, UNSAID}:
        found = list(found)
        growing = _grows(call, found)
    return assemble(found, growing=growing, strict=False)


def _object(reply: Reply) -> dict[str, Any]:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    return body


def _body(reply: Reply, recorded: Form) -> dict[str, Any]:
    return assemble(events(reply.body), growing=CUMULATIVE in recorded.options)


def _as_stream(reply: Reply, body: dict[str, Any], wanted: Form) -> Reply:
    found = explode(body, growing=CUMULATIVE in wanted.options)
    frame = b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%s\n\n"
    written = [frame % (at, jsontext.dumps(each)) for at, each in enumerate(found, 1)]
    return http.streamed(reply, written, "text/event-stream;charset=UTF-8")


def _generated(call: Call, output: dict[str, Any], finish: frozenset[str]) -> str:
    """Return why a generated answer is not good, or an empty string."""
    choices = output.get("choices")
    answers = choices if isinstance(choices, list) else [{**output, "message": {"content": output.get("text")}}]
    if output.get("audio"):
        return "expiring-url"
    wanted = _dict(call.body.get("parameters")).get("n")
    if isinstance(wanted, int) and 0 < len(answers) < wanted:
        return "choices-missing"
    reasons = (_choice(each, finish) if isinstance(each, dict) else "bad-choice" for each in answers)
    return next((reason for reason in reasons if reason), "") if answers else "empty"


def _choice(choice: dict[str, Any], finish: frozenset[str]) -> str:
    reason, message = choice.get("finish_reason"), choice.get("message")
    if reason in (None, NOT_YET, "") or not isinstance(message, dict):
        return "truncated"
    if not isinstance(reason, str):
        return "finish-unknown"
    if reason not in NATURAL and reason not in finish:
        return f"finish-{reason}" if _SLUG.fullmatch(reason) else "finish-unknown"
    content, calls = message.get("content"), message.get("tool_calls") or []
    parts = [{"text": content}] if isinstance(content, str) else content or []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return "bad-content"
    if any(part.keys() & LINKS for part in parts):
        return "expiring-url"
    if not calls and not any(str(part.get("text") or "").strip() for part in parts):
        return "empty"
    return "" if callable_all(calls) else "tool-arguments"


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.keys() == {"text"} and isinstance(part["text"], str)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
