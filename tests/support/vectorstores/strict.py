"""What the fakes share: routes that allow nothing else, and points that are compared with numpy.

Entry points: `Strict`, which is what an `Upstream` answers with; `Memory`; `exactly`, `numbers`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from support.upstream import Asked, Script

KEY = "a secret key"
JSON = {"content-type": "application/json"}

Route = Callable[..., tuple[int, Any]]
"""From what its pattern caught and the body to a status and a JSON value."""


class Gone(Exception):  # noqa: N818 - what is so, and no error of anybody
    """The collection is not there; its arguments are status and answer."""


@dataclass
class Strict:
    """Answers calls that have *headers* and one of *routes*, keyed by method and pattern of the path.

    *said* are headers of every answer; *most* is the size of a body.
    """

    routes: Mapping[tuple[str, str], Route]
    headers: Mapping[str, str]
    said: Mapping[str, str] = field(default_factory=dict)
    most: int = 2**26
    faults: list[str] = field(default_factory=list)
    """What was refused, for the test to show."""

    def __call__(self, asked: Asked) -> Script:
        try:
            assert len(asked.body) <= self.most, "a body that is too large"
            for name, value in self.headers.items():
                assert asked.headers.get(name) == value, f"the header {name} is {asked.headers.get(name)!r}"
            status, answer = self._answer(asked)
        except Gone as gone:
            status, answer = gone.args
        except (AssertionError, StopIteration, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            self.faults.append(f"{asked.method} {asked.path}: {error!r}")
            return Script(b'{"error": "the fake refuses that"}', 400)
        return Script(b"" if answer is None else json.dumps(answer).encode(), status, {**JSON, **self.said})

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        for (method, pattern), route in self.routes.items():
            found = re.fullmatch(pattern, asked.path)
            if method == asked.method and found:
                return route(*found.groups(), *([_body(asked)] if asked.body else []))
        raise AssertionError("no such route")


def _body(asked: Asked) -> Any:
    kind = asked.headers["content-type"].partition(";")[0]
    if kind.endswith("x-ndjson"):
        assert asked.body.endswith(b"\n")
        return [json.loads(line) for line in asked.body.splitlines()]
    assert kind in {"application/json", "application/vnd.elasticsearch+json"}, kind
    return json.loads(asked.body)


def exactly(found: Mapping[str, Any], *names: str, **neutral: Any) -> None:
    """Insist that an object has these members and no others, but *neutral* ones with the value that is the default."""
    more = {name: value for name, value in found.items() if name not in names}
    assert set(found) >= set(names), f"members {sorted(found)}"
    assert all(name in neutral and neutral[name] == value for name, value in more.items()), f"members {more}"


def numbers(vector: Any, dim: int | None = None) -> np.ndarray:
    """Insist on a list of finite floats, *dim* of them, and return it."""
    assert isinstance(vector, list)
    assert all(isinstance(one, float) and math.isfinite(one) for one in vector), "a vector of other than floats"
    assert dim in {None, len(vector)}, "another dimension"
    return np.asarray(vector, np.float64)


@dataclass
class Memory:
    """A collection: without a dimension as long as there is none."""

    dim: int | None = None
    gone: tuple[int, Any] = (404, {"error": "there is no such collection"})
    """What is answered as long as there is none."""
    points: dict[str, tuple[np.ndarray, dict[str, Any]]] = field(default_factory=dict)

    def put(self, one: str, vector: Any, fields: dict[str, Any]) -> None:
        """Keep a point in place of the one with that id."""
        self.insist()
        assert isinstance(one, str)
        self.points[one] = numbers(vector, self.dim), fields

    def near(
        self, vector: Any, count: int, keep: Callable[[dict[str, Any]], bool]
    ) -> list[tuple[float, str, np.ndarray, dict[str, Any]]]:
        """Return cosine, id, vector and fields of the nearest that *keep* takes."""
        self.insist()
        assert isinstance(count, int)
        assert count > 0
        wanted = numbers(vector, self.dim)
        found = [
            (float(wanted @ kept / np.linalg.norm(wanted) / np.linalg.norm(kept)), one, kept, fields)
            for one, (kept, fields) in self.points.items()
            if keep(fields)
        ]
        return sorted(found, key=lambda one: -one[0])[:count]

    def insist(self) -> None:
        """Raise `Gone` where there is no collection."""
        if self.dim is None:
            raise Gone(*self.gone)

    def drop(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Forget the points that *keep* does not take."""
        self.points = {one: point for one, point in self.points.items() if keep(point[1])}
