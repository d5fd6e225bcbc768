"""`scripts/aicache` in processes of its own; every folder private, so that no test sees the user's."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .proxy import ROOT

AICACHE = ROOT / "scripts" / "aicache"

ASK = """
import json, os, sys, urllib.request
question, base = sys.argv[1], os.environ.get("OPENAI_BASE_URL") or sys.argv[2]
body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}).encode()
request = urllib.request.Request(base + "/chat/completions", body, {"content-type": "application/json"})
try:
    response = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    response = error
print(response.status, response.headers["cache-status"], response.read().decode())
"""
"""A client of nothing but the standard library, which reads proxy variables and SSL_CERT_FILE: QUESTION [BASE URL]."""


@dataclass(frozen=True)
class Command:
    """The command line with a home of its own."""

    home: Path
    """Holds mitmproxy's certificates; tests may share it, because making them takes time."""
    folder: Path
    """Holds the store, and is the working folder."""

    @property
    def store(self) -> Path:
        """The database."""
        return self.folder / "answers.db"

    def environment(self, **more: str) -> dict[str, str]:
        """Return what the process gets: nothing of the user's that would change its ways."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
        return {**kept, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.folder), "PYTHONUNBUFFERED": "1", **more}

    def __call__(
        self, *args: str, stdin: str = "", python: str = sys.executable, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `aicache ARGS` to its end."""
        command = [python, str(AICACHE), *args]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.folder,
            env=self.environment(**env),
            check=False,
        )

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `aicache run --store ... ARGS`."""
        return self("run", "--store", f"sqlite:{self.store}", *args, **env)

    def ask(self, question: str, *options: str, base: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Have a client ask *question* under `aicache run OPTIONS`."""
        return self.run(*options, "--", sys.executable, "-c", ASK, question, base, **env)

    def start(self, *args: str, **env: str) -> Started:
        """Start `aicache ARGS` and go on."""
        return Started([sys.executable, str(AICACHE), *args], self.folder, self.environment(**env))


class Started:
    """A process that runs; `read_until` waits for what it prints."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=env
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        """What it has printed."""
        return "\n".join(self.lines)

    def read_until(self, text: str, timeout: float = 60) -> str:
        """Return the first line with *text* once it is there."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or any(text in line for line in self.lines), timeout)
            found = next((line for line in self.lines if text in line), None)
        assert found is not None, f"{text!r} was not printed:\n{self.output}"
        return found

    def end(self, timeout: float = 30) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(timeout)
        self._reader.join(10)
        return code
