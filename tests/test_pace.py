"""Recorded streams at their own pace, by a clock of ours."""

from __future__ import annotations

import pytest
from llmcache.chat import Reply
from llmcache.flights import Broken
from llmcache.pace import Pace, paced

REPLY = Reply(200, (), b"abcdef", ((1000, 1), (1000, 2), (3000, 2), (11000, 1)))


class Clock:
    """A clock that goes on only while somebody sleeps, and a little while chunks are taken."""

    def __init__(self) -> None:
        self.now = 100.0

    async def sleep(self, seconds: float) -> None:
        """Go on."""
        self.now += seconds


PACES = [
    pytest.param(Pace(1), [1, 1, 3, 11], id="as recorded"),
    pytest.param(Pace(2), [0.5, 0.5, 1.5, 5.5], id="twice as fast"),
    pytest.param(Pace(1, max_gap=1.5), [1, 1, 2.5, 4], id="no pause longer than 1.5 s"),
    pytest.param(Pace(2, max_gap=0.25), [0.25, 0.25, 0.5, 0.75], id="both"),
]


@pytest.mark.parametrize(("pace", "times"), PACES)
async def test_chunks_come_when_they_came(pace: Pace, times: list[float]) -> None:
    """Each with its border, at its time; the bound is on the pause as it is replayed."""
    clock = Clock()
    seen = [
        (round(clock.now - 100, 6), chunk) async for chunk in paced(REPLY, pace, None, clock.sleep, lambda: clock.now)
    ]
    assert seen == list(zip(times, [b"a", b"bc", b"de", b"f"], strict=True))


async def test_a_slow_reader_does_not_delay_the_rest() -> None:
    """Times count from the start: who took two seconds over the first chunk gets the next ones sooner."""
    clock = Clock()
    seen = []
    async for _ in paced(REPLY, Pace(1), None, clock.sleep, lambda: clock.now):
        seen.append(clock.now - 100)
        clock.now += 1.5
    assert seen == [1, 2.5, 4, 11]


@pytest.mark.parametrize(("pace", "at"), [(Pace(0), 0), (Pace(1), 12), (Pace(1, max_gap=0.5), 2)], ids=str)
async def test_what_broke_off_breaks_off_again(pace: Pace, at: float) -> None:
    """All that came, and then the break, at its time or at once."""
    clock = Clock()
    chunks = paced(REPLY, pace, 12.0, clock.sleep, lambda: clock.now)
    assert [await anext(chunks) for _ in range(4)] == [b"a", b"bc", b"de", b"f"]
    with pytest.raises(Broken):
        await anext(chunks)
    assert clock.now == 100 + at


async def test_bytes_without_a_time_are_not_lost() -> None:
    """What the times do not cover comes at the end."""
    reply = Reply(200, (), b"abc", ((0, 1),))
    assert [chunk async for chunk in paced(reply, Pace(1))] == [b"a", b"bc"]
