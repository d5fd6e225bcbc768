"""An embedder that is left alone while it is down: a dead provider costs a call nothing.

It is an `Embedder` around another. What counts is in `breaker`; a text that cannot be embedded is no failure.
Entry point: `Guarded`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..breaker import Breaker
from ..chat import BackendError
from . import Embedder, TextError, Vectors, check

PROBE = "hello"
"""What an embedder that was down is asked, to see whether it is back: as few tokens as there can be."""


class Guarded:
    """Asks *inner* unless it failed again and again."""

    def __init__(self, inner: Embedder, breaker: Breaker | None = None) -> None:
        self.name, self.window = inner.name, inner.window
        self._inner = inner
        self.breaker = breaker or Breaker(f"embedding provider {inner.name}", self._probe)

    def __repr__(self) -> str:
        return f"<Guarded {self.name}, {self.breaker!r}>"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return what *inner* returns; `BackendError` at once while it is left alone."""
        check(texts)
        if self.breaker.is_open:
            raise BackendError(f"{self.name} is left alone for a while: {self.breaker.reason}")
        try:
            vectors = await self._inner.embed(texts)
        except TextError:
            raise
        except BackendError as error:
            self.breaker.failed(str(error))
            raise
        self.breaker.succeeded()
        return vectors

    async def _probe(self) -> None:
        await self._inner.embed([PROBE])

    async def close(self) -> None:
        """Stop probing, and close the embedder inside."""
        await self.breaker.close()
        await self._inner.close()


class Unasked:
    """Stands for a provider that may not be asked, because in replay mode nothing ever leaves."""

    def __init__(self, inner: Embedder) -> None:
        self.name, self.window = inner.name, inner.window

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Raise `BackendError`."""
        check(texts)
        raise BackendError(f"{self.name} is not asked: in replay mode nothing leaves; `wordllama` needs no network")

    async def close(self) -> None:
        """Do nothing: nothing was opened."""
