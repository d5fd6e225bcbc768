"""Recordings under the rules of `match`: exact first, scrubbed second, nothing near ever."""

from __future__ import annotations

import copy
import json
import logging
import random

from llmcache.capture import Exchange
from llmcache.chat import Hit, Miss, Refusal, Request
from llmcache.engine import Engine, Rules
from llmcache.scope import Scope
from llmcache.scrub import Scrubber, ignoring, named
from llmcache.stores.cassette import CassetteStore
from llmcache.wire import DIALECTS

CHAT = next(dialect for dialect in DIALECTS if dialect.NAME == "openai-chat")
READY = [named(name) for name in ("dates", "uuids", "temp-folders", "tool-call-ids")]
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}


def asked(body, key="k1"):
    """Return the request of *body*."""
    head = (("authorization", f"Bearer {key}"), ("content-type", "application/json"))
    raw = json.dumps(body).encode()
    return Request("POST", "https", "api.openai.com", 443, "/v1/chat/completions", "", head, raw)


def noisy(number, seed):
    """Return a body with noise in it: the question is *number*'s, dates, ids, folders and key order are *seed*'s."""
    luck = random.Random(f"{number}/{seed}")
    name = "".join(luck.choices("abcdefghijklmnop", k=8))
    folder, call = f"/tmp/tmp{name}", f"call_{name}"
    uuid = f"{luck.randrange(16**8):08x}-1111-4111-8111-{luck.randrange(16**12):012x}"
    day = f"20{luck.randrange(10, 99)}-{luck.randrange(1, 12):02}-{luck.randrange(1, 28):02}"
    tool = {"id": call, "type": "function", "function": {"name": "read", "arguments": json.dumps({"n": number})}}
    body = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": f"Today is {day}. Work in {folder}."},
            {"role": "assistant", "content": None, "tool_calls": [tool]},
            {"role": "tool", "tool_call_id": call, "content": f"{folder}/file-{number}.txt of run {uuid}"},
            {"role": "user", "content": f"What about item {number}?"},
        ],
        "temperature": 0.5,
        "run": seed,
    }
    items = list(body.items())
    luck.shuffle(items)
    return dict(items)


def engine(folder, rules=(), mode="cache"):
    """Return an engine on the recordings in *folder*, as `build` makes it."""
    scrubber = Scrubber(rules)
    store = CassetteStore(folder, scrubber.words, scrubber.key)
    store.open()
    return Engine(store, Scope(None), Rules(mode=mode, scrub=scrubber.key))


async def record(made, body, answer=ANSWER):
    """Let the call of *body* be recorded."""
    outcome, ticket = await made.lookup(CHAT, asked(body))
    assert isinstance(outcome, Miss)
    raw = json.dumps(answer).encode()
    made.record(ticket, Exchange(200, (("content-type", "application/json"),), ((1, raw),), 0.1, streamed=False))
    await made.settled()


async def outcome_of(made, body, key="k1"):
    """Return what becomes of the call of *body*."""
    return (await made.lookup(CHAT, asked(body, key)))[0]


def leaves(value, path=()):
    """Yield the path of every leaf."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        if isinstance(each, dict | list) and each:
            yield from leaves(each, (*path, step))
        else:
            yield (*path, step)


def changed(body, path):
    """Return *body* with the leaf at *path* changed."""
    body = copy.deepcopy(body)
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    before = inner[path[-1]]
    inner[path[-1]] = f"{before} indeed" if isinstance(before, str) else (before or 0) + 1
    return body


async def test_200_recordings_under_noise_and_mutation(tmp_path):
    """Of 200 calls each is found under other noise, and none once any one field that is no noise is changed."""
    rules = [ignoring("run"), *READY]
    made = engine(tmp_path, rules)
    for number in range(200):
        await record(made, noisy(number, 1))
    await made.close()
    made = engine(tmp_path, rules)
    kinds = [await outcome_of(made, noisy(number, 2), "another key") for number in range(200)]
    assert [getattr(each, "kind", each) for each in kinds] == ["scrubbed"] * 200
    assert {getattr(await outcome_of(made, noisy(number, 1)), "kind", "") for number in range(200)} == {"exact"}
    bodies = [noisy(number, 3) for number in range(200)]
    mutants = [changed(body, path) for body in bodies for path in leaves(body) if path not in CHANGEABLE]
    assert len(mutants) > 2000
    assert [body for body in mutants if isinstance(await outcome_of(made, body), Hit)] == []
    await made.close()


CHANGEABLE = {("run",)}
"""What a rule leaves out by its path."""


async def test_nothing_is_scrubbed_without_rules(tmp_path):
    """Without rules other noise is another call."""
    made = engine(tmp_path)
    await record(made, noisy(1, 1))
    assert isinstance(await outcome_of(made, noisy(1, 2)), Miss)
    assert (await outcome_of(made, noisy(1, 1), "another key")).kind == "exact"
    await made.close()


async def test_rules_that_come_later(tmp_path):
    """A rule that is added after the recording counts for it, and one that is taken away counts no more."""
    made = engine(tmp_path)
    await record(made, noisy(1, 1))
    await made.close()
    made = engine(tmp_path, [ignoring("run"), *READY], "replay")
    assert (await outcome_of(made, noisy(1, 2))).kind == "scrubbed"
    await made.close()
    made = engine(tmp_path, [], "replay")
    assert isinstance(await outcome_of(made, noisy(1, 2)), Refusal)
    await made.close()


async def test_the_rules_stand_in_the_file(tmp_path):
    """A recording lists the rules that shaped its second key."""
    made = engine(tmp_path, [ignoring("run"), named("dates")])
    await record(made, noisy(1, 1))
    (path,) = tmp_path.rglob("*.yaml")
    assert "\nrules:\n  - ignore run\n  - dates\n" in path.read_text()
    assert "\nscrubbed: " in path.read_text()
    await made.close()


async def test_two_that_fall_together(tmp_path, caplog):
    """Of two recordings that the rules make one the same one is served each time, with a warning; exact goes first."""
    rules = [ignoring("run"), *READY]
    plain = engine(tmp_path)
    first, second = noisy(1, 1), noisy(1, 2)
    await record(plain, first, {**ANSWER, "id": "one"})
    await record(plain, second, {**ANSWER, "id": "two"})
    await plain.close()
    served = set()
    for _ in range(3):
        made = engine(tmp_path, rules, "replay")
        with caplog.at_level(logging.WARNING, "aicache.store"):
            served.add((await outcome_of(made, noisy(1, 3))).reply.body)
        assert b'"two"' in (await outcome_of(made, second)).reply.body
        assert b'"one"' in (await outcome_of(made, first)).reply.body
        await made.close()
    assert len(served) == 1
    assert "the rules make 2 recordings one" in caplog.text


async def test_no_credential_on_the_disk(tmp_path):
    """Nothing of a credential, not even a digest, is in a recording, and another credential finds it."""
    made = engine(tmp_path)
    await record(made, noisy(1, 1))
    (path,) = tmp_path.rglob("*.yaml")
    assert "scope: {}" in path.read_text()
    await made.close()
