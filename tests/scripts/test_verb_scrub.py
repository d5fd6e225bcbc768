"""`aicache scrub` over a real folder of recordings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from llmcache import fingerprint
from llmcache.chat import Entry, Form, Reply
from llmcache.jsontext import canonical
from llmcache.stores.cassette import CassetteStore
from support.command import Command

SECRET = "gh" + "p_" + "a1B2c3D4e5" * 4


def entry(question: str, answer: str) -> Entry:
    """Return a recording of *question*."""
    request = canonical({"aicache": 1, "body": {"messages": [{"content": question}]}})
    reply = Reply(200, (("content-type", "application/json"),), canonical({"answer": answer}))
    about = {"key": fingerprint.key(request), "request": request, "question": question}
    return Entry(dialect="openai-chat", host="h", model="m", form=Form("json"), reply=reply, created=1.79e9, **about)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings: one clean, one with a secret in the question, one in the answer."""
    recordings = tmp_path / "recordings"

    async def fill() -> None:
        store = CassetteStore(recordings)
        for each in (entry("clean", "yes"), entry(f"my key is {SECRET}", "ok"), entry("what key", f"it is {SECRET}")):
            await store.put(each)
        await store.close()

    asyncio.run(fill())
    return recordings


def content(folder: Path) -> str:
    """Return names and texts of all files."""
    return "\n".join(f"{path}\n{path.read_text()}" for path in sorted(folder.rglob("*.yaml")))


def test_secrets_become_placeholders(aicache: Command, folder: Path):
    """No secret is left, in a name of a file neither; the report names kind and place; a second run finds nothing."""
    done = aicache("scrub", str(folder), "--dry-run")
    assert (done.returncode, done.stderr) == (1, "")
    assert SECRET in content(folder)
    done = aicache("scrub", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "secret: GitHub token at reply.body.answer" in done.stdout
    assert "GitHub token at request.body.messages.0.content; new key; now" in done.stdout
    assert "3 recordings, 2 cleaned, 3 secrets, 0 unreadable" in done.stdout
    for text in (content(folder), done.stdout.partition("now")[2]):
        assert SECRET not in text
        assert "a1b2c3d4e5" not in text.partition("\n")[0]
    store = CassetteStore(folder)
    store.open()
    assert asyncio.run(store.totals())[0] == 3
    done = aicache("scrub", str(folder), "--dry-run")
    assert (done.returncode, done.stdout) == (0, "3 recordings, 0 to clean, 0 secrets, 0 unreadable\n")


def test_an_edited_request_gets_its_key(aicache: Command, folder: Path):
    """A request that was changed by hand is found under its new key afterwards."""
    path = next(folder.rglob("clean-*.yaml"))
    path.write_text(path.read_text().replace("content: clean", "content: cleaner"))
    assert "new key" in aicache("scrub", str(folder)).stdout
    store = CassetteStore(folder)
    store.open()
    assert asyncio.run(store.get(entry("cleaner", "yes").key)).reply.body == b'{"answer":"yes"}'


def test_an_edited_answer_is_sealed_again(aicache: Command, folder: Path):
    """A changed answer keeps its key and its name; side files that nobody names are removed."""
    path = next(folder.rglob("clean-*.yaml"))
    path.write_text(path.read_text().replace('answer: "yes"', "answer: indeed"))
    (folder / "_blobs").mkdir()
    (folder / "_blobs" / "old.bin").write_bytes(b"x")
    done = aicache("scrub", str(folder))
    assert f"{path}: edited, checksum renewed" in done.stdout
    assert "1 unused side files removed" in done.stdout
    assert "answer: indeed" in path.read_text()


def test_what_cannot_be_read_is_named(aicache: Command, folder: Path):
    """A broken file is named with its line, the others are cleaned all the same."""
    (folder / "broken.yaml").write_text("aicache: 1\nkey: [\n")
    done = aicache("scrub", str(folder))
    assert done.returncode == 1
    assert "broken.yaml:3: this is not YAML" in done.stderr
    assert SECRET not in content(folder)


def test_no_folder(aicache: Command, tmp_path: Path):
    """A folder that is not there is an error in one sentence."""
    done = aicache("scrub", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "is no folder of recordings" in done.stderr
