"""The breaker: when it opens, that it probes, and that it says so once."""

from __future__ import annotations

import asyncio

from llmcache.breaker import Breaker


class Probe:
    """A probe that fails so many times; `done` is set when it has worked."""

    def __init__(self, failures=0):
        self.left, self.asked = failures, 0
        self.done = asyncio.Event()

    async def __call__(self):
        self.asked += 1
        if self.asked <= self.left:
            raise OSError("still down")
        self.done.set()


async def test_failures_in_a_row_open_it():
    """A success in between begins the count anew."""
    breaker = Breaker("it", Probe(), threshold=3, first=60)
    for _ in range(5):
        breaker.failed("x")
        breaker.failed("x")
        assert not breaker.is_open
        breaker.succeeded()
    for _ in range(3):
        breaker.failed("x")
    assert breaker.is_open
    await breaker.close()


async def test_it_probes_until_the_probe_works(caplog):
    """It stays open while the probe fails, closes when it works, and logs the two changes and nothing else."""
    probe = Probe(failures=3)
    breaker = Breaker("it", probe, threshold=1, first=0.001, most=0.002)
    for _ in range(10):
        breaker.failed("refused")
    async with asyncio.timeout(10):
        await probe.done.wait()
        while breaker.is_open:
            await asyncio.sleep(0)
    assert probe.asked == 4
    assert [record.message for record in caplog.records] == [
        "it: left alone after 1 failures in a row: refused",
        "it: answers again",
    ]


async def test_it_opens_again():
    """After a recovery the count begins at nothing."""
    probe = Probe()
    breaker = Breaker("it", probe, threshold=2, first=0.001)
    breaker.failed("x")
    breaker.failed("x")
    async with asyncio.timeout(10):
        while breaker.is_open:
            await asyncio.sleep(0)
    breaker.failed("x")
    assert not breaker.is_open
    breaker.failed("x")
    assert breaker.is_open
    await breaker.close()


async def test_close_ends_the_probing():
    """A closed breaker leaves no task behind."""
    breaker = Breaker("it", Probe(), threshold=1, first=60)
    breaker.failed("x")
    await breaker.close()
    assert {asyncio.current_task()} == asyncio.all_tasks()
