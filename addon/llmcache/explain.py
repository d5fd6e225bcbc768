"""Why a call is not the recorded one: the nearest recording, field by field.

Identities are compared as trees; the nearest is the one with the fewest leaves that differ.
Nothing near is ever served: this only words a refusal.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .chat import BackendError, Entry

CANDIDATES = 500
"""Recordings looked at for one refusal, newest first: a bound on how long a refusal takes."""
FIELDS = 3
"""Differing fields that a message names."""
SHORT = 60
"""Characters of a value that a message shows."""

Difference = tuple[str, str, str]
"""(path, recorded, now); values are short JSON texts, `-` where there is none."""


async def nearest(identity: bytes, recordings: AsyncIterator[Entry]) -> tuple[Entry, list[Difference]] | None:
    """Return the recording of the same dialect that differs least, and where it differs; None without one."""
    now = json.loads(identity)
    best: tuple[Entry, list[Difference]] | None = None
    seen = 0
    try:
        async for entry in recordings:
            found = _compared(entry, now)
            if found is not None and (best is None or len(found) < len(best[1])):
                best = entry, found
            seen += 1
            if seen == CANDIDATES:
                break
    except BackendError:
        return best
    return best


def _compared(entry: Entry, now: Any) -> list[Difference] | None:
    try:
        recorded = json.loads(entry.request)
    except ValueError:  # a Higress record keeps no request
        return None
    return list(differences(recorded, now)) if recorded.get("dialect") == now.get("dialect") else None


def differences(recorded: Any, now: Any, path: str = "") -> Iterator[Difference]:
    """Yield every leaf that differs between two JSON values, depth first."""
    match recorded, now:
        case dict(), dict():
            for name in [*recorded, *(name for name in now if name not in recorded)]:
                below = f"{path}.{name}" if path else name
                yield from differences(recorded.get(name, _ABSENT), now.get(name, _ABSENT), below)
        case list(), list():
            for at in range(max(len(recorded), len(now))):
                yield from differences(_at(recorded, at), _at(now, at), f"{path}[{at}]")
        case _ if type(recorded) is not type(now) or recorded != now:
            yield path, _short(recorded), _short(now)


def worded(found: tuple[Entry, list[Difference]] | None) -> str:
    """Return the end of a refusal's message: the nearest recording and its first differing fields."""
    if found is None:
        return "nothing of this kind is recorded"
    entry, fields = found
    named = "; ".join(f"{path}: {recorded} → {now}" for path, recorded, now in fields[:FIELDS])
    more = f"; and {len(fields) - FIELDS} more" if len(fields) > FIELDS else ""
    return f"nearest recording {entry.key[:12]} differs (recorded → now): {named}{more}"


class _Absent:
    """A member or element that one side does not have."""


_ABSENT = _Absent()


def _at(values: list[Any], at: int) -> Any:
    return values[at] if at < len(values) else _ABSENT


def _short(value: Any) -> str:
    if isinstance(value, _Absent):
        return "-"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
