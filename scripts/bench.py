#!/usr/bin/env python3
"""Measure aicache side by side with bare mitmproxy on this machine: `python scripts/bench.py [--only NAME ...]`.

Everything that is compared runs in one go, in interleaved rounds, and a table shows medians and their ratio to the
first row: the numbers of one run on one machine can be compared, those of two runs cannot. Nothing here is a test.
Run it with an interpreter that has requirements.txt.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "addon"), str(ROOT / "tests")]

from benchmarks import load, proxies  # noqa: E402 - the paths come first
from llmcache.capture import Exchange  # noqa: E402
from llmcache.chat import Hit, Request  # noqa: E402
from llmcache.engine import Engine  # noqa: E402
from llmcache.jsontext import dumps  # noqa: E402
from llmcache.scope import Scope  # noqa: E402
from llmcache.stores.sqlite import SqliteStore  # noqa: E402
from llmcache.wire import openai_chat  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

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


def hits(folder: Path, rounds: int, calls: int) -> None:
    """Compare hits with an addon that answers a constant."""
    with running(folder) as upstream:
        compared = [
            proxies.constant(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'hits.db'}"),
            proxies.cache("memory", folder, upstream.port, "memory"),
            proxies.serve(folder, upstream.port, f"sqlite:{folder / 'serve.db'}"),
        ]
        show_rates("Hits: calls a second, 8 connections, reverse mode", compared, load.same(), rounds, calls)


def misses(folder: Path, rounds: int, calls: int) -> None:
    """Compare misses, each of which is recorded, with bare pass-through, and with what any addon at all costs."""
    with running(folder) as upstream:
        compared = [
            proxies.bare(folder, upstream.port),
            proxies.idle(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'misses.db'}"),
            proxies.cache("memory", folder, upstream.port, "memory"),
            proxies.serve(folder, upstream.port, f"sqlite:{folder / 'serve.db'}"),
        ]
        show_rates("Misses: calls a second, 8 connections, reverse mode", compared, load.fresh(), rounds, calls)


def first_byte(folder: Path, rounds: int, calls: int) -> None:
    """Compare the time to the first byte of a stream, recorded and bare."""
    with running(folder) as upstream:
        compared = [
            # By itself mitmproxy holds a reply back until it is whole: told to stream, it is as fast as it can be.
            proxies.stock("bare mitmdump, streaming", folder, upstream.port, "--set", "stream_large_bodies=1"),
            proxies.bare(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'streams.db'}"),
        ]
        try:
            measured = interleaved(
                compared,
                rounds,
                lambda each: statistics.median(
                    load.first_bytes(each.port, load.fresh(stream=True), max(20, calls // 20))
                ),
            )
        finally:
            stop(compared)
    table = Table(
        "", "p50 of each round, ms", "median, ms", "later, ms", title="First byte of a stream that is recorded"
    )
    base = statistics.median(next(iter(measured.values())))
    for name, values in measured.items():
        each = " ".join(f"{value * 1000:.2f}" for value in values)
        middle = statistics.median(values)
        table.add_row(name, each, f"{middle * 1000:.2f}", f"{(middle - base) * 1000:+.2f}")
    screen.print(table)


def memory(folder: Path, _rounds: int, _calls: int) -> None:
    """Show how much memory a stream of 20 MB takes that is too large to be stored."""
    table = Table("", "idle, MB", "peak, MB", "above idle, MB", title="A stream of 20 MB (over limits.maxBody) passes")
    with running(folder) as upstream:
        for started in (
            proxies.bare(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'huge.db'}"),
        ):
            load.first_bytes(started.port, load.fresh(stream=True), 3)
            idle = started.memory()
            load.first_bytes(started.port, load.fresh(stream=True), 1, "/huge/chat/completions")
            peak = started.peak_memory()
            table.add_row(started.name, *(f"{value / 1e6:.0f}" for value in (idle, peak, peak - idle)))
            started.stop()
    screen.print(table)


def large_prompt(folder: Path, rounds: int, _calls: int) -> None:
    """Show our own time for a hit by the size of the prompt, without mitmproxy."""
    table = Table("prompt", "median, ms", "p99, ms", title="Our own time for a hit (engine alone, SQLite)")
    for size in (1_000, 20_000, 200_000):
        times = asyncio.run(_engine_hits(folder / f"prompt-{size}.db", "word " * (size // 5), 100 * rounds))
        table.add_row(f"{size // 1000} kB", f"{statistics.median(times) * 1000:.3f}", f"{_p99(times) * 1000:.3f}")
    screen.print(table)


def many_entries(folder: Path, rounds: int, _calls: int) -> None:
    """Compare a store of 100 entries with one of 200,000: opening, and reading entries that are not at hand."""
    table = Table("entries", "open, ms", "hit p50, ms", "p99, ms", "ratio", title="SQLite: entries read at random")
    base = 0.0
    stores = {count: folder / f"entries-{count}.db" for count in (100, 200_000)}
    for count, path in stores.items():
        asyncio.run(_fill(path, count))
    results: dict[int, list[float]] = {count: [] for count in stores}
    opened: dict[int, float] = {}
    for _ in range(rounds):
        for count, path in stores.items():
            opened[count], times = asyncio.run(_read(path, count))
            results[count] += times
    for count, times in results.items():
        middle = statistics.median(times)
        base = base or middle
        cells = (opened[count], middle, _p99(times))
        table.add_row(f"{count:,}", *(f"{cell * 1000:.3f}" for cell in cells), f"{middle / base:.2f}")
    screen.print(table)


# ---- the parts


@contextmanager
def running(folder: Path) -> Iterator[proxies.Process]:
    """Have the provider running."""
    upstream = proxies.provider(folder, REPLY)
    try:
        yield upstream
    finally:
        upstream.stop()


def stop(processes: list[proxies.Process]) -> None:
    """End them all."""
    for each in processes:
        each.stop()


def interleaved(compared: list[proxies.Process], rounds: int, measure: Callable[[proxies.Process], float]) -> Measured:
    """Measure each in turn, again and again: what the machine does meanwhile hits all alike. The first is a warm-up."""
    measured: Measured = {each.name: [] for each in compared}
    for number in range(rounds + 1):
        for each in compared:
            screen.print(f"[dim]round {number} of {rounds}: {each.name}[/]   ", end="\r")
            value = measure(each)
            if number:
                measured[each.name].append(value)
    return measured


def show_rates(title: str, compared: list[proxies.Process], body: load.Body, rounds: int, calls: int) -> None:
    """Measure throughput and print it, with the processor time of the proxy for each call."""
    before: dict[str, float] = {}
    try:
        load_all = lambda each: load.throughput(each.port, body, calls)  # noqa: E731 - named for the line below
        measured = interleaved(compared, 1, load_all)
        before = {each.name: each.cpu_seconds() for each in compared}
        measured = interleaved(compared, rounds, load_all)
        cpu = {each.name: (each.cpu_seconds() - before[each.name]) / (calls * (rounds + 1)) for each in compared}
    finally:
        stop(compared)
    table = Table("", "rounds", "median", "ratio", "CPU a call, ms", title=title)
    base = statistics.median(measured[compared[0].name])
    for name, values in measured.items():
        middle = statistics.median(values)
        each = " ".join(f"{value:.0f}" for value in values)
        table.add_row(name, each, f"{middle:.0f}/s", f"{middle / base:.2f}", f"{cpu[name] * 1000:.2f}")
    screen.print(table)


async def _engine_hits(path: Path, prompt: str, count: int) -> list[float]:
    engine = Engine(SqliteStore(path, 10, 10**9, "lru"), Scope(b"bench"))
    await _recorded(engine, prompt)
    await engine.settled()
    await asyncio.sleep(0.1)
    times = []
    for _ in range(count):
        started = time.perf_counter()
        outcome, _ = await engine.lookup(openai_chat, _request(prompt))
        times.append(time.perf_counter() - started)
        assert isinstance(outcome, Hit)
    await engine.close()
    return times


async def _fill(path: Path, count: int) -> None:
    engine = Engine(SqliteStore(path, 10**6, 10**10, "lru"), Scope(b"bench"))
    for start in range(0, count, 1000):
        screen.print(f"[dim]filling {path.name}: {start:,} of {count:,}[/]   ", end="\r")
        await asyncio.gather(
            *(_recorded(engine, f"question {number}") for number in range(start, min(start + 1000, count)))
        )
        await engine.settled()
    await engine.close()


async def _read(path: Path, count: int) -> tuple[float, list[float]]:
    """Return the seconds of opening the store, and of 2,000 hits spread over it."""
    store = SqliteStore(path, 10**6, 10**10, "lru")
    started = time.perf_counter()
    await store.open()
    opened = time.perf_counter() - started
    engine = Engine(store, Scope(b"bench"))
    times = []
    for number in range(2000):
        request = _request(f"question {number * 7919 % count}")
        started = time.perf_counter()
        outcome, _ = await engine.lookup(openai_chat, request)
        times.append(time.perf_counter() - started)
        assert isinstance(outcome, Hit)
    await engine.close()
    return opened, times


async def _recorded(engine: Engine, prompt: str) -> None:
    _, ticket = await engine.lookup(openai_chat, _request(prompt))
    assert ticket
    engine.record(ticket, Exchange(200, (("content-type", "application/json"),), ((1, REPLY),), 0.5, streamed=False))


def _request(prompt: str) -> Request:
    fields = (("content-type", "application/json"), ("authorization", "Bearer sk-bench"))
    path = "/v1/chat/completions"
    return Request("POST", "https", "api.openai.com", 443, path, "", fields, load.chat(prompt))


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


PARTS: dict[str, Callable[[Path, int, int], None]] = {
    "hits": hits,
    "misses": misses,
    "first-byte": first_byte,
    "memory": memory,
    "large-prompt": large_prompt,
    "many-entries": many_entries,
}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="which parts (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument("--calls", type=int, default=1600, help="calls a round (default: 1600)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only:
            (Path(folder) / name).mkdir()
            PARTS[name](Path(folder) / name, given.rounds, given.calls)


if __name__ == "__main__":
    main()
