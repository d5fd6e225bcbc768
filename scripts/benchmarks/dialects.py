"""What each dialect costs: a miss that is recorded, and a stream of a megabyte put together.

It runs the golden interactions of tests/data/wire through the engine, in this process; see `golden`.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable
from dataclasses import replace

from llmcache.capture import Exchange
from llmcache.chat import Complete, Miss, Request
from llmcache.engine import Engine
from llmcache.scope import Scope
from llmcache.stores.memory import MemoryStore
from rich.table import Table

from .golden import JSON, TYPES, Case, cases, frames, lengthened
from .tables import Wanted, ms, progress, screen

MEGABYTE = 1_000_000
BASE = "openai-chat"


def dialects(wanted: Wanted, found: Iterable[Case] = (), size: int = MEGABYTE) -> None:
    """Show both costs of each dialect."""
    known = list(found or cases())
    _misses(known, wanted.rounds)
    _streams(known, wanted.rounds, size)


def _misses(known: list[Case], rounds: int) -> None:
    times: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for case in known:
            progress(f"misses, round {number} of {rounds}: {case.dialect.NAME}")
            took = asyncio.run(_miss(case, 20))
            if number:
                times.setdefault(case.dialect.NAME, []).append(took)
    table = Table(
        *("dialect", "CPU a call, ms", "to a chat's, ms"),
        title="A miss that is recorded: our own processor time (target: 5 % of a miss of `misses` more than a chat's)",
    )
    base = statistics.median(times[BASE]) if BASE in times else 0.0
    for name, each in times.items():
        middle = statistics.median(each)
        table.add_row(name, ms(middle), f"{(middle - base) * 1000:+.3f}")
    screen.print(table)


async def _miss(case: Case, calls: int) -> float:
    """Return the processor seconds of one look-up and record of the case."""
    engine = Engine(MemoryStore(1000, 10**9, "lru"), Scope(b"bench"))
    headers = (("content-type", TYPES[case.call.form.kind]),)
    exchange = Exchange(200, headers, ((1, case.stream),), 0.5, streamed=True)
    requests = [_of_other_user(case.request, number) for number in range(calls)]
    started = time.process_time()
    for request in requests:
        outcome, ticket = await engine.lookup(case.dialect, request)
        assert isinstance(outcome, Miss), outcome
        assert ticket
        engine.record(ticket, exchange)
    await engine.settled()
    took = time.process_time() - started
    await engine.close()
    return took / calls


def _of_other_user(request: Request, number: int) -> Request:
    """Return the request with a credential nobody else has: another scope, so another key."""
    headers = tuple(pair for pair in request.headers if pair[0] != "authorization")
    return replace(request, headers=(*headers, ("authorization", f"Bearer sk-bench-{number}")))


def _streams(known: list[Case], rounds: int, size: int) -> None:
    table = Table(
        *("dialect", "golden stream", "frames", "judged", "as JSON", "over"),
        title=f"A stream of {size / 1e6:g} MB put together: ms of processor time (target: under 50)",
    )
    for case in _one_each(known):
        body = lengthened(case, size)
        assert body
        judged, written = assembling(case, body, rounds)
        over = "over" if max(judged, written) * MEGABYTE > 0.05 * size else ""
        count = f"{len(frames(case, body)):,}"
        table.add_row(case.dialect.NAME, case.name, count, ms(judged, 1), ms(written, 1), over)
    screen.print(table)


def _one_each(known: list[Case]) -> list[Case]:
    """Return one case of text for each dialect and form that can be lengthened."""
    chosen: dict[tuple[str, str], Case] = {}
    for case in sorted(known, key=lambda each: (each.name != "text", not each.name.endswith("-text"), len(each.name))):
        place = case.dialect.NAME, case.call.form.kind
        if place not in chosen and lengthened(case, 2 * len(case.stream)):
            chosen[place] = case
    return sorted(chosen.values(), key=known.index)


def assembling(case: Case, body: bytes, rounds: int) -> tuple[float, float]:
    """Return the median processor seconds of judging the stream *body*, which is good, and of writing it as JSON."""
    reply, judged, written = case.reply(body), [], []
    form = case.dialect.reply_form(case.call, reply)
    for _ in range(rounds):
        progress(f"{case.dialect.NAME}: {case.name}")
        started = time.process_time()
        verdict = case.dialect.judge(case.call, reply, frozenset())
        middle = time.process_time()
        case.dialect.convert(reply, form, JSON)
        judged.append(middle - started)
        written.append(time.process_time() - middle)
        assert isinstance(verdict, Complete), verdict
    return statistics.median(judged), statistics.median(written)
