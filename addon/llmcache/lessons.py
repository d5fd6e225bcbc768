"""What an answer from upstream teaches about the questions near it, and what users report as wrong.

The policy, the audit and the near-miss log are told; what is reported wrong is kept where processes share it.
It knows neither indexes nor the proxy. Entry points: `Lessons.take`, `refute`, `refuted`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from .asked import Question
from .chat import BackendError, Entry
from .experience import Experience
from .ledger import Ledger
from .semantic import Learner, Serve
from .semantic.audit import Audit

log = logging.getLogger("aicache.lessons")

Journal = Callable[[Mapping[str, Any]], None]
"""Takes one record of the near-miss log."""


@dataclass
class Lessons:
    """Teaches *experience* and *audit*; *said* gives an answer's text or None, *equal* whether two say the same."""

    experience: Experience
    audit: Audit
    said: Callable[[Entry], str | None]
    equal: Callable[[str, str], bool]
    clock: Callable[[], float]
    ledger: Ledger | None = None
    journal: Journal | None = None
    _refuted: set[tuple[str, str]] = field(default_factory=set, repr=False)
    """Pairs (digest of a question in its partition, key) that were reported wrong."""
    _recalled: bool = False
    _comparing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """One thread at a time: more of them would take the event loop's turns."""

    async def recall(self) -> None:
        """Read what was learned before; only the first call does."""
        if self._recalled or self.ledger is None:
            return
        self._recalled = True
        try:
            await self.reports()
            await self.experience.news()
        except BackendError as error:
            log.warning("what was learned earlier cannot be read, and is learned anew: %s", error)

    async def reports(self) -> None:
        """Read what was reported wrong to other processes since the last time. Raises `BackendError`."""
        if self.ledger:
            self._refuted |= {_read_pair(line) for line in (await self.ledger.news(REFUTED)).splitlines()}

    def refuted(self, partition: str, question: str, key: str) -> bool:
        """Whether somebody reported that the entry *key* is wrong for *question*."""
        return bool(self._refuted) and (_pair(partition, question), key) in self._refuted

    async def refute(self, partition: str, question: str, key: str) -> None:
        """Remember that the entry *key* was wrong for *question*: it is never served for it again.

        The audit does not count it: nobody reports the right ones, so one report would look like a rate of 100 %.
        """
        await self._note((_pair(partition, question), key))

    def disowned(self, entry: Entry) -> bool:
        """Whether the recorded answer that *entry* is a copy of was itself reported wrong."""
        return bool(self._refuted) and (_recorded(entry), entry.origin) in self._refuted

    async def disown(self, entry: Entry) -> None:
        """Remember that the recorded answer in *entry* was wrong: its copies for near questions are not served."""
        await self._note((_recorded(entry), entry.key))

    async def _note(self, pair: tuple[str, str]) -> None:
        self._refuted.add(pair)
        if self.ledger:
            await self.ledger.append(REFUTED, " ".join(pair).encode() + b"\n")

    def wants(self, question: Question) -> bool:
        """Whether the answers of its candidates teach anybody anything: a policy, the audit or the near-miss log."""
        learns = isinstance(self.experience.policy(question.partition), Learner)
        return learns or self.journal is not None or isinstance(question.decision, Serve)

    async def answer(self, entry: Entry) -> str:
        """Return the text of the answer in *entry*; empty where it is no text alone."""
        async with self._comparing:
            return await asyncio.to_thread(self.said, entry) or ""

    async def take(self, question: Question, entry: Entry, others: Sequence[Entry | None]) -> None:
        """Compare the new answer in *entry* with those of the candidates: *others*, None for what is gone."""
        async with self._comparing:
            equal = await asyncio.to_thread(self._compared, entry, others)
        if isinstance(question.decision, Serve):
            self.audit.note(right=equal[question.candidates.index(question.decision.candidate)])
        self._write(question, equal)
        policy = self.experience.policy(question.partition)
        policy.learn(question.decision, question.candidates, equal=equal, key=entry.key)
        await self.experience.learned(question.partition, policy)

    def _compared(self, entry: Entry, others: Sequence[Entry | None]) -> list[bool | None]:
        """Return whether the answers are equal. Takes up to hundreds of milliseconds for long ones."""
        truth = self.said(entry)
        return [None if other is None or other.key == entry.key else self._same(truth, other) for other in others]

    def _same(self, truth: str | None, other: Entry) -> bool | None:
        told = self.said(other)
        return None if truth is None or told is None else self.equal(truth, told)

    def _write(self, question: Question, equal: Sequence[bool | None]) -> None:
        if self.journal is None:
            return
        chosen = question.decision.candidate if isinstance(question.decision, Serve) else None
        for candidate, same in zip(question.candidates, equal, strict=True):
            self.journal(
                {
                    "time": self.clock(),
                    "similarity": candidate.similarity,
                    "gate": question.refused.get(candidate.key, ""),
                    "equal": same,
                    "decision": "serve" if candidate is chosen else "forward",
                    "key": candidate.key,
                    "asked": question.text,
                    "stored": candidate.question,
                }
            )

    async def close(self) -> None:
        """Finish what was begun, and let go of the ledger."""
        await self.experience.settled()
        if self.ledger:
            await self.ledger.close()


def _pair(partition: str, question: str) -> str:
    return blake2b(question.encode("utf-8", "surrogatepass"), key=partition.encode(), digest_size=16).hexdigest()


def _recorded(entry: Entry) -> str:
    """Return what tells an answer from a later one under the same key; copies have it from the recorded one."""
    return f"recorded-{entry.created!r}"


def _read_pair(line: bytes) -> tuple[str, str]:
    asked, _, key = line.decode("utf-8", "replace").partition(" ")
    return asked, key


REFUTED = "refuted"
"""The book of the ledger that holds what was reported wrong."""
