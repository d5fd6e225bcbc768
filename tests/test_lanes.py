"""A lane by header or by path: read as it was meant, or not at all."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache import lanes
from llmcache.control import read_control

PATHS = [
    pytest.param("/s/a/v1/chat/completions", ("a", "/v1/chat/completions"), id="plain"),
    pytest.param("/s/t%2Fx.py%3A%3Ab%5B1%5D/v1/x", ("t%2Fx.py%3A%3Ab%5B1%5D", "/v1/x"), id="encoded"),
    pytest.param("/s/a/", ("a", "/"), id="nothing behind"),
    pytest.param("/s/a", ("", "/s/a"), id="no path behind"),
    pytest.param("/s//v1/x", ("", "/s//v1/x"), id="no name"),
    pytest.param("/v1/s/a/x", ("", "/v1/s/a/x"), id="not at the front"),
    pytest.param("/sa/b/c", ("", "/sa/b/c"), id="another word"),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_a_lane_is_taken_off_the_front_of_a_path(path: str, expected: tuple[str, str]) -> None:
    """Only `/s/NAME/` at the very front is ours."""
    assert expected == lanes.split(path)


@given(st.text(min_size=1, max_size=lanes.LONGEST))
def test_a_name_survives_its_encoding(name: str) -> None:
    """What can be a name comes back from header and path alike; everything else is none."""
    encodable = not any("\ud800" <= letter <= "\udfff" for letter in name)
    if not encodable:
        return
    written = quote(name, safe="")
    expected = name if name.isprintable() and name == name.strip() else None
    assert lanes.named(written) == expected
    assert lanes.split(f"/s/{written}/v1/x") == (written, "/v1/x")


@pytest.mark.parametrize("text", ["", " ", "%00", "a%0Ab", "%ff", "a" * (lanes.LONGEST + 1)])
def test_what_is_no_name(text: str) -> None:
    """Control characters, bytes that are no text, nothing, and too much."""
    assert lanes.named(text) is None


def test_header_and_path_have_to_agree() -> None:
    """Nobody guesses which of two lanes was meant."""
    header = (("x-aicache-scope", "a b"),)
    assert read_control(header).lane == "a b"
    assert read_control((), "a%20b").lane == "a b"
    both = read_control(header, "a%20b")
    assert (both.lane, both.malformed) == ("a b", False)
    assert read_control(header, "c").malformed
    assert read_control((), "%ff").malformed
