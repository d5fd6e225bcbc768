"""A stored call is put back into a request that is keyed as before, or not at all."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache.chat import Entry, Form, Request
from llmcache.restated import call_of, request_of
from test_samples import FOUND, new_engine, record
from test_samples import request_of as sampled


async def stored(sample: dict[str, Any]) -> Entry:
    """Return the entry that is recorded of a sample, without the credential."""
    engine = new_engine()
    await record(engine, sample)
    (entry,) = [entry async for entry in engine.store.scan()]
    return entry


@pytest.mark.parametrize("path", FOUND)
async def test_captured_calls_are_put_back(path: Path) -> None:
    """The request asks for the form that was recorded, at the place where it was asked, and is keyed the same."""
    sample = json.loads(path.read_text())
    entry = await stored(sample)
    found = call_of(entry)
    assert found
    dialect, call = found
    assert (entry.dialect, entry.model, entry.form.kind) == (dialect.NAME, call.model, call.form.kind)
    asked = sampled(sample)
    assert (asked.method, asked.scheme, asked.host, asked.port) == (
        call.request.method,
        call.request.scheme,
        call.request.host,
        call.request.port,
    )


async def entry() -> Entry:
    """Return an entry of a plain chat."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    asked = {"method": "POST", "url": "http://[::1]:81/v1/chat/completions?b=%20&a=1", "headers": [], "body": body}
    text = json.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]})
    headers = [["content-type", "application/json"]]
    return await stored({"request": asked, "response": {"status": 200, "headers": headers, "text": text}})


async def test_the_place_is_put_back() -> None:
    """Address, port and query in their order."""
    request = request_of(await entry())
    assert isinstance(request, Request)
    assert ("http", "::1", 81, "/v1/chat/completions", "b=+&a=1") == (
        request.scheme,
        request.host,
        request.port,
        request.path,
        request.query,
    )


@pytest.mark.parametrize(
    "flaw", [b"", b"{", b"[]", b'{"origin": 7}', b'{"origin": "ftp://h", "path": "", "query": []}']
)
async def test_what_is_no_identity_is_not_put_back(flaw: bytes) -> None:
    """Records of other formats have none."""
    assert request_of(replace(await entry(), request=flaw)) is None
    assert call_of(replace(await entry(), request=flaw)) is None


async def test_a_call_that_would_be_keyed_otherwise_is_not_put_back() -> None:
    """Nothing is guessed: another dialect, or a body that is read as another one."""
    made = await entry()
    assert call_of(replace(made, dialect="unknown")) is None
    assert call_of(replace(made, dialect="anthropic")) is None
    assert call_of(replace(made, form=Form("sse"))) is not None
    changed = {**json.loads(made.request), "path": "/elsewhere", "body": {"messages": 7}}
    assert call_of(replace(made, request=json.dumps(changed).encode())) is None


GOLDEN = Path(__file__).parent / "data" / "wire"
WHOLE = [
    pytest.param(path, ending, id=f"{path.parent.name}-{path.name.removesuffix('.request.json')}{ending}")
    for path in sorted(GOLDEN.glob("*/*.request.json"))
    for ending in (".stream", ".response.json")
    if path.with_name(path.name.replace(".request.json", ending)).exists()
    and not path.with_name(path.name.replace(".request.json", ".incomplete")).exists()
]


@pytest.mark.parametrize(("path", "ending"), WHOLE)
async def test_every_dialect_is_asked_for_what_was_recorded(path: Path, ending: str) -> None:
    """Whatever the protocol, a recorded stream is asked for as a stream again, and JSON as JSON."""
    body = path.with_name(path.name.replace(".request.json", ending)).read_bytes()
    answered = {"status": 200, "headers": [], "base64": base64.b64encode(body).decode()}
    written = json.loads(path.read_bytes())
    entry = await stored({"request": written | {"headers": [*dict(written["headers"]).items()]}, "response": answered})
    found = call_of(entry)
    assert found
    assert entry.form == found[0].reply_form(found[1], entry.reply)
    assert entry.form.kind == found[1].form.kind
