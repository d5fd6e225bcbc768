"""Calls that ask the same at the same time: who leads, who follows, and what becomes of a follower in each case.

A follower is answered from what the leader's reply has become, or by the leader's stream while it comes.
When the leader's client leaves or upstream fails, the next one leads, unless he has an expired answer to fall back
on; who has one waits for a reply to begin no longer than for a provider. A reply that is none to store is for its
leader alone, so then each asks by himself, all at once.
It does not know modes, stores or the proxy. Entry points: `join`, then `answered` and `landed` or `abandoned`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from .capture import Tee, streams
from .chat import BackendError, Bypass, Call, Entry, Headers, Hit, Miss, Outcome
from .flights import Ending, Feed, Flight, Flights, Live
from .freshness import failing
from .recorder import Ticket
from .stage import Stage

OK = 200
DOWN = "store-error"
"""The reason of a miss where the store has had its time already."""
PAUSE, SHORT, LONGEST = 0.005, 0.1, 1.0
"""Seconds between two looks at what another process fetches: the first ones, those of the first seconds, the last ones.

Later ones are a hundredth of what was waited: nobody notices that, and a Redis has little to do for calls of minutes.
"""
LEADERS = 2
"""Whom a call waits for at the most before it goes upstream by itself."""


class Client(Protocol):
    """Who asked."""

    @property
    def connected(self) -> bool:
        """Whether he is still there to be answered."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The call is answered by the stream of an identical one, while that comes."""

    feed: Feed


Joined = tuple[Outcome | Followed, Ticket | None]


class Locks(Protocol):
    """Who asks upstream, among processes that share a store. Each method may raise `BackendError` or `TimeoutError`."""

    seconds: float
    """How long a lock lasts that nobody renews."""

    async def take(self, key: str) -> str:
        """Return the token of a lock that is ours now; empty where another process has it."""

    async def holder(self, key: str) -> str:
        """Return the token of whoever has it; empty where nobody does."""

    async def renew(self, key: str, owner: str) -> None:
        """Let it last from now on again, if it is still *owner*'s."""

    async def release(self, key: str, owner: str) -> None:
        """Give it back, if it is still *owner*'s."""


class Crowd:
    """*find*: looks a call up; *judged*: what was recorded a moment ago; *wait*: seconds; *limit*: bytes of a reply.

    *locks*: where other processes ask the same, too; *bound*: seconds that a call waits which has a fallback.
    """

    def __init__(
        self,
        find: Callable[[Ticket], Awaitable[Hit | str]],
        judged: Callable[[str], Awaitable[Entry | None]],
        stage: Stage,
        wait: float,
        limit: int,
        locks: Locks | None = None,
        bound: float = 120.0,
    ) -> None:
        self.flights, self._bound = Flights(wait), bound
        self._find, self._judged, self._stage, self._limit, self._locks = find, judged, stage, limit, locks
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, ticket: Ticket, reason: str, ended: int, client: Client | None) -> Joined:
        """Return what becomes of a miss for *reason*: it leads, or follows, at most `LEADERS`.

        *ended*: how many flights had ended before the look-up; *client*: nobody goes upstream for one who is gone.
        """
        if ticket.fallback is None:
            return await self._join(ticket, reason, ended, client)
        try:
            async with asyncio.timeout(self._bound):
                return await self._join(ticket, reason, ended, client)
        except TimeoutError:
            return ticket.fallback, None

    async def _join(self, ticket: Ticket, reason: str, ended: int, client: Client | None) -> Joined:
        flights, waited = self.flights, 0
        while waited < LEADERS:
            if flights.landed_since(ticket.key, ended):  # what was not there when we looked may be there now
                ended = flights.ended
                if isinstance(found := await self._found(ticket), Hit):
                    return found, None
            if (flight := flights.under_way(ticket.key)) is None:
                ticket.flown.append(flights.lead(ticket.key, ticket.call.form))
                return await self._lead(ticket, reason, client)
            ending = await self._follow(flight, ticket.call)
            if isinstance(ending, Feed):
                return Followed(ending), None
            if client is not None and not client.connected:
                return Bypass("client-left"), None
            ended, waited = flights.ended, waited + (ending is not Ending.UNSENT)
            after = await self._after(ticket, ending)
            if isinstance(after, Hit):
                return after, None
            if not after:
                break
        return Miss(reason), ticket

    async def _lead(self, ticket: Ticket, reason: str, client: Client | None) -> Joined:
        """Go upstream for all who follow, unless another process does: then wait for what it stores."""
        if self._locks is None or ticket.flight is None or reason == DOWN:
            return Miss(reason), ticket
        try:
            hit = await self._elsewhere(self._locks, ticket.flight, ticket, client)
        except (BackendError, TimeoutError):  # the store is down or slow: nobody waits for it
            return Miss(reason), ticket
        except asyncio.CancelledError:  # one who waits no longer is as good as gone, and another may lead
            self._end_unsent(ticket, ticket.flight)
            raise
        except BaseException:
            self.abandoned(ticket)
            raise
        if isinstance(hit, Hit):
            self.flights.end(ticket.flight, Ending.RECORDED)
            self.over(ticket)
            return hit, None
        if client is not None and not client.connected:
            self._end_unsent(ticket, ticket.flight)
            return Bypass("client-left"), None
        return Miss(reason), ticket

    def _end_unsent(self, ticket: Ticket, flight: Flight) -> None:
        self.flights.end(flight, Ending.UNSENT)
        self.over(ticket)

    async def _elsewhere(self, locks: Locks, flight: Flight, ticket: Ticket, client: Client | None) -> Hit | None:
        """Return what another process fetches; None when it is for us to do, with the lock or without it."""
        begun, pause, holder, leaders = flight.heard, PAUSE, "", set[str]()
        while holder or not await self._locked(locks, flight):
            holder = await locks.holder(ticket.key)  # before looking: it is given back after storing
            if isinstance(hit := await self._found(ticket), Hit):
                return hit
            leaders.add(holder)
            gone = client is not None and not client.connected
            flight.alive()  # whoever follows it waits for the other process, too, or for what comes now
            if gone or hit == DOWN or len(leaders - {""}) > LEADERS:
                return None
            if holder:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, max(SHORT, (flight.heard - begun) / 100), LONGEST)
        found = await self._found(ticket)  # who had it may have stored the answer meanwhile
        return found if isinstance(found, Hit) else None

    async def _locked(self, locks: Locks, flight: Flight) -> bool:
        """Take the lock, if it is free; it is ours from now on."""
        flight.owner = await locks.take(flight.key)
        if flight.owner:
            self._renew_later(locks, flight)
        return bool(flight.owner)

    def _renew_later(self, locks: Locks, flight: Flight) -> None:
        flight.renewal = asyncio.get_running_loop().call_later(locks.seconds / 3, self._renew, locks, flight)

    def _renew(self, locks: Locks, flight: Flight) -> None:
        """Keep the lock while our call gives signs of life, so that other processes do not make it twice."""
        if flight.owner and self.flights.patience(flight) > 0:
            self._do(self._tried(locks.renew(flight.key, flight.owner)))
            self._renew_later(locks, flight)

    async def _follow(self, flight: Flight, call: Call) -> Ending | Feed:
        staged = call.form.streamed and await self._stage.open()
        return await self.flights.follow(flight, call.form if staged else None)

    async def _after(self, ticket: Ticket, ending: Ending) -> Hit | bool:
        """Return the answer that the leader left; without one, whether somebody else may be followed or may lead."""
        if ending is Ending.DOWN and ticket.fallback:
            return ticket.fallback
        if ending in (Ending.FAILED, Ending.LATE):
            return False
        found = await self._found(ticket)
        if isinstance(found, Hit):
            return found
        return ending in (Ending.LEFT, Ending.UNSENT, Ending.DOWN) or found.startswith("form-")

    async def _found(self, ticket: Ticket) -> Hit | str:
        found = await self._find(ticket)
        return replace(found, kind="collapsed") if isinstance(found, Hit) and found.kind == "exact" else found

    def answered(self, ticket: Ticket, status: int, headers: Headers, tee: Tee | None) -> None:
        """Take the head of the reply: nobody waits for an error's body; a stream that *tee* copies can be followed."""
        flight = ticket.flight
        if flight is None:
            return
        flight.alive()
        if status != OK:
            self.flights.end(flight, Ending.DOWN if failing(status) else Ending.LEFT)
            self.over(ticket)
        elif tee is not None:
            if streams(headers):
                flight.flow(status, headers, tee.pieces, self._limit)
            tee.follow, tee.lose = flight.hear, partial(self._lost, flight)

    def _lost(self, flight: Flight) -> None:
        """Send those who wait upstream: the reply is too large to be stored. Its stream goes on."""
        self.flights.end(flight, Ending.FAILED)
        if flight.live:
            flight.live.lose()

    def landed(self, ticket: Ticket, *, whole: bool, left: bool) -> None:
        """Let those who wait have what is being recorded. *whole*: HTTP marked the end; *left*: the client went."""
        if (flight := ticket.flight) is None:
            return
        self.flights.end(flight, Ending.LEFT if left else Ending.RECORDED)
        live = flight.live
        if live and live.feeds and not whole:
            self._do(self._end(flight.key, live))
        elif live:
            live.end(whole=True)

    async def _end(self, key: str, live: Live) -> None:
        """End a stream whose end HTTP did not mark: it is whole when its dialect says so."""
        live.end(whole=await self._judged(key) is not None)

    def abandoned(self, ticket: Ticket, *, whole: bool = False, left: bool = False, down: bool = False) -> None:
        """Let go of those who wait for what is not recorded.

        *whole*: the stream came to its end all the same; *left*: the client went; *down*: upstream cannot answer.
        """
        if flight := ticket.flight:
            self.flights.end(flight, Ending.LEFT if left else Ending.DOWN if down else Ending.FAILED)
            self.over(ticket)
            if flight.live:
                flight.live.end(whole=whole)

    def over(self, ticket: Ticket) -> None:
        """Let other processes go on: what there was to store is stored. May be said twice."""
        if ticket.flight:
            self._unlock(ticket.flight)

    def _unlock(self, flight: Flight) -> None:
        owner, flight.owner = flight.owner, ""
        if flight.renewal:
            flight.renewal.cancel()
        if owner and self._locks:
            self._do(self._tried(self._locks.release(flight.key, owner)))

    async def _tried(self, command: Awaitable[None]) -> None:
        with contextlib.suppress(BackendError, TimeoutError):  # then the lock ends by itself
            await command

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let go of everybody, here and elsewhere."""
        for flight in self.flights.close():
            self._unlock(flight)
        await asyncio.gather(*self._tasks)
