"""Milvus' REST API as the fake insists on it, answered by a real Milvus Lite. Entry point: `milvus_lite`."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path
from typing import Any

from support.absent import missing
from support.bridge import Bridge, installed
from support.vectorstores.milvus import milvus
from support.vectorstores.strict import Route, Strict


def milvus_lite() -> Strict:
    """Return a Milvus with no collection: what the fake allows is done by Milvus Lite."""
    if not installed("milvus_lite"):
        missing("Milvus Lite (scripts/test-servers fetches it)")
    _ask("drop", {"collectionName": "answers"})
    fake = milvus()
    fake.routes = {
        (method, path): _checked(route, path.removeprefix("/v2/vectordb/"))
        for (method, path), route in fake.routes.items()
    }
    return fake


def _checked(route: Route, what: str) -> Route:
    def answer(body: Any) -> tuple[int, Any]:
        route(body)
        return 200, _ask(what, body)

    return answer


def _ask(what: str, body: Any) -> Any:
    return _started().ask(what, body)


@functools.cache
def _started() -> Bridge:
    folder = tempfile.TemporaryDirectory(prefix="aicache-milvus-")
    atexit.register(folder.cleanup)
    return Bridge(Path(__file__).with_name("milvus_bridge.py"), f"{folder.name}/milvus.db")
