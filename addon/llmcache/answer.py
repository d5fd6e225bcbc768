"""The answer as a text, and hits written by the user's templates: Higress' `cacheValueFrom` and `responseTemplate`.

A reply that is more than a text (tool calls) has no answer in this sense and is replayed as it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .chat import BARE, Form, Headers, Reply
from .framing import frames
from .gjson import Query, compile_path
from .templates import Template


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """Where the answer stands in a reply, and what a hit looks like."""

    value: Query
    stream_value: Query
    tool_calls: Query
    """Where an event of a stream calls tools; `delta` in it stands for `message` in a JSON reply."""
    json_template: Template | None = None
    stream_template: Template | None = None

    def text(self, reply: Reply, form: Form) -> str:
        """Return the answer text of *reply*; empty when there is none, or when it calls tools."""
        if form == BARE:
            return reply.body.decode("utf-8", "replace")
        if not form.streamed:
            return "" if _present(self._json_tool_calls, reply.body) else self.value.get(reply.body).string
        payloads = [data for _, data, _ in frames(reply.body) if data.strip() not in (b"", b"[DONE]")]
        if any(_present(self.tool_calls, payload) for payload in payloads):
            return ""
        return "".join(self.stream_value.get(payload).string for payload in payloads)

    @property
    def _json_tool_calls(self) -> Query:
        return _compiled(self.tool_calls.path.replace(".delta.", ".message."))

    def fill(self, reply: Reply, recorded: Form, wanted: Form) -> Reply | None:
        """Return *reply* by the template for *wanted*, or None when there is no template or no answer text."""
        template = self.stream_template if wanted.streamed else self.json_template
        if template is None:
            return None
        answer = self.text(reply, recorded)
        return answered(template, answer, wanted, reply.headers) if answer.strip() else None


def answered(template: Template, answer: str, wanted: Form, headers: Headers = ()) -> Reply:
    """Return the reply that *template* makes of *answer*."""
    kind = "text/event-stream; charset=utf-8" if wanted.streamed else "application/json; charset=utf-8"
    kept = tuple(pair for pair in headers if pair[0] != "content-type")
    return Reply(200, (("content-type", kind), *kept), template.fill(answer))


_compiled = lru_cache(maxsize=8)(compile_path)


def _present(query: Query, payload: str | bytes) -> bool:
    found = query.get(payload)
    return found.exists and found.raw not in ("null", "[]")
