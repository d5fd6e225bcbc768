"""A call that no recording answers names the file of the nearest one, and what records it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from llmcache.chat import Refusal
from llmcache.missing import SEALED, Missing, missing
from llmcache.stores.cassette_name import by_likeness
from support.recordings import ask, call, engine_on, look, record

SECRET = "Vq7-correct-horse-4481-battery"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recordings below the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "tests" / "recordings"


async def test_the_nearest_file_the_difference_and_the_command_are_named(folder: Path) -> None:
    """The client reads all of it in the error, and people are told the same."""
    folder.parent.mkdir()
    recording = engine_on(folder, "record")
    for text in ("What is 6 times 7?", "Why is the sky blue?"):
        await record(recording, call(text), "42")
    await recording.close()
    engine, told = engine_on(folder, "replay"), list[Missing]()
    engine.tell = told.append
    refused = await ask(engine, call("What is 6 times 8?"))
    (found,) = told
    assert found.fields == (("body.messages[0].content", '"What is 6 times 7?"', '"What is 6 times 8?"'),)
    assert found.file.startswith("tests/recordings/openai-chat/gpt-4o/what-is-6-times-7-")
    assert Path(found.file).exists()
    assert found.endpoint == "POST https://api.openai.com/v1/chat/completions"
    assert found.command == "aicache record --only 'openai-chat/gpt-4o/*' -- CMD"
    assert refused == Refusal(found.message, "unknown")


async def test_an_empty_folder_has_nothing_near(folder: Path) -> None:
    """The command stands there all the same."""
    folder.parent.mkdir()
    refused = await ask(engine_on(folder, "replay"), call())
    assert isinstance(refused, Refusal)
    assert "; nothing of this kind is recorded; to record it: aicache record --only " in refused.message


async def test_a_store_that_nobody_can_read_is_not_searched(folder: Path) -> None:
    """Sealed entries say nothing to another call, and the message says why."""
    folder.parent.mkdir()
    engine = engine_on(folder, "cache")
    _, ticket = await look(engine, call())
    assert (await missing(ticket, None, None, str)).note == SEALED


async def test_secrets_are_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt with a secret in it is told without it: errors, logs and summaries are read by many."""
    folder.parent.mkdir()
    recording = engine_on(folder, "record")
    await record(recording, call("The password is unknown."), "42")
    await recording.close()
    monkeypatch.setenv("BANK_TOKEN", SECRET)
    engine, told = engine_on(folder, "replay"), list[Missing]()
    engine.tell = told.append
    refused = await ask(engine, call(f"The password is {SECRET}. {'x' * 80}"))
    assert isinstance(refused, Refusal)
    assert "body.messages[0].content: " in refused.message
    assert all(SECRET[:end] not in str(told) + refused.message for end in range(6, len(SECRET)))


async def test_secrets_in_files_are_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that is in a file which comes as base64, however that is shifted."""
    folder.parent.mkdir()
    recording = engine_on(folder, "record")
    await record(recording, call(base64.b64encode(b"line\n" * 600).decode()), "42")
    await recording.close()
    monkeypatch.setenv("BANK_TOKEN", SECRET)
    engine, told = engine_on(folder, "replay"), list[Missing]()
    engine.tell = told.append
    for shift in (b"", b"x", b"xx"):
        file = base64.b64encode(b"line\n" * 300 + shift + SECRET.encode() + b"line\n" * 300).decode()
        refused = await ask(engine, call(file))
        assert isinstance(refused, Refusal)
        words = re.findall("[A-Za-z0-9+/]{12,}", str(told) + refused.message)
        assert words
        for word in words:
            seen = b"".join(base64.b64decode(word[at : at + (len(word) - at) // 4 * 4]) for at in range(4))
            assert SECRET.encode()[:6] not in seen
            assert SECRET.encode()[3:9] not in seen


def test_names_with_most_words_in_common_come_first() -> None:
    """Those of the same model and question before all others."""
    path = "openai-chat/gpt-4o/what-is-6-times-8-aaaaaaaa.yaml"
    near, other, far = "openai-chat/gpt-4o/what-is-6-times-7-b.yaml", "openai-chat/gpt-4o/hi-c.yaml", "cohere/x/hi.yaml"
    assert by_likeness(path, [far, other, near]) == [near, other, far]
