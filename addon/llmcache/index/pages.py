"""What memory holds of one partition's points, by slot: their vectors, and what is told of them.

There is no object a point: Python's garbage collector visits every one whenever it visits all, and holds everything up
meanwhile (measured: 70 ms at 100,000 points), but it does not look into numpy's arrays, not even those of objects.
For the same reason nothing is one block, which would be copied as it grows and freed at once.
It knows no distance, file, thread or clock. Entry points: `Pages`, `Slots`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)
Order = Literal["C", "F"]
"""How vectors lie: "C" the first numbers of all together, for sums over all; "F" each in one piece, to read a few."""

FIRST = 4
"""Slots of a new page: most partitions hold one question."""
PAGE = 1 << 24
"""Bytes of vectors in a page; a larger one would be no faster to read."""
SLOTS = 1 << 14
"""Slots of a page at the most."""
SPREAD = 32
"""Dicts in the place of one: growing to a million keys takes one dict 60 ms, and each of these 2 ms."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is told of a point that was found."""

    key: str
    question: str
    created: float
    has_answer: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Points as they go in, each array with one element a point, and with no key twice."""

    seqs: NDArray[np.int64]
    """Their numbers in the file, which no other point ever has, nor the same one with another vector."""
    keys: NDArray[np.object_]
    questions: NDArray[np.object_]
    created: NDArray[np.float64]
    has_answer: NDArray[np.bool_]
    expires: NDArray[np.float64]
    """Unix seconds; infinite for never."""
    vectors: NDArray[np.float32]
    """Shape (n, dim)."""


class Slots(Generic[K]):
    """Where points are, by what they are called; never grows at once."""

    def __init__(self) -> None:
        self._dicts: tuple[dict[K, int], ...] = tuple({} for _ in range(SPREAD))

    def get(self, name: K) -> int | None:
        """Return the slot of a point, None for one that is not here."""
        return self._among(name).get(name)

    def put(self, name: K, slot: int) -> None:
        """Note where a point is."""
        self._among(name)[name] = slot

    def pop(self, name: K) -> int | None:
        """Forget a point. Returns where it was."""
        return self._among(name).pop(name, None)

    def clear(self) -> Iterator[None]:
        """Forget all points, some at each step."""
        for names in self._dicts:
            names.clear()
            yield

    def _among(self, name: K) -> dict[K, int]:
        return self._dicts[hash(name) % SPREAD]


class Page:
    """A run of *width* slots; in each array the last axis is the slot."""

    def __init__(self, dim: int, width: int, order: Order, steps: int) -> None:
        self.vectors: NDArray[np.float32] = np.zeros((dim, width), np.float32, order)
        self.rests: NDArray[np.float32] = np.zeros((steps, width), np.float32)
        """How long what follows a step is, for each of `Pages.steps`."""
        self.absent: NDArray[np.float32] = np.full(width, -np.inf, np.float32)
        """What to add to a score: 0 for a slot in use, minus infinity for a free one."""
        self.seqs: NDArray[np.int64] = np.zeros(width, np.int64)
        self.created: NDArray[np.float64] = np.zeros(width)
        self.expires: NDArray[np.float64] = np.full(width, np.inf)
        self.has_answer: NDArray[np.bool_] = np.zeros(width, np.bool_)
        self.texts: NDArray[np.object_] = np.empty((2, width), np.object_)
        """Keys and questions."""

    def write(self, at: NDArray[np.intp], rows: Rows, chosen: NDArray[np.intp], steps: Sequence[int]) -> None:
        """Put the *chosen* of *rows* into the slots *at*."""
        run = (np.diff(at) == 1).all()  # as most come, and then numpy is told so: it takes a third of the time
        self.vectors[:, slice(at[0], at[-1] + 1) if run else at] = rows.vectors[chosen].T
        for number, step in enumerate(steps):
            rest = rows.vectors[chosen, step:]
            self.rests[number, at] = np.sqrt(np.einsum("ij,ij->i", rest, rest))
        self.absent[at] = 0
        self.seqs[at] = rows.seqs[chosen]
        self.created[at] = rows.created[chosen]
        self.expires[at] = rows.expires[chosen]
        self.has_answer[at] = rows.has_answer[chosen]
        self.texts[:, at] = rows.keys[chosen], rows.questions[chosen]

    def erase(self, at: int) -> None:
        """Free a slot."""
        self.absent[at], self.expires[at], self.texts[:, at] = -np.inf, np.inf, None

    def wider(self, order: Order) -> Page:
        """Return a page of twice the slots, with the same in the first half."""
        dim, width = self.vectors.shape
        page = Page(dim, 2 * width, order, len(self.rests))
        for name, array in vars(self).items():
            getattr(page, name)[..., :width] = array
        return page


class Pages:
    """The points of a partition, with vectors of *dim* numbers."""

    def __init__(self, dim: int, order: Order, steps: Sequence[int] = ()) -> None:
        self._dim, self._order = dim, order
        self.steps = steps
        """After how many of the numbers a search looks who is still needed."""
        self._width = _power(min(SLOTS, max(FIRST, PAGE // (4 * max(dim, 1)))))
        self._pages: list[Page] = []
        self._slots: Slots[str] = Slots()
        self._free: list[int] = []
        self.used = 0
        """Slots in use, and free ones between them."""
        self._soonest = np.inf
        """When the first point expires, or before."""

    def __len__(self) -> int:
        return self.used - len(self._free)

    def __iter__(self) -> Iterator[tuple[int, int, Page]]:
        """Yield the first slot of each page, how many of them are used, and the page."""
        for at, page in zip(range(0, self.used, self._width), self._pages, strict=False):
            yield at, min(self.used - at, self._width), page

    @property
    def bytes(self) -> int:
        """How much memory the vectors take."""
        return sum(page.vectors.nbytes for page in self._pages)

    def at(self, slot: int) -> tuple[Page, int]:
        """Return where a slot is."""
        number, place = divmod(slot, self._width)
        return self._pages[number], place

    def told(self, slot: int) -> Kept:
        """Return what is told of the point in *slot*."""
        page, at = self.at(slot)
        key, question = page.texts[:, at]
        return Kept(key, question, float(page.created[at]), bool(page.has_answer[at]))

    def find(self, key: str) -> int | None:
        """Return the slot of a point, None for one that is not here."""
        return self._slots.get(key)

    def seq(self, slot: int) -> int:
        """Return the number in the file of the point in *slot*."""
        page, at = self.at(slot)
        return int(page.seqs[at])

    def expires(self, slot: int) -> float:
        """Return when the point in *slot* expires."""
        page, at = self.at(slot)
        return float(page.expires[at])

    def put(self, rows: Rows, chosen: NDArray[np.intp]) -> list[int]:
        """Keep the *chosen* of *rows*, in the place of those with their keys. Returns their slots."""
        slots = [self._claimed(key) for key in rows.keys[chosen]]
        numbers, places = np.divmod(np.array(slots, np.intp), self._width)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            self._pages[number].write(places[here], rows, chosen[here], self.steps)
        self._soonest = min(self._soonest, float(rows.expires.min()))
        return slots

    def remove(self, key: str) -> None:
        """Forget the point of *key*, if it is here."""
        slot = self._slots.pop(key)
        if slot is not None:
            page, at = self.at(slot)
            page.erase(at)
            self._free.append(slot)

    def expire(self, now: float) -> None:
        """Forget what has expired."""
        if now < self._soonest:
            return
        for _, count, page in self:
            for key in page.texts[0, :count][page.expires[:count] <= now]:
                self.remove(key)
        self._soonest = min((float(page.expires.min()) for page in self._pages), default=np.inf)

    def clear(self) -> Iterator[None]:
        """Forget everything, a little at each step: what is freed at once holds everything up."""
        self.used, self._free = 0, []
        while self._pages:
            self._pages.pop()
            yield
        yield from self._slots.clear()

    def _claimed(self, key: str) -> int:
        """Return the slot of a point, which is written next."""
        slot = self._slots.get(key)
        if slot is None:
            slot = self._room()
            self._slots.put(key, slot)
        return slot

    def _room(self) -> int:
        """Return a free slot, after making more where there is none."""
        if self._free:
            return self._free.pop()
        slot = self.used
        number, place = divmod(slot, self._width)
        if number == len(self._pages):
            self._pages.append(Page(self._dim, self._width if number else FIRST, self._order, len(self.steps)))
        elif place == self._pages[number].absent.size:
            self._pages[number] = self._pages[number].wider(self._order)
        self.used += 1
        return slot


def _power(number: int) -> int:
    """Return the largest power of two up to *number*."""
    return 1 << number.bit_length() - 1
