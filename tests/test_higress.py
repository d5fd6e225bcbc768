"""The settings of Higress' ai-cache at work: its keys, its paths, its templates, on our store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llmcache import config
from llmcache.build import rules
from llmcache.capture import Exchange
from llmcache.chat import Bypass, Hit, Miss, Request
from llmcache.engine import Engine
from llmcache.framing import parse_sse
from llmcache.scope import Scope
from llmcache.stats import Observation
from llmcache.stores.memory import MemoryStore
from llmcache.templates import DEFAULT_JSON, DEFAULT_STREAM
from llmcache.wire import openai_chat
from support.upstream import chat_chunks, chat_json

MEMORY = "cache: {type: memory}\n"
HIGRESS = MEMORY + "compat: higress\n"
ODD = ['ends with "', '"quoted"', "esc \x1b vt \x0b del \x7f nul \x00", "tag \U000e0041", "100 % %s", "中文\n\u2028"]


@dataclass
class World:
    """An engine with the settings of a YAML text."""

    engine: Engine
    seen: list[Observation]

    async def ask(self, *texts: str, reply: Any = None, model: str = "m", **more: Any) -> Any:
        """Ask with *texts* (roles alternate); on a miss let *reply* (default: `an answer`) come from upstream."""
        roles = ["user", "assistant"] * len(texts)
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        return await self.send({"model": model, "messages": messages, **more}, reply)

    async def send(self, body: Any, reply: Any = None) -> Any:
        """Send *body*."""
        fields = (("content-type", "application/json"),)
        asked = Request("POST", "https", "h", 443, "/v1/chat/completions", "", fields, json.dumps(body).encode())
        outcome, ticket = await self.engine.lookup(openai_chat, asked)
        if ticket:
            self.engine.record(ticket, reply or whole("an answer"))
            await self.engine.settled()
        return outcome


def whole(text: Any, **more: Any) -> Exchange:
    """Return a JSON reply."""
    body = json.dumps(chat_json(text) | more).encode()
    return Exchange(200, (("content-type", "application/json"),), ((1, body),), 0.1, streamed=False)


def stream(text: str) -> Exchange:
    """Return a streamed reply."""
    pieces = tuple((0, chunk) for chunk in chat_chunks(text, usage=True))
    return Exchange(200, (("content-type", "text/event-stream"),), pieces, 0.1, streamed=True)


def tool_stream() -> Exchange:
    """Return a stream that says something and then calls a tool."""
    call = [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": "text"}, None),
        ({"tool_calls": call}, None),
        ({}, "tool_calls"),
    ]
    chunks = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in deltas]
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    return Exchange(200, (("content-type", "text/event-stream"),), ((0, body),), 0.1, streamed=True)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Return a function from YAML to an engine so configured."""

    def make(text: str) -> World:
        (tmp_path / "c.yaml").write_text(text)
        settings = config.load(str(tmp_path / "c.yaml"))
        seen: list[Observation] = []
        return World(Engine(MemoryStore(100, 10**7, "lru"), Scope(None), rules(settings), seen.append), seen)

    return make


async def test_the_key_is_prefix_and_question(world: Any) -> None:
    """`compat: higress`: nothing else counts, and the record is found where Higress looks for it."""
    cache = world(HIGRESS + "cacheKeyPrefix: 'p:'\n")
    await cache.ask("q", model="a", temperature=0)
    assert isinstance(await cache.ask("q", model="b"), Hit)
    assert [entry.key async for entry in cache.engine.store.scan()] == ["p:q"]


async def test_without_compat_everything_counts(world: Any) -> None:
    """Rows B14, B17: the same question in another context is another call."""
    cache = world(MEMORY)
    await cache.ask("q", model="a")
    assert await cache.ask("q", model="b") == Miss("unknown")


async def test_all_questions(world: Any) -> None:
    """Row B8: the contents of all user messages, joined by newlines."""
    cache = world(HIGRESS + "cacheKeyStrategy: allQuestions\n")
    await cache.ask("q1", "a1", "q2")
    assert [entry.key async for entry in cache.engine.store.scan()] == ["higress-ai-cache:q1\nq2"]


async def test_all_questions_do_not_collide_outside_compat(world: Any) -> None:
    """Row B8: two questions and one with a newline in it are not the same call."""
    cache = world(MEMORY + "cacheKeyStrategy: allQuestions\n")
    await cache.send({"model": "m", "messages": [{"role": "user", "content": "a\nb"}]})
    two = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert await cache.send({"model": "m", "messages": two}) == Miss("unknown")


async def test_settings_for_chats_leave_other_calls_alone(world: Any) -> None:
    """A call without messages has the question that its dialect finds: embeddings are cached under any strategy."""
    for text in ("cacheKeyStrategy: allQuestions\n", "cacheKeyFrom: messages.0.content\n"):
        cache = world(MEMORY + text)
        dialect = cache.engine.claims("POST", "h", "/v1/embeddings")
        fields = (("content-type", "application/json"),)
        asked = Request("POST", "https", "h", 443, "/v1/embeddings", "", fields, b'{"model": "m", "input": "hi"}')
        assert (await cache.engine.lookup(dialect, asked))[0] == Miss("unknown")


async def test_disabled(world: Any) -> None:
    """Row B9: nothing is read and nothing is stored."""
    cache = world(MEMORY + "cacheKeyStrategy: disabled\n")
    assert [await cache.ask("q") for _ in range(2)] == [Bypass("strategy-disabled")] * 2


TURNS = ["q1", "a1", "q2", "a2"]
PATHS = [
    pytest.param('messages.@reverse.#(role=="user").content', "q2", id="B10"),
    pytest.param('messages.@reverse.#(role=="user")#.content', '["q2","q1"]', id="B11"),
    pytest.param('messages.@reverse.#(role=="user")#.content|1', "q1", id="B12"),
    pytest.param("messages.@reverse.0.content", "a2", id="default"),
]


@pytest.mark.parametrize(("path", "question"), PATHS)
async def test_key_paths(world: Any, path: str, question: str) -> None:
    """Rows B10 to B12: `cacheKeyFrom` finds what GJSON finds."""
    cache = world(HIGRESS + f"cacheKeyFrom: '{path}'\n")
    await cache.ask(*TURNS)
    assert [entry.key async for entry in cache.engine.store.scan()] == [f"higress-ai-cache:{question}"]


@pytest.mark.parametrize("path", ['messages.@reverse.#(role=="tool")#.content', "nope", "messages.0.nope"])
async def test_a_path_that_finds_nothing_shares_nothing(world: Any, path: str) -> None:
    """Row B13: calls without a question must not share one answer."""
    assert await world(HIGRESS + f"cacheKeyFrom: '{path}'\n").ask("q") == Bypass("no-question")


async def test_default_templates(world: Any) -> None:
    """`compat: higress` answers with its templates, to the byte."""
    cache = world(HIGRESS)
    await cache.ask("q")
    json_hit, stream_hit = await cache.ask("q"), await cache.ask("q", stream=True)
    assert json_hit.reply.body == DEFAULT_JSON.replace("%s", "an answer").encode()
    assert stream_hit.reply.body == DEFAULT_STREAM.replace("%s", "an answer").encode()
    assert json_hit.reply.header("content-type") == "application/json; charset=utf-8"
    assert stream_hit.reply.header("content-type") == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize("recorded", [whole, stream], ids=["json", "stream"])
@pytest.mark.parametrize("text", ODD)
async def test_templates_are_valid_for_any_answer(world: Any, text: str, recorded: Any) -> None:
    """Rows R1, R2: recorded in either form, the answer comes back equal in both."""
    cache = world(HIGRESS)
    await cache.ask("q", stream=recorded is stream, reply=recorded(text))
    hit, streamed = await cache.ask("q"), await cache.ask("q", stream=True)
    assert json.loads(hit.reply.body)["choices"][0]["message"]["content"] == text
    assert json.loads(parse_sse(streamed.reply.body)[0].data)["choices"][0]["delta"]["content"] == text


async def test_own_template(world: Any) -> None:
    """Row R5: a template of the user's shapes the hits; without one for streams those are as recorded."""
    cache = world(MEMORY + """responseTemplate: '{"said": "%s", "rate": "100 %%"}'\n""")
    await cache.ask("q", reply=whole('a "b"'))
    assert json.loads((await cache.ask("q")).reply.body) == {"said": 'a "b"', "rate": "100 %"}
    assert b"chat.completion.chunk" in (await cache.ask("q", stream=True)).reply.body


async def test_own_paths(world: Any) -> None:
    """`cacheValueFrom` reads the answer of another shape of reply."""
    cache = world(MEMORY + """responseTemplate: '"%s"'\ncacheValueFrom: vendor.answer\n""")
    await cache.ask("q", reply=whole("x", vendor={"answer": "from here"}))
    assert (await cache.ask("q")).reply.body == b'"from here"'


async def test_tools_are_no_text(world: Any) -> None:
    """Row C16: in compat a reply that calls tools is not stored; else it is replayed whole, whatever the template."""
    assert isinstance(await (cache := world(HIGRESS)).ask("q", stream=True, reply=tool_stream()), Miss)
    assert cache.seen[-1].stored == "no-answer-text"
    both = '"%s"'
    cache = world(MEMORY + f"streamResponseTemplate: 'data: {both}'\nresponseTemplate: '{both}'\n")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "text", "tool_calls": [call]}
    json_reply = whole("", choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
    await cache.ask("q with tools", reply=json_reply)
    assert (await cache.ask("q with tools")).reply.body == json_reply.pieces[0][1]
    await cache.ask("q", stream=True, reply=tool_stream())
    assert (await cache.ask("q", stream=True)).reply.body == tool_stream().pieces[0][1]
