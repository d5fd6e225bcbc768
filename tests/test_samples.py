"""Captured traffic of real providers through the whole engine: recorded, hit, equal; changed anywhere, not served.

The samples lie beside the checkout (`../shared/data/wire`) and are not part of it; without them the tests are skipped.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from llmcache import wire
from llmcache.capture import Exchange
from llmcache.chat import Bypass, Call, Hit, Miss, Request
from llmcache.engine import Engine
from llmcache.scope import Scope
from llmcache.stats import Observation
from llmcache.stores.memory import MemoryStore

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "wire"
PASSED_ON = {
    "openai-responses-json-2": "background",  # the reply is the handle of an answer to come, good for minutes only
}
"""Samples that are passed through on purpose, and why."""
NAMED = {f"{path.parent.name}-{path.stem}": path for path in sorted(SAMPLES.glob("*/*.json"))}
FOUND = [pytest.param(path, id=name) for name, path in NAMED.items() if name not in PASSED_ON] or [
    pytest.param(None, marks=pytest.mark.skip(reason="the captured samples are not beside this checkout"))
]

MAY_CHANGE = {
    "stream",
    "stream_options",
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "keep_alive",
}
"""Members of a body that some dialect declares meaningless; nothing else may be."""


def request_of(sample: dict[str, Any], body: Any = None) -> Request:
    """Return the sample's request, with another *body* if one is given."""
    asked = sample["request"]
    url = urlsplit(asked["url"])
    fields = tuple((name.lower(), value) for name, value in asked["headers"])
    raw = json.dumps(asked["body"] if body is None else body).encode()
    port = url.port or (443 if url.scheme == "https" else 80)
    return Request(asked["method"], url.scheme, url.hostname or "", port, url.path, url.query, fields, raw)


def exchange_of(sample: dict[str, Any], size: int = 1000) -> Exchange:
    """Return the sample's reply, come in pieces of *size* bytes."""
    answered = sample["response"]
    body = base64.b64decode(answered["base64"]) if "base64" in answered else answered["text"].encode()
    fields = tuple((name.lower(), value) for name, value in answered["headers"] if name.lower() != "content-encoding")
    pieces = tuple((at, body[at : at + size]) for at in range(0, len(body), size))
    return Exchange(answered["status"], fields, pieces, 1.0, streamed=True)


def new_engine(observe: Callable[[Observation], None] = lambda _: None) -> Engine:
    """Return an engine with an empty store."""
    return Engine(MemoryStore(1000, 10**9, "lru"), Scope(b"s"), observe=observe)


async def record(engine: Engine, sample: dict[str, Any]) -> wire.Dialect:
    """Let the sample's call miss and its reply be recorded; return the dialect."""
    request = request_of(sample)
    dialect = engine.claims(request.method, request.host, request.path)
    assert dialect, request.path
    outcome, ticket = await engine.lookup(dialect, request)
    assert isinstance(outcome, Miss), outcome
    assert ticket
    engine.record(ticket, exchange_of(sample))
    await engine.settled()
    return dialect


@pytest.mark.parametrize("path", FOUND)
async def test_recorded_hit_and_equal(path: Path) -> None:
    """Every captured interaction is stored and comes back byte for byte."""
    sample = json.loads(path.read_text())
    seen: list[Observation] = []
    engine = new_engine(seen.append)
    dialect = await record(engine, sample)
    hit, _ = await engine.lookup(dialect, request_of(sample))
    assert isinstance(hit, Hit), seen
    assert hit.reply.body == b"".join(piece for _, piece in exchange_of(sample).pieces)


@pytest.mark.skipif(not NAMED, reason="the captured samples are not beside this checkout")
@pytest.mark.parametrize("name", PASSED_ON)
async def test_passed_on_with_a_reason(name: str) -> None:
    """What is not to be answered twice goes by."""
    request = request_of(json.loads(NAMED[name].read_text()))
    engine = new_engine()
    dialect = engine.claims(request.method, request.host, request.path)
    assert dialect
    assert (await engine.lookup(dialect, request))[0] == Bypass(PASSED_ON[name])


@pytest.mark.parametrize("path", FOUND)
async def test_any_change_is_another_call(path: Path) -> None:
    """Change any one field of a recorded request: the answer is not served, but for the declared deny-list."""
    sample = json.loads(path.read_text())
    engine = new_engine()
    dialect = await record(engine, sample)
    served = []
    for where, changed in mutations(sample["request"]["body"]):
        call = dialect.call(request_of(sample, changed))
        if not isinstance(call, Call):
            continue  # not understood any more, so passed on
        outcome, _ = await engine.lookup(dialect, request_of(sample, changed))
        if isinstance(outcome, Hit):
            served.append(where)
    assert [where for where in served if where.split(".")[0].removesuffix(" gone") not in MAY_CHANGE] == []


@pytest.mark.parametrize("path", FOUND)
async def test_spelling_is_no_change(path: Path) -> None:
    """Permute keys and white space: the answer is served."""
    sample = json.loads(path.read_text())
    engine = new_engine()
    dialect = await record(engine, sample)
    body = json.dumps(turned(sample["request"]["body"]), indent=2, ensure_ascii=True).encode()
    asked = request_of(sample)
    other = Request(
        asked.method, asked.scheme, asked.host, asked.port, asked.path, asked.query, asked.headers[::-1], body
    )
    assert isinstance((await engine.lookup(dialect, other))[0], Hit)


def turned(value: Any) -> Any:
    """Return the JSON value with every object's members in reverse order."""
    match value:
        case dict():
            return {name: turned(each) for name, each in reversed(value.items())}
        case list():
            return [turned(each) for each in value]
    return value


def mutations(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, changed body) for every leaf changed, every member removed, and a new member everywhere."""
    for steps in places(body):
        name = ".".join(map(str, steps))
        changed = copy.deepcopy(body)
        *above, last = steps
        parent = changed
        for step in above:
            parent = parent[step]
        parent[last] = other(parent[last])
        yield name, changed
        if isinstance(last, str):
            changed = copy.deepcopy(changed)
            parent = changed
            for step in above:
                parent = parent[step]
            del parent[last]
            yield f"{name} gone", changed
    yield "something_new", body | {"something_new": 1}


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every leaf."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        if isinstance(each, dict | list) and each:
            yield from places(each, (*steps, step))
        else:
            yield (*steps, step)


def other(value: Any) -> Any:
    """Return a value of the same kind that is not the same."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case None:
            return "x"
        case []:
            return [1]
    return {"x": 1}
