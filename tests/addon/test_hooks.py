"""The hooks with flows made by hand: what happens when our own side breaks, and what never reaches a provider."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import aicache
import pytest
from llmcache import capture
from mitmproxy import http, io
from mitmproxy.exceptions import OptionsError
from mitmproxy.proxy import mode_specs, server_hooks
from mitmproxy.test import tflow
from support.upstream import chat_chunks, chat_json

URL = "https://api.openai.com/v1/chat/completions"
Configure = Callable[..., None]
BODY: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def flow_of(body: Any = BODY, url: str = URL, **headers: str) -> http.HTTPFlow:
    """Return a live flow with a call."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    flow = tflow.tflow(req=http.Request.make("POST", url, raw, {"content-type": "application/json"} | named))
    flow.live = True
    return flow


async def recorded(addon: aicache.AiCache, flow: http.HTTPFlow, reply: http.Response) -> None:
    """Let *flow* miss and be answered by *reply*."""
    await addon.request(flow)
    assert flow.response is None
    flow.response = reply
    addon.responseheaders(flow)
    if callable(reply.stream):
        for chunk in chat_chunks("yes"):
            assert reply.stream(chunk) == chunk
        reply.stream(b"")
        reply.raw_content = None
    addon.response(flow)
    assert addon.engine
    await addon.engine.settled()


def json_reply() -> http.Response:
    """Return a whole answer."""
    return http.Response.make(200, json.dumps(chat_json("yes")).encode(), {"content-type": "application/json"})


def sse_reply() -> http.Response:
    """Return the head of a streamed answer."""
    return http.Response.make(200, b"", {"content-type": "text/event-stream"})


async def test_a_hit_carries_what_a_cache_has_to_say(addon: aicache.AiCache) -> None:
    """Status, age, length, the flow's comment; nothing of the old connection."""
    await recorded(addon, flow_of(), json_reply())
    flow = flow_of()
    await addon.request(flow)
    assert flow.response
    assert set(flow.response.headers) == {"content-type", "content-length", "cache-status", "age"}
    assert flow.response.headers["age"] == "0"
    assert flow.comment == "aicache; hit; detail=exact"


async def test_our_word_comes_behind_that_of_caches_before_us(addon: aicache.AiCache) -> None:
    """RFC 9211 section 2: the cache nearest to the provider comes first."""
    reply = json_reply()
    reply.headers["cache-status"] = "edge; hit"
    flow = flow_of()
    await recorded(addon, flow, reply)
    assert reply.headers["cache-status"] == "edge; hit, aicache; fwd=miss"


@pytest.mark.parametrize("body", [BODY, b"{broken"], ids=["call", "unreadable"])
async def test_our_headers_never_leave(addon: aicache.AiCache, body: Any) -> None:
    """Whatever becomes of the call, the provider does not see that we are here."""
    flow = flow_of(body, x_higress_skip_ai_cache="on", x_aicache_control="no-store", x_other="stays")
    await addon.request(flow)
    assert [name for name in flow.request.headers if "aicache" in name.lower() or "higress" in name.lower()] == []
    assert flow.request.headers["x-other"] == "stays"


@pytest.mark.parametrize(("mode", "url"), [("off", URL), ("cache", "https://api.openai.com/v1/files")])
async def test_our_headers_never_leave_with_what_we_do_not_look_at(
    addon: aicache.AiCache, configure: Configure, mode: str, url: str
) -> None:
    """A client that names its lane does so with every request, in every mode."""
    configure(aicache_mode=mode)
    flow = flow_of(url=url, x_aicache_scope="tests/test_a.py::test_b", x_other="stays")
    await addon.request(flow)
    assert (flow.response, flow.request.headers.get("x-aicache-scope")) == (None, None)
    assert flow.request.headers["x-other"] == "stays"


async def test_an_error_of_ours_is_none_of_the_client(addon: aicache.AiCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """In cache mode the call goes upstream untouched."""
    assert addon.engine
    monkeypatch.setattr(addon.engine, "lookup", broken)
    flow = flow_of()
    await addon.request(flow)
    assert flow.response is None


async def test_an_error_of_ours_in_replay_is_a_refusal(
    addon: aicache.AiCache, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves, even where we do not know what we do."""
    configure(aicache_mode="replay")
    assert addon.engine
    monkeypatch.setattr(addon.engine, "lookup", broken)
    flow = flow_of()
    await addon.request(flow)
    assert flow.response
    assert flow.response.status_code == 424


async def broken(*_: Any) -> None:
    """Fail as nothing should."""
    raise RuntimeError("test")


async def test_a_recording_that_fails_leaves_the_answer_alone(
    addon: aicache.AiCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client gets is not touched by what we cannot do with it."""
    assert addon.engine
    monkeypatch.setattr(addon.engine, "record", lambda *_: 1 / 0)
    flow = flow_of()
    await addon.request(flow)
    flow.response = json_reply()
    addon.responseheaders(flow)
    addon.response(flow)
    assert flow.response.status_code == 200


async def test_a_flow_can_be_copied_and_saved_at_any_time(addon: aicache.AiCache) -> None:
    """When a flow is edited, duplicated, or written to a file, nothing of ours is in the way."""
    flow = flow_of()

    def saved() -> None:
        assert flow.copy().metadata == flow.metadata == {}
        io.FlowWriter(BytesIO()).add(flow)

    await addon.request(flow)
    saved()
    flow.response = json_reply()
    addon.responseheaders(flow)
    addon.response(flow)
    saved()
    flow = flow_of()
    await addon.request(flow)
    assert flow.response
    saved()


async def waiting(addon: aicache.AiCache, leader: http.HTTPFlow) -> asyncio.Task[None]:
    """Let *leader* miss, and return the call of one who asks the same and waits for it."""
    await addon.request(leader)
    follower = asyncio.create_task(addon.request(flow_of()))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not follower.done()
    return follower


async def test_who_waits_is_let_go_when_we_fail(addon: aicache.AiCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours costs those who wait for the same reply a call of their own, not the whole wait."""
    assert addon.engine
    monkeypatch.setattr(addon.engine, "record", lambda *_, **__: 1 / 0)
    leader = flow_of()
    follower = await waiting(addon, leader)
    leader.response = json_reply()
    addon.responseheaders(leader)
    addon.response(leader)
    await asyncio.wait_for(follower, 5)


async def test_who_waits_is_let_go_when_we_fail_to_go_upstream(
    addon: aicache.AiCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where it goes wrong before the call has left."""
    with monkeypatch.context() as failing:
        failing.setattr(aicache.AiCache, "_settle", broken)
        await addon.request(flow_of())
    flow = flow_of()
    await asyncio.wait_for(addon.request(flow), 5)
    assert aicache.flows.TICKET in aicache.flows.kept(flow)


async def test_an_answer_by_another_addon_is_not_recorded(
    addon: aicache.AiCache, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no provider's: mitmproxy shows us no head of it; who waits goes on, and nothing is wrong."""
    leader = flow_of()
    follower = await waiting(addon, leader)
    leader.response = json_reply()
    addon.response(leader)
    await asyncio.wait_for(follower, 5)
    assert addon.stats.stored == {"answered-elsewhere": 1}
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_was_asked_under_other_settings_is_not_recorded(
    addon: aicache.AiCache, configure: Configure
) -> None:
    """The reply is the client's; under settings that came meanwhile (replay, secrets, ...) it is not stored."""
    flow = flow_of()
    await addon.request(flow)
    configure(aicache_mode="replay")
    flow.response = json_reply()
    addon.responseheaders(flow)
    addon.response(flow)
    assert addon.engine
    await addon.engine.settled()
    assert addon.stats.stored["stored"] == 0
    assert flow.response.status_code == 200


async def test_settings_that_cannot_be_had_at_run_time_leave_the_cache_as_it_was(
    addon: aicache.AiCache, configure: Configure, tmp_path: Path
) -> None:
    """A store that cannot be opened is an error of the console; nobody's calls end."""
    engine = addon.engine
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "broken.yaml").write_text("no: recording\n")
    with pytest.raises(OptionsError, match="broken"):
        configure(aicache_store=f"cassette:{tmp_path}")
    assert addon.engine is engine
    flow = flow_of()
    await addon.request(flow)
    assert aicache.flows.TICKET in aicache.flows.kept(flow)


async def test_a_stream_is_copied_and_passed_on(addon: aicache.AiCache) -> None:
    """The copy changes nothing and is replayed."""
    await recorded(addon, flow_of(BODY | {"stream": True}), sse_reply())
    flow = flow_of(BODY | {"stream": True})
    await addon.request(flow)
    assert flow.response
    assert flow.response.content == b"".join(chat_chunks("yes"))


async def test_another_addon_may_change_the_stream(addon: aicache.AiCache) -> None:
    """Its callable goes on working behind ours, and what the provider sent is what is recorded."""
    reply = sse_reply()
    reply.stream = lambda data: data.upper()
    flow = flow_of(BODY | {"stream": True})
    await addon.request(flow)
    flow.response = reply
    addon.responseheaders(flow)
    assert callable(reply.stream)
    assert reply.stream(b"data: x\n\n") == b"DATA: X\n\n"
    assert aicache.flows.kept(flow)[aicache.flows.TEE].pieces[0][1] == b"data: x\n\n"


async def test_a_copy_that_grows_too_large_is_dropped(addon: aicache.AiCache) -> None:
    """The stream goes on; the memory is given back."""
    tee = capture.Tee(0.0, limit=10)
    assert [tee(b"12345678"), tee(b"12345678"), tee(b"1")] == [b"12345678", b"12345678", b"1"]
    assert tee.over
    assert tee.pieces == []


async def test_nothing_else_is_touched(addon: aicache.AiCache) -> None:
    """A flow that no dialect claims is not even parsed, and neither is one that is answered already."""
    other = flow_of(url="https://example.com/api")
    answered = flow_of()
    answered.response = json_reply()
    for flow in (other, answered):
        await addon.request(flow)
        assert flow.metadata == {}
    assert addon.stats.calls == 0


async def test_replay_opens_no_connection(addon: aicache.AiCache, configure: Configure) -> None:
    """The last door: every connection, whoever asks for it."""
    data = server_hooks.ServerConnectionHookData(tflow.tserver_conn(), tflow.tclient_conn())
    addon.server_connect(data)
    assert data.server.error is None
    configure(aicache_mode="replay")
    addon.server_connect(data)
    assert data.server.error


async def staged(addon: aicache.AiCache) -> http.HTTPFlow:
    """Return a flow that follows the stream of another one."""
    leader, follower = flow_of(BODY | {"stream": True}), flow_of(BODY | {"stream": True}, authorization="Bearer sk-1")
    leader.request.headers["authorization"] = "Bearer sk-1"
    await addon.request(leader)
    leader.response = sse_reply()
    addon.responseheaders(leader)
    await addon.request(follower)
    return follower


async def test_what_the_client_sent_does_not_go_to_the_stage(addon: aicache.AiCache) -> None:
    """No credential, no prompt; when the answer begins, the flow has its own request again and no token."""
    flow = await staged(addon)
    assert set(flow.request.headers) == {"x-aicache-stage", "connection", "content-length"}
    assert (flow.request.host, flow.request.scheme, flow.request.content) == ("127.0.0.1", "http", b"")
    assert flow.server_conn.via is None
    flow.response = sse_reply()
    addon.responseheaders(flow)
    assert flow.request.pretty_url == URL
    assert flow.request.headers["authorization"] == "Bearer sk-1"
    assert flow.response.stream is True
    assert flow.metadata == {}


async def test_a_play_that_nobody_fetches_is_forgotten(addon: aicache.AiCache) -> None:
    """The client left on the way to the stage."""
    flow = await staged(addon)
    assert addon.engine
    assert "1 plays wait" in repr(addon.engine.stage)
    addon.error(flow)
    assert "0 plays wait" in repr(addon.engine.stage)
    assert flow.request.pretty_url == URL


async def test_replay_lets_only_the_stage_through(addon: aicache.AiCache, configure: Configure) -> None:
    """Its own host and port, straight; not a neighbor, and not by way of a parent proxy."""
    configure(aicache_mode="replay")
    assert addon.engine
    assert await addon.engine.stage.open()
    port = next(port for port in range(1, 65_536) if addon.engine.stage.owns(("127.0.0.1", port)))

    def refused(host: str, port: int, via: Any = None) -> bool:
        server = tflow.tserver_conn()
        server.address, server.via = (host, port), via
        data = server_hooks.ServerConnectionHookData(server, tflow.tclient_conn())
        addon.server_connect(data)
        return data.server.error is not None

    assert not refused("127.0.0.1", port)
    assert refused("127.0.0.1", port % 65_535 + 1)
    assert refused("localhost", port)
    assert refused("127.0.0.1", port, ("http", ("parent.example", 3128)))


async def test_a_wrong_change_at_run_time_is_an_options_error(addon: aicache.AiCache, configure: Configure) -> None:
    """The console shows it, and the cache goes on as it was."""
    engine = addon.engine
    with pytest.raises(OptionsError, match="aicache_mode"):
        configure(aicache_mode="reply")
    assert addon.engine is engine


async def test_off_does_nothing(addon: aicache.AiCache, configure: Configure) -> None:
    """Neither reads nor writes."""
    configure(aicache_mode="off")
    flow = flow_of()
    await addon.request(flow)
    assert aicache.flows.TICKET not in aicache.flows.kept(flow)


async def test_the_transparent_host_is_whom_the_client_asks_for() -> None:
    """There the proxy knows an address only; the name is that of the TLS handshake, else of the Host header."""
    flow = flow_of(url="https://192.0.2.7/v1/chat/completions")
    flow.request.host_header = "api.openai.com"
    assert aicache.flows.destination(flow) == "192.0.2.7"
    flow.client_conn.sni = None
    flow.client_conn.proxy_mode = mode_specs.ProxyMode.parse("transparent")
    assert aicache.flows.destination(flow) == "api.openai.com"
    flow.client_conn.sni = "API.example.com"
    assert aicache.flows.destination(flow) == "api.example.com"


async def test_a_lying_host_header_does_not_move_a_call(addon: aicache.AiCache) -> None:
    """Where the proxy knows the destination, that counts: nobody can store answers under another provider's name."""
    liar = flow_of(url="https://evil.example/v1/chat/completions")
    liar.request.host_header = "api.openai.com"
    await recorded(addon, liar, json_reply())
    flow = flow_of()
    await addon.request(flow)
    assert flow.response is None


async def test_the_start_leaves_nothing_to_collect(context):
    """Once the addon runs, collections of garbage do not visit what was there before: it held all streams up."""
    made = aicache.AiCache()
    context.master.addons.add(made)
    context.configure(made, aicache_store="memory")
    kept = [[number] for number in range(5000)]
    gc.unfreeze()
    try:
        made.running()
        assert gc.get_freeze_count() > len(kept)
        assert not any(each is kept for each in gc.get_objects())
    finally:
        gc.unfreeze()
        if ending := made.done():
            await ending
