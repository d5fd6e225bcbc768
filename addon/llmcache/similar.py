"""The engine's way to semantic answers: which calls may have one, and what is kept of the one that was given.

Between the engine, which knows keys and scopes, and `nearby`, which knows contexts and questions.
Entry points: `Similar.find`, `learn`, `wrong`, `disown`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from . import fingerprint
from .asked import Far, Near
from .chat import BackendError, Call, Entry
from .context import context, stored_context
from .control import Control
from .nearby import Nearby
from .question import QuestionRule
from .recorder import QUESTION_SHOWN, Ticket
from .redact import Redactor, Secrets
from .restated import call_of
from .scope import Scope

log = logging.getLogger("aicache.similar")

RENEWED = ("refresh", "stale")
"""Why an answer was asked for anew without a search: the point of its question ends with the answer before."""


@dataclass
class Similar:
    """Semantic answers for calls, by the rules under which their questions and keys are found."""

    nearby: Nearby
    rule: QuestionRule
    scope: Scope
    redactor: Redactor = field(default_factory=lambda: Redactor(Secrets()))
    _keeping: set[asyncio.Future[None]] = field(default_factory=set, repr=False)

    async def find(self, call: Call, question: str, control: Control) -> Near | Far:
        """Return the answer to a near question that may be served, or why there is none."""
        holed = context(call, self.rule, question)
        if isinstance(holed, str):
            return Far(holed)
        return await self.nearby.find(self._context(holed, control), question)

    def _context(self, holed: Call, control: Control) -> bytes:
        return self.redactor.identity(fingerprint.identity(holed, self.scope, control.namespace, control.lane))

    def back_fill(self, near: Near, key: str, identity: bytes, question: str) -> None:
        """Keep the answer for this question too, so that it is found exactly the next time (row E2)."""
        if near.lasting:
            origin = near.entry.origin or near.entry.key
            kept = replace(near.entry, key=key, request=identity, question=question[:QUESTION_SHOWN], origin=origin)
            keeping = asyncio.ensure_future(self.nearby.store.put(kept))
            self._keeping.add(keeping)
            keeping.add_done_callback(self._kept)

    def _kept(self, keeping: asyncio.Future[None]) -> None:
        self._keeping.discard(keeping)
        if not keeping.cancelled() and (error := keeping.exception()):
            log.debug("an answer was not kept for another question, which costs the next one a search: %s", error)

    def learn(self, ticket: Ticket, entry: Entry) -> None:
        """Take what an answer from upstream teaches; nobody waits."""
        if ticket.asked is not None:
            self.nearby.learn(ticket.asked, entry)
        elif ticket.reason in RENEWED and ticket.question and not ticket.control.exact:
            holed = context(ticket.call, self.rule, ticket.question)
            if not isinstance(holed, str):
                self.nearby.renew(self._context(holed, ticket.control), ticket.question, entry)

    def vouches(self, entry: Entry) -> bool:
        """Whether *entry*, a copy of an answer that was kept for a near question, is still good for it."""
        return self.nearby.serves and not self.nearby.lessons.disowned(entry)

    async def wrong(self, call: Call, question: str, control: Control, entry: Entry | None) -> None:
        """Remember that *entry*, which answered *call*, was wrong; None for what was found near and not kept."""
        holed = context(call, self.rule, question)
        if isinstance(holed, str):
            return
        asked = self._context(holed, control)
        if entry is None:
            near = await self.nearby.find(asked, question)
            entry = near.entry if isinstance(near, Near) else None
        if entry is not None:
            await self._refute(self.nearby.partition(asked), question, entry)

    async def disown(self, entry: Entry) -> bool:
        """Remember that the stored *entry* is wrong for its question, without the client whose question it was.

        Returns whether the question is known from what is stored. Raises `BackendError`.
        """
        if (found := call_of(entry)) is None:
            return False
        dialect, call = found
        question = self.rule.question(dialect, call)
        holed = context(call, self.rule, question)
        if isinstance(holed, str):
            return False
        await self._note(self.nearby.partition(stored_context(entry.request, holed)), question, entry)
        return True

    async def _refute(self, partition: str, question: str, entry: Entry) -> None:
        try:
            await self._note(partition, question, entry)
        except BackendError as error:
            log.warning("a wrong answer is not served again, but that is forgotten at the next start: %s", error)

    async def _note(self, partition: str, question: str, entry: Entry) -> None:
        lessons = self.nearby.lessons
        await lessons.refute(partition, question, entry.origin or entry.key)
        if not entry.origin:  # the recorded answer itself is wrong: near questions must not get it, nor keep it
            await lessons.disown(entry)
            await self.nearby.index.remove(partition, [entry.key])

    async def settled(self) -> None:
        """Return when everything that was begun is kept and learned."""
        while self._keeping:
            await asyncio.wait(set(self._keeping))
        await self.nearby.settled()

    async def close(self) -> None:
        """Finish what was begun, and let go of every resource."""
        await self.settled()
        await self.nearby.close()
