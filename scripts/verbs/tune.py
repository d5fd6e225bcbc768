"""What each similarity threshold would have done: from the near-miss log, or from a file of pairs.

A near-miss log (`policy.nearMissLog`) says for each near question how similar it was, what the gate said, and whether
the answers were equal. A file of pairs has lines {"a": ..., "b": ..., "same": true}: two questions, and whether one
answer serves both; they are embedded by the bundled model and judged by the gate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._errors import Stop

EXAMPLES = """\
examples:
  aicache tune near-misses.jsonl           the log that policy.nearMissLog names
  aicache tune pairs.jsonl --budget 0.005  {"a": "...", "b": "...", "same": true}, one a line
"""

STEPS = tuple(number / 100 for number in range(60, 100, 2))
WIDTH = 40
DEVIATIONS = 1.645


@dataclass(frozen=True, slots=True)
class Sample:
    """Two questions that were compared."""

    similarity: float
    passed: bool
    """Whether the gate lets the one answer the other."""
    same: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What a threshold would have done."""

    threshold: float
    hits: int
    wrong: int
    recall: float
    """The share of those with the same answer that hit."""
    bound: float
    """The share of wrong hits is below, at 95 %."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a near-miss log, or pairs; JSON Lines")
    parser.add_argument(
        "--budget", type=_share, default=0.01, metavar="SHARE", help="of wrong hits (default: %(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """Print the table and the plot; return the exit code."""
    from . import _store  # noqa: PLC0415 - needs the environment

    try:
        samples = list(read(args.file.read_text("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"cannot read {args.file}: {error}", 2) from error
    if not samples:
        raise Stop(f"{args.file}: no line says whether two answers are equal; see aicache tune --help", 1)
    lines = [swept(samples, threshold) for threshold in STEPS]
    _store.table(
        f"{len(samples)} compared, {sum(one.same for one in samples)} with the same answer",
        COLUMNS,
        [
            [
                f"{line.threshold:.2f}",
                str(line.hits),
                f"{line.recall:.1%}",
                str(line.wrong),
                f"{line.wrong / max(1, line.hits):.2%}",
                f"{line.bound:.2%}",
            ]
            for line in lines
        ],
        COLUMNS,
    )
    if sys.stdout.isatty():
        print("\n".join(plot(lines)))
    print(advice(lines, args.budget))
    return 0


def read(lines: Iterable[str]) -> Iterator[Sample]:
    """Yield what the lines say; those that say nothing of two answers are passed over."""
    records = [record for line in lines if isinstance(record := _record(line), dict)]
    pairs = [one for one in records if isinstance(one.get("a"), str) and isinstance(one.get("b"), str)]
    for one in records:
        if isinstance(one.get("similarity"), int | float) and isinstance(one.get("equal"), bool):
            yield Sample(float(one["similarity"]), not one.get("gate"), one["equal"])
    if pairs:
        yield from compared([pair for pair in pairs if isinstance(pair.get("same"), bool)])


def compared(pairs: Sequence[dict[str, Any]]) -> Iterator[Sample]:
    """Embed and judge pairs."""
    import asyncio  # noqa: PLC0415 - not needed for a log

    from llmcache.embed.wordllama import open_wordllama  # noqa: PLC0415 - needs the environment
    from llmcache.semantic.gate import judge  # noqa: PLC0415 - as above

    vectors = asyncio.run(open_wordllama().embed([text for pair in pairs for text in (pair["a"], pair["b"])]))
    for number, pair in enumerate(pairs):
        cosine = float(vectors[2 * number] @ vectors[2 * number + 1])
        yield Sample(cosine, judge(pair["a"], pair["b"]) is None, pair["same"])


def swept(samples: Sequence[Sample], threshold: float) -> Line:
    """Return what a threshold (`gte`) would have done."""
    from llmcache.semantic.estimator import upper  # noqa: PLC0415 - needs the environment

    served = [one.same for one in samples if one.passed and one.similarity >= threshold]
    wrong = served.count(False)
    same = sum(one.same for one in samples)
    bound = upper(wrong / max(1, len(served)), len(served), DEVIATIONS)
    return Line(threshold, len(served), wrong, (len(served) - wrong) / max(1, same), bound)


def plot(lines: Sequence[Line]) -> list[str]:
    """Draw the recall as bars, with the bound of wrong hits beside them."""
    return [
        f"{line.threshold:.2f} {'█' * round(line.recall * WIDTH):<{WIDTH}} {line.recall:4.0%}  wrong < {line.bound:.1%}"
        for line in lines
    ]


def advice(lines: Sequence[Line], budget: float) -> str:
    """Say which threshold keeps a budget, and how sure that is."""
    sure = next((line for line in lines if line.bound <= budget and _kept(lines, line, budget)), None)
    if sure:
        return (
            f"threshold: {sure.threshold:.2f} keeps {budget:.1%} wrong at 95 %, with {sure.recall:.0%} of the same hit"
        )
    likely = next((line for line in lines if line.hits and line.wrong <= budget * line.hits), None)
    if likely:
        return (
            f"threshold: {likely.threshold:.2f} kept {budget:.1%} wrong here ({likely.wrong} of {likely.hits}), "
            f"but so few only show that it is under {likely.bound:.1%}"
        )
    return f"no threshold keeps {budget:.1%} wrong here"


def _kept(lines: Sequence[Line], first: Line, budget: float) -> bool:
    """Whether nothing stricter did worse than the budget."""
    return all(line.wrong <= budget * line.hits for line in lines if line.threshold >= first.threshold)


def _record(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


COLUMNS = ("threshold", "hits", "recall", "wrong", "wrong/hits", "below")
