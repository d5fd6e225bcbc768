"""Captured traffic of real providers as recordings: each comes back to the byte, none is taken for a leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llmcache.chat import Hit
from llmcache.engine import Engine
from llmcache.leaks import Scanner
from llmcache.scope import Scope
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.cassette_leaks import check
from test_samples import FOUND, exchange_of, record, request_of


@pytest.mark.parametrize("path", FOUND)
async def test_recorded_and_replayed(path: Path, tmp_path: Path) -> None:
    """What was recorded into a folder is served from it by another process, byte for byte and chunk for chunk."""
    sample, scanner = json.loads(path.read_text()), Scanner({})
    stored = CassetteStore(tmp_path, check=lambda entry: check(entry, scanner))
    dialect = await record(Engine(stored, Scope(None)), sample)
    await stored.close()
    again = CassetteStore(tmp_path)
    again.open()
    hit, _ = await Engine(again, Scope(None)).lookup(dialect, request_of(sample))
    await again.close()
    assert isinstance(hit, Hit)
    pieces = exchange_of(sample).pieces
    assert hit.reply.body == b"".join(piece for _, piece in pieces)
    assert hit.entry.reply.chunks == tuple((at, len(piece)) for at, piece in pieces)
    (file,) = tmp_path.rglob("*.yaml")
    assert "request-text" not in file.read_text()
