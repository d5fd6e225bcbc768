"""A small internet of three network namespaces: clients, the proxy that is their router, and the provider.

    client 10.88.1.2 --lan-- 10.88.1.1 proxy 10.88.2.1 --wan-- 10.88.2.2 provider (port 443, and everything else)

What a client sends to anywhere is redirected into the proxy's transparent port.
What leaves towards the provider, or towards anywhere else, is counted.
Entry point: `Network`. It needs root, `ip` and `nft`; nothing of it is seen or reached from outside.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import pytest

from support.absent import missing

T = TypeVar("T")

NAME = "api.openai.test"
CLIENT, ROUTER, PROVIDER = "10.88.1.2", "10.88.1.1", "10.88.2.2"
TRANSPARENT, FORWARD, REVERSE = 8080, 8081, 8082
RULES = f"""
table ip aicache {{
  counter left {{ }}
  chain arriving {{
    type nat hook prerouting priority dstnat
    iifname "lan" ip daddr != {ROUTER} meta l4proto tcp redirect to :{TRANSPARENT}
  }}
  chain leaving {{
    type filter hook postrouting priority filter
    oifname "wan" counter name "left"
  }}
}}
"""
FILES = {
    "hosts": f"127.0.0.1 localhost\n{PROVIDER} {NAME}\n",
    "resolv.conf": f"nameserver {PROVIDER}\noptions timeout:1 attempts:1\n",
}
"""What programs in a namespace see in /etc; a question to the DNS goes to the provider's side and is counted."""


class End(NamedTuple):
    """One end of a cable."""

    name: str
    """The namespace."""
    link: str
    address: str


class Network:
    """The three namespaces, for as long as the `with` lasts."""

    def __init__(self) -> None:
        self.client, self.proxy, self.provider = self._names = [f"aicache{os.getpid()}{end}" for end in "cpu"]

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            shutil.rmtree(etc(name), ignore_errors=True)

    def _make(self) -> None:
        for name in self._names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "dev", "lo", "up")
            etc(name).mkdir(parents=True)
            for file, text in FILES.items():
                (etc(name) / file).write_text(text)
        join(End(self.proxy, "lan", f"{ROUTER}/24"), End(self.client, "eth0", f"{CLIENT}/24"))
        join(End(self.proxy, "wan", "10.88.2.1/24"), End(self.provider, "eth0", f"{PROVIDER}/24"))
        run("ip", "-n", self.client, "route", "add", "default", "via", ROUTER)
        run("ip", "-n", self.proxy, "route", "add", "default", "via", PROVIDER)
        run("ip", "netns", "exec", self.proxy, "nft", "-f", "-", text=RULES)

    def left(self) -> int:
        """How many packets have left the proxy towards the provider or anywhere else."""
        listed = run("ip", "netns", "exec", self.proxy, "nft", "-j", "list", "counter", "ip", "aicache", "left")
        return next(item["counter"]["packets"] for item in json.loads(listed)["nftables"] if "counter" in item)

    def listener(self) -> socket.socket:
        """Return a socket at the provider's port 443."""
        return inside(self.provider, lambda: socket.create_server((PROVIDER, 443)))


def prefix(name: str) -> tuple[str, ...]:
    """Return what starts a program in namespace *name*."""
    return "ip", "netns", "exec", name


def inside(name: str, function: Callable[[], T]) -> T:
    """Return what *function* does on a thread in namespace *name*; the sockets that it opens stay there."""

    def entered() -> T:
        descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):  # CLONE_NEWNET; os.setns came with 3.12
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)
        return function()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(entered).result()


def need() -> None:
    """Skip the test where no namespaces can be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            missing(program)
    allowed = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
    if allowed.returncode:  # a container without the right to: nothing that CI could install
        pytest.skip(f"network namespaces are not allowed here: {allowed.stderr.strip()}")


def etc(name: str) -> Path:
    """Return the folder whose files `ip netns exec` lays over /etc."""
    return Path("/etc/netns") / name


def join(left: End, right: End) -> None:
    """Lay a cable between two namespaces."""
    peer = ("peer", "name", right.link, "netns", right.name)
    run("ip", "-n", left.name, "link", "add", left.link, "type", "veth", *peer)
    for end in (left, right):
        run("ip", "-n", end.name, "address", "add", end.address, "dev", end.link)
        run("ip", "-n", end.name, "link", "set", "dev", end.link, "up")


def run(*command: str, text: str = "") -> str:
    """Return what *command* prints; raise `CalledProcessError` when it fails."""
    return subprocess.run(command, input=text, capture_output=True, check=True, text=True, timeout=30).stdout
