"""The real clients at the two entrances that need no privileges: forward proxy with TLS interception, and base URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority
from support.chats import CHATS, ask, fresh
from support.clients import Chat
from support.places import Place, local_provider, loopback

SDKS = [
    pytest.param(("python", "sync"), id="python"),
    pytest.param(("python", "async"), id="python-async"),
    pytest.param(("node", "async"), id="node"),
]
ENTRANCES = ["forward", "reverse"]
WAYS = ["forward-1.1", "forward-2", "reverse-1.1", "reverse-2"]
FORMS = [pytest.param(CHATS["json"], id="json"), pytest.param(CHATS["stream with usage"], id="stream")]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of the provider."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Place]:
    """One provider and one proxy for all the tests here that change neither."""
    with local_provider(authority) as upstream, loopback(tmp_path_factory.mktemp("proxy"), authority, upstream) as made:
        yield made


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS.keys())
@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Place, sdk: tuple[str, str], entrance: str, chat: Chat
) -> None:
    """Whatever is asked, the provider is asked once and the SDK cannot tell the second answer from the first."""
    language, style = sdk
    chat = fresh(chat, style)
    recorded = place.objects(language, entrance, chat)
    hit = place.objects(language, entrance, chat)
    assert recorded == hit
    assert place.asked(chat) == 1


@pytest.mark.parametrize("chat", [pytest.param(CHATS[name], id=name) for name in CHATS if name.endswith("streamed")])
@pytest.mark.parametrize("sdk", SDKS)
def test_the_other_form_is_the_same_completion(place: Place, sdk: tuple[str, str], chat: Chat) -> None:
    """A recording as JSON, asked for as a stream, is put together by the SDK to the choices that were recorded."""
    language, style = sdk
    whole = fresh(Chat({name: value for name, value in chat.call.items() if name != "stream"}), style)
    recorded = place.objects(language, "reverse", whole)
    hit = place.objects(language, "reverse", replace(whole, method="stream"))
    assert told(recorded[0]) == told(hit[0])
    assert place.asked(whole) == 1


def told(completion: dict[str, Any]) -> dict[str, Any]:
    """Return what a completion says, without what only the SDK's stream helper adds to it or leaves out."""
    told = {name: completion[name] for name in ("id", "model", "created", "system_fingerprint")}
    return told | {"choices": [bare(choice) for choice in completion["choices"]]}


def bare(value: Any) -> Any:
    """Return *value* without its null members, `parsed` results and `index` of tool calls."""
    if isinstance(value, dict):
        return {
            name: bare(member)
            for name, member in value.items()
            if member is not None and not name.startswith("parsed") and not (name == "index" and "function" in value)
        }
    return [bare(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("chat", FORMS)
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_a_recording_made_through_one_entrance_is_a_hit_through_another(
    place: Place, first: str, second: str, chat: Chat
) -> None:
    """Entrance and version of HTTP are no part of a call's identity: the same bytes come back everywhere."""
    chat = fresh(chat)
    recorded, hit = place.curl(first, chat), place.curl(second, chat)
    assert (recorded.spoken, recorded.cache) == (first.partition("-")[2], "aicache; fwd=miss")
    assert (hit.spoken, hit.cache) == (second.partition("-")[2], "aicache; hit; detail=exact")
    assert (recorded.status, hit.status) == (200, 200)
    assert recorded.body == hit.body
    assert place.asked(chat) == 1


def test_every_client_hits_what_another_recorded(place: Place) -> None:
    """What an SDK says of itself in headers is no part of a call's identity, and neither is the entrance."""
    chat = fresh(CHATS["json"])
    python = place.objects("python", "forward", chat)[0]
    node = place.objects("node", "reverse", chat)[0]
    assert python["id"] == node["id"]
    assert place.curl("forward-2", chat).cache == "aicache; hit; detail=exact"
    assert place.asked(chat) == 1


@pytest.mark.parametrize("chat", FORMS)
def test_hits_need_nothing_upstream_not_even_after_a_restart(tmp_path: Path, authority: Authority, chat: Chat) -> None:
    """With nobody listening, what was recorded is answered at every entrance, and the rest is a 502."""
    with local_provider(authority) as upstream:
        with loopback(tmp_path, authority, upstream) as place:
            recorded = place.curl("forward-1.1", chat).body
            upstream.stop()
            hits = [place.curl(way, chat).body for way in WAYS]
        with loopback(tmp_path, authority, upstream) as place:
            hits += [place.curl(way, chat).body for way in WAYS]
            unknown = [place.curl(way, Chat(ask("Something else?"))).status for way in WAYS]
    assert hits == [recorded] * 8
    assert unknown == [502] * 4


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Place]:
    """A proxy in replay mode that knows one call."""
    folder = tmp_path_factory.mktemp("refusing")
    with local_provider(authority) as upstream:
        with loopback(folder, authority, upstream) as place:
            assert place.curl("reverse-1.1", CHATS["json"]).status == 200
        with loopback(folder, authority, upstream, "--set", "aicache_mode=replay") as place:
            yield place


ERRORS = {"python": "APIStatusError", "node": "APIError"}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("sdk", SDKS)
def test_a_refusal_is_one_attempt_with_a_message(
    refusing: Place, sdk: tuple[str, str], streamed: bool, entrance: str
) -> None:
    """In replay mode an SDK tries once, raises, and shows which recording was near and what differs."""
    language, style = sdk
    proxy = refusing.proxy
    refused, known = proxy.output.count("<< 424"), proxy.output.count("<< 200")
    chat = Chat(ask("What is 6 times 8?", stream=streamed), style=style)
    result = refusing.sdk(language).ask(refusing.entrances[entrance], chat)
    assert (result["error"], result["status"]) == (ERRORS[language], 424)
    assert "body.messages[0].content" in result["message"]
    assert "6 times 7" in result["message"]
    assert refusing.curl("reverse-1.1", CHATS["json"]).status == 200
    proxy.wait_for("<< 200", count=known + 1)  # printed behind everything that the SDK did
    assert proxy.output.count("<< 424") == refused + 1
    assert len(refusing.upstream.calls) == 1
