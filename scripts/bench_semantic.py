#!/usr/bin/env python3
"""Measure when a semantic hit is right: `python scripts/bench_semantic.py [--data FOLDER] [--quick | --trials N]`.

It prints the tables of the README: pairs, all-distinct prompts, follow-ups and two streams, for each policy.
`--trials N` prints instead what errorBudget does on N streams of each of many kinds; 10 take an hour on two processors.
Needs requirements.txt and the data, which is not part of this repository (`--data`, AICACHE_SEMANTIC_DATA).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "addon")]

from llmcache.semantic.gate import judge  # noqa: E402 - the paths come first
from llmcache.semantic.threshold import Threshold, safe  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from semantic_bench import data, fixed, learned, trials  # noqa: E402
from semantic_bench.replay import Gate, Tally, Track  # noqa: E402

screen = Console(width=None if sys.stdout.isatty() else 120)
STREAMS = ("banking77", "clinc150")
SWEEP = tuple(number / 100 for number in range(70, 100, 4))
BUDGETS = (0.005, 0.01, 0.02, 0.05)
ORDERS = 5
THIN = 15
"""Questions of each answer in a thinned stream."""


def main() -> int:
    """Measure and print."""
    args = arguments().parse_args()
    folder = data.opened(args.data)
    began = time.perf_counter()
    if args.trials:
        trial(folder, range(args.first, args.first + args.trials), args.kind)
        return 0
    strict, facts = (no_gate, no_gate) if args.no_gate else (judge, loose)
    threshold = pairs(folder, strict)
    apart(folder, strict, threshold)
    for name in STREAMS:
        stream = folder.stream(name)
        orders = range(1 if args.quick else ORDERS)
        first = Track.of(stream, facts)
        static(replace(first, gate=strict, verdicts={}))
        learn([first, *(Track.of(stream.shuffled(order), facts) for order in orders[1:])], (strict, no_gate))
        if not args.quick:
            learn([Track.of(stream.shuffled(order).thinned(THIN), facts) for order in orders], (strict, no_gate))
        foreign(folder, first, facts)
    screen.print(f"took {time.perf_counter() - began:.0f} s")
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = os.environ.get("AICACHE_SEMANTIC_DATA", str(ROOT.parent / "shared" / "data" / "semantic"))
    parser.add_argument("--data", type=Path, metavar="FOLDER", default=Path(where), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one order of each stream, and nothing thinned")
    parser.add_argument("--trials", type=int, default=0, metavar="N", help="streams of each kind to try errorBudget on")
    parser.add_argument("--kind", default="", metavar="WORDS", help="only the kinds that are named so, such as `noise`")
    parser.add_argument("--first", type=int, default=11, metavar="SEED", help="of the first of them (default: 11)")
    parser.add_argument("--no-gate", action="store_true", help="leave the gate out, to see what it does")
    return parser


def no_gate(asked: str, stored: str) -> str | None:  # noqa: ARG001 - a `Gate`
    """Let everything pass."""
    return None


def loose(asked: str, stored: str) -> str | None:
    """Refuse for facts alone, as before a policy that learns."""
    return judge(asked, stored, strict=False)


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


def static(track: Track) -> None:
    """Print what thresholds behind the strict gate do on a stream."""
    show(
        f"{track.stream.name}: {len(track.stream.texts)} requests, thresholds behind the strict gate",
        HEAD,
        (row(f"threshold {value:.2f}", track.replay(Threshold(value))) for value in SWEEP),
    )


def learn(tracks: Sequence[Track], gates: Sequence[Gate]) -> None:
    """Print what errorBudget does on a stream, beside the best threshold with or without the gate."""
    show(
        f"{tracks[0].stream.name}: errorBudget, median of {len(tracks)} orders",
        ("budget", "hits", "least", "best threshold", "wrong/hits", "worst", "wrong hits", "wrong/requests", "saved"),
        (
            (
                f"{one.budget:.1%}",
                f"{one.middle(lambda tally: tally.hit_rate):.1%}",
                f"{min(tally.hit_rate for tally in one.tallies):.1%}",
                f"{one.best_static:.1%}",
                f"{one.middle(lambda tally: tally.wrong_rate):.2%}",
                f"{one.worst:.2%}",
                " ".join(f"{tally.wrong}/{tally.hits}" for tally in one.tallies),
                f"{one.middle(lambda tally: tally.wrong_requests):.2%}",
                f"{one.middle(lambda tally: tally.saved):.1%}",
            )
            for one in learned.compared(tracks, gates, BUDGETS)
        ),
    )


def trial(folder: data.Folder, seeds: range, kind: str) -> None:
    """Print for each kind of stream and budget: runs over it, hits beside the best threshold, wrong hits, the worst."""
    totals = [[0, 0, 0, 0] for _ in BUDGETS]
    lines = []
    for done in trials.trials(folder, kind, loose, (judge, no_gate), seeds, BUDGETS):
        cells = []
        for budget, tallies, best, total in zip(BUDGETS, done.tallies, done.best, totals, strict=True):
            over = sum(tally.wrong > budget * tally.hits for tally in tallies)
            hits, wrong = sum(tally.hits for tally in tallies), sum(tally.wrong for tally in tallies)
            rate = hits / sum(tally.requests for tally in tallies)
            worst = max(tally.wrong_rate for tally in tallies)
            cells.append(f"{over} | {rate:.1%} ({best.hit_rate:.1%}) | {wrong}/{hits}, {worst:.1%}")
            for place, number in enumerate((over, len(tallies), wrong, hits)):
                total[place] += number
        lines.append((done.trial.source, done.trial.kind, *cells))
    lines.append(("all", "", *(f"{over} of {runs} | | {wrong}/{hits}" for over, runs, wrong, hits in totals)))
    show(
        f"errorBudget on {len(seeds)} streams of each kind: runs over | hits (best threshold) | wrong/hits, worst",
        ("source", "kind", *(f"{budget:.1%}" for budget in BUDGETS)),
        lines,
    )


def foreign(folder: data.Folder, track: Track, gate: Gate) -> None:
    """Print what a policy that learned from a stream makes of pairs of another kind, and how long it takes."""
    for budget in BUDGETS[1::2]:
        policy = learned.learning(budget)
        track.replay(policy)
        for name in ("adversarial", "covid"):
            false, true = learned.strangers(policy, folder.pairs(name), gate)
            screen.print(
                f"learned from {track.stream.name}, {budget:.0%}, then {name}: {false} false, {true} true hits"
            )
    took = sorted(learned.seconds(policy, track, gate))
    screen.print(f"a decision: median {took[len(took) // 2] * 1e6:.0f} µs, P99 {took[-len(took) // 100] * 1e6:.0f} µs")


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
