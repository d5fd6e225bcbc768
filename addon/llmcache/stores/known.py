"""Which keys a database surely does not hold, so that a miss needs no hop to the database's thread.

A Bloom filter (Bloom, 1970) of all its keys, good while nobody else has written: `PRAGMA data_version` tells the
writer's thread, the state of the log (`hot.Stamp`) everybody else. Being wrong costs a call upstream, never an answer.
It knows no SQL. Entry points: `add`, `excludes`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .hot import Stamp

BITS = 24
"""Of a position: 16 million bits, 2 MB; of a million keys one in two hundred is taken for known."""
_MASK = (1 << BITS) - 1


class Known:
    """The keys of one database at the state *stamp*, read by a connection for which its version was *version*."""

    def __init__(self, keys: Iterable[str], stamp: Stamp, version: int) -> None:
        self._bits = bytearray(1 << (BITS - 3))
        self.stamp, self.version = stamp, version
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """Note a key. Any thread may."""
        for at in _places(key):
            self._bits[at >> 3] |= 1 << (at & 7)

    def excludes(self, key: str) -> bool:
        """Whether *key* was surely not there at `stamp`."""
        bits = self._bits
        return not all(bits[at >> 3] & 1 << (at & 7) for at in _places(key))


def _places(key: str) -> tuple[int, int, int]:
    number = hash(key)
    return number & _MASK, number >> 20 & _MASK, number >> 40 & _MASK
