"""A proxy in replay mode that knows nothing, before a provider that must not be asked, and an SDK that asks it.

Entry point: `refusing`. Tests of a file share one, for each start of a proxy costs a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .asking import post
from .clients import Chat, Entrance, Sdk
from .proxy import Mitmdump
from .upstream import Asked, Script, Upstream


class Refusing:
    """The three of them."""

    def __init__(self, upstream: Upstream, proxy: Mitmdump, sdk: Sdk) -> None:
        self._upstream, self._proxy, self._sdk = upstream, proxy, sdk
        self._asked = 0

    def refused(self, chat: Chat) -> dict[str, Any]:
        """Return what the SDK says of a refusal; it has tried once, and the provider has heard nothing."""
        self._asked += 1
        result = self._sdk.ask(Entrance("reverse", self._proxy.url), chat)
        post(self._proxy, b"", path=f"/after/{self._asked}")  # printed behind everything that the SDK did
        self._proxy.wait_for(f"/after/{self._asked}")
        assert sum(": POST " in line for line in self._proxy.lines) == 2 * self._asked, self._proxy.output
        assert self._upstream.calls == []
        return result


@contextmanager
def refusing(folder: Path, language: str, answer: Callable[[Asked], Script]) -> Iterator[Refusing]:
    """Yield the proxy with its files in *folder*, and the SDK of *language*."""
    with (
        Upstream(answer) as upstream,
        Mitmdump(folder, "--set", "aicache_mode=replay", modes=(f"reverse:{upstream.url}",)) as proxy,
    ):
        sdk = Sdk(language, proxy.ca)
        yield Refusing(upstream, proxy, sdk)
        sdk.close()
