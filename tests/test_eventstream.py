"""AWS event streams: messages come back as they were written, however they were cut, and damage is noticed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import eventstream
from llmcache.chat import WireError
from llmcache.eventstream import Header, Message, MessageParser

# From the specification's test vectors (Smithy, "Amazon Event Stream Specification"): hexadecimal on the wire.
EMPTY = "000000100000000005c248eb7d98c8ff"
PAYLOAD = "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936"
NUMBERS = {eventstream.BYTE: 7, eventstream.SHORT: 15, eventstream.INTEGER: 31, eventstream.LONG: 63}
VALUES = st.one_of(
    st.builds(lambda value: (value, eventstream.TRUE if value else eventstream.FALSE), st.booleans()),
    *(
        st.builds(lambda value, kind=kind: (value, kind), st.integers(-(2**bits), 2**bits - 1))
        for kind, bits in (NUMBERS | {eventstream.TIMESTAMP: 63}).items()
    ),
    st.builds(lambda value: (value, eventstream.BYTES), st.binary(max_size=20)),
    st.builds(lambda value: (value, eventstream.STRING), st.text(max_size=20)),
    st.builds(lambda value: (value, eventstream.UUID), st.binary(min_size=16, max_size=16)),
)
HEADERS = st.lists(
    st.builds(lambda name, value: Header(name, *value), st.text(min_size=1, max_size=20), VALUES), max_size=5
)
STREAMS = st.lists(st.builds(Message, HEADERS.map(tuple), st.binary(max_size=60)), max_size=5)
ONE = eventstream.message((Header(":event-type", "chunk"),), b'{"bytes":"eA=="}')


def written(messages: list[Message]) -> bytes:
    """Return the stream of *messages*."""
    return b"".join(eventstream.message(each.headers, each.payload) for each in messages)


@pytest.mark.parametrize(
    ("wire", "payload"),
    [
        pytest.param(EMPTY, b"", id="empty"),
        pytest.param(PAYLOAD, b"{'foo':'bar'}", id="payload"),
    ],
)
def test_the_specifications_messages(wire: str, payload: bytes) -> None:
    """The specification's test vectors are read, and written, as it says."""
    assert [Message((), payload)] == eventstream.parse(bytes.fromhex(wire))
    assert wire == eventstream.message((), payload).hex()


@settings(deadline=None, max_examples=60)
@given(STREAMS, st.data())
def test_messages_do_not_depend_on_chunks(messages: list[Message], data: st.DataObject) -> None:
    """A stream cut anywhere gives the messages that were written, and each says where it stood."""
    body = written(messages)
    borders = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    parser, found = MessageParser(), []
    for start, end in zip([0, *borders], [*borders, len(body)], strict=True):
        found += parser.feed(body[start:end])
    parser.close()
    assert messages == found
    assert body == b"".join(body[each.start : each.end] for each in found)


@settings(deadline=None, max_examples=60)
@given(STREAMS.filter(bool), st.data())
def test_a_damaged_byte_is_noticed(messages: list[Message], data: st.DataObject) -> None:
    """One changed byte anywhere in a stream is an error, never another message."""
    body = bytearray(written(messages))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WireError, match=r"bad-frame|truncated"):
        eventstream.parse(bytes(body))


@pytest.mark.parametrize("end", range(1, len(ONE)))
def test_a_message_that_was_cut_off_is_truncated(end: int) -> None:
    """A stream that ends inside a message is not whole."""
    with pytest.raises(WireError, match="truncated"):
        eventstream.parse(ONE + ONE[:end])


def prelude(total: int, headers: int) -> bytes:
    """Return a prelude whose checksum is right, whatever its lengths say."""
    lengths = total.to_bytes(4, "big") + headers.to_bytes(4, "big")
    return lengths + zlib.crc32(lengths).to_bytes(4, "big")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(prelude(15, 0), id="shorter than a message"),
        pytest.param(prelude(20, 8), id="headers longer than the message"),
        pytest.param(prelude(2**31, 0), id="too long"),
        pytest.param(b'{"message":"x"}', id="no event stream"),
    ],
)
def test_lengths_that_cannot_be_are_refused_at_once(head: bytes) -> None:
    """A prelude that cannot be right is an error before anything more arrives."""
    with pytest.raises(WireError, match="bad-frame"):
        MessageParser().feed(head)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x01a\x0a", id="unknown type"),
        pytest.param(b"\x05ab", id="name cut off"),
        pytest.param(b"\x01a\x07\x00\x05ab", id="value cut off"),
        pytest.param(b"\x01a\x07\x00\x01\xff", id="no UTF-8"),
    ],
)
def test_headers_that_cannot_be_read_are_refused(block: bytes) -> None:
    """A header block that makes no sense is an error, though its checksums are right."""
    head = prelude(len(block) + 16, len(block))
    whole = head + block
    with pytest.raises(WireError, match="bad-frame"):
        eventstream.parse(whole + zlib.crc32(whole).to_bytes(4, "big"))


def test_what_begins_like_an_event_stream() -> None:
    """The first bytes tell an event stream from JSON, whatever its content type says."""
    assert eventstream.begins(ONE)
    assert not eventstream.begins(b'{"message":"not a stream"}')
    assert not eventstream.begins(b"")
