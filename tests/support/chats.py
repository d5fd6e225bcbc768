"""What a developer asks through an SDK: one chat for each feature that the dialect has to carry.

Each test takes an API key of its own with `fresh`, and with it a cache of its own: answers never cross credentials.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from support.clients import Chat

NUMBERS = itertools.count()
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "Sum", "schema": {"type": "object"}}}


def ask(text: str = "What is 6 times 7?", **more: Any) -> dict[str, Any]:
    """Return a chat request."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def fresh(chat: Chat, style: str = "sync") -> Chat:
    """Return *chat* with an API key that no other test uses."""
    return replace(chat, key=f"sk-test-{next(NUMBERS)}", style=style)


CHATS = {
    "json": Chat(ask()),
    "stream": Chat(ask(stream=True)),
    "stream with usage": Chat(ask(stream=True, stream_options={"include_usage": True})),
    "tools": Chat(ask(tools=[WEATHER], parallel_tool_calls=True)),
    "tools streamed": Chat(ask(tools=[WEATHER], parallel_tool_calls=True, stream=True)),
    "structured": Chat(ask(response_format=SCHEMA)),
    "structured streamed": Chat(ask(response_format=SCHEMA, stream=True)),
    "parse": Chat(ask(), method="parse"),
    "stream helper": Chat(ask(), method="stream"),
    "logprobs": Chat(ask(logprobs=True, top_logprobs=2)),
    "logprobs streamed": Chat(ask(logprobs=True, top_logprobs=2, stream=True)),
    "two choices": Chat(ask(n=2)),
    "two choices streamed": Chat(ask(n=2, stream=True)),
}
