"""OpenAI audio transcriptions and translations: a form with a sound file, answered as JSON, text, subtitles or SSE.

The identity is the parts of the form in their order: names, file names, types, values, and digests of what is no text;
not the boundary. Answers are kept as they came, so `response_format` and `stream` are identity.
Calls as JSON, which few providers take, are passed through.
Source: OpenAI, "Create transcription", "Create translation"; Groq and Azure speak the same; vLLM ends with `[DONE]`.
"""

from __future__ import annotations

from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Verdict, WireError
from . import forms, http
from .chat_verdict import is_stream
from .openai_chat import MEANINGFUL, refusal
from .single import failed, usage_of
from .verbatim import last_payload

__all__ = ["MARKS_END", "NAME", "call", "convert", "judge", "matches", "question", "refusal", "reply_form"]

NAME = "transcriptions"
MARKS_END = False  # a text or a subtitle file ends where HTTP says so

TEXT_FORMATS = frozenset({"text", "srt", "vtt"})
"""The `response_format`s that are no JSON."""

_OK = 200


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to `.../audio/transcriptions` or `.../audio/translations`."""
    return method == "POST" and path.endswith(("/audio/transcriptions", "/audio/translations"))


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: `not-multipart`, `multipart-...`, `no-file`."""
    parts = forms.read(request)
    if isinstance(parts, Bypass):
        return parts
    fields = forms.fields(parts)
    content = {"parts": parts}
    return Call(
        dialect=NAME,
        request=request,
        model=fields.get("model", ""),
        form=_form(fields),
        path=request.path,
        query=http.query(request),
        headers=http.chosen(request.headers, MEANINGFUL),
        content=content,
        body=content,
    )


def question(call: Call) -> str:
    """Return the names and digests of the files: what is asked is what they say."""
    return "\n".join(forms.files(call.body["parts"]))


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG001 - no finish reasons here
    """Decide whether *reply* is whole and says something."""
    if reply.status != _OK:
        return Incomplete(f"status-{reply.status}")
    form = reply_form(call, reply)
    if form.kind == "raw":
        return _of_text(reply)
    try:
        last = last_payload(reply.body, {"transcript.text.done"}) if form.streamed else jsontext.skim(reply.body)
    except WireError as error:
        return Incomplete(str(error) if form.streamed else "not-json")
    if flaw := failed(last) or ("" if form.streamed else _silent(last)):
        return Incomplete(flaw)
    return Complete(usage_of(last))


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has."""
    if call.form.kind == "raw":
        return call.form
    return Form("sse" if is_stream(reply) else "json")


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Return *reply* as it is. Raises `Lossy` (the wanted kind) for any other form than the recorded one."""
    if recorded.kind != wanted.kind:
        raise Lossy(wanted.kind)
    return reply


def _form(fields: dict[str, str]) -> Form:
    if fields.get("response_format") in TEXT_FORMATS:
        return Form("raw")
    return Form("sse" if fields.get("stream", "").lower() in ("true", "1") else "json")


def _of_text(reply: Reply) -> Verdict:
    """Judge plain text or subtitles: an error would be JSON, a page of some gateway HTML."""
    kind = http.media_type(reply.header("content-type"))
    text = reply.body.strip()
    if not text or text == b"WEBVTT":
        return Incomplete("empty")
    if kind == "text/html":
        return Incomplete("not-text")
    try:
        return Incomplete("error-body") if failed(jsontext.skim(text)) else Complete()
    except WireError:
        return Complete()


def _silent(body: Any) -> str:
    text = body.get("text") if isinstance(body, dict) else None
    return "" if isinstance(text, str) and text.strip() else "empty"
