"""What two calls must have in common for one's answer to be considered for the other: all but the question's text.

The question is one string in the call's content (or with `allQuestions` several); with a hole in its place the rest is
the context, and a context with its question gives the call back: nothing can hide between the two.
It knows no store, model or policy. Entry points: `context`, `stored_context`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from .chat import Call
from .jsontext import canonical
from .question import QuestionRule, all_questions

HOLE = {"aicache": "question"}
"""What stands for the question: no string, so that no question can imitate it."""


def context(call: Call, rule: QuestionRule, question: str) -> Call | str:
    """Return *call* with a hole where its question was; or why it can only be answered exactly, as a slug."""
    if reason := exact_only(call) or ("" if question else "not-a-question"):
        return reason
    if rule.strategy == "allQuestions" and question == all_questions(call.body):
        content: Any = _without_questions(call.content)
    else:
        content = _cut(call.content, question)
    return "question-not-text" if content is None else replace(call, content=content)


def stored_context(identity: bytes, holed: Call) -> bytes:
    """Return the context as an identity, of the call that was stored under *identity* and is *holed* now.

    The scope, and what secrets left of the call, are those of the identity.
    """
    return canonical({**json.loads(identity), "body": holed.content})


def exact_only(call: Call) -> str:
    """Return why no near question may answer *call*, whatever it asks; else nothing."""
    body = call.body
    if not isinstance(body, dict) or not _answers(call) or body.get("echo"):  # which has the question in the answer
        return "not-a-question"
    places = [body, *(body[name] for name in SETTINGS if isinstance(body.get(name), dict))]
    if any(place.get(name) for place in places for name in TOOLS):
        return "tools"
    turns = _turns(body)
    if any(_of_tools(turn) for turn in turns):
        return "tools"
    last = turns[-1] if turns else None
    if isinstance(last, dict) and last.get("role", "user") != "user":
        return "not-a-question"
    pictures = body.get("images") or (isinstance(last, dict) and last.get("images"))
    return "question-not-text" if pictures else ""


def _answers(call: Call) -> bool:
    """Whether the call is answered in words; embeddings and counts of a near text are other numbers."""
    return call.path.endswith(ANSWERING.get(call.dialect, ()))


def _turns(body: dict[str, Any]) -> list[Any]:
    inner = body.get("input")
    if isinstance(inner, dict):  # DashScope
        body = inner
    return next((body[name] for name in TURNS if isinstance(body.get(name), list)), [])


def _of_tools(turn: Any) -> bool:
    """Whether a turn calls tools, or is what a tool said."""
    if not isinstance(turn, dict):
        return False
    if turn.get("role") in TOOL_ROLES or turn.get("tool_calls") or "call" in str(turn.get("type", "")):
        return True
    parts = turn.get("content", turn.get("parts"))
    found = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return any(not TOOL_PARTS.isdisjoint(_marks(part)) for part in found)


def _marks(part: dict[str, Any]) -> set[str]:
    kind = part.get("type")
    return {*part, kind} if isinstance(kind, str) else set(part)


def _without_questions(content: Any) -> Any:
    messages = content.get("messages") if isinstance(content, dict) else None
    if not isinstance(messages, list):
        return None
    return {**content, "messages": [{**each, "content": HOLE} if _asks(each) else each for each in messages]}


def _asks(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "user" and isinstance(message.get("content"), str)


def _cut(value: Any, question: str) -> Any:
    """Return *value* with a hole for the last string that is *question*, or None where there is no such string.

    The members of objects are looked through by name, so that their order in the request does not matter.
    """
    if isinstance(value, str):
        return HOLE if value == question else None
    if isinstance(value, dict):
        for name in sorted(value, reverse=True):
            if (holed := _cut(value[name], question)) is not None:
                return {**value, name: holed}
    if isinstance(value, list):
        for at in range(len(value) - 1, -1, -1):
            if (holed := _cut(value[at], question)) is not None:
                return [*value[:at], holed, *value[at + 1 :]]
    return None


ANSWERING: dict[str, tuple[str, ...]] = {
    "openai-chat": ("/chat/completions", "/agents/completions"),  # not `fim`: of code every character counts
    "openai-responses": ("responses",),
    "openai-completions": ("completions",),
    "anthropic": ("messages", "rawPredict", "streamRawPredict", "invoke", "invoke-with-response-stream"),
    "google": ("generateContent", "streamGenerateContent"),
    "google-code-assist": ("generateContent",),
    "ollama": ("chat", "generate"),
    "cohere": ("chat",),
    "dashscope": ("generation",),
    "bedrock-converse": ("converse", "converse-stream"),
}
"""How the paths end of calls that ask a question, by dialect; the path alone tells them from embeddings."""
TURNS = ("messages", "contents", "input")
TOOLS = (
    "tools",
    "functions",
    "toolConfig",
    "tool_config",
    "plugins",
    "mcp_servers",
    "web_search_options",
    "enable_search",
)
SETTINGS = ("config", "parameters")
"""Where some dialects keep what others have at the top."""
TOOL_ROLES = frozenset({"tool", "function", "computer"})
TOOL_PARTS = frozenset({"tool_use", "tool_result", "functionCall", "functionResponse", "toolUse", "toolResult"})
