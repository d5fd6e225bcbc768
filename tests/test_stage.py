"""The stage over real sockets: who is let in, what is played, and that it breaks off where it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from llmcache.flights import Broken
from llmcache.stage import CROWD, PORTS, Play, Seat, Stage

HEAD = (("content-type", "text/event-stream"), ("x-request-id", "req_1"))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage that is open."""
    made = Stage()
    assert await made.open()
    yield made
    await made.close()


async def chunks(*pieces: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    """Yield *pieces*."""
    for piece in pieces:
        yield piece
    if broken:
        raise Broken


async def visit(seat: Seat, token: str | None = None) -> bytes:
    """Go there as the proxy does, and return all there is."""
    reader, writer = await asyncio.open_connection(seat.host, seat.port)
    writer.write(b"GET / HTTP/1.1\r\nX-Aicache-Stage: " + (token or seat.token).encode() + b"\r\n\r\n")
    found = await reader.read()
    writer.close()
    return found


async def test_a_play_is_a_chunked_reply(stage: Stage) -> None:
    """Head, chunks with their borders, end; a token is good once, and an empty chunk is no end."""
    seat = await stage.seat(Play(200, HEAD, chunks(b"one", b"", b"two")), "v")
    assert await visit(seat) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_1\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
        b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    assert (await visit(seat)).startswith(b"HTTP/1.1 403 ")


async def test_a_stranger_gets_nothing(stage: Stage) -> None:
    """Without the token there is no answer, and the play waits on for whom it is meant."""
    seat = await stage.seat(Play(200, HEAD, chunks(b"one")), "v")
    assert (await visit(seat, "guess")).startswith(b"HTTP/1.1 403 ")
    assert (await visit(seat)).endswith(b"3\r\none\r\n0\r\n\r\n")


async def test_a_broken_play_has_no_end(stage: Stage) -> None:
    """All that came is there, and nobody can take it for whole."""
    seat = await stage.seat(Play(200, HEAD, chunks(b"x" * 300_000, b"half", broken=True)), "v")
    assert (await visit(seat)).endswith(b"x\r\n4\r\nhalf\r\n")


async def test_a_visitor_has_a_few_seats_a_port(stage: Stage) -> None:
    """Mitmproxy makes at most five connections to an address for one client; other visitors take the same seats."""
    seats = [await stage.seat(Play(200, HEAD, chunks()), "v") for _ in range(3 * CROWD)]
    assert len({seat.port for seat in seats}) == 3
    assert (await stage.seat(Play(200, HEAD, chunks()), "w")).port == seats[0].port
    await asyncio.gather(*map(visit, seats[:CROWD]))
    assert (await stage.seat(Play(200, HEAD, chunks()), "v")).port == seats[0].port
    assert all(stage.owns((seat.host, seat.port)) for seat in seats)
    assert not stage.owns(("127.0.0.1", 1))
    assert not stage.owns(("localhost", seats[0].port))


async def test_there_are_not_more_ports_than_needed(stage: Stage) -> None:
    """With all seats taken a play waits for one: the least crowded port is taken."""
    seats = [await stage.seat(Play(200, HEAD, chunks()), "v") for _ in range(PORTS * CROWD + 1)]
    assert len({seat.port for seat in seats}) == PORTS
    for seat in seats:
        stage.drop(seat)
    assert repr(stage) == f"<Stage on {PORTS} ports, 0 plays wait, 0 are given>"


async def test_who_comes_while_it_opens_gets_the_same_port() -> None:
    """A hundred followers at once are one opening."""
    made = Stage()
    assert all(await asyncio.gather(*(made.open() for _ in range(100))))
    assert repr(made) == "<Stage on 1 ports, 0 plays wait, 0 are given>"
    await made.close()


async def test_a_visitor_who_leaves_ends_the_play(stage: Stage) -> None:
    """Nobody goes on waiting for chunks that nobody wants."""
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    seat = await stage.seat(Play(200, HEAD, endless()), "v")
    reader, writer = await asyncio.open_connection(seat.host, seat.port)
    writer.write(f"GET / HTTP/1.1\r\nx-aicache-stage: {seat.token}\r\n\r\n".encode())
    await reader.readuntil(b"first")
    writer.close()
    async with asyncio.timeout(10):
        await ended.wait()


async def test_without_a_port_there_is_no_stage(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and its users do without."""

    def refuse(*_: object) -> None:
        raise OSError("no more")

    monkeypatch.setattr(socket, "create_server", refuse)
    stage = Stage()
    assert [await stage.open(), await stage.open()] == [False, False]
    assert len(caplog.records) == 1
