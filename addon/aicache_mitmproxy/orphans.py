"""Streams that go on when the client that asked for them leaves, because others read them.

mitmproxy ends the call upstream with its client. Here its HTTP layer does not hear of a client that leaves a stream
that is read elsewhere, and the connections stay until that stream is over or its last reader has left, too; mitmproxy
then takes up where it was. Other calls are untouched. It does not know who reads, nor what becomes of the stream.
Measured on mitmproxy 11.0.2 and 12.2.3. Entry point: `Orphans`, an addon whose place is behind all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from llmcache.flights import Live
from mitmproxy import connection, http
from mitmproxy.proxy import context, events
from mitmproxy.proxy.layer import CommandGenerator, Layer, NextLayer
from mitmproxy.proxy.layers.http import (  # type: ignore[attr-defined]  # the events are there, but in no `__all__`
    HttpLayer,
    HTTPMode,
    HttpStream,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)


@dataclass(eq=False, slots=True)
class Orphan:
    """A flow that goes on without its client."""

    flow: http.HTTPFlow
    deserted: bool = False
    """Whether its last reader has left, too."""


@dataclass(slots=True)
class _Left:
    """What one client has left behind."""

    flows: set[http.HTTPFlow] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Orphans:
    """Flows whose client has left; *read* returns the stream of a flow while somebody else reads it."""

    name = "aicache-orphans"
    """Among mitmproxy's addons."""

    def __init__(self, read: Callable[[http.HTTPFlow], Live | None]) -> None:
        self._read = read
        self._left: dict[str, _Left] = {}
        """By the connection of the client."""

    def __repr__(self) -> str:
        return f"<Orphans of {len(self._left)} clients>"

    def next_layer(self, data: NextLayer) -> None:
        """Put our HTTP layer in the place of mitmproxy's own, if that is what was chosen for a connection."""
        above, layer = None, data.layer
        while layer and type(layer) is not HttpLayer:
            above, layer = layer, getattr(layer, "child_layer", None)
        if isinstance(layer, HttpLayer):
            layer.context.layers.remove(layer)
            ours = _Lasting(layer.context, layer.mode, self)
            if above is None:
                data.layer = ours
            else:
                above.child_layer = ours  # type: ignore[attr-defined]  # each layer with one calls it so, no base class does

    async def client_disconnected(self, client: connection.Client) -> None:
        """Return when nothing is left of what *client* asked for: mitmproxy closes its connections upstream then."""
        if left := self._left.get(client.id):
            await left.over.wait()

    def adopt(self, flow: http.HTTPFlow) -> Orphan | None:
        """Take *flow*, which its client leaves, if somebody else reads it."""
        live = self._read(flow)
        if live is None:
            return None
        orphan = Orphan(flow)
        self._left.setdefault(flow.client_conn.id, _Left()).flows.add(flow)
        live.deserted = partial(self._desert, orphan)
        return orphan

    def _desert(self, orphan: Orphan) -> None:
        orphan.deserted = True
        self.over(orphan.flow)

    def over(self, flow: http.HTTPFlow) -> None:
        """Say that *flow* need not go on; may be said of any flow."""
        if (left := self._left.get(flow.client_conn.id)) and flow in left.flows:
            left.flows.discard(flow)
            if not left.flows:
                del self._left[flow.client_conn.id]
                left.over.set()

    def done(self) -> None:
        """Hold nothing any more: mitmproxy ends."""
        for left in self._left.values():
            left.over.set()
        self._left.clear()


class _Lasting(HttpLayer):
    """mitmproxy's layer, with an ear for clients that leave."""

    def __init__(self, context: context.Context, mode: HTTPMode, orphans: Orphans) -> None:
        super().__init__(context, mode)
        self._orphans = orphans
        self._left: dict[int, tuple[Orphan, RequestProtocolError]] = {}
        """Streams that their client has left, and how mitmproxy put it."""

    def event_to_child(self, child: Layer | HttpStream, event: events.Event) -> CommandGenerator[None]:
        """Pass *event* on to *child*, unless it is a client's farewell to an orphan, or meant for that client."""
        if isinstance(child, HttpStream):
            if isinstance(event, RequestProtocolError) and (orphan := self._orphans.adopt(child.flow)):
                self._left[child.stream_id] = orphan, event
                return _nothing()
            if child.stream_id in self._left and self._left[child.stream_id][0].deserted:
                return self._let_go(child, event)
        elif self._left and isinstance(event, REPLIES) and event.stream_id in self._left and self._is_client(child):
            return _nothing()
        return super().event_to_child(child, event)

    def _let_go(self, child: HttpStream, event: events.Event) -> CommandGenerator[None]:
        """Tell mitmproxy at last that the client has left."""
        _, farewell = self._left.pop(child.stream_id)
        yield from super().event_to_child(child, farewell)
        yield from super().event_to_child(child, event)

    def _is_client(self, child: Layer | HttpStream) -> bool:
        return child is self.connections.get(self.context.client)


def _nothing() -> CommandGenerator[None]:
    yield from ()


REPLIES = (ResponseHeaders, ResponseData, ResponseTrailers, ResponseEndOfMessage, ResponseProtocolError)
