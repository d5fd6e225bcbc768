"""A real Chroma for one test run, from the environment that `scripts/test-servers` makes. Entry point: `url`."""

from __future__ import annotations

import atexit
import functools
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from support.absent import missing
from support.bridge import PYTHON
from support.redis_server import free_port

SERVE = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(sys.argv[1:])"
"""Chroma's command is a small program around this, and needs a hundred packages for it."""


def url() -> str:
    """Return where it listens; it is started once, and ends with the run."""
    if not PYTHON.exists():
        missing("Chroma (scripts/test-servers fetches it)")
    return _start()


@functools.cache
def _start() -> str:
    folder = tempfile.TemporaryDirectory(prefix="aicache-chroma-")
    atexit.register(folder.cleanup)
    port = free_port()
    command = ["chroma", "run", "--host", "127.0.0.1", "--port", str(port), "--path", folder.name]
    process = subprocess.Popen(
        [PYTHON, "-c", SERVE, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder.name
    )
    atexit.register(process.kill)
    address = f"http://127.0.0.1:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "Chroma ended at once"
        try:
            with opener.open(f"{address}/api/v2/heartbeat", timeout=5):
                return address
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)  # a server has no way to say that it listens
    raise AssertionError("Chroma does not answer")
