"""Content codings undone: gzip, deflate, br and zstd, piece by piece (RFC 9110 section 8.4).

A recorded stream keeps the borders of the chunks that arrived, so decoding is incremental.
It does not know HTTP messages or LLM calls; `Decoder` is the one entry point.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

from .chat import WireError

SLICE = 4096
"""Compressed bytes fed at a time: what one slice can blow up to stays small before the limit is looked at."""


class Decoder:
    """Undo the coding of one body, at most *limit* bytes of it."""

    def __init__(self, coding: str, limit: int) -> None:
        """Take the value of `content-encoding`. Raises `WireError` for a coding that is unknown."""
        names = [name.strip().lower() for name in coding.split(",") if name.strip()]
        try:
            self._steps = [_STEPS[name]() for name in reversed(names) if name != "identity"]
        except KeyError:
            raise WireError("coding-unknown") from None
        self._left = limit

    def feed(self, data: bytes) -> bytes:
        """Return what *data* adds to the decoded body. Raises `WireError` when it is broken or too large."""
        if not self._steps:
            return self._count(data)
        return b"".join(self._count(self._decode(data[at : at + SLICE])) for at in range(0, len(data), SLICE))

    def _decode(self, data: bytes) -> bytes:
        try:
            for step in self._steps:
                data = step.decompress(data)
        except Exception as error:
            raise WireError("coding-broken") from error
        return data

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise WireError("too-large")
        return data


class _Step(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


class _Gzip:
    """Gzip, more than one member too."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, /) -> bytes:
        out = self._inner.decompress(data)
        while self._inner.eof and (rest := self._inner.unused_data):
            self._inner = zlib.decompressobj(wbits=31)
            out += self._inner.decompress(rest)
        return out


class _Deflate:
    """Zlib as the RFC says, or the raw deflate that some servers send."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj()
        self._fresh = True

    def decompress(self, data: bytes, /) -> bytes:
        fresh, self._fresh = self._fresh and bool(data), self._fresh and not data
        try:
            return self._inner.decompress(data)
        except zlib.error:
            if not fresh:
                raise
            self._inner = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
            return self._inner.decompress(data)


class _Brotli:
    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - optional: only a reply coded so needs it

        self.decompress: Callable[[bytes], bytes] = brotli.Decompressor().process


def _zstd() -> _Step:
    import zstandard  # noqa: PLC0415 - optional: only a reply coded so needs it

    step: _Step = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    return step


_STEPS: dict[str, Callable[[], _Step]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _zstd,
    "identity": _Gzip,  # never made: filtered out above
}
