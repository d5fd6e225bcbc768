"""Settings that change while the proxy runs: what goes on as it was, and what comes back."""

from __future__ import annotations

import asyncio

import aicache
import pytest
from mitmproxy.exceptions import OptionsError
from mitmproxy.test import taddons
from support.upstream import chat_chunks
from test_hooks import BODY, Configure, flow_of, sse_reply


async def test_other_settings_cut_nobody_short(addon: aicache.AiCache, configure: Configure) -> None:
    """Who follows a stream from the stage has all of it, although another engine has taken over in between."""
    body = BODY | {"stream": True}
    leader, follower = flow_of(body), flow_of(body)
    await addon.request(leader)
    leader.response = sse_reply()
    addon.responseheaders(leader)
    await addon.request(follower)
    reader, writer = await asyncio.open_connection(follower.request.host, follower.request.port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in follower.request.headers.items())
    writer.write(f"GET / HTTP/1.1\r\n{fields}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    first, *rest = chat_chunks("yes")
    assert callable(leader.response.stream)
    leader.response.stream(first)
    await reader.readuntil(first)
    before = addon.engine
    configure(aicache_mode="record")
    assert addon.engine is not before
    await addon._closing
    for chunk in (*rest, b""):
        leader.response.stream(chunk)
    leader.response.raw_content = None
    addon.response(leader)
    found = await reader.read()
    assert all(chunk in found for chunk in rest)
    assert found.endswith(b"\r\n0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("wanted", [True, False])
async def test_replay_asks_nobody_for_a_certificate(
    addon: aicache.AiCache, context: taddons.context, configure: Configure, wanted: bool
) -> None:
    """Only while it lasts: afterwards the user's own setting is there again, and after a failed change as well."""
    assert addon
    context.options.update(upstream_cert=wanted)
    configure(aicache_mode="replay")
    assert context.options.upstream_cert is False
    with pytest.raises(OptionsError):
        configure(aicache_mode="cache", aicache_store="cassette:/dev/null/nowhere")
    assert context.options.upstream_cert is False
    configure(aicache_mode="cache", aicache_store="memory")
    assert context.options.upstream_cert is wanted
