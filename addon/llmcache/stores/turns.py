"""Several recordings of one call, served in the order in which they were made.

A call that was answered three times when it was recorded gets the three answers one after the other; what is asked more
often gets the last one again, or none. What was served is noted for the report at the end of a run.
It is a store around the folder; it knows neither calls nor modes. Entry point: `Turns`.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from ..chat import Entry
from .cassette import CassetteStore
from .cassette_index import Held


class Turns:
    """The recordings in *store*, one after the other.

    *repeat*: whether the last one answers all further calls. *renew*: whether the first recording of a call removes
    those of before, as in a run that records anew.
    """

    def __init__(self, store: CassetteStore, *, repeat: bool = True, renew: bool = False) -> None:
        self.store = store
        self.used: set[str] = set()
        """The files that were served, from the folder on."""
        self.written: set[str] = set()
        """The keys of the recordings that were made."""
        self.exhausted: Counter[str] = Counter()
        """How often the recordings of a call were all served, and it came again: by the file of the last."""
        self.way: tuple[Sequence[str], Sequence[str]] = (), ("CMD",)
        """Options and command of the run, as far as they are known: for those who are to record it anew."""
        self._repeat, self._renew = repeat, renew
        self._asked: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()

    def __repr__(self) -> str:
        return repr(self.store)

    def number(self, key: str) -> int:
        """Return which call of *key* this is, from 0 on; each question counts one."""
        self._numbers[key] += 1
        return self._numbers[key] - 1

    @property
    def asked(self) -> frozenset[str]:
        """The keys of all calls that were numbered, by the rules where there are any for them."""
        return frozenset(self._numbers)

    def knows(self, held: Held) -> bool:
        """Whether the recording was served or made here."""
        return held.path in self.used or held.key in self.written

    def keeps(self, key: str) -> bool:  # noqa: ARG002 - the protocol
        """Return False: a run that records asks for every call anew."""
        return False

    @property
    def away(self) -> bool:
        """Never: it is a folder of this machine."""
        return False

    def peek(self, key: str) -> Entry | None:
        """Return the recording whose turn it is, if it is at hand; that is its turn then."""
        line = self.store.lineup(key)
        at = self._asked[key]
        if not line or (at >= len(line) and not self._repeat):
            return None
        entry = self.store.ready(line[min(at, len(line) - 1)])
        if entry:
            self._turn(key, line)
        return entry

    def excludes(self, key: str) -> bool:
        """Return False: another process may record into the folder at any time."""
        return self.store.excludes(key)

    async def get(self, key: str) -> Entry | None:
        """Return the recording whose turn it is; None where there is none, or none any more."""
        return await self.answer(key, b"")

    async def answer(self, key: str, identity: bytes) -> Entry | None:
        """Return the recording whose turn it is; that of *identity* itself costs less than without it."""
        if not (line := self.store.lineup(key)):
            await self.store.refresh()  # another process may have recorded it, or somebody renamed its file
            line = self.store.lineup(key)
        held = self._turn(key, line) if line else None
        entry = await self.store.load(held, identity) if held else None
        if held is None or entry is not None:
            return entry
        await self.store.refresh()  # as above: what lies in its place is another's now, or nothing
        self.used.discard(held.path)
        moved = next((each for each in self.store.lineup(key) if each.sequence == held.sequence), None)
        if moved is None or (entry := await self.store.load(moved, identity)) is None:
            return None
        self.used.add(moved.path)
        return entry

    def _turn(self, key: str, line: list[Held]) -> Held | None:
        """Take the turn. Nothing is waited for, so that of two calls at once each gets its own."""
        at = self._asked[key]
        self._asked[key] += 1
        if at >= len(line):
            self.exhausted[line[-1].path] += 1
            if not self._repeat:
                return None
        held = line[min(at, len(line) - 1)]
        self.used.add(held.path)
        return held

    def absent(self, key: str) -> str:
        """Return why `get` gave nothing: `exhausted` or `unknown`."""
        line = self.store.lineup(key)
        return "exhausted" if line and self._asked[key] > len(line) and not self._repeat else "unknown"

    async def put(self, entry: Entry) -> None:
        """Write the entry beside others of its call that have another number. Raises `BackendError`."""
        first = self._renew and entry.key not in self.written
        before = self.store.kin(entry) if first else []
        self.written.add(entry.key)
        await self.store.put(entry)
        replaced = entry.key, entry.sequence
        await self.store.remove([held for held in before if (held.key, held.sequence) != replaced])

    async def outdoes(self, entry: Entry) -> bool:
        """Whether there is a whole recording that *entry*, which broke off, must not replace."""
        await self.store.refresh()
        whole = [held for held in self.store.kin(entry) if (kept := await self.store.load(held)) and not kept.truncated]
        if self._renew and entry.key not in self.written:  # it would be the first of this run, and remove them all
            return bool(whole)
        return any((held.key, held.sequence) == (entry.key, entry.sequence) for held in whole)

    async def delete(self, key: str) -> bool:
        """Remove every recording of *key*. Returns whether there was one."""
        return await self.store.delete(key)

    def scan(self) -> AsyncIterator[Entry]:
        """Yield every live entry, newest first."""
        return self.store.scan()

    def anew(self, glob: str) -> str:
        """Return the command that records anew what is called like *glob*."""
        options, command = self.way
        return shlex.join(["aicache", "record", *options, "--only", glob, "--", *command])

    def place(self, entry: Entry) -> str:
        """Return the file of *entry*, from the working folder on; empty when it is not there any more."""
        return self.store.place(entry)

    def near(self, path: str) -> AsyncIterator[Entry]:
        """Yield live recordings, those first whose files are called most like *path*."""
        return self.store.near(path)

    async def close(self) -> None:
        """Finish what was accepted. May be called twice."""
        await self.store.close()
