"""What single providers do otherwise than OpenAI in chats, and how far it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import call, chunk, completion, json_reply, request, sse_reply, stream
from llmcache.capture import Exchange
from llmcache.chat import Bypass, Call, Complete, Form, Hit, Incomplete, Lossy
from llmcache.context import exact_only
from llmcache.engine import Engine
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from llmcache.wire import openai_chat

JSON, SSE = Form("json"), Form("sse", frozenset({"usage"}))
EVENTS = (("content-type", "text/event-stream"),)
USAGE = {"prompt_tokens": 5, "completion_tokens": 3}
LAST = chunk({}, "stop", usage=USAGE)
HI = chunk({"content": "Hi"})
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def verdict(*events: Any, ending: str = "", **members: Any) -> Complete | Incomplete:
    """Return what is thought of a stream of *events* without `[DONE]`."""
    return openai_chat.judge(call(stream=True, **members), sse_reply(stream(*events, done=ending)), frozenset())


def test_usage_that_comes_last_is_an_end_that_http_must_mark() -> None:
    """Cerebras behind Hugging Face's router sends no `[DONE]`: what names its reason and counts its tokens is over."""
    found = verdict(HI, LAST)
    assert isinstance(found, Complete)
    assert not found.marked


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([HI], id="no reason, no usage"),
        pytest.param([HI, chunk({}, "stop")], id="no usage"),
        pytest.param([HI, chunk({}, usage=USAGE)], id="no reason"),
        pytest.param([chunk({"content": "Hi"}, usage=USAGE), LAST], id="usage with every chunk"),
        pytest.param([LAST, HI], id="usage in the middle"),
        pytest.param([HI, json.dumps(LAST)], id="cut in the last event"),
        pytest.param([HI, LAST, "data: [DO"], id="cut in the mark"),
    ],
)
def test_less_than_that_is_truncated(events: list[Any]) -> None:
    """Without `[DONE]` every sign must be there: one reason, one count, the last, and nothing behind it."""
    assert Incomplete("truncated") == verdict(*events)


def test_without_a_mark_a_missing_reason_is_no_reason() -> None:
    """That the answer is shorter than its limit proves an end only where `[DONE]` came."""
    blank = {"choices": [{"index": 0, "delta": {"content": "Hi"}}], "usage": USAGE}
    assert isinstance(verdict(blank, ending="data: [DONE]\n\n", max_tokens=9), Complete)
    assert isinstance(verdict(blank, max_tokens=9), Incomplete)


@pytest.mark.parametrize("whole", [True, False], ids=["HTTP marked the end", "the connection closed"])
async def test_http_decides_where_the_stream_says_nothing(whole: bool) -> None:
    """The same bytes are an answer when their last chunk came, and none when the connection just closed."""
    engine = Engine(MemoryStore(9, 10**6, "lru"), Scope(None))
    _, ticket = await engine.lookup(openai_chat, request(ASKED))
    assert ticket
    engine.record(ticket, Exchange(200, EVENTS, ((1, stream(HI, LAST, done="")),), 0.1, streamed=True, whole=whole))
    await engine.settled()
    assert whole == isinstance((await engine.lookup(openai_chat, request(ASKED)))[0], Hit)


def test_structured_output_may_be_an_object() -> None:
    """Cloudflare gives the parsed object as the content: it is stored, and no form of it is lost."""
    body = completion({"role": "assistant", "content": {"title": "Apples"}})
    assert isinstance(openai_chat.judge(call(), json_reply(body), frozenset()), Complete)
    there = openai_chat.convert(json_reply(body), JSON, SSE)
    assert body == json.loads(openai_chat.convert(there, SSE, JSON).body)


def test_a_delta_beside_the_message_says_nothing() -> None:
    """Perplexity has an empty delta in its JSON, which no stream needs; one that says something is not dropped."""
    body = completion()
    body["choices"][0]["delta"] = {"role": "assistant", "content": ""}
    there = openai_chat.convert(json_reply(body), JSON, SSE)
    assert completion() == json.loads(openai_chat.convert(there, SSE, JSON).body)
    body["choices"][0]["delta"] = {"content": "Hi"}
    with pytest.raises(Lossy, match="choices"):
        openai_chat.convert(json_reply(body), JSON, SSE)


FILL = {"model": "codestral-latest", "prompt": "def f(", "suffix": "return x"}


def test_mistral_fills_in() -> None:
    """A prompt and a suffix are answered like a chat; the suffix is identity, the prompt the question."""
    one = openai_chat.call(request(FILL, "/v1/fim/completions"))
    two = openai_chat.call(request(FILL | {"suffix": "return y"}, "/v1/fim/completions"))
    assert isinstance(one, Call)
    assert isinstance(two, Call)
    assert one.content != two.content
    assert "def f(" == openai_chat.question(one)
    assert isinstance(openai_chat.judge(one, json_reply(completion()), frozenset()), Complete)
    assert Bypass("no-prompt") == openai_chat.call(request({"messages": []}, "/v1/fim/completions"))
    assert Bypass("no-messages") == openai_chat.call(request(FILL))


def test_a_code_is_filled_in_exactly_or_not_at_all() -> None:
    """No near question answers where every character counts."""
    call = openai_chat.call(request(FILL, "/v1/fim/completions"))
    assert isinstance(call, Call)
    assert "not-a-question" == exact_only(call)


def test_groq_without_usage_asked_for_is_no_loss() -> None:
    """A body whose usage stands in `x_groq` too becomes a stream that was not asked for usage."""
    body = completion(x_groq={"id": "req_1", "usage": USAGE})
    assert b"x_groq" in openai_chat.convert(json_reply(body), JSON, Form("sse")).body
