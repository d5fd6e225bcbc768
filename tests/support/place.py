"""A provider, a proxy before it and a real SDK that asks through it, shared by the tests of one SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .clients import Chat, Entrance, Sdk
from .proxy import Mitmdump
from .upstream import Asked, Script, Upstream

Shared = tuple[Upstream, Mitmdump, Sdk]


class Place:
    """What the tests of an SDK ask; *method* is what the SDK calls most, *key* the credential."""

    def __init__(self, shared: Shared, method: str = "", **chat: str) -> None:
        self.upstream, self.proxy, self.sdk = shared
        self.upstream.calls.clear()
        self.entrance = Entrance("reverse", self.proxy.url)
        self._method, self._chat = method, chat

    def objects(self, call: dict[str, Any], method: str = "", style: str = "sync", **chat: str) -> list[Any]:
        """Return the SDK's objects once the proxy is done with the call."""
        answered = self.proxy.output.count("<< 200")
        found = self.sdk.objects(
            self.entrance, Chat(call, method or self._method, style=style, **{**self._chat, **chat})
        )
        self.proxy.wait_for("<< 200", answered + 1)
        return found


@contextmanager
def shared_place(name: str, answer: Callable[[Asked], Script], folder: Path) -> Iterator[Shared]:
    """Have a provider that gives *answer*, a proxy with its files in *folder*, and the SDK *name*."""
    with Upstream(answer) as upstream, Mitmdump(folder, modes=(f"reverse:{upstream.url}",)) as proxy:
        sdk = Sdk(name, proxy.ca)
        yield upstream, proxy, sdk
        sdk.close()
