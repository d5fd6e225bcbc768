"""Which entries have equal answers: they belong together, and what is learned about one wording helps all of them.

Of each group it also keeps how often its answer was the wrong one of late: others ask things that are much like it.
It compares nothing itself; it is told who is equal, and what was wrong. Entry point: `Groups`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST = 200_000
"""Keys that are remembered; beyond, the ones that joined first are forgotten, and stand alone again."""
UNKNOWN = 0.3
"""The doubt in a group that was never tried."""
RATE = 0.1
"""How far one outcome moves the doubt in its group: about ten of them are remembered."""


@dataclass(slots=True)
class Groups:
    """Keys in disjoint sets. The same unions in any order give the same groups."""

    most: int = MOST
    _above: dict[str, str] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _doubts: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Groups: {len(self._above)} keys in {len(self._sizes)} groups>"

    def of(self, key: str) -> str:
        """Return the name of a key's group: one of its keys. A key that nobody joined stands alone."""
        above = self._above
        while (up := above.get(key, key)) != key:
            above[key] = above.get(up, up)
            key = above[key]
        return key

    def size(self, group: str) -> int:
        """Return how many keys the group has."""
        return self._sizes.get(group, 1)

    def doubt(self, key: str) -> float:
        """Return how often the answer of a key's group was wrong of late, between 0 and 1."""
        return self._doubts.get(self.of(key), UNKNOWN)

    def tried(self, key: str, *, wrong: bool) -> None:
        """Take what came of answering with *key*."""
        before = self.doubt(key)
        self._doubts[self.of(key)] = before + RATE * (wrong - before)

    def join(self, key: str, others: Iterable[str]) -> None:
        """Put a key together with those whose answer is equal; without any it begins a group."""
        root = self._added(key)
        for other in others:
            second = self._added(other)
            if second != root:
                # The smaller name wins, not the larger set: processes that merge their evidence agree on the name.
                root, gone = min(root, second), max(root, second)
                self._above[gone] = root
                self._sizes[root] += self._sizes.pop(gone)
                doubts = [self._doubts.pop(name) for name in (root, gone) if name in self._doubts]
                if doubts:
                    self._doubts[root] = sum(doubts) / len(doubts)
        while len(self._above) > self.most:
            self._forget()

    def _added(self, key: str) -> str:
        if key not in self._above:
            self._above[key] = key
            self._sizes[key] = 1
        return self.of(key)

    def _forget(self) -> None:
        """Forget half: rare, and simpler than a chain of names with holes in it."""
        kept = list(self._above)[len(self._above) // 2 :]
        names: dict[str, str] = {}
        for key in kept:
            names.setdefault(self.of(key), key)
        placed = {key: names[self.of(key)] for key in kept}
        self._doubts = {names[old]: doubt for old, doubt in self._doubts.items() if old in names}
        self._above = placed
        self._sizes = {}
        for name in placed.values():
            self._sizes[name] = self._sizes.get(name, 0) + 1
