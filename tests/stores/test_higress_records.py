"""Higress' ai-cache and aicache on one real Redis: each reads what the other wrote."""

from __future__ import annotations

import json

import pytest
from llmcache import config
from llmcache.build import build_engine
from llmcache.capture import Exchange
from llmcache.chat import Hit, Miss, Request
from llmcache.wire import openai_chat
from support.absent import missing
from support.redis_server import Server, binary
from support.upstream import chat_json

PREFIX = b"higress-ai-cache:"


@pytest.fixture
def server(tmp_path):
    """A server, started."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def engine(server, tmp_path, request):
    """An engine with a configuration of the plugin; a parameter adds settings to its cache."""
    file = tmp_path / "c.yaml"
    more = getattr(request, "param", "")
    file.write_text(
        f"compat: higress\nscope: shared\ndeadlines: {{store: 10s}}\n"
        f"cache: {{type: redis, serviceName: r.static, serviceHost: 127.0.0.1, servicePort: {server.port}{more}}}\n"
    )
    made = build_engine(config.load(str(file)), lambda _: None)
    yield made
    await made.close()


async def ask(engine, text, answer=None, *, stream=False):
    """Ask *text*; on a miss let *answer* come from upstream. Return the outcome."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}
    asked = Request("POST", "https", "h", 443, "/v1/chat/completions", "", (), json.dumps(body).encode())
    outcome, ticket = await engine.lookup(openai_chat, asked)
    if ticket and answer is not None:
        fields = (("content-type", "application/json"),)
        exchange = Exchange(200, fields, ((1, json.dumps(chat_json(answer)).encode()),), 0.1, streamed=False)
        engine.record(ticket, exchange)
        await engine.settled()
    return outcome


def said(outcome):
    """Return the answer's text of a hit as JSON."""
    assert isinstance(outcome, Hit)
    return json.loads(outcome.reply.body)["choices"][0]["message"]["content"]


TEXTS = {
    "plain": ("What is 6 times 7?", "42"),
    "lines": ('a\nb\t"c"', 'first\n\nsecond "quoted" \\ end'),
    "unicode": ("你好 🚀", "再见\u2028 %s 100 %"),
    "latex": ("formula", r"$\frac{1}{2} \nu \neq \beta$"),
    "path": ("path", r"C:\new\bin"),
}


@pytest.mark.parametrize(("question", "answer"), TEXTS.values(), ids=TEXTS.keys())
async def test_what_the_plugin_wrote_is_answered(engine, server, question, answer):
    """Prefix and question is the key, the bare text the value: a hit in both forms, through the templates."""
    server.command("SET", PREFIX + question.encode(), answer)
    assert said(await ask(engine, question)) == answer
    streamed = await ask(engine, question, stream=True)
    assert isinstance(streamed, Hit)
    assert streamed.reply.body.startswith(b"data:")


@pytest.mark.parametrize(("question", "answer"), TEXTS.values(), ids=TEXTS.keys())
async def test_what_we_write_is_the_plugins(engine, server, question, answer):
    """The value is the text to the byte, under the key to the byte, and lives for ever without `cacheTTL`."""
    assert isinstance(await ask(engine, question, answer), Miss)
    assert server.value(PREFIX + question.encode()) == answer.encode()
    assert server.command("PTTL", PREFIX + question.encode()) == b":-1\r\n"
    assert said(await ask(engine, question)) == answer


@pytest.mark.parametrize("engine", [", cacheTTL: 3600"], indirect=True)
async def test_time_to_live_is_the_plugins(engine, server):
    """With `cacheTTL` the key lives so many seconds, all of them."""
    await ask(engine, "q", "a")
    assert server.command("TTL", PREFIX + b"q") in (b":3600\r\n", b":3599\r\n")


@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
async def test_records_of_the_first_versions(engine, server, ascii_only):
    """A record whose key and value are JSON-escaped is found by the question as it is, and answered as it was meant."""
    question, answer = "a\nb 你", 'line\n"two" \\ 好'
    key, value = (json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode() for text in (question, answer))
    server.command("SET", PREFIX + key, value)
    assert said(await ask(engine, question)) == answer


async def test_an_escaped_value_under_a_plain_key(engine, server):
    """Where the key does not tell, quotes and empty lines that are escaped do."""
    server.command("SET", PREFIX + b"q", rb"one\n\n\"two\"")
    assert said(await ask(engine, "q")) == 'one\n\n"two"'


@pytest.mark.parametrize("value", [b"", b"  \n", b"\xff\xfe"], ids=["empty", "blank", "no text"])
async def test_what_is_no_answer_is_a_miss(engine, server, value):
    """A value that cannot be an answer is not served, and is replaced."""
    server.command("SET", PREFIX + b"q", value)
    assert isinstance(await ask(engine, "q", "a"), Miss)
    assert server.value(PREFIX + b"q") == b"a"


@pytest.mark.parametrize(
    ("engine", "left"),
    [("", b":1\r\n"), (', cacheKeyPrefix: ""', b":2\r\n")],
    ids=["prefix", "no prefix"],
    indirect=["engine"],
)
async def test_purge_removes_what_is_surely_the_plugins(engine, server, left):
    """Everything under the prefix goes; without one nothing tells the plugin's keys from others', and all stay."""
    server.command("MSET", PREFIX + b"q", "a", "other", "b")
    await engine.store.purge()
    assert server.command("DBSIZE") == left
