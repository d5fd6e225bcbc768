"""A program of `.venv-servers` that answers calls: one JSON line in, one out. Entry points: `Bridge`, `serve`.

`serve` is the other end, and imports nothing that is not there.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).resolve().parents[2] / ".venv-servers" / "bin" / "python"


class Bridge:
    """The running program *script*, which ends with the tests."""

    def __init__(self, script: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [PYTHON, script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        atexit.register(self._process.kill)

    def ask(self, what: str, body: Any) -> Any:
        """Return what it makes of a call."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([what, body]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def installed(package: str) -> bool:
    """Whether `.venv-servers` has a package."""
    return bool(list(PYTHON.parents[1].glob(f"lib/*/site-packages/{package}")))


def serve(calls: Mapping[str, Callable[[Any], Any]], failed: Callable[[Exception], Any]) -> None:
    """Answer calls until the input ends."""
    for line in sys.stdin:
        what, body = json.loads(line)
        try:
            answer = calls[what](body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            answer = failed(error)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
