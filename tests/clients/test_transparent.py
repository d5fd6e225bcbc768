"""Transparent mode, in network namespaces: the client knows of no proxy, and the router in its way is one.

The other two entrances are tried here too, with the provider at its real port: one name, one identity, three ways in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import network
from support.certificates import Authority
from support.chats import CHATS, ask, fresh
from support.clients import Chat
from support.network import NAME, Network
from support.places import Place, router
from support.provider import provider
from support.upstream import Upstream

WAYS = ["forward-1.1", "forward-2", "reverse-1.1", "reverse-2", "transparent-1.1", "transparent-2"]
FORMS = [pytest.param(CHATS["json"], id="json"), pytest.param(CHATS["stream with usage"], id="stream")]


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    """The three namespaces."""
    network.need()
    with Network() as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of the provider."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def upstream(net: Network, authority: Authority) -> Iterator[Upstream]:
    """The provider, at its name and port 443."""
    with Upstream(provider, tls=authority.server(NAME), listener=net.listener()) as server:
        yield server


@pytest.fixture
def place(net: Network, tmp_path: Path, authority: Authority, upstream: Upstream) -> Iterator[Place]:
    """A router in cache mode."""
    with router(net, tmp_path, authority, upstream) as made:
        yield made


@pytest.mark.parametrize("language", ["python", "node"])
def test_an_sdk_without_any_setting_gets_the_same_objects_from_the_recording_and_the_hit(
    place: Place, language: str
) -> None:
    """In transparent mode too, the SDK cannot tell the second answer from the first, whatever it asks."""
    for chat in map(fresh, CHATS.values()):
        recorded = place.objects(language, "transparent", chat)
        assert recorded == place.objects(language, "transparent", chat)
        assert place.asked(chat) == 1


@pytest.mark.parametrize("chat", FORMS)
@pytest.mark.parametrize("first", WAYS)
def test_a_recording_made_through_one_entrance_is_a_hit_through_all(place: Place, first: str, chat: Chat) -> None:
    """The same bytes come back at each of the three entrances, in both versions of HTTP."""
    chat = fresh(chat)
    recorded = place.curl(first, chat)
    assert (recorded.status, recorded.cache) == (200, "aicache; fwd=miss")
    hits = {way: place.curl(way, chat) for way in WAYS}
    assert {way: hit.body for way, hit in hits.items()} == dict.fromkeys(WAYS, recorded.body)
    assert {way: hit.cache for way, hit in hits.items()} == dict.fromkeys(WAYS, "aicache; hit; detail=exact")
    assert {way: hit.spoken for way, hit in hits.items()} == {way: way.partition("-")[2] for way in WAYS}
    assert place.asked(chat) == 1


def test_hits_need_nothing_upstream_not_even_after_a_restart(
    net: Network, tmp_path: Path, authority: Authority, upstream: Upstream
) -> None:
    """With nobody listening, what was recorded is answered at every entrance, and the rest is a 502."""
    chat = CHATS["stream"]
    with router(net, tmp_path, authority, upstream) as place:
        recorded = place.curl("transparent-2", chat).body
        upstream.stop()
        hits = [place.curl(way, chat).body for way in WAYS]
    with router(net, tmp_path, authority, upstream) as place:
        hits += [place.curl(way, chat).body for way in WAYS]
        unknown = [place.curl(way, Chat(ask("Something else?"))).status for way in WAYS]
    assert hits == [recorded] * 12
    assert unknown == [502] * 6
