"""Multipart forms: every form that is written comes back part by part, and what is ambiguous is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.chat import WireError
from llmcache.multipart import Part, boundary, parse

BOUNDARY = "----form7MA4YWxk"
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz_[]0123456789", min_size=1, max_size=12)
FILENAMES = st.none() | st.text(st.characters(exclude_characters='"\\\r\n\0', codec="utf-8"), max_size=12)
PARTS = st.lists(
    st.builds(
        Part,
        TOKENS,
        FILENAMES,
        st.sampled_from([(), (("content-type", "audio/wav"),)]),
        st.binary(max_size=60).filter(lambda content: b"--" + BOUNDARY.encode() not in content),
    ),
    min_size=1,
    max_size=5,
)


def written(parts: list[Part], boundary: str = BOUNDARY, end: bytes = b"--\r\n") -> bytes:
    """Return the body that a client would send."""
    body = b""
    for part in parts:
        named = f'form-data; name="{part.name}"'
        if part.filename is not None:
            named += f'; filename="{part.filename}"'
        lines = [f"Content-Disposition: {named}", *(f"{name}: {value}" for name, value in part.headers)]
        body += f"--{boundary}\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + part.content + b"\r\n"
    return body + f"--{boundary}".encode() + end


def read(body: bytes) -> list[Part] | str:
    """Return the parts of *body*, or why it has none."""
    try:
        return parse(body, "b")
    except WireError as error:
        return str(error)


@settings(deadline=None)
@given(PARTS)
def test_what_was_written_is_read(parts: list[Part]) -> None:
    """Any parts, binary and with line ends inside, come back equal and in their order."""
    assert parts == parse(written(parts), BOUNDARY)


@settings(deadline=None)
@given(PARTS)
def test_the_boundary_means_nothing(parts: list[Part]) -> None:
    """The same form with another boundary has the same parts."""
    assert parse(written(parts), BOUNDARY) == parse(written(parts, "other"), "other")


@settings(deadline=None)
@given(PARTS, st.data())
def test_no_prefix_is_a_form(parts: list[Part], data: st.DataObject) -> None:
    """A form that was cut anywhere before its end is refused."""
    body = written(parts, end=b"--")
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(WireError):
        parse(body[:cut], BOUNDARY)


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_break_it(body: bytes) -> None:
    """Any bytes are parts or a `WireError`."""
    found = read(b"--b\r\n" + body + b"\r\n--b--")
    assert isinstance(found, list) or found.startswith("multipart-")


HEAD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "multipart-boundary", id="empty"),
        pytest.param(b"preamble\r\n" + HEAD + b"1\r\n--b--", "multipart-boundary", id="preamble"),
        pytest.param(HEAD + b"1\r\n--bb\r\n--b--", "multipart-boundary", id="begins-like-the-boundary"),
        pytest.param(HEAD.replace(b"\r\n", b"\n") + b"1\n--b--", "multipart-boundary", id="line-feeds"),
        pytest.param(HEAD + b"1\n--b--", "multipart-boundary", id="line-feed-before-the-end"),
        pytest.param(HEAD + b"1", "multipart-truncated", id="no-end"),
        pytest.param(HEAD + b"1\r\n--b--\r\nepilogue", "multipart-truncated", id="epilogue"),
        pytest.param(HEAD + b"1\r\n--b--\r\n" + HEAD + b"2\r\n--b--", "multipart-truncated", id="two-forms"),
        pytest.param(b"--b\r\nContent-Disposition: form-data; name=a\r\n--b--", "multipart-part", id="no-blank-line"),
        pytest.param(b"--b\r\nA: 1\r\n\r\n1\r\n--b--", "multipart-disposition", id="no-disposition"),
        pytest.param(HEAD.replace(b"; name", b"; x") + b"1\r\n--b--", "multipart-name", id="no-name"),
        pytest.param(HEAD.replace(b'"a"', b'"a"; name="b"') + b"1\r\n--b--", "multipart-disposition", id="two-names"),
        pytest.param(HEAD.replace(b'"a"', b'"a" b') + b"1\r\n--b--", "multipart-disposition", id="rest"),
        pytest.param(b"--b\r\nA: 1\r\na: 2" + HEAD[3:] + b"1\r\n--b--", "multipart-header", id="header-twice"),
        pytest.param(b"--b\r\nA: 1\r\n b" + HEAD[3:] + b"1\r\n--b--", "multipart-header", id="folded-header"),
    ],
)
def test_what_is_ambiguous_is_refused(body: bytes, reason: str) -> None:
    """What two servers could read differently has no identity."""
    with pytest.raises(WireError, match=f"^{reason}$"):
        parse(body, "b")


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("multipart/form-data; boundary=abc", "abc"),
        ('multipart/form-data; boundary="a b:c"', "a b:c"),
        ("multipart/form-data; charset=utf-8; Boundary=abc", "abc"),
        ("multipart/form-data;boundary=----x; charset=utf-8", "----x"),
    ],
)
def test_the_boundary_is_found(content_type: str, found: str) -> None:
    """Quoted or bare, in any case, among other parameters."""
    assert found == boundary(content_type)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "m/f; boundary=", "m/f; boundary=a; boundary=b"])
def test_no_boundary_is_refused(content_type: str) -> None:
    """None, an empty one and two are no boundary."""
    with pytest.raises(WireError, match="multipart-boundary"):
        boundary(content_type)


@pytest.mark.parametrize("extra", ["filename*=UTF-8''x.wav", "size=3"])
def test_further_parameters_are_kept(extra: str) -> None:
    """A parameter of the disposition that we do not know is no less part of the form."""
    name, _, value = extra.partition("=")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="f"; %s\r\nContent-Length: 1\r\n\r\n1\r\n--b--' % extra.encode()
    )
    assert [Part("f", None, ((f"disposition-{name}", value),), b"1")] == parse(body, "b")
