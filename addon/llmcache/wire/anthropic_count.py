"""Anthropic's token counting: `.../v1/messages/count_tokens`, and the same on Vertex AI. JSON only.

The request is that of a message, the reply is `{"input_tokens": n}`; counting costs nothing, so usage is zero.
Source: Anthropic, "Count tokens in a Message"; Google Cloud, "Count tokens for Claude models".
"""

from __future__ import annotations

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import anthropic, http

NAME = "anthropic-count-tokens"
MARKS_END = True

_OK = 200


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../v1/messages/count_tokens` or to Vertex' `count-tokens:rawPredict`."""
    return method == "POST" and path.endswith(("/v1/messages/count_tokens", anthropic.COUNT))


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through. The whole body is identity."""
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    if reason := anthropic.wrong(body):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=body["model"] if isinstance(body.get("model"), str) else "",
        form=Form("json"),
        path=request.path,
        query=http.query(request),
        headers=anthropic.meaningful(request.headers),
        content=anthropic.sealed(body),
        body=body,
    )


def question(call: Call) -> str:
    """Return the last message's text, as for a message."""
    return anthropic.question(call)


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - the verb of every dialect
    """Decide whether *reply* is a count."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    try:
        body = jsontext.skim(reply.body)
    except WireError:
        return Incomplete("not-json")
    match body:
        case {"error": _} | {"type": "error"}:
            return Incomplete("error-body")
        case {"input_tokens": int()}:
            return Complete()
    return Incomplete("empty")


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - the verb of every dialect
    """Return the form of *reply*: JSON."""
    return Form("json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Return *reply*; there is one form. Raises `Lossy` for any other."""
    if (recorded.kind, wanted.kind) != ("json", "json"):
        raise Lossy(wanted.kind)
    return reply


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Anthropic writes them."""
    return anthropic.refusal(message, code)
