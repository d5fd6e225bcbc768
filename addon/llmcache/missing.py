"""Why no recording answers a call: the nearest one, its file, what differs, and what records the call.

All of it is in one value, `Missing`, for the client's error and for people who look at a failed run.
It knows recordings, not who reads what it says. Entry points: `missing`, `Missing.message`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from . import explain
from .chat import Entry, Form, Reply
from .fingerprint import origin
from .recorder import Ticket
from .stores import Store
from .stores.cassette_name import candidates, lane

SECONDS = 0.02
"""How long the nearest recording is looked for: a miss must not slow a test run down."""


class Recordings(Protocol):
    """What a folder of recordings knows beyond a store."""

    def number(self, key: str) -> int:
        """Return which call of *key* this is, from 0 on; each question counts one."""

    def keeps(self, key: str) -> bool:
        """Whether the call of *key* is answered from its recording even by a run that records."""

    async def answer(self, key: str, identity: bytes) -> Entry | None:
        """Return the entry of *key*, which the call with *identity* asks for; None where there is none."""

    def absent(self, key: str) -> str:
        """Return why there is no recording: `unknown`, or `exhausted` where all of them were served."""

    async def outdoes(self, entry: Entry) -> bool:
        """Whether there is a whole recording that *entry*, which broke off, must not replace."""

    def anew(self, glob: str) -> str:
        """Return the command that records anew what is called like *glob*."""

    def place(self, entry: Entry) -> str:
        """Return the file of *entry*, from the working folder on; empty when it is not there any more."""

    def near(self, path: str) -> AsyncIterator[Entry]:
        """Yield recordings, those first whose files are called most like *path* (from the folder on)."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A call that nothing recorded answers."""

    key: str
    what: str
    """Dialect and model."""
    endpoint: str
    """Method and URL, without the query."""
    reason: str = "unknown"
    """`unknown`, or why a recording that is there cannot answer."""
    lane: str = ""
    nearest: str = ""
    """The file of the nearest recording, or where it has none its short key; empty when nothing is near."""
    file: str = ""
    """The file of the nearest recording."""
    fields: tuple[explain.Difference, ...] = field(default=(), repr=False)
    """Where it differs, all of them; they hold texts of the call."""
    command: str = ""
    """What records the call."""
    note: str = ""
    """What else there is to say."""

    @property
    def message(self) -> str:
        """Return all of it in one line, for the client."""
        lane = f" in lane {self.lane}" if self.lane else ""
        head = f"no recording for {self.what} at {self.endpoint}{lane}"
        if self.reason != NO_RECORDING:
            head = f"{head}: {self.reason}"
        return "; ".join(part for part in (head, self.note or self.differs, self.remedy) if part)

    @property
    def differs(self) -> str:
        """Return the nearest recording and its first differing fields, in one line."""
        if self.reason != NO_RECORDING:
            return ""
        if not self.nearest:
            return "nothing of this kind is recorded"
        return explain.worded(self.nearest, self.fields)

    @property
    def remedy(self) -> str:
        """Return how to record the call, in a few words."""
        return f"to record it: {self.command}" if self.command else ""


async def missing(
    ticket: Ticket, store: Store | None, recordings: Recordings | None, mask: Callable[[str], str]
) -> Missing:
    """Return why the call of *ticket* has no answer; where it is merely unknown, the nearest recording is looked for.

    *store* is None where what is in it cannot be read but by its own calls. *mask* takes secrets out of a text: what is
    said here is read in logs.
    """
    call, request = ticket.call, ticket.call.request
    path = next(candidates(_would_be(ticket)))
    told = Missing(
        key=ticket.key,
        what=mask(f"{call.dialect} {call.model or '-'}"),
        endpoint=mask(f"{request.method} {origin(request.scheme, request.host, request.port)}{request.path}"),
        reason=ticket.reason,
        lane=mask(lane(ticket.identity)),
        command=mask(recordings.anew(path.rpartition("/")[0] + "/*")) if recordings else RECORD,
    )
    if ticket.reason != NO_RECORDING:
        return told
    if store is None:
        return replace(told, note=SEALED)
    entries = recordings.near(path) if recordings else store.scan()
    found = await explain.nearest(ticket.identity, entries, SECONDS if recordings else None)
    if found is None:
        return told
    entry, _ = found
    file = recordings.place(entry) if recordings else ""
    both = (_masked(json.loads(each), mask) for each in (entry.request, ticket.identity))
    fields = tuple(explain.differences(*both)) or ((ONLY_SECRETS, "", ""),)
    return replace(told, nearest=file or entry.key[:12], file=file, fields=fields)


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """Return a JSON value with *mask* applied to its texts: whole ones, for of a part nobody can tell what it is."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {name: _masked(each, mask) for name, each in value.items()}
        case list():
            return [_masked(each, mask) for each in value]
    return value


def _would_be(ticket: Ticket) -> Entry:
    """Return the entry that the call would have, as far as that says what its file is called."""
    call = ticket.call
    return Entry(
        key=ticket.key,
        dialect=call.dialect,
        host=call.request.host,
        model=call.model,
        form=Form("raw"),
        reply=Reply(0, (), b""),
        created=0,
        request=ticket.identity,
        question=ticket.question,
    )


NO_RECORDING = "unknown"
ONLY_SECRETS = "only in secrets, which are not shown"
RECORD = "aicache run --mode record -- CMD"
SEALED = "recordings are sealed (`cache.encrypt`), so the nearest cannot be told"
