"""A Redis behind the proxy: hits from it and from the near cache, a dead one, and several processes before one.

The servers are real and end with the part; what they need is `redis-server` on the path.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from rich.table import Table
from support.redis_server import Server, binary

from . import load, proxies
from .tables import Wanted, interleaved, running, screen, show_rates, stop

WORKERS = (1, 2, 3)


def redis(wanted: Wanted) -> None:
    """Compare hits from a Redis with a constant answer, and calls past a dead one with those that are let through."""
    if absent():
        return
    _hits(wanted)
    _dead(wanted)


def absent() -> bool:
    """Whether there is no Redis, which is then said."""
    if binary("redis7"):
        return False
    screen.print("skipped: there is no redis-server on the path")
    return True


def _hits(wanted: Wanted) -> None:
    folder = wanted.folder
    with running(folder) as upstream, Server(folder / "redis") as server:
        compared = [
            proxies.constant(folder, upstream.port),
            proxies.configured("redis, near cache off", folder, upstream.port, settings(server.url, near=0)),
            proxies.configured("redis, near cache", folder, upstream.port, settings(server.url, near=5)),
        ]
        show_rates(
            "Hits from a Redis: calls a second, 8 connections (targets: 0.85, near cache 0.92)",
            compared,
            load.same(),
            wanted,
        )


def _dead(wanted: Wanted) -> None:
    """Calls past a dead Redis against bare pass-through, and against the same addon told to do nothing.

    The first calls, during which the breaker opens, are those of the warm-up. The store in memory shows what the same
    misses cost where they are recorded.
    """
    folder = wanted.folder
    nobody = f"redis://127.0.0.1:{proxies.free_port()}"
    with running(folder) as upstream:
        compared = [
            proxies.bare(folder, upstream.port),
            proxies.configured("mode off", folder, upstream.port, "mode: off\ncache: {type: memory}\n"),
            proxies.configured("dead redis", folder, upstream.port, settings(nobody, near=0)),
            proxies.cache("memory, records", folder, upstream.port, "memory"),
            proxies.idle(folder, upstream.port),
        ]
        show_rates(
            "Misses past a dead Redis: calls a second, 8 connections (target: 0.98)",
            compared,
            load.fresh(),
            wanted,
        )


def settings(url: str, near: int) -> str:
    """Return the configuration for the Redis at *url*, with *near* seconds of near cache."""
    return f"cache: {{type: redis, url: '{url}', near: {{entries: 1000, seconds: {near}}}}}\nscope: {{secret: bench}}\n"


def workers(wanted: Wanted) -> None:
    """Compare one process with several behind one port that share a Redis."""
    if absent():
        return
    folder, counts = wanted.folder, WORKERS
    with running(folder) as upstream, Server(folder / "redis") as server:
        compared = [_serving(folder, upstream.port, server.url, count) for count in counts]
        try:
            many = 8 * max(counts)
            hits = interleaved(
                compared, wanted.rounds, lambda each: load.throughput(each.port, load.same(), wanted.calls, many)
            )
            misses = interleaved(
                compared, wanted.rounds, lambda each: load.throughput(each.port, load.fresh(), wanted.calls, many)
            )
        finally:
            stop(compared)
    table = Table(
        *("", "hits", "ratio", "misses", "ratio"),
        title=f"`serve --workers N` before one Redis, {8 * max(counts)} connections (target: grows with N).\n"
        f"This machine has {os.cpu_count()} cores, which the client, the provider and the Redis share with them",
    )
    middles = [(statistics.median(hits[each.name]), statistics.median(misses[each.name])) for each in compared]
    for each, (hit, miss) in zip(compared, middles, strict=True):
        ratios = hit / middles[0][0], miss / middles[0][1]
        table.add_row(each.name, f"{hit:.0f}/s", f"{ratios[0]:.2f}", f"{miss:.0f}/s", f"{ratios[1]:.2f}")
    screen.print(table)


def _serving(folder: Path, upstream: int, url: str, count: int) -> proxies.Process:
    return proxies.serve(folder, upstream, url, f"{count} process{'es' * (count > 1)}", "--workers", str(count))
