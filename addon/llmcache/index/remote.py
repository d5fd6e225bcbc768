"""An index that a vector store keeps, whichever speaks HTTP: what all of them have in common.

It sees to it that the collection is there and fits, gives points ids that stay the same, turns scores into cosines,
and believes no filter but its own: what comes back from another partition, or over its time, is dropped.
How one store is asked is a `Service`, a file each; this file does not know any. Entry point: `RemoteIndex`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from ..chat import BackendError
from ..httpclient import HttpClient, Manners, reading
from . import Neighbor, Point
from .door import Vector, clipped, live, ordered, sound, sound_points

log = logging.getLogger("aicache.index")

NEVER = 253_402_300_799.0
"""When a point expires that does not, as a number that every store can compare: the end of the year 9999."""
SWEEP_SECONDS = 600.0
"""Between two deletions of expired points; they are not found meanwhile, so nothing hurries."""
BATCH = 50
"""Points of one write: with large vectors that is half of what the narrowest store takes, Pinecone's 2 MB."""
OFF = 0.01
"""By how much a cosine may be off [-1, 1] from rounding or quantization; beyond, it is another measure."""
IDS = uuid.UUID("6f0d3e0c-2f6b-5d0a-9a4e-6c1f7b1f2d90")
"""The namespace of our ids."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a collection is, and how one gets there."""

    url: str
    """Where the store's API begins."""
    collection: str
    """As the user wrote it."""
    api_key: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 10.0
    """Seconds that a call may take."""
    proxy: str = field(default="", repr=False)
    """A URL, `environment`, or none."""
    certificates: str = ""
    """A file of those to trust; empty: the system's."""

    @property
    def quoted(self) -> str:
        """The collection as a part of a path."""
        return quote(self.collection, safe="")

    def client(self, name: str, headers: Mapping[str, str], remedies: Mapping[int, str]) -> HttpClient:
        """Return what asks the store *name* there."""
        return HttpClient(
            name,
            self.url,
            headers,
            self.timeout,
            remedies=remedies,
            verify=self.certificates or True,
            manners=Manners(proxy=self.proxy),
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """What a collection is like."""

    metric: str
    """In the words of the store."""
    dim: int | None = None
    """None where the store does not say, or does not know before the first point."""


@dataclass(frozen=True, slots=True)
class Row:
    """A point as it is kept."""

    id: str
    """A UUID."""
    vector: Vector = field(repr=False)
    fields: dict[str, str | float] = field(repr=False)
    """The names of `FIELDS`; two of them are Higress'."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for."""

    context: str
    """The partition."""
    vector: Vector = field(repr=False)
    count: int
    now: float
    """Unix seconds: what expires by then is not wanted."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a store found, before anybody believes it."""

    score: float
    fields: Mapping[str, Any] = field(repr=False)


class Service(Protocol):
    """How one store is asked. Every method may raise `BackendError`, or what `httpclient.reading` turns into one."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def metrics(self) -> Mapping[str, Callable[[float], float]]:
        """The measures that can be turned into the cosine of unit vectors, and how. We create with the first."""

    async def describe(self) -> Shape | None:
        """Return what the collection is like, None when there is none."""

    async def create(self, dim: int) -> None:
        """Make the collection."""

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep the rows, in place of those with the same ids; done when they can be found, where the store can say."""

    async def search(self, wanted: Wanted) -> list[Found]:
        """Return the nearest of the context that do not expire by now."""

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget these; unknown ones are no error."""

    async def sweep(self, context: str, now: float) -> None:
        """Forget what has expired, at least in the context."""

    async def close(self) -> None:
        """Let go of every resource."""


class RemoteIndex:
    """The index that *service* keeps. The constructor asks for nothing."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.time) -> None:
        self._service, self._clock = service, clock
        self._opening = asyncio.Lock()
        self._shape: Shape | None = None
        self._sweep_at = 0.0

    def __repr__(self) -> str:
        state = f"{self._shape.metric}, {self._shape.dim} dimensions" if self._shape else "not opened yet"
        return f"<RemoteIndex {self._service.name}: {state}>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points, but those whose time is over. Raises `BackendError`."""
        now = self._clock()
        _insist(partition)
        kept = sound_points(live(points, now))
        if not kept:
            return
        await self._open(kept[0].vector.size)
        rows = [row(partition, point) for point in kept]
        with self._asking():
            for start in range(0, len(rows), BATCH):
                await self._service.put(rows[start : start + BATCH])
        await self._sweep(partition, now)

    async def nearest(self, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        """Return the *count* nearest live points of the partition, nearest first. Raises `BackendError`."""
        if count < 1:
            return []
        _insist(partition)
        vector = sound(vector)
        shape = await self._open(vector.size)
        wanted = Wanted(partition, vector, count, self._clock())
        with self._asking():
            found = await self._service.search(wanted)
            cosine = self._service.metrics[shape.metric]
            neighbors = [self._neighbor(one, cosine) for one in found if _belongs(one.fields, wanted)]
        return ordered(neighbors, count)

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries. Raises `BackendError`."""
        if not keys:
            return
        self._shape = self._shape or await self._describe()
        ids = [id_of(partition, key) for key in keys]
        with self._asking():
            for start in range(0, len(ids) if self._shape else 0, BATCH):
                await self._service.delete(ids[start : start + BATCH])

    async def check(self) -> list[str]:
        """Return what is missing for this index to work, in sentences; nothing is made or changed."""
        try:
            await self._describe()
        except BackendError as error:
            return [str(error)]
        return []

    async def close(self) -> None:
        """Let go of every resource. May be called twice."""
        await self._service.close()

    async def _open(self, dim: int) -> Shape:
        """Return what the collection is like; it is made if there is none, and refused if it does not fit."""
        async with self._opening:
            if self._shape is None:
                self._shape = await self._describe() or await self._create(dim)
        if self._shape.dim not in {None, dim}:
            raise BackendError(
                f"{self._service.name} keeps vectors of {self._shape.dim} numbers in this collection, and the "
                f"embedding model gives {dim}: name another `vector.collectionID` for this model"
            )
        return self._shape

    async def _describe(self) -> Shape | None:
        with reading(self._service.name):
            shape = await self._service.describe()
        if shape is not None and shape.metric not in self._service.metrics:
            raise BackendError(
                f"{self._service.name} compares the vectors of this collection by `{shape.metric}`, which is no "
                f"cosine: name another `vector.collectionID`, or make it with `{next(iter(self._service.metrics))}`"
            )
        return shape

    async def _create(self, dim: int) -> Shape:
        """Make the collection, unless another process was faster."""
        try:
            with reading(self._service.name):
                await self._service.create(dim)
        except BackendError:
            if (shape := await self._describe()) is None:
                raise
            return shape
        return Shape(next(iter(self._service.metrics)), dim)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """A block that asks; after a fault the collection is looked at anew, for it may be another, or gone."""
        try:
            with reading(self._service.name):
                yield
        except BackendError:
            self._shape = None
            raise

    async def _sweep(self, partition: str, now: float) -> None:
        """Delete what has expired, from time to time; a store that cannot has only lost some room."""
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        try:
            with reading(self._service.name):
                await self._service.sweep(partition, now)
        except BackendError as error:
            log.info("expired points stay until the next try: %s", error)

    def _neighbor(self, found: Found, cosine: Callable[[float], float]) -> Neighbor:
        similarity = cosine(float(found.score))
        if not abs(similarity) <= 1 + OFF:
            raise BackendError(f"{self._service.name} gave a score that is no cosine: is its metric another?")
        fields, answer = found.fields, found.fields.get("answer")
        return Neighbor(
            key=fields["entry"],
            similarity=clipped(similarity),
            question=fields["question"],
            answer=answer if isinstance(answer, str) else "",
            created=float(fields["created"]),
        )


def id_of(partition: str, key: str) -> str:
    """Return the id of a point: always the same UUID, which every store takes."""
    return str(uuid.uuid5(IDS, f"{partition}/{key}"))


def row(partition: str, point: Point) -> Row:
    """Return *point* as it is kept."""
    texts = (point.question, point.answer, partition, point.key)
    values = (*texts, float(point.created), NEVER if point.expires is None else float(point.expires))
    return Row(id_of(partition, point.key), point.vector, dict(zip(FIELDS, values, strict=True)))


def _insist(partition: str) -> None:
    """Raise `BackendError` for what is no partition: some stores are asked in a language, where it stands in quotes."""
    if not _PARTITION.fullmatch(partition):
        raise BackendError("a partition is named by letters and digits; this one is not")


def _belongs(fields: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether a point is one of ours, of this partition and alive. Higress' own has no context and answers nobody."""
    texts = fields.get("entry"), fields.get("question")
    numbers = fields.get("created"), fields.get("expires")
    return (
        fields.get("context") == wanted.context
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and fields["expires"] > wanted.now
    )


_PARTITION = re.compile(r"[0-9A-Za-z]{1,128}")
FIELDS = ("question", "answer", "context", "entry", "created", "expires")
"""What is kept with a vector. The first two are called so by Higress."""
