"""What the parts share: how they are asked, how measuring is interleaved, and the tables that are printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmcache.jsontext import dumps
from rich.console import Console
from rich.table import Table

from . import load, proxies

screen = Console()
Measured = dict[str, list[float]]

REPLY = dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 100}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 100, "total_tokens": 190},
    }
)
"""What the provider answers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much is to be measured."""

    folder: Path
    """Empty, and gone afterwards."""
    rounds: int
    calls: int
    """Calls in each round of a comparison of proxies."""
    large: bool = False
    """Whether what takes many minutes is measured too."""


Part = Callable[[Wanted], None]


def progress(what: str) -> None:
    """Show what is being done, until the next line is printed."""
    if screen.is_terminal:
        screen.print(f"[dim]{what}[/]   ", end="\r")


@contextmanager
def running(folder: Path) -> Iterator[proxies.Process]:
    """Have the provider running."""
    upstream = proxies.provider(folder, REPLY)
    try:
        yield upstream
    finally:
        upstream.stop()


def stop(processes: Sequence[proxies.Process]) -> None:
    """End them all."""
    for each in processes:
        each.stop()


def interleaved(
    compared: Sequence[proxies.Process], rounds: int, measure: Callable[[proxies.Process], float]
) -> Measured:
    """Measure each in turn, again and again: what the machine does meanwhile hits all alike. The first is a warm-up."""
    measured: Measured = {each.name: [] for each in compared}
    for number in range(rounds + 1):
        for each in compared:
            progress(f"round {number} of {rounds}: {each.name}")
            value = measure(each)
            if number:
                measured[each.name].append(value)
    return measured


def show_rates(
    title: str, compared: Sequence[proxies.Process], body: load.Body, wanted: Wanted, clients: int = 8
) -> None:
    """Measure throughput and print it with its ratio to the first, and the processor time of the proxy for each call.

    The proxies end with it.
    """
    load_all = lambda each: load.throughput(each.port, body, wanted.calls, clients)  # noqa: E731 - named for two lines
    try:
        measured = interleaved(compared, 1, load_all)
        before = {each.name: each.cpu_seconds() for each in compared}
        measured = interleaved(compared, wanted.rounds, load_all)
        calls = wanted.calls * (wanted.rounds + 1)
        cpu = {each.name: (each.cpu_seconds() - before[each.name]) / calls for each in compared}
    finally:
        stop(compared)
    table = Table("", "rounds", "median", "ratio", "CPU a call, ms", title=title)
    base = statistics.median(measured[compared[0].name])
    for name, values in measured.items():
        middle = statistics.median(values)
        each = " ".join(f"{value:.0f}" for value in values)
        table.add_row(name, each, f"{middle:.0f}/s", f"{middle / base:.2f}", f"{cpu[name] * 1000:.2f}")
    screen.print(table)


def p99(times: Sequence[float]) -> float:
    """Return what 99 of 100 stay under."""
    return sorted(times)[int(len(times) * 0.99)]


def ms(seconds: float, digits: int = 3) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:.{digits}f}"
