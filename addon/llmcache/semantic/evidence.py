"""What was seen: one line of JSON an observation, so that the evidence of several processes is merged by joining it.

It draws no conclusions. Lines that cannot be read are counted and skipped. Entry points: `read`, `write`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from .groups import UNKNOWN

VERSION = 2
"""Version 1 knew neither the doubt, the last of the features, nor who was chosen."""
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
    """Whether the gate and the policy would let it pass; what they refuse teaches the model, and is in no bound."""
    explored: bool = False
    """Whether it was served, and asked upstream all the same."""
    key: str = ""
    """Of the entry that was stored for this call; empty for none."""
    joined: tuple[str, ...] = ()
    """The keys of the entries whose answer is equal to it."""
    chosen: str = ""
    """The key of the entry whose answer was tried; empty where nobody looked."""
    forget: bool = False
    """Nothing that is older counts any more; such a line has no features."""


def write(observations: Iterable[Observation]) -> bytes:
    """Return one line for each."""
    return b"".join(orjson.dumps(_record(one)) + b"\n" for one in observations)


def read(lines: bytes, count: int) -> tuple[list[Observation], int]:
    """Return the observations of *count* features, and how many lines are of an unknown version or damaged."""
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
    if one.chosen:
        record["c"] = one.chosen
    if one.key:
        record |= {"k": one.key, "j": one.joined}
    return record


def _observation(record: Any, count: int) -> Observation:
    """Raise one of the errors that `read` expects for what is no observation."""
    version = record["v"]
    if record.get("forget") is True and version in (1, VERSION):
        return Observation((), float(record["t"]), forget=True)
    features, time, equal = tuple(map(float, record["x"])), float(record["t"]), record.get("y")
    if version == 1:
        features = (*features, UNKNOWN)
    joined = record.get("j", [])
    if version not in (1, VERSION) or len(features) != count or not all(map(math.isfinite, (*features, time))):
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
        chosen=str(record.get("c", "")),
    )
