#!/usr/bin/env python3
"""Measure when a semantic hit is right: `python scripts/bench_semantic.py [--data FOLDER] [--quick]`.

It prints the tables of the README: pairs, all-distinct prompts, follow-ups and two streams, for each policy.
Needs requirements.txt and the data, which is not part of this repository (`--data`, AICACHE_SEMANTIC_DATA).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "addon")]

from llmcache.semantic.threshold import Threshold, safe  # noqa: E402 - the paths come first
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from semantic_bench import data, fixed  # noqa: E402
from semantic_bench.replay import Gate, Tally, Track  # noqa: E402

screen = Console(width=None if sys.stdout.isatty() else 120)
STREAMS = ("banking77", "clinc150")
SWEEP = tuple(number / 100 for number in range(60, 100, 2))
BUDGETS = (0.005, 0.01, 0.02, 0.05)


def main() -> int:
    """Measure and print."""
    args = arguments().parse_args()
    folder = data.opened(args.data)
    began = time.perf_counter()
    gate = no_gate if args.no_gate else the_gate()
    threshold = pairs(folder, gate)
    apart(folder, gate, threshold)
    for name in STREAMS:
        streams(Track.of(folder.stream(name), gate))
    screen.print(f"took {time.perf_counter() - began:.0f} s")
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = os.environ.get("AICACHE_SEMANTIC_DATA", str(ROOT.parent / "shared" / "data" / "semantic"))
    parser.add_argument("--data", type=Path, metavar="FOLDER", default=Path(where), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one order of each stream, and nothing thinned")
    parser.add_argument("--no-gate", action="store_true", help="leave the gate out, to see what it does")
    return parser


def no_gate(asked: str, stored: str) -> str | None:  # noqa: ARG001 - a `Gate`
    """Let everything pass."""
    return None


def the_gate() -> Gate:
    """Return the gate of the product."""
    from llmcache.semantic.gate import judge  # noqa: PLC0415 - not needed with --no-gate

    return judge


def pairs(folder: data.Folder, gate: Gate) -> float:
    """Print what the pairs say; return the default threshold."""
    threshold = safe("wordllama").value
    for name in ("adversarial", "covid"):
        found = fixed.judged(folder.pairs(name), gate)
        lowest = fixed.safest(found)
        screen.print(
            f"{name}: no false hit from cosine {lowest:.2f} on, recall there {fixed.recall(found, lowest):.1%}; "
            f"at the default {threshold:.2f}: recall {fixed.recall(found, threshold):.1%}, "
            f"false hits {fixed.false_hits(found, threshold).total()}"
        )
        show(
            f"{name}: hits at {threshold:.2f}",
            ("category", "same", "hits", "pairs"),
            (
                (category, "yes" if same else "no", str(hits), str(total))
                for category, same, hits, total in fixed.by_category(found, threshold)
            ),
        )
    return threshold


def apart(folder: data.Folder, gate: Gate, threshold: float) -> None:
    """Print the hits among prompts that all differ, and among follow-ups; both must be 0."""
    prompts = folder.distinct()
    screen.print(f"all-distinct prompts: {fixed.alone(prompts, gate, threshold)} false hits of {len(prompts)}")
    questions, contexts = fixed.follow_ups(folder.dialogs())
    screen.print(f"follow-ups: {fixed.alone(questions, gate, threshold, contexts)} hits of {len(questions)}")


def streams(track: Track) -> None:
    """Print what static thresholds do on a stream."""
    show(
        f"{track.stream.name}: {len(track.stream.texts)} requests",
        HEAD,
        (row(f"threshold {value:.2f}", track.replay(Threshold(value))) for value in SWEEP),
    )


def row(name: str, tally: Tally) -> tuple[str, ...]:
    """Return a line of a stream's table."""
    return (
        name,
        f"{tally.hit_rate:.1%}",
        f"{tally.wrong_rate:.2%}",
        f"{tally.wrong_requests:.2%}",
        str(tally.wrong),
        f"{tally.saved:.1%}",
        str(tally.first or "-"),
    )


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for line in rows:
        table.add_row(*line)
    screen.print(table)


HEAD = ("policy", "hits / requests", "wrong / hits", "wrong / requests", "wrong", "calls saved", "first hit")

if __name__ == "__main__":
    sys.exit(main())
