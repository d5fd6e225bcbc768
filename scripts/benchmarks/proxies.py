"""The proxies that are compared, each a process of its own on a free port, all before the same provider."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))


class Process:
    """A child that listens on *port*."""

    def __init__(self, name: str, command: list[str], port: int, **environment: str) -> None:
        self.name, self.port = name, port
        started = time.perf_counter()
        self.child = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._wait()
        self.start_seconds = time.perf_counter() - started

    def _wait(self) -> None:
        for _ in range(1200):
            if self.child.poll() is not None:
                raise SystemExit(f"{self.name} did not start:\n{self.child.communicate()[1].decode()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not listen within 60 s")

    def stop(self) -> None:
        """End it."""
        self.child.terminate()
        self.child.communicate()

    def peak_memory(self) -> int:
        """Return the most memory it has used so far, bytes (Linux)."""
        return self._status("VmHWM")

    def memory(self) -> int:
        """Return the memory it uses now, bytes (Linux)."""
        return self._status("VmRSS")

    def cpu_seconds(self) -> float:
        """Return the processor time it has used so far (Linux)."""
        stat = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def provider(folder: Path, body: bytes) -> Process:
    """Start the provider that answers *body*."""
    port = free_port()
    (folder / "body.json").write_bytes(body)
    return Process("provider", [sys.executable, str(HERE / "provider.py"), str(port), str(folder / "body.json")], port)


def stock(name: str, folder: Path, upstream: int, *args: str) -> Process:
    """Start mitmdump in reverse mode with *args*."""
    port = free_port()
    mode = ["--mode", f"reverse:http://127.0.0.1:{upstream}@127.0.0.1:{port}"]
    command = [MITMDUMP, "-q", "--set", f"confdir={folder / 'ca'}", *mode, *args]
    return Process(name, command, port, BENCH_BODY=str(folder / "body.json"))


def constant(folder: Path, upstream: int) -> Process:
    """Start the yardstick of hits."""
    return stock("constant answer, mitmdump", folder, upstream, "-s", str(HERE / "constant.py"))


def idle(folder: Path, upstream: int) -> Process:
    """Start what no addon can beat: mitmproxy calls one more addon for each of its events."""
    return stock("an addon that does nothing", folder, upstream, "-s", str(HERE / "idle.py"))


def bare(folder: Path, upstream: int) -> Process:
    """Start the yardstick of misses."""
    return stock("bare mitmdump", folder, upstream)


def cache(name: str, folder: Path, upstream: int, store: str) -> Process:
    """Start mitmdump with aicache."""
    addon = str(ROOT / "addon" / "aicache.py")
    return stock(f"aicache {name}, mitmdump", folder, upstream, "-s", addon, "--set", f"aicache_store={store}")


def configured(name: str, folder: Path, upstream: int, settings: str) -> Process:
    """Start mitmdump with aicache, which is configured by *settings*, YAML."""
    path = folder / f"{name.replace(' ', '-')}.yaml"
    path.write_text(settings, encoding="utf-8")
    addon = str(ROOT / "addon" / "aicache.py")
    return stock(f"aicache {name}, mitmdump", folder, upstream, "-s", addon, "--set", f"aicache_config={path}")


def serve(folder: Path, upstream: int, store: str, name: str = "aicache serve", *more: str) -> Process:
    """Start `aicache serve` with the arguments *more*."""
    port = free_port()
    command = [
        sys.executable,
        str(ROOT / "scripts" / "aicache"),
        "serve",
        "--store",
        store,
        "--port",
        str(free_port()),
        "-q",
    ]
    command += ["--base-url", f"http://127.0.0.1:{upstream}@{port}", "--set", f"confdir={folder / 'ca'}", *more]
    return Process(name, command, port)
