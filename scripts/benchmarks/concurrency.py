"""Many clients at once: followers of one live stream, and a crowd of a thousand."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from . import load, proxies
from .tables import Wanted, ms, p99, progress, running, screen, stop

CROWD = 1000
FILES = 4 * CROWD
"""Open files that a crowd takes: a connection has two ends, and the proxy has another one upstream."""
MEANWHILE = 0.3
"""Seconds after the call of a leader when the stream is under way: the provider's first event comes after 0.1."""


def flights(wanted: Wanted) -> None:
    """Measure how much later a follower of a live stream gets its first byte than its leader does."""
    folder, count = wanted.folder, max(5, wanted.calls // 80)
    rows: dict[str, list[float]] = {}
    with running(folder) as upstream:
        compared = [
            proxies.stock("bare mitmdump, streaming", folder, upstream.port, "--set", "stream_large_bodies=1"),
            proxies.cache("memory", folder, upstream.port, "memory"),
        ]
        try:
            for number in range(count + 1):
                progress(f"flight {number} of {count}")
                found = asyncio.run(_flight(*compared))
                for name, value in found.items() if number else ():
                    rows.setdefault(name, []).append(value)
        finally:
            stop(compared)
    table = Table(
        *("", "p50, ms", "p99, ms"),
        title=f"First byte for a follower of a live stream, {count} flights (target: at most 3 ms later)",
    )
    for name, values in rows.items():
        table.add_row(name, ms(statistics.median(values), 2), ms(p99(values), 2))
    screen.print(table)


async def _flight(bare: proxies.Process, cache: proxies.Process) -> dict[str, float]:
    """Let two ask the same at once, one join later, and two others ask different things past the cache."""
    fresh = load.fresh(stream=True)
    question = fresh(0)
    leader, follower = _firsts(cache, question), _firsts(cache, question)
    late = _firsts(cache, question, MEANWHILE)
    first, second, joined = await asyncio.gather(leader, follower, late)
    alone, other = await asyncio.gather(_firsts(bare, fresh(0)), _firsts(bare, fresh(0)))
    again = await asyncio.gather(_firsts(cache, fresh(0)), _firsts(cache, fresh(0)))
    return {
        "asked together: later than its leader": abs(second[1] - first[1]),
        "two that ask different things, through aicache: the second later": abs(again[1][1] - again[0][1]),
        "two that ask different things, bare: the second later": abs(other[1] - alone[1]),
        "joined a stream under way: after its request": joined[1] - joined[0],
        "asked upstream, bare: after its request, the provider's 100 ms left out": alone[1] - alone[0] - 0.1,
    }


async def _firsts(proxy: proxies.Process, raw: bytes, after: float = 0.0) -> tuple[float, float]:
    """Ask after *after* seconds; return when the request was sent, and when the first byte of the body came."""
    await asyncio.sleep(after)
    return await load.first_byte(proxy.port, raw, "/slow/chat/completions")


@dataclass(frozen=True, slots=True)
class Crowded:
    """How a crowd fared."""

    seconds: float
    times: list[float]
    """Of each call that was answered, in seconds."""
    errors: int


def crowd(wanted: Wanted, clients: int = CROWD) -> None:
    """Show how a thousand clients fare that ask at once, again and again, on misses and on hits."""
    _allow(FILES)
    folder, each = wanted.folder, max(2, wanted.calls // 400)
    table = Table(
        *("", "calls", "errors", "calls a second", "p50, ms", "p99, ms", "idle, MB", "peak, MB"),
        title=f"{clients:,} clients at once, {each} calls each (targets: no error, bounded memory)",
    )
    with running(folder) as upstream:
        rows: list[tuple[str, Callable[[], proxies.Process], load.Body]] = [
            ("misses", lambda: proxies.bare(folder, upstream.port), load.fresh()),
            ("misses", lambda: _sqlite(folder, upstream, "crowd"), load.fresh()),
            ("hits", lambda: proxies.constant(folder, upstream.port), load.same()),
            ("hits", lambda: _sqlite(folder, upstream, "warm"), load.same()),
        ]
        for kind, start, body in rows:
            proxy = start()
            progress(f"{clients} clients: {kind}, {proxy.name}")
            load.throughput(proxy.port, body, 16)
            idle = proxy.memory()
            found = asyncio.run(crowded(proxy.port, body, clients, each))
            sizes = f"{idle / 1e6:.0f}", f"{proxy.peak_memory() / 1e6:.0f}"
            proxy.stop()
            rate, times = len(found.times) / found.seconds, found.times or [0.0]
            timed = f"{rate:.0f}/s", ms(statistics.median(times), 0), ms(p99(times), 0)
            table.add_row(f"{kind}: {proxy.name}", f"{clients * each}", str(found.errors), *timed, *sizes)
    screen.print(table)


def _sqlite(folder: Path, upstream: proxies.Process, name: str) -> proxies.Process:
    return proxies.cache("sqlite", folder, upstream.port, f"sqlite:{folder / name}.db")


async def crowded(port: int, body: load.Body, clients: int, calls: int) -> Crowded:
    """Let *clients* make *calls* each, all at once, after all have connected."""
    waiting, open_now = asyncio.Semaphore(0), asyncio.Semaphore(50)
    go = asyncio.Event()
    times: list[float] = []
    errors = 0

    async def one() -> None:
        nonlocal errors
        try:
            async with open_now:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            errors += calls
            return
        finally:
            waiting.release()
        await go.wait()
        for number in range(calls):
            try:
                sent = time.perf_counter()
                await load.exchange(reader, writer, body(number))
                times.append(time.perf_counter() - sent)
            except (OSError, AssertionError, asyncio.IncompleteReadError, ValueError):
                errors += calls - number
                break
        writer.close()

    tasks = [asyncio.create_task(one()) for _ in range(clients)]
    for _ in range(clients):
        await waiting.acquire()
    started = time.perf_counter()
    go.set()
    await asyncio.gather(*tasks)
    return Crowded(time.perf_counter() - started, times, errors)


def _allow(files: int) -> None:
    """Raise the limit of open files, for this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))
