"""A network namespace that has loopback and nothing else, and every packet that is seen in it.

Entry points: `Island`, and `Packet` for what was seen. It needs root and `ip`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from typing import NamedTuple, Self

from support.network import etc, inside, run

ALL = 0x0003
"""ETH_P_ALL: every protocol (linux/if_ether.h)."""
HOSTS = "127.0.0.1 localhost\n"
RESOLVER = "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n"
"""A question to the DNS would be a packet on loopback, and so be seen."""


class Packet(NamedTuple):
    """One packet."""

    interface: str
    protocol: int
    """Of IP: 6 for TCP, 17 for UDP; -1 for what is no IPv4."""
    target: str
    port: int


class Island:
    """The namespace, for as long as the `with` lasts; `packets` is what was seen so far."""

    def __init__(self) -> None:
        self.name = f"aicache{os.getpid()}i"
        self.packets: list[Packet] = []

    def __enter__(self) -> Self:
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "dev", "lo", "up")
        etc(self.name).mkdir(parents=True)
        (etc(self.name) / "hosts").write_text(HOSTS)
        (etc(self.name) / "resolv.conf").write_text(RESOLVER)
        self._ear = inside(self.name, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL)))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        inside(self.name, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"over", ("127.0.0.1", OVER)))
        self._thread.join(10)
        self._ear.close()
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        shutil.rmtree(etc(self.name), ignore_errors=True)

    def _listen(self) -> None:
        while True:
            data, (interface, *_) = self._ear.recvfrom(200)
            packet = read(interface, data)
            if (packet.protocol, packet.port) == (17, OVER):
                return
            self.packets.append(packet)

    def routes(self) -> str:
        """Return the routes that lead anywhere but here."""
        return run("ip", "-n", self.name, "route", "show")


def read(interface: str, data: bytes) -> Packet:
    """Return what the IPv4 header in *data* says (RFC 791, RFC 9293)."""
    if not data or data[0] >> 4 != 4:
        return Packet(interface, -1, "", 0)
    ports = (data[0] & 15) * 4
    return Packet(interface, data[9], socket.inet_ntoa(data[16:20]), int.from_bytes(data[ports + 2 : ports + 4]))


OVER = 9
"""The port of the packet that ends the capture (discard, RFC 863)."""
