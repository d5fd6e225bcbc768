"""Hits, misses and streams through one process, beside bare mitmproxy."""

from __future__ import annotations

import statistics

from rich.table import Table

from . import load, proxies
from .tables import Wanted, interleaved, ms, running, screen, show_rates, stop


def hits(wanted: Wanted) -> None:
    """Compare hits with an addon that answers a constant."""
    folder = wanted.folder
    with running(folder) as upstream:
        compared = [
            proxies.constant(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'hits.db'}"),
            proxies.cache("memory", folder, upstream.port, "memory"),
            proxies.serve(folder, upstream.port, f"sqlite:{folder / 'serve.db'}"),
        ]
        show_rates(
            "Hits: calls a second, 8 connections, reverse mode (targets: 0.92, `serve` 1.2)",
            compared,
            load.same(),
            wanted,
        )


def misses(wanted: Wanted) -> None:
    """Compare misses, each of which is recorded, with bare pass-through, and with what any addon at all costs."""
    folder = wanted.folder
    with running(folder) as upstream:
        compared = [
            proxies.bare(folder, upstream.port),
            proxies.idle(folder, upstream.port),
            proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / 'misses.db'}"),
            proxies.cache("memory", folder, upstream.port, "memory"),
            proxies.serve(folder, upstream.port, f"sqlite:{folder / 'serve.db'}"),
        ]
        show_rates("Misses: calls a second, 8 connections, reverse mode (target: 0.93)", compared, load.fresh(), wanted)


def first_byte(wanted: Wanted) -> None:
    """Compare the time to the first byte of a stream, recorded and bare."""
    folder = wanted.folder
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
                wanted.rounds,
                lambda each: statistics.median(
                    load.first_bytes(each.port, load.fresh(stream=True), max(20, wanted.calls // 20))
                ),
            )
        finally:
            stop(compared)
    table = Table(
        *("", "p50 of each round, ms", "median, ms", "later, ms"),
        title="First byte of a stream that is recorded (target: at most 2 ms later)",
    )
    base = statistics.median(next(iter(measured.values())))
    for name, values in measured.items():
        middle = statistics.median(values)
        each = " ".join(ms(value, 2) for value in values)
        table.add_row(name, each, ms(middle, 2), f"{(middle - base) * 1000:+.2f}")
    screen.print(table)


def memory(wanted: Wanted) -> None:
    """Show how much memory a stream of 20 MB takes that is too large to be stored."""
    folder = wanted.folder
    table = Table(
        *("", "idle, MB", "peak, MB", "above idle, MB"),
        title="A stream of 20 MB (over limits.maxBody) passes (target: under 60 MB above idle)",
    )
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
