"""Lines that several processes append: each reads those of the others, once, whole, in a file and in a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from llmcache.addresses import parse_url
from llmcache.chat import BackendError
from llmcache.ledger import FileLedger, Ledger
from llmcache.stores.redis_ledger import RedisLedger
from support.absent import missing
from support.redis_server import Server, binary

Open = Callable[[], Ledger]


@pytest.fixture(params=["file", "redis"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Give what opens the same ledger again and again."""
    ledgers: list[Ledger] = []

    def made(make: Open) -> Open:
        def again() -> Ledger:
            ledgers.append(make())
            return ledgers[-1]

        return again

    if request.param == "file":
        yield made(lambda: FileLedger(tmp_path / "deep" / "cache.db"))
    else:
        if binary("redis7") is None:
            missing("redis-server")
        with Server(tmp_path / "redis") as server:
            yield made(lambda: RedisLedger(parse_url(server.url), b"t:"))
            for ledger in ledgers:
                await ledger.close()


async def test_the_others_lines_come_once(opened: Open) -> None:
    """What one appends the other reads once; nobody reads his own."""
    one, other = opened(), opened()
    await one.append("book", b"1\n")
    await other.append("book", b"2\n3\n")
    await one.append("book", b"1\n")
    assert await one.news("book") == b"2\n3\n"
    assert await other.news("book") == b"1\n1\n"
    assert (await one.news("book"), await other.news("book")) == (b"", b"")


async def test_a_new_process_reads_everything(opened: Open) -> None:
    """What was learned is there after a restart, one's own lines too; books do not mix."""
    await opened().append("book", b"1\n")
    await opened().append("else", b"9\n")
    assert await opened().news("book") == b"1\n"


async def test_a_half_line_waits(tmp_path: Path) -> None:
    """A line that is being written is read when it is whole."""
    ledger = FileLedger(tmp_path / "c")
    (tmp_path / "c.book").write_bytes(b"whole\nhal")
    assert await ledger.news("book") == b"whole\n"
    (tmp_path / "c.book").write_bytes(b"whole\nhalf\n")
    assert await ledger.news("book") == b"half\n"


async def test_the_files_are_private(tmp_path: Path) -> None:
    """0600, as the database."""
    await FileLedger(tmp_path / "c").append("book", b"1\n")
    assert (tmp_path / "c.book").stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="cannot be written"):
        await FileLedger(tmp_path / "file" / "c").append("book", b"1\n")


async def test_a_redis_that_is_gone_says_so() -> None:
    """Nobody listens."""
    ledger = RedisLedger(parse_url("redis://127.0.0.1:1"), b"t:")
    with pytest.raises(BackendError, match="RedisLedger"):
        await ledger.news("book")


async def test_reading_twice_at_once_reads_once(opened: Open) -> None:
    """Of lines that are read and written by many at once each comes once, and own ones never."""
    one, other = opened(), opened()
    await other.append("book", b"1\n")
    both = [
        one.news("book"),
        one.news("book"),
        one.append("book", b"2\n"),
        one.news("book"),
        one.append("book", b"2\n"),
    ]
    found = await asyncio.gather(*both)
    assert b"".join(each for each in found if each) == b"1\n"
    await other.append("book", b"3\n")
    assert await one.news("book") == b"3\n"
