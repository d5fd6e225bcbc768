"""Traffic that the user names in `match.paths` and no dialect knows: recorded and replayed byte for byte.

What it means is not known, so everything counts: the body whole, the query, and which kind of answer is accepted.
A reply is complete when HTTP says so (RFC 9112 section 8), which the engine looks after for every reply of kind `raw`.
It is not among `DIALECTS`: the engine asks for it by path, after all of them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from .. import jsontext, multipart
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import http

NAME = "named"
MARKS_END = False  # bytes say nothing

MEANINGFUL = frozenset({"accept", "accept-language"})
"""Headers that may change an answer of which nothing is known."""

RAW = Form("raw")
_OK = 200


def matches(method: str, path: str) -> bool:  # noqa: ARG001 - the verb's signature
    """Claim nothing: only the user's settings do."""
    return False


def call(request: Request) -> Call | Bypass:
    """Take any request; a body that cannot be read twice the same is passed through with its reason."""
    try:
        content = _content(request)
    except WireError as error:
        return Bypass(str(error))
    return Call(
        dialect=NAME,
        request=request,
        model=_model(content),
        form=RAW,
        path=request.path,
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content=content,
        body=content,
    )


def question(call: Call) -> str:
    """Return the address: there is no question that anybody could read."""
    return f"{call.request.method} {call.path}"


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - the verb's signature
    """Take any reply of status 200 that says something."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    return Complete(model=call.model) if reply.body else Incomplete("empty")


def reply_form(call: Call, reply: Reply) -> Form:  # noqa: ARG001 - the verb's signature
    """Bytes are bytes."""
    return RAW


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Return the reply as it was recorded; there is no other form."""
    if recorded != wanted:
        raise Lossy(wanted.kind)
    return reply


def refusal(message: str, code: str) -> bytes:
    """Return an error body in the shape that most providers share."""
    return jsontext.dumps({"error": {"message": message, "type": "aicache_refusal", "code": code}})


def _content(request: Request) -> Any:
    """Return the body as a value that is equal for equal calls: JSON, the parts of a form, or a digest."""
    content_type = request.header("content-type")
    match http.media_type(content_type):
        case "application/json":
            return jsontext.parse(request.body) if request.body else None
        case "multipart/form-data":
            parts = multipart.parse(request.body, multipart.boundary(content_type))
            return [
                [part.name, part.filename, [list(h) for h in part.headers], _digest(part.content)] for part in parts
            ]
        case kind:
            return [kind, _digest(request.body)]


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=20).hexdigest()


def _model(content: Any) -> str:
    model = content.get("model") if isinstance(content, dict) else None
    return model if isinstance(model, str) else ""
