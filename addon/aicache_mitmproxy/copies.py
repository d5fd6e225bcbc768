"""Copies of flows, sent upstream beside them: a client neither waits for what becomes of one nor sees it fail.

mitmproxy answers a connection that fails by itself, and no addon can replace that; of what a copy brings, the flow that
waits takes what it can use. A copy meets every hook, as a flow of its own. It does not know what is stored or served.
Measured on mitmproxy 11.0.2 and 12.2.3. Entry points: `Copies.send`, `Pending`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from llmcache.capture import Tee
from llmcache.flights import Feed, Live
from llmcache.freshness import PATIENCE
from mitmproxy import ctx, http
from mitmproxy.addons.clientplayback import ReplayHandler
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error
from mitmproxy.options import Options

from .flows import kept

log = logging.getLogger("aicache")


class Copies:
    """Those under way; *lost* is told of each that ends without a hook, *patience*: seconds until one is given up."""

    def __init__(self, lost: Callable[[http.HTTPFlow], None], patience: float = PATIENCE) -> None:
        self._lost, self._patience = lost, patience
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Copies {len(self._tasks)} under way>"

    def send(self, flow: http.HTTPFlow, given: Mapping[str, Any]) -> http.HTTPFlow:
        """Send a copy of *flow*, credential and all, of which *given* is kept; return it."""
        copy: http.HTTPFlow = flow.copy()
        copy.is_replay, copy.client_conn.state = "request", ConnectionState.OPEN  # its client cannot leave
        kept(copy).update(given)
        handler = ReplayHandler(copy, cast("Options", _Entered(flow.client_conn.proxy_mode.full_spec)))
        task = asyncio.get_running_loop().create_task(self._carry(handler))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return copy

    async def _carry(self, handler: ReplayHandler) -> None:
        """See a copy through; mitmproxy itself would let one that is never answered wait for ever."""
        try:
            async with asyncio.timeout(self._patience):
                await handler.replay()
        except TimeoutError:
            handler.flow.error = Error(f"no answer within {self._patience:g} s")
        except Exception:
            log.exception("aicache: a copy of a call was lost")
            handler.flow.error = Error("internal error of aicache")
        else:
            return
        self._lost(handler.flow)
        for connection in tuple(handler.transports.values()):
            if connection.handler:
                connection.handler.cancel()


class _Entered:
    """mitmproxy's options, but with the mode that a flow came in by as the only one: a parent proxy is its own."""

    def __init__(self, mode: str) -> None:
        self.mode = [mode]

    def __getattr__(self, name: str) -> Any:
        return getattr(ctx.options, name)


@dataclass(frozen=True, slots=True)
class Came:
    """What a copy has brought."""

    response: http.Response
    """Its head; with its body where there is no feed."""
    feed: Feed | None = None
    """Its raw body while it comes."""


class Pending:
    """The answer to a copy, for the one flow that waits for it: a reply, or that there is none."""

    def __init__(self) -> None:
        self._told: asyncio.Future[Came | int] = asyncio.get_running_loop().create_future()
        self._live: Live | None = None

    async def answer(self, seconds: float) -> Came | int | None:
        """Return what came within *seconds*: None for nothing, an integer for a failure, its status or 0."""
        await asyncio.wait((self._told,), timeout=seconds)
        return self._told.result() if self._told.done() else None

    def failed(self, status: int = 0) -> None:
        """Say that upstream failed, with *status* if it said so itself."""
        self._told.set_result(status)

    def begins(self, response: http.Response, tee: Tee) -> None:
        """Say that the reply begins, and that *tee* hears the rest. A slow reader is waited for, as by mitmproxy."""
        live = self._live = Live(response.status_code, (), (), "", sys.maxsize)
        others = tee.follow

        def hear(piece: bytes) -> None:
            live.flow(piece)
            if others:
                others(piece)

        tee.follow = hear
        self._told.set_result(Came(response.copy(), live.join()))

    def ended(self, copy: http.HTTPFlow, tee: Tee | None) -> bool:
        """Say that the copy is over; return whether there is a reply, which may be worth recording."""
        if self._live:
            # A body that ends with its head is no stream to mitmproxy: it asks no tee.
            heard = (tee and tee.ended) or (copy.response and copy.response.raw_content == b"")
            self._live.end(whole=copy.error is None and bool(heard))
        elif copy.error or copy.response is None:
            self.failed()
            return False
        else:
            self._told.set_result(Came(copy.response.copy()))
        return True
