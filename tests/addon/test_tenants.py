"""Tenants of real mitmdumps that share a real Redis: nobody is answered with what another asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.absent import missing
from support.asking import Answer, ask, post
from support.proxy import Mitmdump
from support.redis_server import Server, binary
from support.upstream import Upstream


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server, started."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as running:
        yield running


def proxy(folder: Path, server: Server, upstream: Upstream, settings: str) -> Mitmdump:
    """Return a proxy with *settings* before *upstream*, its store in *server*."""
    folder.mkdir(parents=True, exist_ok=True)
    near = "deadlines: {store: 5s}\ncache: {near: {seconds: 0}}\n"
    (folder / "c.yaml").write_text(settings + near)
    options = ("--set", f"aicache_config={folder / 'c.yaml'}", "--set", f"aicache_store={server.url}")
    return Mitmdump(folder, *options, modes=(f"reverse:{upstream.url}",))


def control(running: Mitmdump, what: str, credential: str = "sk-1", **more: object) -> Answer:
    """Ask with a control header."""
    return post(running, ask(**more), x_aicache_control=what, authorization=f"Bearer {credential}")


FORGED = {"scope": {"namespace": "a"}, "namespace": "a", "asked": "a", "credential": "sk-1"}


def test_tenants_never_meet(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """Neither a credential, a forged header, a forged name nor a crafted body leads to another's answer."""
    one, other = "scope: {secret: s}\nnamespace: a\n", "scope: {secret: s}\nnamespace: b\n"
    with proxy(tmp_path / "1", server, upstream, one) as a, proxy(tmp_path / "2", server, upstream, other) as b:
        control(a, "ttl=600")
        a.wait_for("miss unknown, stored")
        assert control(a, "").cache == "aicache; hit; detail=exact"
        strangers = [
            control(a, "", "sk-2"),
            control(a, "namespace=a"),
            control(b, ""),
            control(b, "namespace=a"),
            control(b, 'namespace="a"', "sk-2"),
            control(b, "", **FORGED),
            post(b, ask(), x_aicache_namespace="a", x_aicache_scope="a"),
        ]
        assert [answer.cache for answer in strangers] == ["aicache; fwd=miss"] * len(strangers)
        assert control(b, "namespace=x\x01y").cache == "aicache; fwd=bypass; detail=control-malformed"
    assert len(upstream.calls) == len(strangers) + 2
    assert not any(name.startswith("x-aicache") for call in upstream.calls for name in call.headers)


def test_namespaces_by_header_where_credentials_are_shared(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """There a name is all that parts callers; where the header is not allowed it is a bypass, not the common cache."""
    shared, closed = "scope: shared\n", "scope: shared\nnamespace: {header: false}\n"
    with proxy(tmp_path / "1", server, upstream, shared) as a, proxy(tmp_path / "2", server, upstream, closed) as b:
        control(a, "namespace=a")
        a.wait_for("miss unknown, stored")
        assert control(a, "namespace=a", "sk-2").cache == "aicache; hit; detail=exact"
        assert control(a, "namespace=b").cache == control(a, "").cache == "aicache; fwd=miss"
        assert control(b, "namespace=a").cache == "aicache; fwd=bypass; detail=namespace-not-allowed"


def test_the_wishes_of_one_request(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """`x-aicache-control` end to end: 504 in the provider's shape, an age, a miss that says whose wish it was."""
    with proxy(tmp_path / "1", server, upstream, "scope: {secret: s}\n") as running:
        absent = control(running, "only-if-cached")
        assert (absent.status, absent.headers["x-should-retry"]) == (504, "false")
        assert b'"code":"aicache_not_cached"' in absent.body.replace(b" ", b"")
        assert upstream.calls == []
        control(running, "no-store")
        assert control(running, "").cache == "aicache; fwd=miss"
        running.wait_for("miss unknown, stored")
        there = control(running, "only-if-cached, max-age=600")
        assert (there.cache, int(there.headers["age"]) < 600) == ("aicache; hit; detail=exact", True)
        assert control(running, "no-cache").cache == "aicache; fwd=request"
