"""The vectors of one partition in a graph (HNSW, by usearch): a million of them are searched in under a millisecond.

It stands in for `matrix` where partitions are large: it finds the nearest almost always, not always, and then the
neighbor that it overlooks is a miss. It finds them by vectors of bytes; their scores are exact all the same, for those
found are compared again, in float64. A graph takes long to build, so it is saved beside the file of the points, under
the same folder's protection, and brought up to what that says when it is opened: each point's number there is its
label here. Entry points: `Graph`, `Graphs`.
"""

from __future__ import annotations

import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from usearch.index import Index

from .door import Vector
from .matrix import Near, ranked, whole
from .pages import Pages, Rows, Slots

log = logging.getLogger("aicache.index")

SPARE = 8
"""More are asked for than are wanted, so that equally near ones come in the order of their keys."""
EXPANSION = 128
"""Points that a search keeps in view. Of a million these find the nearest for 97 questions in 100, in 0.7 to 1.0 ms of
processor time; 64 for 94 in 0.7 ms, and 256 for 99 in 1.2 ms (measured: 256 numbers, 1,000 topics)."""
ROUNDS = 4
"""Searches for one question at the most, each after the expired points of the last were removed."""
WORTHWHILE = 1000
"""Points from which on a graph is saved; a smaller one is built in a moment."""
CHUNK = 1 << 24
"""Bytes that are read at a time for the checksum."""


class Graph:
    """Points of *dim* numbers each, as `matrix.Matrix` keeps them. The caller holds `lock` around everything."""

    work = 0
    """A search reads little however large the graph is, so it is done on the spot."""

    def __init__(self, dim: int, index: Index | None = None) -> None:
        self.dim = dim
        self.lock = threading.Lock()
        self._index = Index(ndim=dim, metric="ip", dtype="i8", expansion_search=EXPANSION) if index is None else index
        self._pages = Pages(dim, "F")
        self._slots: Slots[int] = Slots()
        """Where the point of a label is."""
        self.changed = False
        """Whether the graph is another one than was saved."""

    def __len__(self) -> int:
        return len(self._pages)

    def __repr__(self) -> str:
        return f"<Graph {len(self)} points of {self.dim} numbers>"

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""
        return self._pages.bytes + len(self._index) * self.dim

    def put(self, rows: Rows) -> None:
        """Keep points in place of those with their keys; what is no unit vector of this dimension is left out."""
        if rows.vectors.shape[1] != self.dim:
            return
        chosen = whole(rows.vectors)
        labels, keys = rows.seqs[chosen], rows.keys[chosen]
        for label, key in zip(labels.tolist(), keys, strict=True):
            if (slot := self._pages.find(key)) is not None and self._pages.seq(slot) != label:
                self.remove(key)
        for label, slot in zip(labels.tolist(), self._pages.put(rows, chosen), strict=True):
            self._slots.put(label, slot)
        fresh = ~np.asarray(self._index.contains(labels))
        if fresh.any():
            self.changed = True
            self._index.add(labels[fresh], rows.vectors[chosen][fresh], threads=1)

    def remove(self, key: str) -> None:
        """Forget the point of *key*, if it is here."""
        if (slot := self._pages.find(key)) is not None:
            label = self._pages.seq(slot)
            self._pages.remove(key)
            self._slots.pop(label)
            self._index.remove(label)
            self.changed = True

    def clear(self) -> Iterator[None]:
        """Forget everything, a little at each step."""
        yield from self._pages.clear()
        yield from self._slots.clear()

    def settle(self) -> None:
        """Forget what a saved graph has beyond the points that were put."""
        if len(self._index) == len(self):
            return
        stale = [label for label in np.asarray(self._index.keys).tolist() if self._slots.get(label) is None]
        for label in stale:
            self._index.remove(label)
            self.changed = True

    def nearest(self, vector: Vector, count: int, now: float) -> list[Near]:
        """Return the *count* nearest that live at *now*, nearest first, equally near ones by their keys."""
        slots: list[int] = []
        for _ in range(ROUNDS):
            if not self._pages or count < 1:
                return []
            labels = self._index.search(vector, min(2 * count + SPARE, len(self._index)), threads=1).keys
            known = [slot for label in labels.tolist() if (slot := self._slots.get(label)) is not None]
            slots = [slot for slot in known if self._pages.expires(slot) > now]
            for slot in set(known) - set(slots):
                self.remove(self._pages.told(slot).key)
            if len(slots) == len(known):
                break
        return ranked(self._pages, vector, slots, count)

    def save(self, path: Path) -> None:
        """Write the graph to *path*, whole or not at all."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_suffix(".new")
        self._index.save(fresh)
        fresh.chmod(0o600)
        _sum_of(path).unlink(missing_ok=True)
        fresh.replace(path)
        _sum_of(path).write_text(_checked(path))
        self.changed = False


class Graphs:
    """Where graphs are saved: one file a partition in *folder*, or nowhere (None)."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def open(self, store: str, partition: str, dim: int) -> Graph:
        """Return the graph that was saved for *partition* of the file *store*, or a new one; `put` completes it."""
        path = self._path(store, partition)
        try:
            if path is not None and _sum_of(path).read_text() == _checked(path):
                index = Index.restore(path, expansion_search=EXPANSION)
                if index is not None and index.ndim == dim:
                    return Graph(dim, index)
        except FileNotFoundError:
            pass
        except (OSError, RuntimeError, ValueError) as error:
            log.warning("%s cannot be read (%s): it is built anew", path, error)
        return Graph(dim)

    def keep(self, store: str, partition: str, memory: Graph) -> None:
        """Save the graph *memory* if that saves time."""
        path = self._path(store, partition)
        if path is not None and memory.changed and len(memory) >= WORTHWHILE:
            try:
                memory.save(path)
            except (OSError, RuntimeError) as error:
                log.warning("%s cannot be written (%s): it will be built anew", path, error)

    def _path(self, store: str, partition: str) -> Path | None:
        return self._folder and self._folder / f"{store}-{partition}.usearch"


def _sum_of(path: Path) -> Path:
    return path.with_suffix(".crc32")


def _checked(path: Path) -> str:
    """Return size and checksum of a file: the library reads what it is given, and a damaged graph ends the process."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
        return f"{os.fstat(file.fileno()).st_size} {value}"
