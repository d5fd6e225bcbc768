"""The addon in a mitmproxy without a network, for tests of its hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aicache
import pytest
from mitmproxy.addons import proxyserver
from mitmproxy.test import taddons


@pytest.fixture
async def context() -> AsyncIterator[taddons.context]:
    """A mitmproxy without a network."""
    with taddons.context(proxyserver.Proxyserver()) as made:
        yield made


@pytest.fixture
async def addon(context: taddons.context) -> AsyncIterator[aicache.AiCache]:
    """The addon, running with a store in memory."""
    made = aicache.AiCache()
    context.master.addons.add(made)
    context.configure(made, aicache_store="memory")
    made.running()
    yield made
    if ending := made.done():
        await ending


@pytest.fixture
def configure(context: taddons.context, addon: aicache.AiCache) -> Callable[..., None]:
    """Return a function that changes options while the addon runs."""
    return lambda **options: context.configure(addon, **options)
