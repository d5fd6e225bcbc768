"""A real mitmdump with the addon, in a process of its own; every port is free, every folder private."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "addon" / "aicache.py"
MITMDUMP = Path(sys.executable).with_name("mitmdump")
LISTENING = re.compile(r"listening at (?:\S*?://)?(?:\S*?@)?\*?([\d.]*):(\d+)")


class Mitmdump:
    """The process; `port` is that of its first mode, `ports` those of all."""

    def __init__(
        self,
        folder: Path,
        *args: str,
        modes: tuple[str, ...] = ("regular",),
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        addon: Path = ADDON,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        command = [*prefix, str(MITMDUMP), "-s", str(addon), "--set", f"confdir={folder / 'confdir'}"]
        for mode in modes:
            command += ["--mode", mode if "@" in mode else f"{mode}@127.0.0.1:0"]
        self.lines: list[str] = []
        self.ports: list[int] = []
        self._modes = len(modes)
        self._fresh: queue.Queue[str | None] = queue.Queue()
        environment = {
            **os.environ,
            "CI": "",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        self.process = subprocess.Popen(
            [*command, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._fresh.put(line)
        self._fresh.put(None)

    def __enter__(self) -> Self:
        while len(self.ports) < self._modes:
            line = self._fresh.get(timeout=30)
            assert line is not None, f"mitmdump ended:\n{self.output}"
            if found := LISTENING.search(line):
                self.ports.append(int(found.group(2)))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port of the first mode."""
        return self.ports[0]

    @property
    def url(self) -> str:
        """The address of the first mode."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has printed."""
        return "\n".join(self.lines)

    @property
    def ca(self) -> Path:
        """Its certificate authority."""
        return self.folder / "confdir" / "mitmproxy-ca-cert.pem"

    def wait_for(self, text: str, count: int = 1, timeout: float = 60) -> None:
        """Return when *text* has been printed *count* times."""
        deadline = time.monotonic() + timeout
        while self.output.count(text) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} was not printed {count} times:\n{self.output}"
            try:
                self._fresh.get(timeout=min(left, 1))
            except queue.Empty:
                continue

    def wait_for_line(self, *texts: str) -> None:
        """Return when a line has been printed in which all of *texts* are, such as what happened and to which model."""
        while not any(all(text in line for text in texts) for line in list(self.lines)):
            try:
                line = self._fresh.get(timeout=60)
            except queue.Empty:
                line = None
            assert line is not None, f"no line with all of {texts} was printed:\n{self.output}"

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(5)
        return code
