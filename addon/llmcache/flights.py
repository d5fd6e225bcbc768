"""One flight: identical calls that miss at the same time make one call upstream, and the others wait for its reply.

Who comes first leads; who comes while it is under way follows. A lone miss costs an insert into a dict and a pop.
When the reply is a stream, followers that want the same form have it while it comes, through a `Feed`.
It knows neither the store nor the proxy; the engine says when a flight begins and how it ends.
Entry points: `Flights`, `Flight.flow`, `Feed`.
"""

from __future__ import annotations

import asyncio
import enum
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .capture import kept, value
from .chat import Form, Headers, WireError
from .coding import Decoder

REMEMBERED = 1024
"""Keys of flights that ended a moment ago, for calls whose look-up began before."""


class Ending(enum.Enum):
    """How a flight ended for those who waited for it."""

    RECORDED = enum.auto()
    """There is a reply to look up; it may yet turn out not to be worth storing."""
    FAILED = enum.auto()
    """The answer is not one to store, and would not be the next time: whoever waited asks by himself."""
    DOWN = enum.auto()
    """Upstream cannot answer now: somebody else may lead, but those who have an expired answer."""
    LEFT = enum.auto()
    """The leader's client went away, or its call was found wrong: somebody else may lead."""
    UNSENT = enum.auto()
    """The leader waited for another process, and waits no longer: somebody else may lead, as if he had not been."""
    LATE = enum.auto()
    """It is still under way, but nothing was heard of it for too long."""


class Broken(Exception):  # noqa: N818 - what happened to a stream, as EOFError: no error of ours
    """The stream that was followed broke off."""


class Feed:
    """A live stream for one follower: first what had arrived, then each piece as it comes. Raises `Broken`."""

    def __init__(self, live: Live, arrived: bytes) -> None:
        self._live = live
        self._pieces = deque([arrived] if arrived else [])
        self._bytes = len(arrived)
        self._whole: bool | None = None
        self._wake: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Feed {self._bytes} bytes waiting{'' if self._whole is None else ', ended'}>"

    @property
    def status(self) -> int:
        """The status of the reply."""
        return self._live.status

    @property
    def headers(self) -> Headers:
        """The headers of the reply that a recording keeps."""
        return self._live.headers

    def put(self, piece: bytes, limit: int) -> None:
        """Take the next piece; a reader that lags behind by more than *limit* bytes is given up."""
        self._bytes += len(piece)
        if self._bytes > limit:
            self._pieces.clear()
            self.close()
            self.end(whole=False)
        else:
            self._pieces.append(piece)
            self._rouse()

    def end(self, *, whole: bool) -> None:
        """Say that nothing more comes, and whether all of it came."""
        if self._whole is None:
            self._whole = whole
            self._rouse()

    def close(self) -> None:
        """Listen no more."""
        self._live.leave(self)

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> bytes:
        """Return all that has come since the last time."""
        while not self._pieces:
            if self._whole is False:
                raise Broken
            if self._whole:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self._bytes = 0
        return taken


@dataclass(eq=False)
class Live:
    """A stream that is coming in; *pieces* are those that came so far, as they came, and grow while it flows."""

    status: int
    headers: Headers
    pieces: Sequence[tuple[int, bytes]]
    coding: str
    limit: int
    feeds: set[Feed] = field(default_factory=set)
    shut: bool = False
    """Whether nobody can join any more: what came first is not there now."""
    deserted: Callable[[], None] | None = None
    """Called when the last reader leaves before the end."""
    _decoder: Decoder | None = None
    _plain: list[bytes] = field(default_factory=list)
    """Of a coded stream that somebody follows: what came, decoded."""
    _size: int = 0

    def join(self) -> Feed | None:
        """Return a feed of the whole stream; None when its beginning cannot be had any more."""
        if self.shut:
            return None
        try:
            feed = Feed(self, b"".join(self._arrived()))
        except WireError:
            self.shut = True
            return None
        self.feeds.add(feed)
        return feed

    def leave(self, feed: Feed) -> None:
        """Let a reader go."""
        self.feeds.discard(feed)
        if self.deserted and not self.feeds:
            self.deserted()

    def _arrived(self) -> Sequence[bytes]:
        if not self.coding:
            return [piece for _, piece in self.pieces]
        if self._decoder is None:
            self._decoder = Decoder(self.coding, sys.maxsize)
            self._plain = [self._decoder.feed(piece) for _, piece in self.pieces]
            self._size = sum(map(len, self._plain))
        return self._plain

    def flow(self, piece: bytes) -> None:
        """Hand a piece on to all who follow; never raises."""
        try:
            plain = self._decoder.feed(piece) if self._decoder else piece
        except WireError:
            self.shut = True
            self.end(whole=False)
            return
        if self._decoder and not self.shut:
            self._plain.append(plain)
            self._size += len(plain)
            if self._size > self.limit:
                self.lose()
        for feed in tuple(self.feeds):
            feed.put(plain, self.limit)

    def lose(self) -> None:
        """Keep no beginning: the stream is too long. Who follows already goes on following."""
        self.shut = True
        self._plain.clear()

    def end(self, *, whole: bool) -> None:
        """Say that nothing more comes, and whether all of it came."""
        self.deserted = None
        for feed in self.feeds:
            feed.end(whole=whole)
        self.feeds.clear()


@dataclass(eq=False, slots=True)
class Flight:
    """A call upstream whose reply others may wait for; *form* is what its leader asked for."""

    key: str
    form: Form
    live: Live | None = None
    owner: str = ""
    """The token of the lock that keeps other processes waiting; empty without one."""
    renewal: asyncio.TimerHandle | None = None
    """What renews that lock next."""
    heard: float = 0.0
    """When it last gave a sign of life, by the loop's clock."""
    _ending: Ending | None = None
    _waiting: list[tuple[Form | None, asyncio.Future[Ending | Feed]]] = field(default_factory=list)

    def flow(self, status: int, headers: Headers, pieces: Sequence[tuple[int, bytes]], limit: int) -> Live:
        """Say that the reply is a stream which begins now; *pieces* will hold what comes of it."""
        coding = value(headers, "content-encoding")
        self.live = Live(status, kept(headers), pieces, coding, limit)
        waiting, self._waiting = self._waiting, []
        for form, waiter in waiting:
            feed = self.live.join() if form == self.form and not waiter.done() else None
            if feed is None:
                self._waiting.append((form, waiter))
            else:
                waiter.set_result(feed)
        return self.live

    def alive(self) -> None:
        """Note a sign of life: it may take as long as it likes while there are any."""
        self.heard = asyncio.get_running_loop().time()

    def hear(self, piece: bytes) -> None:
        """Take a piece of the reply, and hand it on to those who follow its stream; never raises."""
        self.alive()
        if self.live:
            self.live.flow(piece)

    def follow(self, form: Form | None) -> Feed | asyncio.Future[Ending | Feed]:
        """Return what tells of the end, or, where a stream of *form* can be followed while it comes, that stream."""
        waiter: asyncio.Future[Ending | Feed] = asyncio.get_running_loop().create_future()
        if self._ending:
            waiter.set_result(self._ending)
        elif self.live and form == self.form and (feed := self.live.join()):
            return feed
        else:
            self._waiting.append((form, waiter))
        return waiter

    def release(self, ending: Ending) -> None:
        """Let go of all who wait, at once, and of who comes too late."""
        self._ending = self._ending or ending
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_result(ending)


class Flights:
    """The flights under way, at most one for each key; *wait*: seconds that one may be silent while others wait."""

    def __init__(self, wait: float = 300.0) -> None:
        self.wait = wait
        self.ended = 0
        """How many have ended; read before a look-up, it tells `landed_since` what was known then."""
        self._open: dict[str, Flight] = {}
        self._landed: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Flights {len(self._open)} under way, {self.ended} ended>"

    def under_way(self, key: str) -> Flight | None:
        """Return the flight to follow, if there is one."""
        return self._open.get(key)

    def lead(self, key: str, form: Form) -> Flight:
        """Begin a flight. Its leader must see to it that it ends."""
        flight = self._open[key] = Flight(key, form)
        flight.alive()
        return flight

    def patience(self, flight: Flight) -> float:
        """Return how many seconds *flight* may still be silent."""
        return flight.heard + self.wait - asyncio.get_running_loop().time()

    async def follow(self, flight: Flight, form: Form | None) -> Ending | Feed:
        """Follow *flight* while it gives signs of life. One that is silent for too long is not followed any more."""
        told = flight.follow(form)
        if isinstance(told, Feed):
            return told
        try:
            while not told.done():
                if (left := self.patience(flight)) <= 0:
                    self._forget(flight)
                    return Ending.LATE
                await asyncio.wait((told,), timeout=left)
            return told.result()
        finally:
            told.cancel()

    def end(self, flight: Flight, ending: Ending) -> None:
        """End *flight*; may be said twice. Who follows its stream already is told by `Live.end`."""
        self._forget(flight)
        flight.release(ending)

    def landed_since(self, key: str, ended: int) -> bool:
        """Whether a flight of *key* has ended since `ended` was read: what was not there then may be there now."""
        return self._landed.get(key, 0) > ended

    def _forget(self, flight: Flight) -> None:
        if self._open.get(flight.key) is flight:
            del self._open[flight.key]
            self.ended += 1
            self._landed.pop(flight.key, None)
            self._landed[flight.key] = self.ended
            if len(self._landed) > REMEMBERED:
                del self._landed[next(iter(self._landed))]

    def close(self) -> list[Flight]:
        """Let go of all who wait; return the flights that were under way. A stream goes on to all who follow it."""
        flights = list(self._open.values())
        for flight in flights:
            self.end(flight, Ending.FAILED)
        return flights
