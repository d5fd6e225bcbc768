"""Qdrant's REST API as the fake insists on it, answered by the Qdrant of its client. Entry point: `qdrant_local`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from support.absent import missing
from support.bridge import Bridge, installed
from support.vectorstores.qdrant import qdrant
from support.vectorstores.strict import Route, Strict


def qdrant_local() -> Strict:
    """Return a Qdrant with no collection: what the fake allows is done by Qdrant's own code."""
    if not installed("qdrant_client"):
        missing("Qdrant's client (scripts/test-servers fetches it)")
    _started().ask("drop", None)
    fake = qdrant()
    fake.routes = {place: _checked(route) for place, route in fake.routes.items()}
    return fake


def _checked(route: Route) -> Route:
    def answer(body: Any = None) -> tuple[int, Any]:
        if body is None:
            return tuple(_started().ask(route.__name__, None))
        route(body)
        return tuple(_started().ask(route.__name__, body))

    return answer


@functools.cache
def _started() -> Bridge:
    return Bridge(Path(__file__).with_name("qdrant_bridge.py"))
