"""What stands around an embedder: the breaker, the silence of replay mode, and how `build` puts it all together."""

from __future__ import annotations

import asyncio

import pytest
from llmcache.breaker import Breaker
from llmcache.build_similar import open_embedder
from llmcache.chat import BackendError
from llmcache.config import Config
from llmcache.embed import TextError
from llmcache.embed.guarded import Guarded, Unasked
from llmcache.embed.hashing import HashEmbedder
from llmcache.embedding import EMBEDDERS, Embedding
from support.embedding_providers import PROVIDERS, Fake
from support.upstream import Script


class Failing(HashEmbedder):
    """Fails while `down`; `back` is set when it was asked after that."""

    def __init__(self):
        super().__init__()
        self.down, self.back = True, asyncio.Event()

    async def embed(self, texts):
        """Answer or fail."""
        vectors = await super().embed(texts)
        if self.down:
            raise BackendError("down")
        self.back.set()
        return vectors


async def test_a_dead_provider_is_left_alone_and_comes_back():
    """After five failures in a row it is asked no more but by the probe, which finds out when it is back."""
    inner = Failing()
    guarded = Guarded(inner)
    guarded.breaker = Breaker("test", guarded._probe, first=0.001, most=0.002)
    for _ in range(5):
        with pytest.raises(BackendError, match="down"):
            await guarded.embed(["question"])
    with pytest.raises(BackendError, match="left alone for a while: down"):
        await guarded.embed(["question"])
    assert inner.asked.count("question") == 5
    inner.down = False
    await inner.back.wait()
    while guarded.breaker.is_open:
        await asyncio.sleep(0)
    assert (await guarded.embed(["question"])).shape == (1, 64)
    assert "closed, 0 failures" in repr(guarded)
    await guarded.close()


async def test_bad_texts_are_no_failures():
    """Texts that nobody can embed do not close the door for others."""
    inner = Failing()
    inner.down = False
    guarded = Guarded(inner)
    for _ in range(20):
        with pytest.raises(TextError):
            await guarded.embed([" "])
    assert not guarded.breaker.is_open
    await guarded.close()


@pytest.mark.parametrize("kind", PROVIDERS)
async def test_build_opens_every_provider(upstream, kind):
    """Each provider is opened from its settings, asked once for the same text, and closed."""
    upstream.answer = fake = Fake(PROVIDERS[kind])
    settings = Config(embedding=Embedding(kind, **PROVIDERS[kind].settings, url=upstream.url))
    embedder = open_embedder(settings)
    first, again = await embedder.embed(["question"]), await embedder.embed(["question"])
    assert (first == again).all()
    assert fake.asked == [["question"]]
    assert embedder.name.startswith(f"{kind}/")
    assert embedder.window >= 250
    await embedder.close()
    with pytest.raises(BackendError):
        await embedder.embed(["another"])


@pytest.mark.parametrize("kind", PROVIDERS)
async def test_nothing_leaves_in_replay(kind):
    """In replay mode a provider elsewhere is never asked, whatever the question."""
    known = EMBEDDERS[kind]
    host = "far.example" if known.host in ("", "localhost") else known.host
    embedding = Embedding(kind, **PROVIDERS[kind].settings, service_host=host)
    embedder = open_embedder(Config(mode="replay", embedding=embedding))
    assert isinstance(embedder._inner, Unasked)
    with pytest.raises(BackendError, match="in replay mode nothing leaves"):
        await embedder.embed(["question"])
    await embedder.close()


async def test_a_provider_on_this_machine_is_asked_in_replay(upstream):
    """What runs on this very machine is not elsewhere."""
    upstream.answer = lambda asked: Script(b'{"embeddings": [[1, 2]]}')
    embedder = open_embedder(Config(mode="replay", embedding=Embedding("ollama", url=upstream.url, model="m")))
    assert (await embedder.embed(["question"])).shape == (1, 2)
    await embedder.close()


def test_all_that_can_be_named_can_be_opened(monkeypatch):
    """No name that the configuration lets through is unknown to `build`."""
    monkeypatch.setattr("llmcache.embed.local.importlib.util.find_spec", lambda name: object())
    for kind in EMBEDDERS:
        open_embedder(Config(embedding=Embedding(kind, model="m", service_host="a.example")))
