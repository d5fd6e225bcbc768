"""Gemini Code Assist, which the Gemini CLI speaks for who signed in with Google: Gemini's calls and replies, wrapped.

The call stands in `request`, with the model beside it; each reply or chunk in `response`, with a trace beside it.
There is no model in the path (`/v1internal:generateContent`). What is inside is `google`'s.
Source: Google, gemini-cli, `packages/core/src/code_assist` (Apache-2.0), for want of a reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import google, google_verdict, http
from .chat_assemble import same
from .google import refusal, reply_form
from .google_assemble import assemble, payloads
from .google_explode import chunks, written

__all__ = ["MARKS_END", "NAME", "call", "convert", "judge", "matches", "question", "refusal", "reply_form"]

NAME = "google-code-assist"
MARKS_END = False  # as Gemini's

DENIED = {
    "user_prompt_id": "a number that the CLI gives each prompt for its own statistics",
}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

INNER_DENIED = {
    **google.DENIED,
    "session_id": "a number that the CLI gives each of its runs",
}
"""The same for members of `request`."""

VERBS = ("generateContent", "streamGenerateContent", "countTokens")

_PLACE = "/v1internal"
_TYPES = {"array": "application/json; charset=UTF-8", "sse": "text/event-stream"}


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to a verb of `/v1internal`, whatever host and prefix."""
    place, _, verb = path.rpartition(":")
    return method == "POST" and verb in VERBS and place.endswith(_PLACE)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: `no-request`, `not-json`, `bad-contents`, ..."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    inner = body.get("request")
    if not isinstance(inner, dict):
        return Bypass("no-request")
    place, _, verb = request.path.rpartition(":")
    form, query = google.asked_form(request, verb)
    if reason := google.wrong(verb, inner) or ("" if form else "alt-unknown"):
        return Bypass(reason)
    content = {name: value for name, value in body.items() if name not in DENIED}
    model = body.get("model", inner.get("model"))
    return Call(
        dialect=NAME,
        request=request,
        model=model.removeprefix("models/") if isinstance(model, str) else "",
        form=Form(form),
        path=request.path if verb != "streamGenerateContent" else f"{place}:generateContent",
        query=query,
        headers=http.chosen(request.headers, google.MEANINGFUL),
        content=content | {"request": {name: value for name, value in inner.items() if name not in INNER_DENIED}},
        body=inner,  # what is asked: the rules that look for tools and turns know Gemini's call
    )


def question(call: Call) -> str:
    """Return the text of the last content; what is not all text as its JSON text."""
    return google.question(call)


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept (`MAX_TOKENS`)."""
    wrapped = not call.path.endswith(":countTokens")
    return google_verdict.judge(call, reply, finish, _inner if wrapped else dict)


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost.
    """
    try:
        match recorded.kind, wanted.kind:
            case "json", ("sse" | "array") as form:
                return _as_stream(reply, form)
            case ("sse" | "array") as form, "json":
                return _as_json(reply, form)
    except WireError as error:
        raise Lossy(str(error)) from None
    return google.convert(reply, recorded, wanted)  # a change of the frames, which does not look inside


def _inner(chunk: dict[str, Any]) -> dict[str, Any]:
    found = chunk.get("response")
    return found if isinstance(found, dict) else {}


def _outer(chunk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chunk.items() if name != "response"}


def _as_json(reply: Reply, form: str) -> Reply:
    body = _assembled(payloads(reply.body, form))
    return Reply(reply.status, http.typed(reply.headers, _TYPES["array"]), jsontext.dumps(body))


def _assembled(told: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the body that chunks add up to. Raises `Lossy` where they contradict each other, inside or beside it."""
    beside: dict[str, Any] = {}
    return {"response": assemble(_opened(told, beside)), **beside}


def _opened(told: Iterable[dict[str, Any]], beside: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what each chunk wraps; what stands outside, which must agree, goes to *beside*."""
    for chunk in told:
        for name, value in _outer(chunk).items():
            if not same(beside.setdefault(name, value), value):
                raise Lossy(name)
        yield _inner(chunk)


def _as_stream(reply: Reply, form: str) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict) or not isinstance(body.get("response"), dict):
        raise Lossy("response")
    beside = _outer(body)
    told = [{"response": chunk, **beside} for chunk in chunks(body["response"])]
    if not same(body, _assembled(told)):
        raise Lossy("response")
    return http.streamed(reply, written(told, form), _TYPES[form])
