"""What is passed through on purpose says why, and nothing that a dialect claims is among it."""

from __future__ import annotations

import pytest
from llmcache import wire
from llmcache.wire import passed

WORDS = {
    "/v1/files": "files",
    "/v1/files/file-1/content": "files",
    "/v1/batches/batch_1": "batches",
    "/v1/threads/thread_1/runs": "threads",
    "/v1/conversations/conv_1/items": "conversation",
    "/v1/videos": "videos",
    "/v1/agents": "agents",
    "/v1/complete": "legacy",
    "/app/v1/chat": "",
    "/v1/chat/completions/chatcmpl-1": "",
    "/v1/models": "",
    "/v2/files": "",
    "/": "",
}


@pytest.mark.parametrize(("path", "word"), WORDS.items(), ids=str)
def test_the_word_for_a_path(path: str, word: str) -> None:
    """An endpoint that is never cached has a word; an application's own path has none."""
    assert word == passed.reason(path)


@pytest.mark.parametrize("path", [path for path, word in WORDS.items() if word])
def test_no_dialect_claims_what_is_passed(path: str) -> None:
    """What has a word is not looked into."""
    assert wire.find("POST", path) is None
