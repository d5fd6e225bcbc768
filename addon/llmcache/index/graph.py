"""The vectors of one partition in a graph (HNSW, by usearch): a million of them are searched in under a millisecond.

It stands in for `matrix` where partitions are large: it finds the nearest almost always, not always, and then the
neighbor that it overlooks is a miss. Scores are exact all the same: those found are compared again, in float64.
A graph takes long to build, so it is saved beside the file of the points, under the same folder's protection, and
brought up to what that says when it is opened: each point's number there is its label here.
Entry points: `Graph`, `Graphs`.
"""

from __future__ import annotations

import logging
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from .door import Vector, clipped
from .matrix import CREDIBLE, Kept, Near, Row

log = logging.getLogger("aicache.index")

SPARE = 8
"""More are asked for than are wanted, so that equally near ones come in the order of their keys."""
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
        self._index = Index(ndim=dim, metric="ip", dtype="f32") if index is None else index
        self._about: dict[int, tuple[Kept, float | None]] = {}
        self._labels: dict[str, int] = {}
        self.changed = False
        """Whether the graph is another one than was saved."""

    def __len__(self) -> int:
        return len(self._labels)

    def __repr__(self) -> str:
        return f"<Graph {len(self)} points of {self.dim} numbers>"

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""
        return len(self._index) * self.dim * 4

    def put(self, rows: Sequence[Row]) -> None:
        """Keep points in place of those with their keys; what is no unit vector of this dimension is left out."""
        fresh = {}
        for row in rows:
            if row.vector.size != self.dim or abs(float(row.vector @ row.vector) - 1) >= CREDIBLE:
                continue
            if self._labels.get(row.kept.key) != row.seq:
                self.remove(row.kept.key)
            self._about[row.seq] = row.kept, row.expires
            self._labels[row.kept.key] = row.seq
            if row.seq not in self._index:
                fresh[row.seq] = row.vector
        if fresh:
            self.changed = True
            self._index.add(np.fromiter(fresh, np.uint64, len(fresh)), np.stack(list(fresh.values())), threads=1)

    def remove(self, key: str) -> None:
        """Forget the point of *key*, if it is here."""
        if (label := self._labels.pop(key, None)) is not None:
            self._about.pop(label, None)
            self._index.remove(label)
            self.changed = True

    def settle(self) -> None:
        """Forget what a saved graph has beyond the points that were put."""
        stale = np.setdiff1d(np.asarray(self._index.keys), np.fromiter(self._about, np.uint64, len(self._about)))
        for label in stale.tolist():
            self._index.remove(label)
            self.changed = True

    def nearest(self, vector: Vector, count: int, now: float) -> list[Near]:
        """Return the *count* nearest that live at *now*, nearest first, equally near ones by their keys."""
        found: list[Near] = []
        for _ in range(ROUNDS):
            if not self._labels or count < 1:
                return []
            labels = self._index.search(vector, min(2 * count + SPARE, len(self._index))).keys
            expired = [key for label in labels.tolist() if (key := self._expired(label, now)) is not None]
            for key in expired:
                self.remove(key)
            found = self._rescored(vector, labels)
            if not expired:
                break
        return sorted(found, key=lambda near: (-near.similarity, near.kept.key))[:count]

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

    def _expired(self, label: int, now: float) -> str | None:
        about = self._about.get(label)
        return about[0].key if about and about[1] is not None and about[1] <= now else None

    def _rescored(self, vector: Vector, labels: NDArray[np.uint64]) -> list[Near]:
        known = [label for label in labels.tolist() if label in self._about]
        if not known:
            return []
        rows = np.asarray(self._index.get(np.array(known, np.uint64)), np.float64)
        scores = np.einsum("ij,j->i", rows, vector.astype(np.float64))
        return [
            Near(clipped(score), self._about[label][0]) for label, score in zip(known, scores.tolist(), strict=True)
        ]


class Graphs:
    """Where graphs are saved: one file a partition in *folder*, or nowhere (None)."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def open(self, store: str, partition: str, dim: int) -> Graph:
        """Return the graph that was saved for *partition* of the file *store*, or a new one; `put` completes it."""
        path = self._path(store, partition)
        try:
            if path is not None and _sum_of(path).read_text() == _checked(path):
                index = Index.restore(path)
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
