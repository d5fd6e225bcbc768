"""Copies of calls that go upstream beside them: what becomes of those that nobody answers, or that cannot be sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aicache
import pytest
from aicache_mitmproxy.copies import Copies
from mitmproxy.test import taddons
from test_hooks import Configure, flow_of, json_reply, recorded


async def test_a_copy_that_is_never_answered_is_given_up(context: taddons.context) -> None:
    """Whoever counts on it is told, and the provider's connection is closed: nothing is held for ever."""
    closed = asyncio.get_running_loop().create_future()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        closed.set_result(await reader.read())
        writer.close()

    arrived, server = asyncio.Event(), await asyncio.start_server(silent, "127.0.0.1", 0)
    lost: list[str] = []
    copies = Copies(lambda copy: lost.append(str(copy.error)), patience=0.5)
    async with server:
        port = server.sockets[0].getsockname()[1]
        copies.send(flow_of(b"", url=f"http://127.0.0.1:{port}/v1/chat/completions"), {})
        await arrived.wait()
        assert await closed == b""
    assert lost == ["no answer within 0.5 s"]
    assert context


async def test_a_refresh_that_cannot_begin_is_over(
    addon: aicache.AiCache, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has the stale answer, and the key is not claimed any longer."""
    file = tmp_path / "c.yaml"
    file.write_text("cache: {type: memory, cacheTTL: 1, staleWhileRevalidate: 600}")
    configure(aicache_config=str(file))
    assert addon.engine
    await recorded(addon, flow_of(), json_reply())
    now = addon.engine.clock()
    addon.engine.clock = lambda: now + 5
    released: list[str] = []
    monkeypatch.setattr(addon.engine, "abandon", lambda _, reason: released.append(reason))
    monkeypatch.setattr("aicache_mitmproxy.copies.ReplayHandler", lambda *_: 1 / 0)
    flow = flow_of()
    await addon.request(flow)
    assert flow.response
    assert "stale-while-revalidate" in flow.response.headers["cache-status"]
    assert released == ["not-refreshed"]
