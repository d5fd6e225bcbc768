"""Milvus' REST API as the fake insists on it, answered by a real Milvus Lite. Entry point: `milvus_lite`."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from support.absent import missing
from support.chroma_server import PYTHON
from support.vectorstores.milvus import milvus
from support.vectorstores.strict import Route, Strict

BRIDGE = Path(__file__).with_name("milvus_bridge.py")


def milvus_lite() -> Strict:
    """Return a Milvus with no collection: what the fake allows is done by Milvus Lite."""
    if not list(PYTHON.parents[1].glob("lib/*/site-packages/milvus_lite")):
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
    process = _start()
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps([what, body]) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


@functools.cache
def _start() -> subprocess.Popen[str]:
    folder = tempfile.TemporaryDirectory(prefix="aicache-milvus-")
    atexit.register(folder.cleanup)
    process = subprocess.Popen(
        [PYTHON, BRIDGE, f"{folder.name}/milvus.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(process.kill)
    return process
