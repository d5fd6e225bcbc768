"""A JSON array sent element by element: the same elements however the bytes arrive, and an end that is seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.chat import WireError
from llmcache.jsonarray import ArrayParser, array

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", '\\"', "]", "[{", '",', "é😀"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def fed(body: bytes, size: int) -> tuple[list[Any], list[int], bool]:
    """Return the elements of *body* fed in chunks of *size* bytes, their ends, and whether the array was closed."""
    parser, elements = ArrayParser(), []
    for at in range(0, len(body), size):
        elements += parser.feed(body[at : at + size])
    return [json.loads(each.data) for each in elements], [each.end for each in elements], parser.closed


@settings(deadline=None)
@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 2]), st.booleans())
def test_elements_do_not_depend_on_chunks(values: list[Any], indent: int | None, escaped: bool) -> None:
    """Cut anywhere, inside strings, escapes and characters, an array gives its elements and then is closed."""
    body = json.dumps(values, indent=indent, ensure_ascii=escaped).encode()
    whole = fed(body, len(body))
    assert (values, True) == (whole[0], whole[2])
    assert whole == fed(body, 1) == fed(body, 3)
    assert all(body[end : end + 1] in (b",", b"]") for end in whole[1])


@settings(deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_what_is_written_reads_back(values: list[Any]) -> None:
    """`array` writes one JSON array, an empty one too, whose pieces are its elements and its end."""
    pieces = array(json.dumps(value).encode() for value in values)
    assert values == json.loads(b"".join(pieces))
    assert len(pieces) == max(1, len(values)) + 1
    assert values == fed(b"".join(pieces), 2)[0]


def test_googles_own_spelling() -> None:
    """Elements are written and separated as Google's servers do it."""
    assert [b'[{"a":1}\n', b',\r\n{"b":2}\n', b"]"] == array([b'{"a":1}', b'{"b":2}'])


def test_only_the_bracket_closes() -> None:
    """Every prefix of an array is open, and the elements that are there are whole."""
    body = b'[{"a": "]"}\n,\r\n{"b": [1, {"c": "\\""}]}\n]\n'
    end = body.rindex(b"]")
    for cut in range(end + 1):
        values, _, closed = fed(body[:cut], 5) if cut else ([], [], False)
        assert not closed
        assert values == [{"a": "]"}, {"b": [1, {"c": '"'}]}][: len(values)]
    assert fed(body, 5)[2]


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("body", [b'{"error": 1}', b"data: {}", b'[{"a": 1}] {"b": 2}', b"[1][2]", b'"[1]"'])
def test_what_is_no_array_is_refused(body: bytes, size: int) -> None:
    """Anything before or behind the array is an error, not an element."""
    with pytest.raises(WireError, match="not-an-array"):
        fed(body, size)
