"""Two real mitmdumps that share one real Redis: what a team sees."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.absent import missing
from support.asking import ask, post
from support.command import Command
from support.proxy import Mitmdump
from support.redis_server import Server, binary
from support.upstream import Asked, Script, Upstream, openai


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server, started."""
    if binary("redis7") is None:
        missing("redis-server")
    with Server(tmp_path / "redis") as running:
        yield running


def proxy(folder: Path, server: Server, upstream: Upstream, more: str = "", secret: str = "s") -> Mitmdump:
    """Return a proxy with a folder of its own before *upstream*, its store in *server*."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "c.yaml"
    settings.write_text(
        f"scope: {{secret: {secret}}}\ndeadlines: {{store: 5s}}\ncache: {{near: {{seconds: 0}}}}\n{more}"
    )
    options = ("--set", f"aicache_config={settings}", "--set", f"aicache_store={server.url}")
    return Mitmdump(folder, *options, modes=(f"reverse:{upstream.url}",))


@dataclass
class Team:
    """Two proxies that wait for each other's calls, with an empty Redis behind them and a provider before them."""

    one: Mitmdump
    two: Mitmdump
    server: Server
    upstream: Upstream


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """One team for the tests that leave it as it was."""
    if binary("redis7") is None:
        missing("redis-server")
    folder = tmp_path_factory.mktemp("team")
    across = "flights: {acrossProcesses: true}\n"
    with (
        Server(folder / "redis") as server,
        Upstream() as upstream,
        proxy(folder / "1", server, upstream, across) as one,
        proxy(folder / "2", server, upstream, across) as two,
    ):
        yield Team(one, two, server, upstream)


@pytest.fixture
def team(pair: Team) -> Team:
    """The team as if it were new."""
    pair.server.command("FLUSHALL")
    pair.server.command("CONFIG", "RESETSTAT")
    pair.upstream.answer = openai
    pair.upstream.calls.clear()
    return pair


def test_two_proxies_share_one_redis(team: Team) -> None:
    """What one has stored the other answers, as JSON and as a stream, with the same bytes."""
    for body in (ask(model="shared"), ask(model="streamed", stream=True)):
        first = post(team.one, body)
        team.one.wait_for_line("miss unknown, stored", body["model"])
        second = post(team.two, body)
        assert first.cache == "aicache; fwd=miss"
        assert second.cache == "aicache; hit; detail=exact"
        assert first.body == second.body
    assert len(team.upstream.calls) == 2


def test_another_secret_is_another_cache(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """Who does not know the secret of a scope finds nothing of it in the same Redis."""
    with proxy(tmp_path / "1", server, upstream) as one, proxy(tmp_path / "2", server, upstream, secret="x") as other:
        assert [post(running, ask()).cache for running in (one, other)] == ["aicache; fwd=miss"] * 2
    assert len(upstream.calls) == 2


def test_calls_outlive_the_redis(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """While it is gone every call is answered from upstream; when it is back the same process has hits again."""
    with proxy(tmp_path / "1", server, upstream) as running:
        assert post(running, ask()).status == 200
        server.stop()
        assert [post(running, ask(f"question {number}")).status for number in range(8)] == [200] * 8
        running.wait_for("left alone")
        passed = post(running, ask("unread"), x_aicache_control="no-such-thing"), post(running, ask("unread"))
        assert [answer.cache for answer in passed] == ["aicache; fwd=miss", "aicache; fwd=bypass; detail=store-error"]
        assert "x-aicache-control" not in upstream.calls[-2].headers
        server.start()
        running.wait_for("answers again")
        post(running, ask("new"))
        assert post(running, ask("new")).cache == "aicache; hit; detail=exact"
        assert running.output.count("left alone after") == 1
        assert running.output.count("the store does not work") == 1


def test_replay_refuses_when_the_redis_is_gone(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """In replay mode a store that fails is a refusal, and nothing leaves."""
    with proxy(tmp_path / "1", server, upstream, "mode: replay\n") as running:
        server.stop()
        assert [post(running, ask()).status for _ in range(7)] == [424] * 7
    assert upstream.calls == []


def test_the_listing_verbs_read_a_redis(tmp_path: Path, server: Server, upstream: Upstream) -> None:
    """`ls`, `rm` and `purge` work as on a file; a Redis that is not there is a sentence."""
    with proxy(tmp_path / "1", server, upstream) as running:
        for text in ("one", "two", "three"):
            post(running, ask(text))
    (tmp_path / "home").mkdir()
    aicache = Command(tmp_path / "home", tmp_path)
    listed = aicache("ls", "--store", server.url)
    assert (listed.returncode, listed.stdout.count("gpt-4o-mini")) == (0, 3), listed.stderr
    assert aicache("rm", listed.stdout.split()[0], "--store", server.url).returncode == 0
    assert server.command("DBSIZE") == b":2\r\n"
    assert aicache("purge", "--all", "--yes", "--store", server.url).returncode == 0
    assert server.command("DBSIZE") == b":0\r\n"
    server.stop()
    gone = aicache("ls", "--store", server.url)
    assert gone.returncode != 0
    assert "Traceback" not in gone.stderr
    assert "redis store" in gone.stderr


def test_two_proxies_make_one_call(team: Team) -> None:
    """While one asks the provider the other waits for what it stores, as JSON and as a stream."""
    gate, asked = threading.Event(), threading.Event()

    def held(call: Asked) -> Script:
        script = openai(call)
        script.gate = gate
        asked.set()
        return script

    team.upstream.answer = held
    with ThreadPoolExecutor(5) as pool:
        leader = pool.submit(post, team.one, ask())
        assert asked.wait(20)
        followers = [pool.submit(post, team.two, ask()) for _ in range(2)]
        followers += [pool.submit(post, team.two, ask(stream=True, stream_options={"include_usage": True}))]
        while b"cmdstat_set:calls=2" not in team.server.command("INFO", "commandstats"):
            assert not leader.done()
        gate.set()
        answers = [follower.result() for follower in followers]
        assert leader.result().cache == "aicache; fwd=miss"
        assert {answer.cache for answer in answers} == {"aicache; fwd=miss; collapsed"}
        assert answers[0].body == answers[1].body == leader.result().body
    assert len(team.upstream.calls) == 1
    assert team.server.command("DBSIZE") == b":1\r\n"


def test_when_a_leader_fails_one_of_all_processes_leads_anew(team: Team) -> None:
    """Of those who wait in two processes one asks, and has the others wait for that."""
    asked, gate, count = threading.Event(), threading.Event(), itertools.count()

    def first_fails(call: Asked) -> Script:
        if next(count):
            return openai(call)
        asked.set()
        return Script(b"{}", status=500, late=gate)

    team.upstream.answer = first_fails
    came = [running.output.count("client connect") for running in (team.one, team.two)]
    with ThreadPoolExecutor(7) as pool:
        leader = pool.submit(post, team.one, ask())
        assert asked.wait(20)
        others = [pool.submit(post, running, ask()) for running in (team.one, team.two) * 3]
        for running, before, more in zip((team.one, team.two), came, (4, 3), strict=True):
            running.wait_for("client connect", before + more)
        while b"cmdstat_set:calls=2" not in team.server.command("INFO", "commandstats"):
            assert not leader.done()
        gate.set()
        assert leader.result().status == 500
        assert [other.result().status for other in others] == [200] * 6
    assert len(team.upstream.calls) == 2


def test_a_leader_that_fails_elsewhere_holds_nobody_up(team: Team) -> None:
    """Its lock is given back at once, and the other asks by itself."""
    team.upstream.answer = lambda _: Script(b"{}", status=500)
    asked = ask("Does it fail?")
    assert [post(running, asked).status for running in (team.one, team.two, team.one)] == [500] * 3
    assert len(team.upstream.calls) == 3
