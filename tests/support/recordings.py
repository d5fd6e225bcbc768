"""A folder of recordings, and the engine on it as `build` makes it from settings, without a proxy.

Entry points: `engine_on`, `call`, `record`, `ask`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmcache.build import build_engine
from llmcache.capture import Exchange
from llmcache.chat import Headers, Hit, Miss, Outcome, Request
from llmcache.config import load
from llmcache.control import read_control
from llmcache.engine import Engine
from llmcache.stats import Stats
from llmcache.wire import openai_chat

from support.upstream import chat_json


def engine_on(folder: Path, mode: str, text: str = "", stats: Stats | None = None) -> Engine:
    """Return the engine of the recordings in *folder* in *mode*, with *text* as further settings."""
    file = folder.with_name("settings.yaml")
    file.write_text(text)
    settings = load(str(file), {"mode": mode, "store": f"cassette:{folder}"})
    return build_engine(settings, stats or (lambda _: None))


def call(text: str = "hi", *, headers: Headers = (), **more: Any) -> Request:
    """Return a chat."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
    fields = (("content-type", "application/json"), *headers)
    raw = json.dumps(body).encode()
    return Request("POST", "https", "api.openai.com", 443, "/v1/chat/completions", "", fields, raw)


async def look(engine: Engine, asked: Request) -> tuple[Any, Any]:
    """Look *asked* up with what its headers say."""
    return await engine.lookup(openai_chat, asked, read_control(asked.headers))


async def record(engine: Engine, asked: Request, answer: str) -> None:
    """Let *asked* go upstream, where *answer* is the answer, and wait until it is stored."""
    outcome, ticket = await look(engine, asked)
    assert isinstance(outcome, Miss)
    engine.record(ticket, answered(answer))
    await engine.settled()


def answered(text: str) -> Exchange:
    """Return a reply from upstream that says *text*."""
    raw = json.dumps(chat_json(text)).encode()
    return Exchange(200, (("content-type", "application/json"),), ((1, raw),), 0.1, streamed=False)


async def ask(engine: Engine, asked: Request) -> str | Outcome:
    """Return the text that answers *asked*, or what else becomes of it."""
    outcome, _ = await look(engine, asked)
    if isinstance(outcome, Hit):
        return str(json.loads(outcome.reply.body)["choices"][0]["message"]["content"])
    return outcome
