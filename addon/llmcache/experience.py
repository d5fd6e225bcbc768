"""What calls have taught, apart for each partition: one policy each, and the evidence that processes share.

What near means in one context says nothing about another: a policy that learned on one kind of question would serve
wrong answers to another kind. It knows no questions and no answers. Entry points: `Experience.policy`, `learned`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from .ledger import Ledger
from .semantic import Learner, Policy

log = logging.getLogger("aicache.experience")

PARTITIONS = 1000
"""Contexts whose policies are kept in memory; the one unused for longest goes first, its evidence stays on record."""
BOOK = "evidence"


@dataclass
class Experience:
    """Policies that *make* makes, one a partition, with what *ledger* keeps of them."""

    make: Callable[[], Policy]
    ledger: Ledger | None = None
    _policies: OrderedDict[str, Policy] = field(default_factory=OrderedDict, repr=False)
    _unread: dict[str, list[bytes]] = field(default_factory=dict, repr=False)
    """Lines of evidence by partition, until a question of that partition is asked."""
    _refits: dict[str, asyncio.Task[None]] = field(default_factory=dict, repr=False)

    def policy(self, partition: str) -> Policy:
        """Return the policy of *partition*; of what was learned there earlier it soon makes use."""
        found = self._policies.get(partition)
        if found is None:
            found = self._policies[partition] = self.make()
            if len(self._policies) > PARTITIONS:
                self._policies.popitem(last=False)
        self._policies.move_to_end(partition)
        if (lines := self._unread.pop(partition, None)) and isinstance(found, Learner):
            if bad := found.absorb(b"".join(lines)):
                log.warning("%d lines of what was learned earlier cannot be read, and are left out", bad)
            self._refit(partition, found)
        return found

    async def learned(self, partition: str, policy: Policy) -> None:
        """Share what *policy* has just learned, and draw conclusions when it is time. Raises `BackendError`."""
        if not isinstance(policy, Learner):
            return
        if self.ledger and (fresh := policy.fresh()):
            mark = partition.encode() + b" "
            await self.ledger.append(BOOK, b"".join(mark + line + b"\n" for line in fresh.splitlines()))
            await self.news()
        if policy.due:
            self._refit(partition, policy)

    async def news(self) -> None:
        """Read what others have learned. Raises `BackendError`."""
        if self.ledger is None:
            return
        for line in (await self.ledger.news(BOOK)).splitlines():
            partition, _, evidence = line.partition(b" ")
            self._unread.setdefault(partition.decode("ascii", "replace"), []).append(evidence + b"\n")

    def _refit(self, partition: str, policy: Learner) -> None:
        """Let *policy* draw its conclusions on a thread, one at a time; nobody waits."""
        if partition not in self._refits:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(policy.refit))
            self._refits[partition] = task
            task.add_done_callback(lambda done: self._refitted(partition, done))

    def _refitted(self, partition: str, task: asyncio.Task[None]) -> None:
        self._refits.pop(partition, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("what was learned could not be made use of", exc_info=error)

    async def settled(self) -> None:
        """Return when every conclusion is drawn."""
        while self._refits:
            await asyncio.wait(set(self._refits.values()))
