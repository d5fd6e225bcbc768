"""Content codings are undone piece by piece, whatever the borders, and never without a bound."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import WireError
from llmcache.coding import Decoder


def raw_deflate(data: bytes) -> bytes:
    """Return *data* deflated without zlib's wrapper."""
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("coding", CODERS)
@given(data=st.binary(max_size=5000), size=st.integers(1, 700))
def test_any_cut_gives_the_body(coding: str, data: bytes, size: int) -> None:
    """However a coded body is cut into pieces, the decoded pieces join to it."""
    coded = CODERS[coding](data)
    decoder = Decoder(coding, 10_000)
    assert b"".join(decoder.feed(coded[at : at + size]) for at in range(0, len(coded), size)) == data


def test_codings_stack() -> None:
    """The last coding named was applied last (RFC 9110 section 8.4)."""
    assert Decoder("deflate, GZIP", 100).feed(gzip.compress(zlib.compress(b"hello"))) == b"hello"


def test_deflate_without_its_wrapper() -> None:
    """Raw deflate, which some servers send, is read too."""
    assert Decoder("deflate", 100).feed(raw_deflate(b"hello")) == b"hello"


def test_gzip_of_several_members() -> None:
    """RFC 1952 allows members to follow each other."""
    assert Decoder("gzip", 100).feed(gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"


def test_zstd_of_several_frames() -> None:
    """RFC 8878 allows frames to follow each other, cut anywhere."""
    coded = zstandard.compress(b"one ") + zstandard.compress(b"two")
    decoder = Decoder("zstd", 100)
    assert b"".join(decoder.feed(coded[at : at + 1]) for at in range(len(coded))) == b"one two"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", ""])
def test_a_bomb_stops_at_the_limit(coding: str) -> None:
    """What blows up past the limit is an error, found before the memory is gone."""
    with pytest.raises(WireError, match="too-large"):
        Decoder(coding, 1_000_000).feed(CODERS[coding](bytes(50_000_000)))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_nonsense_is_an_error_of_theirs(coding: str) -> None:
    """Bytes that are not of the coding are a `WireError`."""
    with pytest.raises(WireError, match="coding-broken"):
        Decoder(coding, 1000).feed(b"\xffno such thing" * 10)


def test_an_unknown_coding_is_named() -> None:
    """A coding that we cannot undo keeps the reply out of the store."""
    with pytest.raises(WireError, match="coding-unknown"):
        Decoder("rot13", 1000)
