"""What every store promises. A further store is one more line in `LOCAL`, or in `SHARED` if eviction is not its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from dataclasses import replace
from hashlib import blake2b

import pytest
from llmcache.addresses import Tls, parse_url
from llmcache.chat import BackendError, Entry, Form, Reply, Usage
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.memory import MemoryStore
from llmcache.stores.near import NearStore
from llmcache.stores.record import Row, size
from llmcache.stores.redis import RedisStore
from llmcache.stores.redis_records import OwnRecords
from llmcache.stores.sqlite import SqliteStore
from support.absent import missing
from support.certificates import Authority
from support.redis_server import Server, binary, cluster, free_port

START = 1_790_000_000.0

LOCAL = {
    "memory": lambda folder, **limits: MemoryStore(**limits),
    "sqlite": lambda folder, **limits: SqliteStore(folder / "cache" / "entries.db", **limits),
}
FOLDERS = {"cassette": lambda folder, clock: CassetteStore(folder / "recordings", clock=clock)}
"""Kept in git: nothing is evicted, hits are not counted, and a size is that of a file."""
SHARED = [f"redis{way}" for way in ("7", "8", "7-unix", "7-acl", "7-tls", "7-cluster", "8-cluster", "7-near")]
"""Real servers: eviction is theirs, and they count no hits."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A function that returns the URL of a real server of a kind, started once, and the server's nodes."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(kind):
            version, _, way = kind.partition("-")
            program = binary(version)
            if program is None:
                return None
            return stack.enter_context(WAYS[way](tmp_path_factory.mktemp("redis"), program))

        yield start


@contextlib.contextmanager
def plain(folder, program):
    """Yield a server as it comes, and its URL: database 0."""
    with Server(folder, program=program) as server:
        yield server.url, [server], {}


@contextlib.contextmanager
def unix(folder, program):
    """Yield a server on its socket, in database 3."""
    with Server(folder, program=program) as server:
        yield f"unix://{server.socket}?db=3", [server], {}


@contextlib.contextmanager
def acl(folder, program):
    """Yield a server on which only one user may do only what the store needs."""
    allowed = "~aicache:* &aicache:* -@all +get +set +getrange +strlen +scan +unlink +publish +subscribe +select"
    options = ("user default off", f"user cache on >p@ss:/%#1 {allowed} +client")
    with Server(folder, *options, program=program) as server:
        yield f"redis://cache:p%40ss%3A%2F%25%231@127.0.0.1:{server.port}/2", [], {}


@contextlib.contextmanager
def tls(folder, program):
    """Yield a server that speaks nothing but TLS, and the authority that vouches for it."""
    authority = Authority(folder / "ca")
    authority.server("127.0.0.1")
    pem, port = folder / "ca" / "server.pem", free_port()
    options = (f"tls-port {port}", f"tls-cert-file {pem}", f"tls-key-file {pem}", "tls-auth-clients no")
    with Server(folder, *options, f"tls-ca-cert-file {authority.path}", program=program) as server:
        yield f"rediss://127.0.0.1:{port}", [server], {"tls": Tls(ca=str(authority.path))}


@contextlib.contextmanager
def three_nodes(folder, program):
    """Yield a cluster; the URL names one node, the others are found."""
    with cluster(folder, program) as nodes:
        yield f"redis+cluster://127.0.0.1:{nodes[1].port}", nodes, {}


WAYS = {"": plain, "unix": unix, "acl": acl, "tls": tls, "cluster": three_nodes, "near": plain}


class Clock:
    """A clock that goes when told to."""

    def __init__(self):
        self.now = START

    def __call__(self):
        """Return the time, Unix seconds."""
        return self.now


@pytest.fixture
def clock():
    """A clock that stands at `START`."""
    return Clock()


@pytest.fixture(params=LOCAL.values(), ids=LOCAL.keys())
async def opened(request, tmp_path, clock):
    """A function that makes stores of one kind on this machine, which are closed afterwards."""
    stores = []

    def make(max_entries=1000, max_bytes=1_000_000, eviction="lru"):
        limits = {"max_entries": max_entries, "max_bytes": max_bytes, "eviction": eviction, "clock": clock}
        stores.append(request.param(tmp_path, **limits))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture(params=[*LOCAL, *FOLDERS, *SHARED])
async def store(request, tmp_path, clock, servers):
    """An empty store with room for everything."""
    if request.param in LOCAL:
        made = LOCAL[request.param](tmp_path, max_entries=1000, max_bytes=1_000_000, eviction="lru", clock=clock)
    elif request.param in FOLDERS:
        made = FOLDERS[request.param](tmp_path, clock)
    else:
        made = await shared(request.param, servers, clock)
    yield made
    await made.close()


async def shared(kind, servers, clock):
    """Return an empty store on a real server."""
    started = servers(kind)
    if started is None:
        missing(kind.partition("-")[0])
    url, nodes, more = started
    for node in nodes:
        node.command("FLUSHALL")
    address = replace(parse_url(url), **more)
    made = RedisStore(address, OwnRecords("aicache:"), deadline=10, clock=clock)
    if not nodes:
        await made.purge()
    return NearStore(made, address, b"aicache:changed", 1000, 60, clock) if kind.endswith("near") else made


def key(name):
    """Return the key of the entry called *name*."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def entry(name, created=START, **fields):
    """Return a small entry called *name*; all with names of one length have one size."""
    given = {"dialect": "openai-chat", "host": "api.openai.com", "model": "gpt-4o", "form": Form("json")}
    reply = Reply(200, (("content-type", "application/json"),), name.encode())
    return Entry(**{"key": key(name), "reply": reply, "created": created, **given, **fields})


def counts(store):
    """Whether the store counts hits."""
    return isinstance(store, MemoryStore | SqliteStore)


def weight(store, entry):
    """Return what *entry*, the only one of its store, counts there."""
    if not isinstance(store, CassetteStore):
        return size(entry)
    (path,) = store.folder.rglob("*.yaml")
    return path.stat().st_size


async def names(store):
    """Return the names of the entries, newest first."""
    return "".join([found.reply.body.decode() async for found in store.scan()])


async def put_all(store, clock, text):
    """Put one entry for each letter, one second apart."""
    for letter in text:
        clock.now += 1
        await store.put(entry(letter, created=clock.now))


ENTRIES = {
    "json": entry("a"),
    "binary body": entry("a", reply=Reply(200, (), bytes(range(256)) * 500)),
    "empty body": entry("a", reply=Reply(200, (), b"")),
    "stream": entry(
        "a",
        form=Form("sse", frozenset({"usage", "more"})),
        reply=Reply(200, (("a", "1"), ("a", "2")), b"data: 1\n\ndata: [DONE]\n\n", ((3, 9), (5, 14))),
        usage=Usage(5, 7, 2),
        seconds=1.25,
        request=b'{"\xff\x00"}',
    ),
    "unicode": entry("a", question="你好 🚀", model="模型", host="bücher.example", path="/v1/ж"),
    "half a surrogate pair": entry("a", question="\ud83d", model="\ud83d", path="/caf\udce9"),
}


@pytest.mark.parametrize("stored", ENTRIES.values(), ids=ENTRIES.keys())
async def test_round_trip(store, stored):
    """An entry comes back equal in every field."""
    await store.put(stored)
    assert await store.get(stored.key) == stored
    assert [found async for found in store.scan()] == [stored]


async def test_unknown(store):
    """What was never stored is not there, and asking is no error."""
    assert await store.get(key("a")) is None
    assert not await store.delete(key("a"))
    assert [found async for found in store.scan()] == []
    assert await store.rows() == []
    assert await store.totals() == (0, 0)
    assert await store.purge() == 0


async def test_overwrite(store, clock):
    """The later of two entries with one key is the one that is there, once, and without the former's hits."""
    await store.put(entry("a"))
    await store.get(key("a"))
    clock.now += 5
    later = entry("a", created=clock.now, model="gpt-4.1-mini")
    await store.put(later)
    assert await store.get(key("a")) == later
    assert [found async for found in store.scan()] == [later]
    assert await store.totals() == (1, weight(store, later))
    assert [row.hits for row in await store.rows()] == [1 if counts(store) else 0]


@pytest.mark.parametrize(
    ("seconds", "there"),
    [(-1, True), (-0.001, True), (0, False), (0.001, False)],
    ids=["before", "just", "at", "after"],
)
async def test_expiry(store, clock, seconds, there):
    """An entry is there until the moment it expires, and in that moment it is gone from every view."""
    await store.put(entry("a", expires=START + 60))
    clock.now = START + 60 + seconds
    assert there == (await store.get(key("a")) is not None)
    assert bool(await names(store)) == there
    assert bool(await store.rows()) == there
    assert await store.delete(key("a")) == there


async def test_an_expired_entry_can_be_stored_again(store, clock):
    """A new recording takes the place of an expired one."""
    await store.put(entry("a", expires=START + 1))
    clock.now += 1
    await store.put(entry("a", created=clock.now))
    assert await store.get(key("a")) == entry("a", created=clock.now)


async def test_delete(store):
    """A removed entry is gone, the others stay, and a second removal says so."""
    await store.put(entry("a"))
    await store.put(entry("b"))
    assert await store.delete(key("a"))
    assert not await store.delete(key("a"))
    assert await store.get(key("a")) is None
    assert await names(store) == "b"
    assert await store.totals() == (1, weight(store, entry("b")))


async def test_newest_first(store):
    """Scan and rows go by the time of recording, then by the order of storing, not by key or use."""
    for name, created in [("a", START), ("b", START + 9), ("c", START - 9), ("d", START), ("e", START)]:
        await store.put(entry(name, created=created))
    await store.get(key("c"))
    assert await names(store) == "bedac"
    assert [row.key for row in await store.rows()] == [key(name) for name in "bedac"]


async def test_scan_of_much(store, clock):
    """A scan that needs many reads misses nothing and repeats nothing."""
    reply = Reply(200, (), b"x" * 9000)
    for number in range(100):
        # Few different times, so that ties fall across the borders of what is read at once.
        await store.put(entry(str(number), created=START + number // 50, reply=reply))
    found = [each.key async for each in store.scan()]
    expected = [key(str(number)) for number in (*range(99, 49, -1), *range(49, -1, -1))]
    assert found == expected


async def test_a_scan_lives_with_changes(store, clock):
    """What is removed in the middle of a scan does no harm."""
    await put_all(store, clock, "abc")
    found = []
    async for each in store.scan():
        found.append(each.reply.body)
        await store.purge()
    assert found[0] == b"c"
    assert await store.totals() == (0, 0)


# What stays of a full store of "abc" after these reads, when "d" is stored.
POLICIES = {
    "lru drops what was read longest ago": ("lru", "acb", "dcb"),
    "lru counts storing as use": ("lru", "a", "dca"),
    "lfu drops what was read least": ("lfu", "aabcc", "dca"),
    "lfu goes by time among equals": ("lfu", "cab", "dba"),
    "lfu keeps the often read, however long ago": ("lfu", "aab", "dba"),
    "fifo does not care": ("fifo", "aaab", "dcb"),
}


@pytest.mark.parametrize(("eviction", "reads", "expected"), POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("limit", ["max_entries", "max_bytes"])
async def test_eviction(opened, clock, limit, eviction, reads, expected):
    """A full store lets go of exactly one entry for one, by its policy, whichever limit is reached."""
    one = size(entry("a", created=START + 1))
    store = opened(eviction=eviction, **{limit: {"max_entries": 3, "max_bytes": 3 * one}[limit]})
    await put_all(store, clock, "abc")
    for letter in reads:
        clock.now += 1
        assert await store.get(key(letter)) is not None
    await put_all(store, clock, "d")
    assert await names(store) == expected
    assert await store.totals() == (3, 3 * one)


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo"])
async def test_a_large_entry_takes_the_room_of_several(opened, clock, eviction):
    """As many entries go as the new one needs, and no more."""
    one = size(entry("a", created=START + 1))
    store = opened(max_bytes=200 * one, eviction=eviction)
    await put_all(store, clock, map(chr, range(0x100, 0x100 + 200)))
    before, used = await store.totals()
    clock.now += 1
    large = entry("large", created=clock.now, reply=Reply(200, (), b"x" * 100 * one))
    await store.put(large)
    count, used = await store.totals()
    assert await store.get(large.key) == large
    assert 200 * one >= used > 199 * one - 2
    assert before > count > 90


async def test_the_new_goes_before_the_often_read(opened, clock):
    """Under lfu an entry that was never read is the next to go, however new it is."""
    store = opened(max_entries=3, eviction="lfu")
    await put_all(store, clock, "abc")
    for letter in "abc":
        await store.get(key(letter))
    await put_all(store, clock, "def")
    assert await names(store) == "fcb"


async def test_several_go_by_frequency(opened, clock):
    """Where one entry needs the room of several, they go in the order of their policy too."""
    one = size(entry("a", created=START + 1))
    store = opened(max_bytes=5 * one, eviction="lfu")
    await put_all(store, clock, "abcde")
    for letter in "aaabbccccd":
        await store.get(key(letter))
    clock.now += 1
    # Of e (no hit), d (1), b (2), a (3), c (4) the first three make room for two and a half.
    await store.put(entry("L", created=clock.now, reply=Reply(200, (), b"L" * (one * 3 // 2))))
    assert [row.key for row in await store.rows()] == [key("L"), key("c"), key("a")]


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo"])
async def test_replacing_in_a_full_store_evicts_nothing(opened, clock, eviction):
    """An entry that replaces another needs no further room."""
    store = opened(max_entries=3, eviction=eviction)
    await put_all(store, clock, "abcb")
    assert await names(store) == "bca"


async def test_many_evictions(opened, clock):
    """The least frequently used goes first over a long life of reads, removals and new entries."""
    store = opened(max_entries=4, eviction="lfu")
    await put_all(store, clock, "abcd")
    for letter in "aaabbbccd":
        await store.get(key(letter))
    await put_all(store, clock, "efgh")
    assert await names(store) == "hcba"
    await store.delete(key("h"))
    await put_all(store, clock, "ij")
    assert await names(store) == "jcba"
    await store.delete(key("j"))
    await store.delete(key("b"))
    for letter in "ccc":
        await store.get(key(letter))
    await put_all(store, clock, "klm")
    assert await names(store) == "mlca"


async def test_expired_entries_go_before_live_ones(opened, clock):
    """Nothing that can still be served is evicted for what cannot."""
    store = opened(max_entries=3)
    await store.put(entry("a"))
    await store.put(entry("b", expires=START + 60))
    await store.put(entry("c", expires=START + 600))
    clock.now += 60
    await put_all(store, clock, "d")
    assert set(await names(store)) == {"a", "c", "d"}


async def test_too_large(opened):
    """An entry larger than the whole store is refused, and nothing goes for it."""
    store = opened(max_bytes=1000)
    await store.put(entry("a"))
    with pytest.raises(BackendError, match="too large"):
        await store.put(entry("b", reply=Reply(200, (), b"x" * 1000)))
    assert await names(store) == "a"


async def test_rows(store, clock):
    """A row tells where an entry came from, its size, its time and its use."""
    stored = entry("a", expires=START + 60, path="/v1/chat/completions", reply=Reply(200, (), b"x" * 100))
    await store.put(stored)
    for _ in range(3):
        clock.now += 1
        await store.get(stored.key)
    expected = Row(
        key=stored.key,
        dialect="openai-chat",
        host="api.openai.com",
        path="/v1/chat/completions",
        model="gpt-4o",
        created=START,
        expires=START + 60,
        used=START + 3 if counts(store) else START,
        hits=3 if counts(store) else 0,
        size=weight(store, stored),
    )
    assert await store.rows() == [expected]


@pytest.fixture
async def mixed(store, clock):
    """A store with entries of several models, hosts and ages; the clock stands at START + 100."""
    await store.put(entry("a"))
    await store.put(entry("b", created=START + 10, model="gpt-4.1", expires=START + 50))
    await store.put(entry("c", created=START + 20, model="gpt-4.1"))
    await store.put(entry("d", created=START + 30, host="api.deepseek.com"))
    await store.put(entry("e", created=START + 40, model="gpt-4.1", host="api.deepseek.com", expires=START + 100))
    clock.now += 100
    return store


ROWS = {
    "all": ({}, "dca"),
    "limit": ({"limit": 2}, "dc"),
    "limit of none": ({"limit": 0}, ""),
    "model": ({"model": "gpt-4.1"}, "c"),
    "host": ({"host": "api.openai.com"}, "ca"),
    "age": ({"older_than": 75}, "ca"),
    "exactly that age": ({"older_than": 80}, "a"),
    "several": ({"model": "gpt-4o", "host": "api.openai.com", "older_than": 10}, "a"),
    "beginning of a key": ({"key": key("d")[:6]}, "d"),
    "no pattern in a key": ({"key": "%"}, ""),
    "nothing": ({"model": "gpt"}, ""),
}


@pytest.mark.parametrize(("wanted", "expected"), ROWS.values(), ids=ROWS.keys())
async def test_chosen_rows(mixed, wanted, expected):
    """Rows can be chosen by beginning of the key, model, host and age; what has expired is not among them."""
    assert [row.key for row in await mixed.rows(**wanted)] == [key(name) for name in expected]


PURGES = {
    "all": ({}, 5, ""),
    "model": ({"model": "gpt-4.1"}, 3, "da"),
    "host": ({"host": "api.deepseek.com"}, 2, "ca"),
    "age": ({"older_than": 80}, 2, "dc"),
    "expired": ({"expired": True}, 2, "dca"),
    "several": ({"expired": True, "host": "api.openai.com"}, 1, "dca"),
    "nothing": ({"model": "gpt"}, 0, "dca"),
}


@pytest.mark.parametrize(("wanted", "removed", "left"), PURGES.values(), ids=PURGES.keys())
async def test_purge(mixed, wanted, removed, left):
    """A purge removes what meets all its conditions, says how many, and leaves the rest."""
    before, _ = await mixed.totals()
    assert await mixed.purge(**wanted) == removed
    assert await names(mixed) == left
    assert (await mixed.totals())[0] == before - removed


async def test_purge_of_much(store):
    """A purge of more than it removes at a time removes all of it, and only that."""
    for number in range(1000):
        await store.put(entry(str(number), model="even" if number % 2 == 0 else "odd"))
    assert await store.purge(model="even") == 500
    assert {row.model for row in await store.rows()} == {"odd"}
    assert await store.purge() == 500
    assert await store.totals() == (0, 0)


async def test_at_once(store):
    """Fifty tasks that write, read and remove at once each get their own entry."""

    async def work(number):
        mine = entry(f"task {number}", reply=Reply(200, (), bytes([number]) * 2000))
        for _ in range(5):
            await store.put(mine)
            assert await store.get(mine.key) == mine
        assert await store.delete(mine.key)
        await store.put(mine)

    await asyncio.gather(*map(work, range(50)))
    assert (await store.totals())[0] == 50
    assert {found.reply.body async for found in store.scan()} == {bytes([number]) * 2000 for number in range(50)}


async def test_giving_up_a_wait(store):
    """A caller that gives up leaves the store in order."""
    await store.put(entry("a"))
    waiting = [asyncio.create_task(store.get(key("a"))) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert outcomes[1] == entry("a")
    assert await store.get(key("a")) == entry("a")


async def test_what_cannot_be_stored(store):
    """An entry that no record can hold is the store's error, and the store goes on."""
    with pytest.raises(BackendError, match="cannot be packed"):
        await store.put(replace(entry("a"), question=object()))
    await store.put(entry("a"))
    assert await names(store) == "a"


async def test_close_twice(store):
    """Closing again is fine; using what is closed is an error that says so."""
    await store.put(entry("a"))
    await store.close()
    await store.close()
    with pytest.raises(BackendError, match="closed"):
        await store.get(key("a"))
    with pytest.raises(BackendError, match="closed"):
        await store.put(entry("a"))


async def test_close_unused(store):
    """A store that was never used can be closed."""
    await store.close()


@pytest.mark.parametrize("make", LOCAL.values(), ids=LOCAL.keys())
def test_unknown_policy(make, tmp_path):
    """A policy that does not exist is refused at once, with the names of those that do."""
    with pytest.raises(ValueError, match="lru, lfu, fifo"):
        make(tmp_path, max_entries=1, max_bytes=1, eviction="random")


async def test_reopen(tmp_path, clock):
    """What was stored on a disk, and how it was used, is there after a restart."""
    limits = {"max_entries": 3, "max_bytes": 1_000_000, "eviction": "lru", "clock": clock}
    store = LOCAL["sqlite"](tmp_path, **limits)
    await put_all(store, clock, "abc")
    clock.now += 1
    await store.get(key("a"))
    await store.close()
    store = LOCAL["sqlite"](tmp_path, **limits)
    try:
        assert await names(store) == "cba"
        assert [row.hits for row in await store.rows()] == [0, 0, 1]
        await put_all(store, clock, "d")
        assert await names(store) == "dca"
    finally:
        await store.close()
