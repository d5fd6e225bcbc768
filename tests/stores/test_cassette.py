"""The folder of recordings: edited by hand, shared by processes, quick to open, never half written."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from llmcache import fingerprint
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.jsontext import canonical
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.cassette_file import rounded
from support.proxy import ROOT


def asked(question, **more):
    """Return a recording of *question*."""
    body = {"messages": [{"content": question, "role": "user"}], "model": "gpt-4o"}
    request = canonical({"aicache": 1, "body": body, "scope": {}})
    fields = {"dialect": "openai-chat", "host": "api.openai.com", "model": "gpt-4o", "form": Form("json")}
    reply = Reply(200, (("content-type", "application/json"),), canonical({"answer": question.upper()}))
    given = {"key": fingerprint.key(request), "request": request, "question": question, "created": 1_790_000_000.0}
    return Entry(**{**fields, "reply": reply, **given, **more})


@pytest.fixture
async def store(tmp_path):
    """A folder without recordings."""
    made = CassetteStore(tmp_path / "recordings")
    yield made
    await made.close()


def again(store):
    """Return another store on the same folder, opened."""
    other = CassetteStore(store.folder)
    other.open()
    return other


def paths(store):
    """Return the paths of all files below the folder."""
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())


async def test_names(store):
    """A file is named by dialect, model, words of the question and a piece of its key."""
    entry = asked("What is the capital of France?")
    await store.put(entry)
    assert paths(store) == [f"openai-chat/gpt-4o/what-is-the-capital-of-france-{entry.key[:8]}.yaml"]
    await store.put(replace(entry, reply=Reply(200, (), b"{}")))
    assert len(paths(store)) == 1


async def test_names_are_no_way_out(store):
    """Nothing in a question or a model's name leads out of the folder."""
    await store.put(asked("../../etc/passwd", model="../../x", dialect=".."))
    (path,) = paths(store)
    assert path.startswith("x/etc-passwd-")


async def test_reopened(store):
    """Another process finds what was recorded, to the byte; of the time only the day."""
    entry = asked("Why?", expires=4e9 + 0.5, seconds=1.23456)
    await store.put(entry)
    other = again(store)
    assert await other.get(entry.key) == rounded(entry)
    assert [found async for found in other.scan()] == [rounded(entry)]
    assert [row.key for row in await other.rows()] == [entry.key]
    await other.close()


async def test_several_recordings_of_a_call(store):
    """Recordings with numbers stand side by side in their order, and each is replaced by its own number."""
    first = asked("Again?")
    second = replace(first, sequence=1, reply=Reply(200, (), b'{"answer":"second"}'))
    for each in (second, first, second):
        await store.put(each)
    assert await store.get(first.key) == first
    assert await store.recordings(first.key) == [first, second]
    other = again(store)
    assert [each.sequence for each in await other.recordings(first.key)] == [0, 1]
    await other.close()
    assert await store.delete(first.key)
    assert paths(store) == []


async def test_an_edit_counts_at_once(store):
    """An answer that somebody edits is served as edited, by a store that had it in memory too."""
    entry = asked("Why?")
    await store.put(entry)
    path = store.folder / paths(store)[0]
    path.write_text(path.read_text().replace("WHY?", "BECAUSE"))
    assert store.peek(entry.key) is None
    assert (await store.get(entry.key)).reply.body == b'{"answer":"BECAUSE"}'
    other = again(store)
    assert (await other.get(entry.key)).reply.body == b'{"answer":"BECAUSE"}'
    await other.close()


async def test_a_renamed_file_is_found(store):
    """What a file holds is found by what is in it: names are for people."""
    await store.put(asked("Why?"))
    (path,) = paths(store)
    (store.folder / path).rename(store.folder / "renamed.yml")
    other = again(store)
    assert await other.get(asked("Why?").key)
    await other.close()
    assert await store.get(asked("Why?").key)


async def test_broken_files_stop_the_start(store):
    """All files that cannot be read are named with their lines, at the start and not in the middle of a run."""
    for question in ("one", "two", "three"):
        await store.put(asked(question))
    broken = [store.folder / path for path in paths(store)[:2]]
    broken[0].write_text(broken[0].read_text().replace("reply:", "<<<<<<< HEAD\nreply:"))
    broken[1].write_text(broken[1].read_text().replace("status: 200", "status: twohundred"))
    with pytest.raises(BackendError) as refused:
        again(store)
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == [str(path) for path in broken]
    assert "reply.status is text where a whole number is expected" in str(refused.value)
    with pytest.raises(BackendError, match="cannot be read"):
        await store.get("0" * 40)


async def test_a_file_that_is_repaired(store):
    """Once the slip is repaired, the same process goes on."""
    await store.put(asked("one"))
    (path,) = paths(store)
    good = (store.folder / path).read_text()
    (store.folder / path).write_text("aicache: [")
    with pytest.raises(BackendError, match=r"yaml:\d+: this is not YAML"):
        await store.get(asked("one").key)
    (store.folder / path).write_text(good)
    assert await store.get(asked("one").key)


async def test_side_files(store):
    """A sound is a file beside the recordings; without it the recording is an error that names it."""
    entry = asked("Say it", reply=Reply(200, (("content-type", "audio/mpeg"),), b"\xff\xfb\x90" * 50), form=Form("raw"))
    await store.put(entry)
    side = next(path for path in paths(store) if path.startswith("_blobs/"))
    assert side.endswith(".mp3")
    other = again(store)
    assert (await other.get(entry.key)).reply == entry.reply
    (store.folder / side).unlink()
    await other.close()
    other = again(store)
    with pytest.raises(BackendError, match="_blobs"):
        await other.get(entry.key)
    await other.close()


async def test_another_process_records(store):
    """What one process records, another one finds that had looked before; neither loses a file."""
    other = again(store)
    assert await other.get(asked("a").key) is None
    await asyncio.gather(
        *(each.put(asked(f"{name} {number}")) for number in range(20) for name, each in [("a", store), ("b", other)])
    )
    for each in (store, other):
        assert [
            name for name in "ab" for number in range(20) if not await each.get(asked(f"{name} {number}").key)
        ] == []
    await other.close()
    assert len(paths(store)) == 40


WRITER = """
import asyncio, os, signal, sys
sys.path[:0] = [{addon!r}, {tests!r}]
from pathlib import Path
from stores_writer import asked
from llmcache.stores.cassette import CassetteStore

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = CassetteStore(Path({folder!r}))
    await store.put(asked("before"))
    Path.replace = die
    await store.put(asked("killed"))

asyncio.run(main())
"""


async def test_killed_between_writing_and_renaming(store, tmp_path):
    """A process that is killed leaves whole files only, and what it left behind harms nobody."""
    (tmp_path / "stores_writer.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom stores.test_cassette import asked\n"
    )
    script = WRITER.format(addon=str(ROOT / "addon"), tests=str(tmp_path), folder=str(store.folder))
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert await store.get(asked("before").key)
    assert await store.get(asked("killed").key) is None
    (left,) = (path for path in paths(store) if path.endswith(".aicache-tmp"))
    await store.put(asked("killed"))
    os.utime(store.folder / left, (0, 0))
    other = again(store)
    assert await other.get(asked("killed").key)
    await other.close()
    assert not (store.folder / left).exists()


async def test_a_folder_that_cannot_be_written(store):
    """Where nothing can be written, that is the store's error, and it names the folder."""
    store.folder.write_text("a file is in the way")
    with pytest.raises(BackendError, match="recordings in"):
        await store.put(asked("one"))


async def test_other_files_are_left_alone(store):
    """What is no recording by its name is not looked at."""
    await store.put(asked("one"))
    for name in ("README.md", ".hidden.yaml", "_blobs/x.yaml"):
        (store.folder / name).parent.mkdir(exist_ok=True)
        (store.folder / name).write_text("not: [ours")
    other = again(store)
    assert await other.totals() == (1, (store.folder / paths(store)[-1]).stat().st_size)
    await other.close()
