"""Lines of JSON: the same lines however the bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.ndjson import Line, NdjsonParser, ndjson, parse_ndjson


def split(body: bytes, borders: list[int]) -> list[Line]:
    """Return the lines of *body* fed in pieces."""
    parser, lines, at = NdjsonParser(), [], 0
    for border in [*sorted(min(each, len(body)) for each in borders), len(body)]:
        lines += parser.feed(body[at:border])
        at = border
    return lines + parser.close()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b'{"a":1}\n{"b":2}\n', [Line(b'{"a":1}'), Line(b'{"b":2}')], id="two"),
        pytest.param(b'{"a":1}\r\n{"b":2}\r\n', [Line(b'{"a":1}'), Line(b'{"b":2}')], id="CRLF"),
        pytest.param(b'\n \n{"a":1}\n\n', [Line(b'{"a":1}')], id="blank lines"),
        pytest.param(b'{"a":1}\n{"b"', [Line(b'{"a":1}'), Line(b'{"b"', whole=False)], id="cut off"),
        pytest.param(b'{"a":1}', [Line(b'{"a":1}', whole=False)], id="no line feed"),
        pytest.param(b'\xef\xbb\xbf{"a":1}\n', [Line(b'{"a":1}')], id="byte order mark"),
        pytest.param('{"a":"x\u2028y"}\n'.encode(), [Line('{"a":"x\u2028y"}'.encode())], id="U+2028 ends no line"),
    ],
)
def test_lines(body: bytes, expected: list[Line]) -> None:
    """Lines end with a line feed and nothing else; blank ones mean nothing; the last may be cut off."""
    assert expected == parse_ndjson(body)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b'{"a":1}\n', b"\r\n", '{"é":"😀"}\r\n'.encode(), b'{"cut']), max_size=6), st.data())
def test_lines_do_not_depend_on_chunks(pieces: list[bytes], data: st.DataObject) -> None:
    """Cut anywhere, inside characters and between CR and LF, the lines and their places are the same."""
    body = b"".join(pieces)
    whole = parse_ndjson(body)
    cut = split(body, data.draw(st.lists(st.integers(0, max(1, len(body))), max_size=5)))
    assert whole == cut
    assert [(line.start, line.end) for line in whole] == [(line.start, line.end) for line in cut]
    assert all(line.data in body[line.start : line.end] for line in whole)


def test_a_line_reads_back() -> None:
    """What is written is what is read."""
    assert parse_ndjson(ndjson(b"{}") + ndjson(b"[1]")) == [Line(b"{}"), Line(b"[1]")]
