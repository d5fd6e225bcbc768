"""What was seen: one line of JSON an observation, so that the evidence of several processes is merged by joining it.

It draws no conclusions. Lines that cannot be read are counted and skipped. Entry points: `read`, `write`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

VERSION = 1
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Observation:
    """One decision, and what became of it."""

    features: tuple[float, ...]
    time: float
    """Unix seconds."""
    equal: bool | None = None
    """Whether the answer was the right one; None where it was served and nobody looked."""
    passed: bool = True
    """Whether the gate let it pass; what it refuses teaches the model, and counts for no bound."""
    explored: bool = False
    """Whether it was served, and asked upstream all the same."""
    key: str = ""
    """Of the entry that was stored for this call; empty for none."""
    joined: tuple[str, ...] = ()
    """The keys of the entries whose answer is equal to it."""
    forget: bool = False
    """Nothing that is older counts any more; such a line has no features."""


def write(observations: Iterable[Observation]) -> bytes:
    """Return one line for each."""
    return b"".join(orjson.dumps(_record(one)) + b"\n" for one in observations)


def read(lines: bytes, count: int) -> tuple[list[Observation], int]:
    """Return the observations of *count* features, and how many lines are of another version or damaged."""
    found, bad = [], 0
    for line in lines.splitlines():
        try:
            found.append(_observation(orjson.loads(line), count))
        except (ValueError, TypeError, KeyError, AttributeError):
            bad += 1
    return found, bad


def _record(one: Observation) -> dict[str, Any]:
    if one.forget:
        return {"v": VERSION, "t": one.time, "forget": True}
    record: dict[str, Any] = {"v": VERSION, "t": round(one.time, 3), "x": [round(x, DIGITS) for x in one.features]}
    if one.equal is not None:
        record |= {"y": one.equal, "p": one.passed, "e": one.explored}
    if one.key:
        record |= {"k": one.key, "j": one.joined}
    return record


def _observation(record: Any, count: int) -> Observation:
    """Raise one of the errors that `read` expects for what is no observation."""
    if record.get("forget") is True and record["v"] == VERSION:
        return Observation((), float(record["t"]), forget=True)
    features, time, equal = tuple(map(float, record["x"])), float(record["t"]), record.get("y")
    joined = record.get("j", [])
    if record["v"] != VERSION or len(features) != count or not all(map(math.isfinite, (*features, time))):
        raise ValueError("an observation of another version")
    if not isinstance(equal, bool | None) or not all(isinstance(key, str) for key in joined):
        raise TypeError("an observation with other types")
    return Observation(
        features,
        time,
        equal,
        passed=record.get("p", True) is True,
        explored=record.get("e", False) is True,
        key=str(record.get("k", "")),
        joined=tuple(joined),
    )
