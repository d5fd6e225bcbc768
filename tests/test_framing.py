"""Server-sent events: every legal spelling of a stream, cut anywhere, gives the same events."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from llmcache.framing import Event, SseParser, frames, parse_sse, sse

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Property tests must not fail because the machine is busy."""

PIECES = st.sampled_from(
    [
        *(b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r", b"\xef\xbb\xbf"),
        *(b"data", b"data:", b"data: ", b"data: {}", b"event: error", b"id: 1", b"id: \0", b"retry: 10", b"retry: x"),
        *(b":", b": ping", b" ", b"x", "é€😀".encode(), b"\xff", b"[DONE]"),
    ]
)
STREAMS = st.lists(PIECES, max_size=30).map(b"".join)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20)
NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)


def fed(body: bytes, sizes: list[int]) -> list[Event]:
    """Return the events of *body* fed in chunks of the given sizes."""
    parser, events, at = SseParser(), [], 0
    for size in sizes:
        events += parser.feed(body[at : at + size])
        at += size
    return events + parser.feed(body[at:]) + parser.close()


def said(events: list[Event]) -> list[tuple[str, str, bool]]:
    """Return what the events say."""
    return [(event.event, event.data, event.whole) for event in events]


def shown(body: bytes) -> list[tuple[str, str, bool]]:
    """Return what the frames of *body* say, as text."""
    return [
        (name.decode("utf-8", "replace"), data.decode("utf-8", "replace"), not cut) for name, data, cut in frames(body)
    ]


@pytest.mark.parametrize(
    ("body", "events"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [Event("a"), Event("b")], id="several-events"),
        pytest.param(b"data: a\r\n\r\n", [Event("a")], id="crlf"),
        pytest.param(b"data: a\r\r", [Event("a")], id="cr"),
        pytest.param(b"data: a\n\r\n", [Event("a")], id="mixed"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="bom"),
        pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [Event("a")], id="bom-only-at-the-start"),
        pytest.param(b": keep-alive\n\ndata: a\n: ping\ndata: b\n\n", [Event("a\nb")], id="comments"),
        pytest.param(b"data:a\n\n", [Event("a")], id="no-space"),
        pytest.param(b"data:  a\n\n", [Event(" a")], id="only-one-space-goes"),
        pytest.param(b"data: {\ndata: }\n\n", [Event("{\n}")], id="multi-line"),
        pytest.param(b"data:\n\n", [Event("")], id="empty-data"),
        pytest.param(b"data\n\n", [Event("")], id="data-without-colon"),
        pytest.param(b"event: ping\n\n", [], id="no-data-no-event"),
        pytest.param(b"event: x\nid: 7\nretry: 10\ndata: a\n\n", [Event("a", "x", "7", 10)], id="all-fields"),
        pytest.param(b"data: a\nevent: x\n\ndata: b\n\n", [Event("a", "x"), Event("b")], id="name-is-not-inherited"),
        pytest.param(b"id: a\0b\nretry: 1s\ndata: a\n\n", [Event("a")], id="bad-id-and-retry-ignored"),
        pytest.param(b"retry: " + b"9" * 5000 + b"\ndata: a\n\n", [Event("a")], id="endless-retry-ignored"),
        pytest.param(b"dat: x\ndata : y\ndata: a\n\n", [Event("a")], id="unknown-fields-ignored"),
        pytest.param(b"data: a\n\n\n\n\n", [Event("a")], id="many-blank-lines"),
        pytest.param(b"data: a", [Event("a", whole=False)], id="cut-in-the-line"),
        pytest.param(b"data: a\n", [Event("a", whole=False)], id="no-blank-line"),
        pytest.param(
            b"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{}\n\n", [Event("{}", "result", "1")], id="comment-inside"
        ),
        pytest.param(b"id: a\0b\ndata: a\n\n", [Event("a")], id="bad-id-among-usual-lines"),
        pytest.param(b"data: \xff\n\n", [Event("\ufffd")], id="not-utf8"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_a_stream_is_read_as_the_standard_says(body: bytes, events: list[Event]) -> None:
    """Each spelling gives its events, whole or byte by byte."""
    assert events == parse_sse(body)
    assert events == fed(body, [1] * len(body))
    assert said(events) == shown(body)


@STEADY
@given(STREAMS, st.lists(st.integers(0, 9), max_size=40))
@example(b"event: x\r\ndata: a\r\n\r\n", [9, 1])
@example(b"data: a\r\r\n", [9])
def test_any_split_gives_the_same_events(body: bytes, sizes: list[int]) -> None:
    """Chunk borders are invisible: inside CRLF, a BOM, a field name or a UTF-8 character alike."""
    whole, split = parse_sse(body), fed(body, sizes)
    assert whole == split
    assert [event.start for event in whole] == [event.start for event in split]
    for one, other in zip(whole, split, strict=True):  # an event is not held back for the LF behind its CR
        assert body[other.end : one.end] in (b"", b"\n")


@STEADY
@given(STREAMS)
@example(b"event: x\n\ndata: a\n\n")
@example(b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c")
def test_frames_say_what_events_do(body: bytes) -> None:
    """The short way to what a stream says comes to the same as the long one, for every stream."""
    assert said(parse_sse(body)) == shown(body)


@STEADY
@given(st.lists(st.sampled_from([b"event: x\n", b"data: a\n", b"data: b\n", b": c\n", b"id: 1\n", b"\n"]), max_size=20))
def test_frames_of_lines_in_any_order_say_what_events_do(lines: list[bytes]) -> None:
    """Lines that are usual one by one are understood in every order."""
    assert said(parse_sse(b"".join(lines))) == shown(b"".join(lines))


@pytest.mark.parametrize("line", [b": ping\n", b": ping\n\n", b"event: x\n", b"event: x\n\n", b"x\n", b"\n", b"\r"])
def test_a_stream_without_data_takes_linear_time(line: bytes) -> None:
    """A megabyte of what is no event is passed over, not searched again from each line."""
    assert frames(line * (1_000_000 // len(line))) == []


@STEADY
@given(STREAMS)
def test_spans_are_in_order_and_hold_their_events(body: bytes) -> None:
    """An event's bytes, read alone, give that event; spans do not overlap."""
    at = 0
    for event in parse_sse(body):
        assert at <= event.start < event.end <= len(body)
        assert [event] == parse_sse(body[event.start : event.end])
        at = event.end


@STEADY
@given(TEXT, NAME, st.none() | NAME, st.none() | st.integers(0, 10**9))
def test_what_is_written_reads_back(data: str, name: str, ident: str | None, retry: int | None) -> None:
    """Writing an event and reading it gives the same event."""
    event = Event(data, name, ident, retry)
    assert [event] == parse_sse(sse(event))


def test_an_event_comes_as_soon_as_it_ends() -> None:
    """The blank line's first byte delivers: a CR is not held back to see whether an LF follows."""
    parser = SseParser()
    assert parser.feed(b"data: a\r\n") == []
    assert [Event("a")] == parser.feed(b"\r")
    assert parser.feed(b"\n") == []
    assert parser.close() == []


def test_a_long_line_in_small_chunks_is_linear() -> None:
    """A line of megabytes in thousands of chunks is joined once."""
    parser = SseParser()
    for _ in range(5000):
        assert parser.feed(b"x" * 1000) == []
    assert len(parser._parts) == 5000


def test_repr_tells_the_state() -> None:
    """The parser says how far it is."""
    parser = SseParser()
    parser.feed(b"data: a\n")
    assert repr(parser) == "<SseParser at byte 8, 1 data lines open>"
