"""The dialects: what each provider's protocol means, as pure functions on bytes and dicts.

A dialect is a module with the verbs of `Dialect`; `DIALECTS` lists them, and `find` picks one by method and path.
Nothing here knows stores, modes or the proxy.
To add a provider: write one module, add it to `DIALECTS`, add golden files under `tests/data/wire/<dialect>/`.
"""

from __future__ import annotations

from typing import Protocol

from ..chat import Bypass, Call, Form, Reply, Request, Verdict
from . import (
    anthropic,
    anthropic_count,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    cohere_v1,
    completions,
    dashscope,
    google,
    google_assist,
    interactions,
    ollama,
    openai_chat,
    openai_responses,
    single,
    transcriptions,
)


class Dialect(Protocol):
    """The verbs of one wire protocol."""

    NAME: str
    """The dialect's name in keys, log lines and files, such as `openai-chat`."""

    MARKS_END: bool
    """Whether a reply itself says that it is whole; if not, a stream of it counts only where HTTP marked its end."""

    def matches(self, method: str, path: str) -> bool:
        """Whether a request line belongs to this dialect. Cheap: called for every flow, sees no body."""

    def call(self, request: Request) -> Call | Bypass:
        """Understand *request*, or say why it is passed through. Raises nothing for bad input."""

    def question(self, call: Call) -> str:
        """Return the text of the last question, empty when there is none."""

    def judge(self, call: Call, reply: Reply, finish: frozenset[str]) -> Verdict:
        """Decide whether *reply* is complete and good. *finish*: further finish reasons to accept."""

    def reply_form(self, call: Call, reply: Reply) -> Form:
        """Return the form that *reply* really has, whatever *call* asked for."""

    def convert(self, reply: Reply, recorded: Form, wanted: Form) -> Reply:
        """Write *reply* in another form. Raises `Lossy` where something would be lost."""

    def refusal(self, message: str, code: str) -> bytes:
        """Return an error body in the provider's own shape (JSON)."""


DIALECTS: tuple[Dialect, ...] = (
    openai_chat,
    openai_responses,
    ollama,
    completions,
    single.EMBEDDINGS,
    single.MODERATIONS,
    single.IMAGES,
    single.IMAGE_EDITS,
    single.SPEECH,
    single.RERANK,
    single.OCR,
    single.FEATURES,
    single.TOKENS,
    single.COMPACTION,
    transcriptions,
    anthropic,
    anthropic_count,
    google,
    google_assist,
    interactions,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    cohere_v1,
    dashscope,
)


def find(method: str, path: str) -> Dialect | None:
    """Return the dialect that claims the request line, or None."""
    return next((dialect for dialect in DIALECTS if dialect.matches(method, path)), None)
