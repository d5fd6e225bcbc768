"""A record is an entry to the last bit, or it is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from hashlib import blake2b

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from llmcache.chat import Entry, Form, Reply, Usage
from llmcache.stores.record import pack, size, unpack

STREAM = Entry(
    key="5e" * 32,
    dialect="openai-chat",
    host="api.openai.com",
    model="gpt-4o",
    form=Form("sse", frozenset({"usage", "obfuscation"})),
    reply=Reply(
        status=200,
        headers=(("content-type", "text/event-stream"), ("x-twice", "1"), ("x-twice", "2")),
        body=b"data: {}\n\ndata: [DONE]\n\n",
        chunks=((120, 10), (135, 14)),
    ),
    created=1_790_000_000.25,
    expires=1_790_003_600.5,
    usage=Usage(input=12, output=3, cached=8),
    seconds=0.135,
    request=b'{"messages":[{"content":"hi","role":"user"}]}',
    path="/v1/chat/completions",
    question="hi",
)

CASES = {
    "stream": STREAM,
    "bare": Entry("k", "", "", "", Form("json"), Reply(200, (), b""), created=0.0),
    "binary body": replace(STREAM, reply=replace(STREAM.reply, body=bytes(range(256)) * 3)),
    "binary request": replace(STREAM, request=b"\x00\xff\xfe aicache"),
    "unicode": replace(STREAM, question="你好, мир 🚀 \u2028 \x00", model="模型"),
    "half a surrogate pair": replace(STREAM, question="\ud83d", path="/caf\udce9"),
    "number past 64 bits": replace(STREAM, usage=Usage(input=2**70)),
    "whole seconds": replace(STREAM, created=5, expires=6, seconds=0),
    "broken off": replace(STREAM, reply=replace(STREAM.reply, body=b"data: {}\n\ndata: [D"), truncated=True),
}


@pytest.mark.parametrize("entry", CASES.values(), ids=CASES.keys())
def test_round_trip(entry):
    """What was packed comes back equal, whatever the bytes and texts are."""
    assert unpack(pack(entry), entry.key) == entry


@pytest.mark.parametrize("entry", CASES.values(), ids=CASES.keys())
def test_size(entry):
    """The size is known without packing."""
    assert size(entry) == len(pack(entry))


@given(body=st.binary(max_size=200), request=st.binary(max_size=50), question=st.text(), status=st.integers(100, 599))
@example(body=pack(STREAM), request=pack(STREAM), question="a record within a record", status=200)
def test_round_trip_of_anything(body, request, question, status):
    """No body, request or text confuses the layout."""
    entry = replace(STREAM, reply=Reply(status, (), body), request=request, question=question)
    assert unpack(pack(entry), entry.key) == entry


def test_what_broke_off_is_unknown_to_those_who_would_serve_it_as_whole():
    """A version of aicache that knows only whole replies reads version 2, as which all of them are still written."""
    assert [pack(replace(STREAM, truncated=truncated))[7] for truncated in (False, True)] == [2, 3]


def test_every_flipped_bit_is_refused():
    """No single flipped bit, wherever it is, goes unnoticed."""
    record = pack(STREAM)
    for position in range(len(record) * 8):
        damaged = bytearray(record)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(ValueError):  # noqa: PT011  which check finds it is not the point
            unpack(bytes(damaged), STREAM.key)


def test_every_cut_is_refused():
    """No part of a record passes for a record, nor one with something after it."""
    record = pack(STREAM)
    for damaged in (*(record[:length] for length in range(len(record))), record + b"\0", b"\0" + record):
        with pytest.raises(ValueError):  # noqa: PT011  which check finds it is not the point
            unpack(damaged, STREAM.key)


def test_another_key_is_refused():
    """A record that lies under a wrong key answers no call."""
    with pytest.raises(ValueError, match="another key"):
        unpack(pack(STREAM), "00" * 32)


@pytest.mark.parametrize("data", [None, "text", 7, memoryview(pack(STREAM))], ids=["none", "text", "number", "view"])
def test_what_is_no_bytes_is_refused(data):
    """A damaged column can have any type; it is refused, not tripped over."""
    with pytest.raises(ValueError, match="cut short"):
        unpack(data, STREAM.key)


def forged(head: object = None, version: int = 2, length: int | None = None) -> bytes:
    """Return a record whose checksum is right, whatever it holds."""
    data = head if isinstance(head, bytes) else orjson.dumps(head)
    record = struct.pack(">7sBII", b"aicache", version, len(data) if length is None else length, 0) + data
    return record + blake2b(record, digest_size=16).digest()


def head(**changes: object) -> dict[str, object]:
    """Return the head of `STREAM` with *changes*."""
    record = pack(STREAM)
    _, _, length, _ = struct.unpack_from(">7sBII", record)
    return orjson.loads(record[16 : 16 + length]) | changes


FORGERIES = {
    "unknown version": (forged(head(), version=4), "version 4"),
    "not JSON": (forged(b"{]"), "Expecting"),
    "no object": (forged([1]), "other fields"),
    "further field": (forged(head(more=1)), "other fields"),
    "field missing": (forged({name: value for name, value in head().items() if name != "host"}), "other fields"),
    "wrong type": (forged(head(status="200")), "other types"),
    "truth for a number": (forged(head(status=True)), "other types"),
    "header of three": (forged(head(headers=[["a", "b", "c"]])), "too many values"),
    "header of a number": (forged(head(headers=[7])), "malformed"),
    "times without lengths": (forged(head(times=[1])), "longer"),
    "usage of four": (forged(head(usage=[1, 2, 3, 4])), "malformed"),
    "option that is a list": (forged(head(options=[[]])), "malformed"),
    "length past the end": (forged(head(), length=10_000), "lengths"),
}


def test_forgeries_start_from_a_record_that_passes():
    """Unchanged, the forger's record is right: the cases below fail for their own reason."""
    assert unpack(forged(head()), STREAM.key).key == STREAM.key


@pytest.mark.parametrize(("record", "message"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_right_checksum_is_not_enough(record, message):
    """A whole record of another version or shape is refused with its reason."""
    with pytest.raises(ValueError, match=message):
        unpack(record, STREAM.key)


def test_what_no_record_can_hold():
    """An entry with a value that is no JSON is refused when packed, not when read."""
    with pytest.raises(ValueError, match="cannot be packed"):
        pack(replace(STREAM, question=object()))
