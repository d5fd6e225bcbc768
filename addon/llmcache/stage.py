"""The stage: a server on loopback that plays replies chunk by chunk to the proxy we live in.

A proxy that takes an answer from us in one block only is sent here for it instead, as if this were the provider.
Nobody else is answered: each play has a token of its own, which is good once. It does not know what it plays.
Entry points: `Stage.open`, `Stage.seat`, `Play`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .chat import Headers
from .flights import Broken, Feed

log = logging.getLogger("aicache.stage")

HOST = "127.0.0.1"
CROWD = 5
"""Plays that one visitor may have on one port: mitmproxy opens no more connections to an address for a client."""
PORTS = 32
"""Ports at the most; with more plays than these have seats, a visitor's next ones wait."""
LARGEST = 16_384
"""Bytes of a request's head above which it is none of ours."""
TOKEN = "x-aicache-stage"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Play:
    """A reply to be played: `Broken` out of *chunks* breaks it off where it is, so that nobody takes it for whole."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a play is given: send `fields` there, once."""

    host: str
    port: int
    token: str
    visitor: str

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The headers that the request must carry, and all that it needs."""
        return [(TOKEN.encode(), self.token.encode()), (b"connection", b"close")]


class Stage:
    """The server; it opens when it is first needed."""

    def __init__(self) -> None:
        self._servers: dict[int, asyncio.Server] = {}
        self._plays: dict[str, tuple[Seat, Play]] = {}
        self._taken: Counter[tuple[str, int]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._failed = False

    def __repr__(self) -> str:
        return f"<Stage on {len(self._servers)} ports, {len(self._plays)} plays wait, {len(self._tasks)} are given>"

    def owns(self, address: object) -> bool:
        """Whether this is the address of one of our ports, and open."""
        return any(address == (HOST, port) for port in self._servers)

    async def open(self) -> bool:
        """Open it if it is not; return whether it works."""
        async with self._opening:
            if not self._servers and not self._failed:
                await self._another()
        return bool(self._servers)

    async def _another(self) -> int | None:
        """Open one more port."""
        if len(self._servers) >= PORTS:
            return None
        try:
            listener = socket.create_server((HOST, 0))
            port: int = listener.getsockname()[1]
            loop = asyncio.get_running_loop()
            self._servers[port] = await loop.create_server(lambda: _Visit(self), sock=listener)
        except OSError as error:
            if not self._servers:
                self._failed = True
                log.warning("streams are answered in one block, because no port on %s can be opened: %s", HOST, error)
            return None
        return port

    async def seat(self, play: Play, visitor: str) -> Seat:
        """Return where *play* is given to *visitor*, who is whoever counts his connections. It must be open."""
        port = next((port for port in self._servers if self._taken[visitor, port] < CROWD), None)
        if port is None:
            port = await self._another() or min(self._servers, key=lambda port: self._taken[visitor, port])
        seat = Seat(HOST, port, secrets.token_hex(16), visitor)
        self._taken[visitor, port] += 1
        self._plays[seat.token] = seat, play
        return seat

    def take(self, token: str) -> tuple[Seat, Play] | None:
        """Return what *token* is good for; now it is good for nothing any more."""
        return self._plays.pop(token, None)

    def leave(self, seat: Seat, play: Play) -> None:
        """Free the seat of a play that is over."""
        self._taken[seat.visitor, seat.port] -= 1
        if self._taken[seat.visitor, seat.port] <= 0:
            del self._taken[seat.visitor, seat.port]
        if isinstance(play.chunks, Feed):
            play.chunks.close()

    def drop(self, seat: Seat) -> None:
        """Forget a play that nobody came for; one that was given is left alone."""
        if found := self.take(seat.token):
            self.leave(*found)

    def perform(self, task: asyncio.Task[None]) -> None:
        """Keep *task* while it plays."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Break off what is played and close every port."""
        servers, self._servers = self._servers, {}
        for server in servers.values():
            server.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for seat, _ in tuple(self._plays.values()):
            self.drop(seat)


class _Visit(asyncio.Protocol):
    """One connection: one request, one play."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._head = bytearray()
        self._playing: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._playing:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            if found := self._stage.take(_token(bytes(self._head))):
                self._playing = asyncio.get_running_loop().create_task(self._play(*found))
                self._stage.perform(self._playing)
            else:
                self._transport.write(b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self._transport.close()
        elif len(self._head) > LARGEST:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol
        if self._playing:
            self._playing.cancel()

    async def _play(self, seat: Seat, play: Play) -> None:
        try:
            self._transport.write(_head(play))
            async for chunk in play.chunks:
                if chunk:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    await self._writable.wait()
            self._transport.write(b"0\r\n\r\n")
        except Broken:
            pass
        except Exception:
            log.exception("a play broke off because of an internal error")
        finally:
            self._transport.close()  # writes what it still has; without the last chunk nobody takes it for whole
            self._stage.leave(seat, play)


def _head(play: Play) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in play.headers)
    head = f"HTTP/1.1 {play.status} OK\r\n{fields}transfer-encoding: chunked\r\n\r\n"
    return head.encode("utf-8", "surrogateescape")


def _token(head: bytes) -> str:
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == TOKEN:
            return value.strip()
    return ""
