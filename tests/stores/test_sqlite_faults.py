"""What happens to a SQLite store when its disk, its file or its neighbors misbehave: on real ones, not on fakes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.stores import database
from llmcache.stores.database import COMPANIONS, set_aside
from llmcache.stores.sqlite import TOUCHES, SqliteStore

ADDON = Path(__file__).resolve().parents[2] / "addon"
NOBODY = 65534

SCRIPT = """
import asyncio, fcntl, os, resource, sys
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.stores.sqlite import SqliteStore

def entry(key, size=2000):
    body = (key + ";").encode() * (size // len(key))
    return Entry(key, "d", "h", "m", Form("json"), Reply(200, (), body), created=1.0)

store = SqliteStore(sys.argv[1], 100_000, 1_000_000_000, "lru")
async def put(entry):
    await store.put(entry)
"""
"""How every process of these tests begins; `entry` makes the same entries as the one below."""


def entry(key: str, size: int = 2000) -> Entry:
    """Return an entry whose body follows from its key."""
    body = (key + ";").encode() * (size // len(key))
    return Entry(key, "d", "h", "m", Form("json"), Reply(200, (), body), created=1.0)


def start(script: str, *args: object) -> subprocess.Popen[str]:
    """Start a process that runs *script* after `SCRIPT`, its output readable line by line."""
    command = [sys.executable, "-c", SCRIPT + script, *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ADDON)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Let *process* go on, wait for its end and return what it printed."""
    output, errors = process.communicate("go\n", timeout=60)
    assert process.returncode == 0, errors
    return output


@pytest.fixture
def path(tmp_path):
    """Where the store's file will be."""
    return tmp_path / "entries.db"


@contextlib.asynccontextmanager
async def opened(path, **limits):
    """Open a store with room for everything."""
    roomy = {"max_entries": 100_000, "max_bytes": 1_000_000_000, "eviction": "lru"}
    store = SqliteStore(path, **(roomy | limits))
    try:
        yield store
    finally:
        await store.close()


async def filled(path, count=200):
    """Make a file with *count* entries."""
    async with opened(path) as store:
        await asyncio.gather(*(store.put(entry(f"{number:08}")) for number in range(count)))


async def harmless(store):
    """Check that every verb answers and that no answer is wrong; what is damaged may be gone."""
    for number in range(200):
        assert await store.get(f"{number:08}") in (entry(f"{number:08}"), None)
    async for found in store.scan():
        assert found == entry(found.key)
    await store.put(entry("00000003"))
    assert await store.get("00000003") in (entry("00000003"), None)
    assert len(await store.rows()) <= 200
    await store.delete("00000007")
    await store.totals()
    await store.purge()
    assert await store.rows() == []


async def works(store):
    """Check that nothing is left to be found out, and that what is stored stays."""
    await harmless(store)
    await store.put(entry("new"))
    assert await store.get("new") == entry("new")
    assert [row.key for row in await store.rows()] == ["new"]
    assert (await store.totals())[0] == 1


def aside(path):
    """Return the databases that were set aside."""
    return [found for found in path.parent.glob(path.name + ".corrupt-*") if not str(found).endswith(COMPANIONS)]


# Neighbors.


async def test_two_processes(path):
    """Two processes that write the same keys and their own at once lose nothing, and count right."""
    script = """
async def main():
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(300):
        await store.put(entry(f"{sys.argv[2]}{number:07}"))
        await store.put(entry(f"s{number:07}"))
        assert await store.get(f"s{number:07}") == entry(f"s{number:07}")
        assert await store.get(f"{sys.argv[2]}{number:07}") is not None
    await store.close()
asyncio.run(main())
"""
    processes = [start(script, path, name) for name in "ab"]
    assert [process.stdout.readline() for process in processes] == ["ready\n", "ready\n"]
    await asyncio.gather(*(asyncio.to_thread(finish, process) for process in processes))
    async with opened(path) as store:
        for key in (f"{name}{number:07}" for name in "abs" for number in range(300)):
            assert await store.get(key) == entry(key)
        rows = await store.rows()
        assert await store.totals() == (900, sum(row.size for row in rows))


async def test_two_processes_make_one_file(path):
    """Processes that find no file make one between them."""
    script = """
sys.stdin.readline()
asyncio.run(put(entry(sys.argv[2])))
"""
    processes = [start(script, path, f"process {number}") for number in range(4)]
    await asyncio.gather(*(asyncio.to_thread(finish, process) for process in processes))
    async with opened(path) as store:
        assert {row.key for row in await store.rows()} == {f"process {number}" for number in range(4)}
    assert aside(path) == []


async def test_two_processes_evict_from_one_file(path):
    """The limit holds for all processes together, and what is evicted by one does not confuse the other."""
    script = """
async def main():
    small = SqliteStore(sys.argv[1], 50, 1_000_000_000, "lfu")
    sys.stdin.readline()
    for number in range(200):
        await small.put(entry(f"{sys.argv[2]}{number:07}"))
    await small.close()
asyncio.run(main())
"""
    processes = [start(script, path, name) for name in "ab"]
    await asyncio.gather(*(asyncio.to_thread(finish, process) for process in processes))
    async with opened(path) as store:
        assert (await store.totals())[0] == len(await store.rows()) == 50


async def test_kill_in_mid_write(path):
    """After `kill -9` every acknowledged entry is there and none is half written, time and again."""
    script = """
async def main():
    for number in range(100_000):
        key = f"{sys.argv[2]}{number:07}"
        await store.put(entry(key, 200 + number * 7919 % 60_000))
        print(key, flush=True)
asyncio.run(main())
"""
    acknowledged = []
    for name, count in [("a", 1), ("b", 40), ("c", 150)]:
        process = start(script, path, name)
        acknowledged += [process.stdout.readline().strip() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        # What it had said before it died counts too; `communicate` would lose what was read ahead of the lines.
        with process:
            acknowledged += process.stdout.read().splitlines()
        async with opened(path) as store:
            found = {each.key: each async for each in store.scan()}
            assert set(acknowledged) <= set(found)
            # At most the one on its way in each round was stored without being acknowledged.
            assert len(found) - len(acknowledged) <= 3
            for key, each in found.items():
                assert each == entry(key, 200 + int(key[1:]) * 7919 % 60_000)
            assert (await store.totals())[0] == len(found)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert aside(path) == []


async def test_locked_by_a_neighbor(path, monkeypatch):
    """A neighbor that sits on the file delays no reader; a writer is told after a while, and works again later."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    await filled(path, 1)
    neighbor = sqlite3.connect(path, isolation_level=None)
    async with opened(path) as store:
        await store.open()
        neighbor.execute("BEGIN IMMEDIATE")
        assert await store.get("00000000") == entry("00000000")
        with pytest.raises(BackendError, match="another process"):
            await store.put(entry("new"))
        neighbor.execute("ROLLBACK")
        await store.put(entry("new"))
        assert await store.get("new") == entry("new")
    neighbor.close()


async def test_hits_are_written_in_batches(path):
    """No hit is written by itself, and none is lost on closing."""
    await filled(path, 1)
    watcher = sqlite3.connect(path)

    def version():
        return watcher.execute("PRAGMA data_version").fetchone()

    async with opened(path) as store:
        await store.open()
        before = version()
        for _ in range(TOUCHES - 1):
            await store.get("00000000")
        assert version() == before
        await store.get("00000000")
        await store.totals()  # behind the writing, which follows the last hit
        assert version() != before
        await store.get("00000000")
    assert watcher.execute("SELECT hits FROM entry").fetchall() == [(TOUCHES + 1,)]
    watcher.close()


# Disks.


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can make a small disk; the test with a limit on file sizes stands in for it")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def fill(store):
    """Store entries until one is refused, and return the keys of the others."""
    keys = []
    with contextlib.suppress(BackendError):
        for number in range(1000):
            await store.put(entry(f"{number:08}", 20_000))
            keys.append(f"{number:08}")
    return keys


async def test_full_disk(small_disk):
    """On a full disk a put fails and says why, reads go on, and all is well when there is room again."""
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 1_000_000)
    async with opened(small_disk / "entries.db") as store:
        stored = await fill(store)
        with pytest.raises(BackendError, match="disk is full"):
            await store.put(entry("one more", 200_000))
        assert 10 < len(stored) < 1000
        for key in stored:
            assert await store.get(key) == entry(key, 20_000)
        assert (await store.totals())[0] == len(stored)
        filler.unlink()
        await store.put(entry("new", 20_000))
        assert await store.get("new") == entry("new", 20_000)
    assert aside(small_disk / "entries.db") == []


async def test_start_on_a_full_disk(small_disk):
    """A store that finds no room for its file says so, and needs no restart when there is some."""
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="space"):
        filler.write_bytes(b"x" * 4_000_000)
    async with opened(small_disk / "entries.db") as store:
        with pytest.raises(BackendError, match=r"full|I/O"):
            await store.put(entry("new"))
        filler.unlink()
        await store.put(entry("new"))
        assert await store.get("new") == entry("new")


def test_no_room_for_the_file(path):
    """Where the file may not grow (RLIMIT_FSIZE), a put fails, reads go on, and all is well afterwards."""
    script = """
async def main():
    await store.put(entry("first"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    stored = []
    try:
        for number in range(1000):
            await store.put(entry(str(number), 20_000))
            stored.append(str(number))
    except BackendError as error:
        print(error)
    assert len(stored) < 1000
    for key in stored:
        assert await store.get(key) == entry(key, 20_000)
    assert await store.get("first") == entry("first")
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    await store.put(entry("new", 20_000))
    assert await store.get("new") == entry("new", 20_000)
    await store.close()
asyncio.run(main())
"""
    assert str(path) in finish(start(script, path))


# Damage.


def noise(data):
    """Return other bytes of the same length."""
    return random.Random(1).randbytes(len(data))


def broken_pages(data):
    """Return *data* with every page but the first overwritten."""
    return data[:8192] + noise(data[8192:])


DAMAGE = {
    "random bytes": noise,
    "truncated": lambda data: data[: len(data) // 2],
    "truncated in the first page": lambda data: data[:1000],
    "pages overwritten": broken_pages,
    "a broken name in the schema": lambda data: data.replace(b"tablerecord", b"table\xccecord").replace(
        b"TABLE record", b"TABBE record"
    ),
    "another file": lambda data: b"# A text that somebody saved under this name.\n" * 200,
    "a flipped bit in the version": lambda data: data[:63] + b"\0" + data[64:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_a_damaged_file_is_set_aside(path, caplog, damage):
    """A damaged file is kept under another name, the log names both, and a new store goes on."""
    await filled(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    async with opened(path) as store:
        await works(store)
    (kept,) = aside(path)
    assert kept.read_bytes() == damaged
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{path} is damaged" in caplog.text
    assert str(kept) in caplog.text


@pytest.mark.parametrize("seed", range(25))
async def test_flipped_bits(path, seed):
    """Whatever bits flip anywhere in the file, no answer is wrong and nothing crashes."""
    await filled(path)
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    # Past the file's header: a flip there can make it somebody else's file, which is refused and left alone.
    for _ in range(chance.choice((1, 10, 300))):
        data[chance.randrange(100, len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    async with opened(path) as store:
        await harmless(store)


async def test_an_empty_file_is_a_new_store(path):
    """A file without a byte, as `mktemp` makes it, is used as it is."""
    path.touch()
    async with opened(path) as store:
        await works(store)
    assert aside(path) == []


async def test_a_damaged_record_is_a_miss(path, caplog):
    """A record that changed on the disk is not served; the others are, and a new recording takes its place."""
    await filled(path, 2)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE record SET data = replace(data, ';', ':') WHERE id = 1")
    connection.commit()
    connection.close()
    async with opened(path) as store:
        assert await store.get("00000000") is None
        assert await store.get("00000001") == entry("00000001")
        assert "entry 00000000 is unreadable" in caplog.text
        await store.put(entry("00000000"))
        assert await store.get("00000000") == entry("00000000")
    assert aside(path) == []


async def test_damage_in_mid_run(path, caplog):
    """A file that breaks under a running store is set aside with its log, and the store goes on."""
    await filled(path)
    async with opened(path) as store:
        await store.open()
        await store.put(entry("late"))
        path.write_bytes(broken_pages(path.read_bytes()))
        await works(store)
    (kept,) = aside(path)
    assert kept.with_name(kept.name + "-wal").exists()
    assert str(kept) in caplog.text


async def test_damage_is_set_aside_once(path):
    """Of two stores on one damaged file the first replaces it, and the second goes over to the new one."""
    await filled(path)
    async with opened(path) as first, opened(path) as second:
        await first.open()
        await second.open()
        path.write_bytes(broken_pages(path.read_bytes()))
        await first.put(entry("new"))
        assert await second.get("new") == entry("new")
        await second.put(entry("newer"))
        assert await first.get("newer") == entry("newer")
    async with opened(path) as store:
        assert {row.key for row in await store.rows()} == {"new", "newer"}
    assert len(aside(path)) == 1


async def test_a_new_file_is_never_set_aside_for_an_old_one(path):
    """A process that finds its file damaged after another has replaced it leaves the new one where it is."""
    await filled(path, 1)
    set_aside(str(path), (0, 0), "late", sqlite3.DatabaseError("malformed"))
    assert aside(path) == []
    assert path.exists()


async def test_damage_twice_in_a_second(path):
    """What was set aside before is never overwritten."""
    async with opened(path, clock=lambda: 1_790_000_000.0) as store:
        for _ in range(3):
            await store.put(entry("new"))
            await store.close()
            path.write_bytes(b"not a database" * 100)
            store = SqliteStore(path, 10, 10_000, "lru", clock=lambda: 1_790_000_000.0)  # noqa: PLW2901
            await store.open()
        await store.close()
    stem = f"{path.name}.corrupt-20260921T141320Z"
    assert sorted(found.name for found in aside(path)) == [stem, stem + "-2", stem + "-3"]


@pytest.mark.parametrize("suffixes", [("", "-wal", "-shm"), ("",)], ids=["everything", "only the database"])
async def test_deleted_in_mid_run(path, suffixes):
    """A file that is deleted under a running store is made again, and nothing of the old one comes back."""
    async with opened(path) as store:
        await store.put(entry("old"))
        for suffix in suffixes:
            path.with_name(path.name + suffix).unlink()
        assert await store.get("old") is None
        await store.put(entry("new"))
    async with opened(path) as store:
        assert [row.key for row in await store.rows()] == ["new"]


async def test_deleted_under_two(path):
    """Two stores whose database is deleted, but not its log, meet again in one new and sound file."""
    async with opened(path) as first, opened(path) as second:
        await first.put(entry("old"))
        await second.put(entry("older"))
        path.unlink()
        for number in range(20):
            await (first, second)[number % 2].put(entry(f"{number:08}"))
        for number in range(20):
            assert await first.get(f"{number:08}") == await second.get(f"{number:08}") == entry(f"{number:08}")
    async with opened(path) as store:
        assert len(await store.rows()) == 20
    assert aside(path) == []


# Rights.


async def test_the_constructor_touches_nothing(path):
    """Nothing is on the disk before the first use, and closing an unused store leaves it so."""
    store = SqliteStore(path.parent / "made" / "entries.db", 1, 1, "lru")
    await store.close()
    assert list(path.parent.iterdir()) == []


def modes(folder):
    """Return the rights of everything in *folder*."""
    return {found.name: stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()}


async def test_private(path):
    """The file, its log and its folder are for the owner alone, whatever the umask."""
    folder = path.parent / "made" / "deep"
    before = os.umask(0)
    try:
        async with opened(folder / "entries.db") as store:
            await store.put(entry("new"))
            assert modes(folder) == {"entries.db": 0o600, "entries.db-wal": 0o600, "entries.db-shm": 0o600}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


async def test_made_private(path):
    """A file that others could read, such as one from a backup, becomes private."""
    await filled(path, 1)
    path.chmod(0o666)
    async with opened(path) as store:
        await store.open()
        assert set(modes(path.parent).values()) == {0o600}


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "readable"),
    [(0o400, 0o700, True), (0o600, 0o500, False), (None, 0o500, False)],
    ids=["file", "folder", "folder without a file"],
)
def test_read_only(file_mode, folder_mode, readable):
    """A file or folder that cannot be written is an error that says so; what can be read is read."""
    script = """
os.getuid() or os.setuid(int(sys.argv[2]))
async def main():
    for work in (store.get("first"), store.put(entry("new"))):
        try:
            print(await work == entry("first"))
        except BackendError as error:
            print(error)
    await store.close()
asyncio.run(main())
"""
    # Not `tmp_path`, whose parents belong to root alone.
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name, "entries.db")
        if file_mode is not None:
            finish(start("asyncio.run(put(entry('first')))\nasyncio.run(store.close())", path))
            path.chmod(file_mode)
        if os.getuid() == 0:
            for owned in (*folder.iterdir(), folder):
                os.chown(owned, NOBODY, -1)
        folder.chmod(folder_mode)
        read, written = finish(start(script, path, NOBODY)).splitlines()
        folder.chmod(0o700)
        assert (read == "True") == readable, read
        for message in [written] if readable else [read, written]:
            assert str(path) in message
            assert "read-only" in message


async def test_a_folder_is_no_file(path):
    """A path that is a folder is an error that says so."""
    path.mkdir()
    async with opened(path) as store:
        with pytest.raises(BackendError, match="is a directory"):
            await store.get("first")
    assert list(path.iterdir()) == []


async def test_a_device_is_no_file():
    """A path that is no regular file is refused before anything is read from it."""
    async with opened("/dev/null") as store:
        with pytest.raises(BackendError, match="not a regular file"):
            await store.open()


# Versions.


async def test_a_newer_file_is_left_alone(path):
    """A file of a later version is refused with the path and a way out, and not a byte of it changes."""
    await filled(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    async with opened(path) as store:
        with pytest.raises(BackendError, match="newer aicache") as caught:
            await store.put(entry("new"))
    assert str(path) in str(caught.value)
    assert "upgrade aicache" in str(caught.value)
    assert path.read_bytes() == before
    assert aside(path) == []


async def test_another_programs_database_is_left_alone(path):
    """A path that names somebody else's database is refused, and not a byte of it changes."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (thing)")
    connection.close()
    before = path.read_bytes()
    async with opened(path) as store:
        with pytest.raises(BackendError, match="another program's database"):
            await store.put(entry("new"))
    assert path.read_bytes() == before


async def test_a_failed_step_leaves_nothing_behind(path, monkeypatch):
    """A migration that fails half-way is undone whole, and the next start can try again."""
    from llmcache.stores import migrations

    whole = migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", ((*whole[0], "SELECT * FROM nowhere"),))
    async with opened(path) as store:
        with pytest.raises(BackendError, match="nowhere"):
            await store.open()
        monkeypatch.setattr(migrations, "MIGRATIONS", whole)
        await works(store)
