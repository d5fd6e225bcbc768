"""OpenAI's endpoints that answer in one piece: embeddings, moderations, images, speech, counts; reranking and OCR.

Each is one row of a table: which paths, what a call must hold, when its reply is good. The verbs are shared.
The bytes of an answer are never rewritten, so whatever shapes them (`encoding_format`, `stream`) is identity.
Streams, where there are any, are kept as they came. Entry points: `EMBEDDINGS`, `MODERATIONS`, `IMAGES`,
`IMAGE_EDITS`, `SPEECH`, `TOKENS`, `COMPACTION`, `RERANK`, `OCR`, `FEATURES`, which are dialects.
Source: OpenAI, "API reference"; Voyage, Jina, Mistral and Cohere, "Embeddings" and "Rerank"; Hugging Face, "Text
Embeddings Inference" and "Feature Extraction"; Mistral, "OCR", "Audio speech" and "Classifiers"; OpenRouter, "Images".
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from .. import jsontext
from ..chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage, Verdict, WireError
from . import forms, http, openai_chat, openai_responses
from .chat_verdict import is_stream
from .verbatim import last_payload

DENIED = {
    "user": "an end user's id for abuse reports; the model never sees it",
    "safety_identifier": "what replaces `user`",
}
"""Members of the body that do not change the answer. `metadata` is not among them: not all of these have it."""

OF_RESPONSES = frozenset(openai_responses.DENIED) - {"stream"}
"""The same for what takes the body of a response."""

Body = dict[str, Any]

_OK = 200


@dataclass(slots=True, eq=False)  # not frozen: the protocol `Dialect` has NAME as a plain attribute
class Endpoint:
    """A dialect whose calls and replies are JSON (or, with *raw*, whose replies are bytes)."""

    NAME: str
    endings: tuple[str, ...]
    """How its paths end."""
    apart: tuple[str, ...]
    """Paths that end so and are another protocol's."""
    asks: Callable[[Body], Any]
    """The member that is the question; nothing when the call has none."""
    flaw: Callable[[Body, Any], str]
    """(body of the call, body of the reply) -> why the reply is not good, or an empty string."""
    streams: Callable[[Body], bool] = lambda _: False
    """Whether the call asks for a stream."""
    terminal: frozenset[str] = frozenset()
    """The types of the event that ends a stream; empty where there are no streams."""
    raw: bool = False
    refuse: Callable[[str, str], bytes] = openai_chat.refusal
    wrong: Callable[[Body], str] = lambda _: ""
    """Why a call is passed through, or an empty string."""
    denied: Collection[str] = frozenset(DENIED)
    takes_forms: bool = False
    """Whether a call may be a form with files, whose numbers and flags are texts."""
    MARKS_END: bool = field(init=False)
    """Streams have their terminal event; bytes have none."""

    def __post_init__(self) -> None:
        """Say whether a reply shows its own end."""
        self.MARKS_END = not self.raw

    def matches(self, method: str, path: str) -> bool:
        """Whether this is a POST to one of the paths."""
        return method == "POST" and path.endswith(self.endings) and not path.endswith(self.apart)

    def call(self, request: Request) -> Call | Bypass:
        """Understand a request, or say why it is passed through: `not-json`, `no-input`, `stream`."""
        read = forms.read(request) if self.takes_forms and forms.is_form(request) else http.json_object(request)
        if isinstance(read, Bypass):
            return read
        body = _understood(read) if isinstance(read, list) else read
        if reason := self.wrong(body) or ("" if self.asks(body) else "no-input"):
            return Bypass(reason)
        streamed = self.streams(body)
        if streamed and not self.terminal:
            return Bypass("stream")
        return Call(
            dialect=self.NAME,
            request=request,
            model=_text(body.get("model")),
            form=Form("sse" if streamed else "raw" if self.raw else "json"),
            path=request.path,
            query=http.query(request),
            headers=http.chosen(request.headers, openai_chat.MEANINGFUL),
            content=_kept(read, self.denied),
            body=body,
        )

    def question(self, call: Call) -> str:
        """Return the text that is asked about, several as lines; tokens and images as their JSON text."""
        asked = self.asks(call.body)
        if isinstance(asked, str):
            return asked
        if isinstance(asked, list) and all(isinstance(each, str) for each in asked):
            return "\n".join(asked)
        return jsontext.canonical(asked).decode()

    def judge(self, call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:  # noqa: ARG002 - no finish reasons here
        """Decide whether *reply* is whole and good."""
        if reply.status != _OK:
            return Incomplete(f"status-{reply.status}")
        form = self.reply_form(call, reply)
        if form.kind == "raw":
            return judged_raw(reply)
        try:
            body = self._last(call, reply) if form.streamed else jsontext.skim(reply.body)
        except WireError as error:
            return Incomplete(str(error) if form.streamed else "not-json")
        flaw = failed(body) or ("" if form.streamed else self.flaw(call.body, body))
        return Incomplete(flaw) if flaw else Complete(usage_of(body), _text(_member(body, "model")))

    def _last(self, call: Call, reply: Reply) -> Body:
        wanted = call.body.get("n")
        return last_payload(reply.body, self.terminal, wanted if isinstance(wanted, int) else 1)

    def reply_form(self, call: Call, reply: Reply) -> Form:  # noqa: ARG002 - the verb of every dialect
        """Return the form that *reply* really has."""
        if self.raw and http.media_type(reply.header("content-type")) != "text/event-stream":
            return Form("raw")
        return Form("sse" if is_stream(reply) else "json")

    def convert(self, reply: Reply, recorded: Form, wanted: Form) -> Reply:
        """Return *reply* as it is. Raises `Lossy` (the wanted kind) for any other form than the recorded one."""
        if recorded.kind != wanted.kind:
            raise Lossy(wanted.kind)
        return reply

    def refusal(self, message: str, code: str) -> bytes:
        """Return an error body as the providers of this endpoint write them."""
        return self.refuse(message, code)


def _understood(parts: list[forms.Described]) -> Body:
    """Return a form as the JSON that asks the same, as far as it is looked at; `files` are names and digests."""
    told: Body = {**forms.fields(parts), "files": forms.files(parts)}
    if told.get("n", "").isdecimal():
        told["n"] = int(told["n"])
    return told | {"stream": told.get("stream", "").lower() in ("true", "1")}


def _kept(read: Body | list[forms.Described], denied: Collection[str]) -> Body:
    """Return what of a call is identity."""
    if isinstance(read, list):
        return {"parts": forms.without(read, denied)}
    return {key: value for key, value in read.items() if key not in denied}


def failed(body: Any) -> str:
    """Return `error-body` for a JSON value that is an error, else an empty string."""
    return "error-body" if _member(body, "error") or _member(body, "object") == "error" else ""


def judged_raw(reply: Reply) -> Verdict:
    """Return whether a reply of bytes is one: not empty, and no page or error in its place."""
    if not reply.body.strip():
        return Incomplete("empty")
    kind = http.media_type(reply.header("content-type"))
    spoken = _in_json(reply.body) if kind == "application/json" else not kind.startswith("text/")
    return Complete() if spoken else Incomplete("not-audio")


def _in_json(body: bytes) -> bool:
    """Whether *body* is Mistral's way to send a sound: in base64."""
    try:
        return bool(_text(_member(jsontext.skim(body), "audio_data")))
    except WireError:
        return False


def usage_of(body: Any) -> Usage:
    """Return the tokens of a reply, under any of the names in use; zeros where it does not say."""
    usage = _member(body, "usage")
    asked = next((n for name in ("prompt_tokens", "input_tokens", "total_tokens") if (n := _count(usage, name))), 0)
    return Usage(asked, _count(usage, "output_tokens") or _count(usage, "completion_tokens"))


def _embeddings(asked: Body, body: Any) -> str:
    data = _rows(body, "data")
    given = _texts_asked(asked)
    # One list of numbers is one text in tokens (OpenAI); anything else in a list is an input of its own.
    wanted = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    if len(data) != wanted:
        return "data-missing"
    # Jina has several vectors a text in `embeddings`, Voyage those of a document's pieces in `data`.
    return "" if all(any(row.get(name) for name in ("embedding", "embeddings", "data")) for row in data) else "empty"


def _texts_asked(body: Body) -> Any:
    return body.get("input") or body.get("inputs")


def _features(asked: Body, body: Any) -> str:
    given = asked["inputs"]
    if not isinstance(body, list) or (isinstance(given, list) and len(body) != len(given)):
        return "data-missing"
    return "" if body and all(each is not None and each != [] for each in body) else "empty"


def _moderations(asked: Body, body: Any) -> str:
    given = asked["input"]
    wanted = len(given) if isinstance(given, list) and isinstance(given[0], str) else 1
    return "" if len(_rows(body, "results")) >= wanted else "data-missing"


def _images(asked: Body, body: Any) -> str:
    data = _rows(body, "data")
    wanted = asked.get("n")
    if not data or (isinstance(wanted, int) and len(data) != wanted):
        return "data-missing"
    if any(row.get("url") and not _text(row["url"]).startswith("data:") for row in data):
        return "temporary-url"  # OpenAI's live for an hour: a hit would point nowhere
    return "" if all(row.get("b64_json") or row.get("url") for row in data) else "empty"


def _tokens(asked: Body, body: Any) -> str:  # noqa: ARG001 - the signature of every `flaw`
    return "" if _count(body, "input_tokens") else "empty"


def _compacted(asked: Body, body: Any) -> str:  # noqa: ARG001 - the signature of every `flaw`
    return "" if _rows(body, "output") else "empty"


def _of_conversation(body: Body) -> str:
    return "conversation" if body.get("conversation") else ""  # it grows with each call


def _ranks(asked: Body, body: Any) -> str:  # noqa: ARG001 - the signature of every `flaw`
    # Cohere and Jina say `results`, Voyage `data`, Hugging Face TEI has the bare list.
    rows = body if isinstance(body, list) else _rows(body, "results") or _rows(body, "data")
    return "" if rows and all(isinstance(row, dict) and "index" in row for row in rows) else "data-missing"


def _pages(asked: Body, body: Any) -> str:  # noqa: ARG001 - the signature of every `flaw`
    return "" if _rows(body, "pages") else "data-missing"


def _ranks_asked(body: Body) -> Any:
    return body.get("query") if body.get("documents") or body.get("texts") else None


def _rank_refusal(message: str, code: str) -> bytes:
    """Return an error with what Cohere's (`message`) and Jina's and Voyage's (`detail`) clients show."""
    return jsontext.dumps({"message": message, "detail": message, "code": code})


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _rows(body: Any, name: str) -> list[Body]:
    rows = _member(body, name)
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else []


def _count(usage: Any, name: str) -> int:
    value = _member(usage, name)
    return value if isinstance(value, int) and value > 0 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


EMBEDDINGS = Endpoint(
    "embeddings",
    ("/embeddings", "/multimodalembeddings", "/contextualizedembeddings"),
    ("/api/embeddings",),  # Ollama's own, where `prompt` asks
    _texts_asked,
    _embeddings,
)
MODERATIONS = Endpoint(
    "moderations", ("/moderations", "/classifications"), (), lambda body: body.get("input"), _moderations
)
IMAGES = Endpoint(
    "images",
    ("/images/generations", "/api/v1/images"),
    (),
    lambda body: body.get("prompt"),
    _images,
    lambda body: bool(body.get("stream")),
    frozenset({"image_generation.completed"}),
)
IMAGE_EDITS = Endpoint(
    "image-edits",
    ("/images/edits", "/images/variations"),
    (),
    lambda body: body.get("prompt") or body.get("files"),
    _images,
    lambda body: bool(body.get("stream")),
    frozenset({"image_edit.completed"}),
    takes_forms=True,
)
TOKENS = Endpoint(
    "response-tokens",
    ("/responses/input_tokens",),
    (),
    lambda body: body.get("input") or body.get("previous_response_id"),
    _tokens,
    wrong=_of_conversation,
    denied=OF_RESPONSES,
)
COMPACTION = Endpoint(
    "compaction",
    ("/responses/compact",),
    (),
    lambda body: body.get("input") or body.get("previous_response_id"),
    _compacted,
    wrong=_of_conversation,
    denied=OF_RESPONSES,
)
SPEECH = Endpoint(
    "speech",
    ("/audio/speech",),
    (),
    lambda body: body.get("input"),
    lambda _asked, _body: "not-audio",
    lambda body: body.get("stream_format") == "sse" or body.get("stream") is True,  # OpenAI's and Mistral's
    frozenset({"speech.audio.done"}),
    raw=True,
)
RERANK = Endpoint(
    "rerank",
    ("/rerank",),
    ("/v2/rerank",),  # Cohere's
    _ranks_asked,
    _ranks,
    refuse=_rank_refusal,
)
OCR = Endpoint("ocr", ("/v1/ocr",), (), lambda body: body.get("document"), _pages)
FEATURES = Endpoint(
    "features",
    ("/embed", "/embed_all", "/embed_sparse", "/pipeline/feature-extraction", "/pipeline/sentence-similarity"),
    ("/api/embed", "/v1/embed", "/v2/embed"),  # Ollama's and Cohere's
    lambda body: body.get("inputs"),
    _features,
)
