"""Google's Gemini API and its twin on Vertex AI: generated content, embeddings, token counts.

The model and what is wanted of it stand in the path (`.../models/{model}:{verb}`), the key in the query or a header.
One entry answers `generateContent` and both forms of `streamGenerateContent`: SSE (`alt=sse`) and a JSON array.
The work on replies is done by `google_verdict`, `google_assemble` and `google_explode`; nothing here does I/O.
Source: Google, "Gemini API reference" (ai.google.dev/api) and "Vertex AI REST API"; "System parameters" for the query.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

from .. import jsonarray, jsontext
from ..chat import Bypass, Call, Form, Lossy, Reply, Request, Verdict, WireError
from . import google_verdict, http
from .frames import placed
from .google_assemble import assemble, payloads
from .google_explode import explode, written

NAME = "google"
MARKS_END = False  # there is no last event: older models say STOP in every chunk

DENIED = {"labels": "labels for Vertex's bills; the model never sees them"}
"""Members of the body that do not change the answer, each with the reason. Everything else is identity."""

NO_QUERY = {
    "alt": "the form of a stream",
    "$alt": "the same by its other name",
    "prettyprint": "white space",
    "$prettyprint": "white space",
    "quotauser": "whose quota is used",
}
"""Query parameters (lower case) that do not change the answer, each with the reason; keys are taken out by `http`."""

MEANINGFUL = frozenset(
    {
        "x-goog-user-project",  # whose quota, and so which settings
        "x-goog-fieldmask",  # which members come back
        "x-vertex-ai-llm-request-type",  # provisioned throughput or not
        "x-vertex-ai-llm-shared-request-type",  # flex or priority
    }
)
"""Headers that change the answer."""

PASSED = {
    "batchGenerateContent": "batch",
    "asyncBatchEmbedContent": "batch",
    "predictLongRunning": "long-running",
    "bidiGenerateContent": "realtime",
}
"""What is known and not cached, and why."""

PLACES = ("models", "tunedModels", "endpoints", "dynamic")
"""Collections in which a model lives: AI Studio's and Vertex's; `endpoints` are tuned models on Vertex."""

FORMS = {"sse": "sse", "": "array", "json": "array"}
"""The query parameter `alt` of a stream -> its form."""


def matches(method: str, path: str) -> bool:
    """Whether this is a POST to a verb of a Google model, whatever host, prefix and version."""
    place, _, verb = path.rpartition(":")
    return method == "POST" and verb in _VERBS and _is_model(place, verb)


def call(request: Request) -> Call | Bypass:
    """Understand a request, or say why it is passed through: `batch`, `not-json`, `bad-contents`, `alt-unknown`, ..."""
    place, _, verb = request.path.rpartition(":")
    if verb in PASSED:
        return Bypass(PASSED[verb])
    body = http.json_object(request)
    if isinstance(body, Bypass):
        return body
    form, query = asked_form(request, verb)
    if reason := wrong(verb, body) or ("" if form else "alt-unknown"):
        return Bypass(reason)
    return Call(
        dialect=NAME,
        request=request,
        model=unquote(place.rpartition("/")[2]),
        form=Form(form),
        path=request.path if verb != "streamGenerateContent" else f"{place}:generateContent",
        query=query,
        headers=http.chosen(request.headers, MEANINGFUL),
        content={key: value for key, value in body.items() if key not in DENIED},
        body=body,
    )


def question(call: Call) -> str:
    """Return the text of the last content, or of all that is to be embedded; what is not all text as its JSON text."""
    body = call.body
    match call.path.rpartition(":")[2]:
        case "embedContent":
            return _text(body["content"])
        case "batchEmbedContents":
            return "\n".join(_text(each["content"]) for each in body["requests"])
        case "predict":
            return jsontext.canonical(body["instances"]).decode()
    contents = _contents(body)
    return _text(contents[-1]) if contents else jsontext.canonical(body).decode()


def judge(call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
    """Decide whether *reply* is whole, natural and good. *finish*: further finish reasons to accept (`MAX_TOKENS`)."""
    return google_verdict.judge(call, reply, finish)


def reply_form(call: Call, reply: Reply) -> Form:
    """Return the form that *reply* really has."""
    found = google_verdict.form_of(reply)
    return call.form if found == call.form.kind else Form(found)


def convert(reply: Reply, recorded: Form, wanted: Form) -> Reply:
    """Write *reply* (whose form is *recorded*) in the form *wanted*; the same form gives the same object.

    Raises `Lossy` with the field where something would be lost.
    """
    if recorded.kind == wanted.kind:
        return reply
    try:
        match recorded.kind, wanted.kind:
            case "json", ("sse" | "array") as form:
                return _as_stream(reply, form)
            case ("sse" | "array") as form, "json":
                return _as_json(reply, form)
            case ("sse", "array") | ("array", "sse"):
                return _as_other_stream(reply, recorded.kind, wanted.kind)
    except WireError as error:
        raise Lossy(str(error)) from None
    raise Lossy(wanted.kind)


def refusal(message: str, code: str) -> bytes:
    """Return an error body as Google writes them (AIP-193)."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code.upper(), "domain": "aicache.local"}
    error = {"code": 424, "message": message, "status": "FAILED_PRECONDITION", "details": [detail]}
    return jsontext.dumps({"error": error})


def asked_form(request: Request, verb: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the form that is asked for, empty for one that we do not know, and what of the query is identity.

    Behind a semicolon `alt` says how enumerations are written (`json;enum-encoding=int`), which is no form.
    """
    query = http.query(request)
    alt, _, encoding = next((value.lower() for name, value in query if name.lower() in _ALT), "").partition(";")
    told = tuple((name, value) for name, value in query if name.lower() not in NO_QUERY)
    return _form(verb, alt), (*told, *([("alt", encoding)] if encoding else []))


def wrong(verb: str, body: dict[str, Any]) -> str:
    """Return why *body* asks nothing of *verb* that can be understood, or an empty string."""
    return _SHAPES[verb](body)


def _is_model(place: str, verb: str) -> bool:
    collection, _, model = place.rpartition("/")
    if not model or collection.rpartition("/")[2] not in PLACES:
        return False
    # Vertex serves other publishers' models, and anything at all behind `:predict`.
    return verb != "predict" or collection.endswith("publishers/google/models")


def _form(verb: str, alt: str) -> str:
    """Return the form that is asked for; empty for one that we do not know (`alt=proto`, `alt=media`)."""
    if verb == "streamGenerateContent":
        return FORMS.get(alt, "")
    return "json" if alt in ("", "json") else ""


def _contents(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the turns of a call; those of `countTokens` may stand in a `generateContentRequest`."""
    inner = body.get("generateContentRequest")
    contents = (inner if isinstance(inner, dict) else body).get("contents")
    return contents if isinstance(contents, list) else []


def _generate(body: dict[str, Any]) -> str:
    if not body.get("contents"):
        return "no-contents"
    return "" if isinstance(body["contents"], list) and all(map(_is_content, body["contents"])) else "bad-contents"


def _embed(body: dict[str, Any]) -> str:
    return "" if _is_content(body.get("content")) else "bad-contents"


def _batch(body: dict[str, Any]) -> str:
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        return "no-contents"
    return next(
        (reason for each in requests if (reason := _embed(each) if isinstance(each, dict) else "bad-contents")), ""
    )


def _count(body: dict[str, Any]) -> str:
    return "" if all(map(_is_content, _contents(body))) and body else "bad-contents"


def _predict(body: dict[str, Any]) -> str:
    """Accept what is to be embedded; Imagen, Veo and custom models predict something else."""
    instances = body.get("instances")
    if not isinstance(instances, list) or not instances:
        return "no-contents"
    return "" if all(isinstance(each, dict) and each.keys() & _EMBEDDED for each in instances) else "predict-other"


def _is_content(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("parts"), list) and bool(value["parts"])


def _text(content: dict[str, Any]) -> str:
    parts = content["parts"]
    if all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
        return "\n".join(part["text"] for part in parts)
    return jsontext.canonical(parts).decode()


def _as_stream(reply: Reply, form: str) -> Reply:
    body = jsontext.read(reply.body)
    if not isinstance(body, dict):
        raise Lossy("body")
    pieces = explode(body, form)
    return http.streamed(reply, pieces, _TYPES[form])


def _as_json(reply: Reply, form: str) -> Reply:
    body = assemble(payloads(reply.body, form))
    for part in (part for each in body.get("candidates", ()) for part in each.get("content", {}).get("parts", ())):
        # Vertex streams the arguments of a function in pieces when asked to; no JSON reply has such a call.
        asked = part.get("functionCall") if isinstance(part, dict) else None
        if isinstance(asked, dict) and (pieces := asked.keys() & {"partialArgs", "willContinue"}):
            raise Lossy(min(pieces))
    return Reply(reply.status, http.typed(reply.headers, _TYPES["json"]), jsontext.dumps(body))


def _as_other_stream(reply: Reply, recorded: str, wanted: str) -> Reply:
    """Write the chunks in the other framing, each at the time at which it was whole."""
    chunks = list(payloads(reply.body, recorded))
    pieces = written(chunks, wanted)
    ends = list(accumulate(length for _, length in reply.chunks))
    arrived = [
        reply.chunks[min(bisect_left(ends, end), len(ends) - 1)][0] if ends else 0 for end in _ends(reply, recorded)
    ]
    arrived += [arrived[-1] if arrived else 0] * (len(pieces) - len(arrived))
    headers = http.typed(reply.headers, _TYPES[wanted])
    timed = tuple((when, len(piece)) for when, piece in zip(arrived, pieces, strict=True))
    return replace(reply, headers=headers, body=b"".join(pieces), chunks=timed)


def _ends(reply: Reply, form: str) -> list[int]:
    """Return the offset behind each chunk of the stream."""
    if form == "array":
        return [element.end for element in jsonarray.ArrayParser().feed(reply.body)]
    return [event.end for event in placed(reply.body)]


_SHAPES = {
    "generateContent": _generate,
    "streamGenerateContent": _generate,
    "embedContent": _embed,
    "batchEmbedContents": _batch,
    "countTokens": _count,
    "computeTokens": _count,
    "predict": _predict,
}
_ALT = ("alt", "$alt")
_VERBS = frozenset(_SHAPES) | frozenset(PASSED)
_EMBEDDED = frozenset({"content", "text", "image", "video"})
_TYPES = {
    "json": "application/json; charset=UTF-8",
    "array": "application/json; charset=UTF-8",
    "sse": "text/event-stream",
}
