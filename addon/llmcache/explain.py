"""Why a call is not the recorded one: the nearest recording, field by field.

Identities are compared as trees; the nearest is the one with the fewest leaves that differ.
Nothing near is ever served: this only words a refusal.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from .chat import BackendError, Entry

CANDIDATES = 500
"""Recordings looked at for one refusal, newest first: a bound on how long a refusal takes."""
HASTY = 20
"""Recordings looked at in any case where the time is short and none of them is of the dialect."""
FIELDS = 5
"""Differing fields that a message names."""
SHORT = 60
"""Characters of a value that a message shows."""
LEAD = 20
"""Characters shown before the place where two long texts part."""

Difference = tuple[str, str, str]
"""(path, recorded, now); values are short JSON texts, `-` where there is none."""


async def nearest(
    identity: bytes, recordings: AsyncIterator[Entry], seconds: float | None = None
) -> tuple[Entry, list[Difference]] | None:
    """Return the recording of the same dialect that differs least, and where it differs; None without one.

    After *seconds* the nearest of those seen so far is good enough.
    """
    now = json.loads(identity)
    until = None if seconds is None else time.monotonic() + seconds
    best: tuple[Entry, list[Difference]] | None = None
    seen = 0
    try:
        async for entry in recordings:
            found = _compared(entry, now)
            if found is not None and (best is None or len(found) < len(best[1])):
                best = entry, found
            seen += 1
            late = until is not None and time.monotonic() > until
            if seen == CANDIDATES or (late and (best or seen >= HASTY)):
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
        case str(), str() if recorded != now:
            at = _first_difference(recorded, now)
            yield path, _short(_from(recorded, at)), _short(_from(now, at))
        case _ if type(recorded) is not type(now) or recorded != now:
            yield path, _short(recorded), _short(now)


def worded(nearest: str, fields: Sequence[Difference]) -> str:
    """Return which recording is nearest and its first differing fields, in one line."""
    named = "; ".join(told(*field) for field in fields[:FIELDS])
    more = f"; and {len(fields) - FIELDS} more" if len(fields) > FIELDS else ""
    return f"nearest recording {nearest} differs (recorded → now): {named}{more}"


def told(path: str, recorded: str, now: str) -> str:
    """Return one difference for people."""
    if path == "scope.credential":  # its digests tell nobody anything
        return "it was recorded with another API key (`scope: shared` would let keys share answers)"
    return f"{path}: {recorded} → {now}" if recorded or now else path


class _Absent:
    """A member or element that one side does not have."""


_ABSENT = _Absent()


def _at(values: list[Any], at: int) -> Any:
    return values[at] if at < len(values) else _ABSENT


def _first_difference(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _from(text: str, at: int) -> str:
    """Return *text* from a little before *at*, so that a change deep in a long prompt is seen."""
    return text if len(text) <= SHORT else f"…{text[at - LEAD :]}" if at > LEAD else text


def _short(value: Any) -> str:
    if isinstance(value, _Absent):
        return "-"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
