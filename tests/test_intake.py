"""What was recorded elsewhere is taken in as if it had gone by: found by the same request, or out with its reason."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache import config
from llmcache.build import build_engine
from llmcache.chat import Hit
from llmcache.config import Config
from llmcache.intake import AGAIN, TAKEN, Intake, unscoped
from llmcache.traffic import Interaction, vcr
from llmcache.wire import openai_chat
from support.saved import ASKED, STREAM, interaction
from support.saved import vcr as cassette

THEN = 1.6e9
SECRET = "gh" + "p_" + "a1B2c3D4e5" * 4

Open = Callable[..., Intake]


async def nothing(_: str) -> None:
    """Say that the store holds nothing."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Give what opens an intake with settings; it is closed afterwards."""
    made: list[Intake] = []

    def opens(text: str = "", store: str = f"cassette:{tmp_path}/recordings", held: Any = nothing) -> Intake:
        made.append(Intake(settings(tmp_path, text, store), held))
        return made[-1]

    yield opens
    for each in made:
        await each.close()


def settings(folder: Path, text: str, store: str) -> Config:
    """Return the settings of *text* with *store*."""
    (folder / "settings.yaml").write_text(text)
    return config.load(str(folder / "settings.yaml"), {"store": store})


def one(*args: Any, **more: Any) -> Interaction:
    """Return the interaction, as the reader of cassettes gives it."""
    (found,) = vcr.read_yaml(cassette(interaction(*args, **more)), "x.yaml")
    assert isinstance(found, Interaction)
    return found


async def replayed(folder: Path, found: Interaction, text: str = "", **change: Any) -> Any:
    """Return what a proxy on the same store makes of the request in *found*, asked with another key."""
    engine = build_engine(
        replace(settings(folder, text, f"cassette:{folder}/recordings"), mode="replay"), lambda _: None
    )
    asked = replace(found.request, headers=(*found.request.headers, ("authorization", "Bearer other")), **change)
    outcome, _ = await engine.lookup(openai_chat, asked)
    await engine.close()
    return outcome


async def test_it_is_a_hit_afterwards(opened: Open, tmp_path: Path):
    """The same request is answered to the byte, with the day of the recording; another one is not."""
    found = one()
    assert TAKEN == await opened().take(found, THEN)
    hit = await replayed(tmp_path, found)
    assert isinstance(hit, Hit)
    assert found.exchange.pieces[0][1] == hit.reply.body
    assert THEN - 86_400 < hit.entry.created <= THEN
    other = json.dumps(json.loads(ASKED) | {"temperature": 1}).encode()
    assert not isinstance(await replayed(tmp_path, found, body=other), Hit)


async def test_a_stream_is_a_hit_as_a_stream_and_as_json(opened: Open, tmp_path: Path):
    """One recording answers both forms, as those that were made here."""
    asked = json.loads(ASKED) | {"stream": True}
    found = one({"string": STREAM}, asked=json.dumps(asked), content_type="text/event-stream")
    assert TAKEN == await opened().take(found, THEN)
    hit = await replayed(tmp_path, found)
    assert isinstance(hit, Hit)
    assert (STREAM.encode(), ((0, len(STREAM.encode())),)) == (hit.reply.body, hit.reply.chunks)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(one(url="https://api.openai.com/v1/models"), "no-llm-call", id="no call"),
        pytest.param(one(url="https://api.openai.com/v1/files"), "files", id="passed by"),
        pytest.param(one(asked="{"), "not-json", id="no JSON"),
        pytest.param(one({"string": "{}"}, code=429), "status-429", id="status"),
        pytest.param(one({"string": STREAM[:-20]}, content_type="text/event-stream"), "truncated", id="half a stream"),
        pytest.param(one({"string": '{"error": {"message": "no"}}'}), "error-body", id="error"),
        pytest.param(one(cache_status="aicache; hit; detail=semantic"), "answered-by-aicache", id="ours"),
        pytest.param(one(asked=ASKED.replace("Gr", SECRET)), "secret-found", id="secret"),
    ],
)
async def test_what_stays_out(opened: Open, tmp_path: Path, found: Interaction, reason: str):
    """Nothing that is no call, not whole, an answer of ours, or a secret is stored; the reason is said."""
    assert reason == await opened().take(found, THEN)
    assert not list((tmp_path / "recordings").rglob("*.yaml"))


async def test_the_rules_of_the_settings_count(opened: Open, tmp_path: Path):
    """Hosts, sizes, declared secrets and rules against noise are those of what is recorded."""
    assert "no-llm-call" == await opened("match:\n  hosts: [other.example]\n").take(one(), THEN)
    assert "request-too-large" == await opened("limits:\n  maxRequest: 10\n").take(one(), THEN)
    text = "secrets:\n  paths: [seed]\n"
    found = one(asked=json.dumps(json.loads(ASKED) | {"seed": 4711}))
    assert TAKEN == await opened(text).take(found, THEN)
    assert "4711" not in next((tmp_path / "recordings").rglob("*.yaml")).read_text()
    assert isinstance(await replayed(tmp_path, found, text), Hit)


def later() -> Interaction:
    """Return the same call with another answer."""
    return one({"string": '{"choices": [{"message": {"content": "later"}, "finish_reason": "stop"}]}'})


async def test_the_same_call_again_is_the_next_recording(opened: Open, tmp_path: Path):
    """Recordings keep the answers in their order; those of before this run are replaced, not stacked."""
    for _ in range(2):
        intake = opened()
        assert [TAKEN, AGAIN] == [await intake.take(one(), THEN), await intake.take(later(), THEN)]
    engine = build_engine(
        replace(settings(tmp_path, "", f"cassette:{tmp_path}/recordings"), mode="replay"), lambda _: None
    )
    bodies = [(await engine.lookup(openai_chat, one().request))[0].reply.body for _ in range(2)]
    await engine.close()
    assert [one().exchange.pieces[0][1], later().exchange.pieces[0][1]] == bodies
    assert 2 == len(list((tmp_path / "recordings").rglob("*.yaml")))


async def test_a_cache_keeps_the_later_answer(opened: Open, tmp_path: Path):
    """As with calls that go by."""
    intake = opened("scope: shared\n", f"sqlite:{tmp_path}/x.db")
    assert [TAKEN, AGAIN] == [await intake.take(one(), THEN), await intake.take(later(), THEN)]
    (entry,) = [entry async for entry in intake._engine.store.scan()]
    assert b"later" in entry.reply.body


async def test_what_the_store_has_from_later_stays(opened: Open):
    """An import never puts an older answer over a newer one."""

    async def newer(_: str) -> float:
        return THEN + 1

    assert "newer-is-stored" == await opened(held=newer).take(one(), THEN)
    assert TAKEN == await opened(held=newer).take(one(), THEN + 2)


async def test_what_the_request_asked_for_holds(opened: Open, tmp_path: Path):
    """A lane goes into recordings; what was not to be stored is not."""
    found = one()
    laned = replace(found, request=replace(found.request, headers=(("x-aicache-scope", "a%20b"),)))
    assert TAKEN == await opened().take(laned, THEN)
    assert "lane: a b" in next((tmp_path / "recordings").rglob("*.yaml")).read_text()
    private = replace(found, request=replace(found.request, headers=(("x-aicache-control", "no-store"),)))
    assert "no-store" == await opened().take(private, THEN)


async def test_what_expires_does_so_from_now_on(opened: Open, tmp_path: Path):
    """An old recording in a cache with a time to live is not gone at once."""
    store = f"sqlite:{tmp_path}/x.db"
    intake = opened("scope: shared\ncache:\n  cacheTTL: 100\n", store)
    assert TAKEN == await intake.take(one(), THEN)
    (entry,) = [entry async for entry in intake._engine.store.scan()]
    assert THEN == entry.created
    assert time.time() + 90 < (entry.expires or 0) < time.time() + 110


def test_who_needs_no_credential(tmp_path: Path):
    """Recordings have none, so only a shared cache or a folder of recordings finds them."""
    assert not unscoped(settings(tmp_path, "", "sqlite:x.db"))
    assert unscoped(settings(tmp_path, "scope: shared\n", "sqlite:x.db"))
    assert unscoped(settings(tmp_path, "", "cassette:x"))
