"""Which text of a call is its question: Higress' `cacheKeyStrategy` and `cacheKeyFrom`.

The question is what a semantic match may vary, and with `compat: higress` it is the whole key.
It does not know stores or scopes.
"""

from __future__ import annotations

from dataclasses import dataclass

from .chat import Call
from .gjson import Query
from .wire import Dialect


@dataclass(frozen=True, slots=True)
class QuestionRule:
    """How the question is found in a call."""

    strategy: str = "lastQuestion"
    """`lastQuestion`, `allQuestions` or `disabled`."""
    path: Query | None = None
    """Where `lastQuestion` looks; None for the dialect's own last question."""

    def question(self, dialect: Dialect, call: Call) -> str:
        """Return the question of *call*; empty when it has none.

        The settings are those of chats: of a call without messages (embeddings, ...) the dialect knows the question.
        """
        chats = isinstance(call.body, dict) and "messages" in call.body
        if chats and self.strategy == "allQuestions":
            return all_questions(call.body)
        if not chats or self.path is None:
            return dialect.question(call)
        found = self.path.get(call.request.body).string
        return "" if found == "[]" else found  # row B13: a query that found nothing is no question to share

    def must_ask(self, call: Call) -> bool:
        """Whether *call* is not cached without a question: its text was looked for by path, or the user says nothing.

        A tool that says nothing is no such case, nor are instructions alone: the whole call is the key.
        """
        messages = call.body.get("messages") if isinstance(call.body, dict) else None
        match messages:
            case [*_, {"role": "user"}]:  # row B7
                return True
        return self.path is not None


def all_questions(body: object) -> str:
    """Return the text contents of all user messages, joined by newlines as Higress does (row B8)."""
    messages = body.get("messages") if isinstance(body, dict) else None
    asked = (m.get("content") for m in messages or () if isinstance(m, dict) and m.get("role") == "user")
    return "\n".join(text for text in asked if isinstance(text, str) and text)
