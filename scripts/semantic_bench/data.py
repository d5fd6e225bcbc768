"""The data that semantic answers are measured on: streams of questions, pairs, prompts that are all different.

It reads the files in place and copies none of them; their README says where they come from. Entry point: `Folder`.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Stream:
    """Questions in the order in which they are asked, each with its one right answer."""

    name: str
    texts: tuple[str, ...]
    answers: tuple[str, ...]

    def picked(self, order: list[int]) -> Stream:
        """Return these questions in this order."""
        return replace(self, texts=tuple(self.texts[i] for i in order), answers=tuple(self.answers[i] for i in order))

    def shuffled(self, seed: int) -> Stream:
        """Return the same questions in another order; seed 0 leaves that of the file."""
        order = list(range(len(self.texts)))
        if seed:
            random.Random(seed).shuffle(order)  # noqa: S311 - an order, no secret
        return self.picked(order)

    def thinned(self, most: int) -> Stream:
        """Return only the first *most* questions of each answer: real traffic repeats less than the full streams."""
        seen: Counter[str] = Counter()
        order = []
        for number, answer in enumerate(self.answers):
            seen[answer] += 1
            if seen[answer] <= most:
                order.append(number)
        return replace(self.picked(order), name=f"{self.name}, {most} an answer")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether one answer serves both."""

    a: str
    b: str
    same: bool
    category: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the data is."""

    path: Path

    def stream(self, name: str) -> Stream:
        """Return a stream, in the order of its file."""
        rows = list(self.rows(f"streams/{name}.jsonl"))
        return Stream(name, tuple(row["text"] for row in rows), tuple(row["answer"] for row in rows))

    def pairs(self, name: str) -> list[Pair]:
        """Return the pairs of a file."""
        return [
            Pair(row["a"], row["b"], row["same"], row.get("category", "")) for row in self.rows(f"pairs/{name}.jsonl")
        ]

    def distinct(self) -> list[str]:
        """Return prompts of which no two ask the same."""
        return [row["text"] for row in self.rows("distinct/arena_hard.jsonl")]

    def dialogs(self) -> list[list[dict[str, str]]]:
        """Return conversations, of two sources; the last turn of each is a follow-up."""
        first = [row["turns"] for row in self.rows("context/meancache.jsonl")]
        return first + [row["turns"] for row in self.rows("context/mt_bench.jsonl")]

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the records of a file."""
        with (self.path / name).open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def opened(path: Path) -> Folder:
    """Return the folder; leave with a message when the data is not there."""
    if not (path / "streams").is_dir():
        raise SystemExit(
            f"no data in {path.resolve()}: give the folder that holds streams/, pairs/, distinct/ and context/ "
            "with --data or AICACHE_SEMANTIC_DATA"
        )
    return Folder(path)
