"""The memory of vectors: nothing is embedded twice, neither later nor at the same time."""

from __future__ import annotations

import asyncio

import pytest
from llmcache.chat import BackendError
from llmcache.embed import TextError
from llmcache.embed.hashing import HashEmbedder
from llmcache.embed.memo import Memo


class Gated(HashEmbedder):
    """Answers when `gate` is set, and fails with `error` if there is one."""

    def __init__(self):
        super().__init__()
        self.gate, self.error, self.closed = asyncio.Event(), None, 0

    async def embed(self, texts):
        """Note what was asked, and wait."""
        vectors = await super().embed(texts)
        await self.gate.wait()
        if self.error:
            raise self.error
        return vectors

    async def close(self):
        """Count."""
        self.closed += 1


async def started():
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_same_text_is_embedded_once():
    """Texts that were embedded are remembered, alone, repeated within a request, and mixed with new ones."""
    inner = HashEmbedder()
    memo = Memo(inner)
    expected = await HashEmbedder().embed(["b", "a", "b", "c"])
    await memo.embed(["a", "a"])
    assert (expected == await memo.embed(["b", "a", "b", "c"])).all()
    assert inner.asked == ["a", "b", "c"]
    assert (memo.name, memo.window) == (inner.name, inner.window)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="tasks are eager from Python 3.12 on")
async def test_tasks_may_be_eager():
    """Under mitmproxy 12 a task may be over before its maker goes on: the vectors come, and nothing stays under way."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    inner = HashEmbedder()
    memo = Memo(inner)
    first = await memo.embed(["a", "b"])
    await started()
    assert (await memo.embed(["a", "b"]) == first).all()
    assert inner.asked == ["a", "b"]
    assert "0 on their way" in repr(memo)


async def test_who_asks_at_once_shares_one_request():
    """A hundred who ask for the same text while it is under way make one request."""
    inner = Gated()
    memo = Memo(inner)
    waiting = [asyncio.create_task(memo.embed(["a", "b"] if number % 2 else ["b"])) for number in range(100)]
    await started()
    assert sorted(inner.asked) == ["a", "b"]
    inner.gate.set()
    results = await asyncio.gather(*waiting)
    assert all((result[-1] == results[0][-1]).all() for result in results)


async def test_who_gives_up_ends_nothing():
    """A caller whose time is over leaves the request running, and the next finds its vector."""
    inner = Gated()
    memo = Memo(inner)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await memo.embed(["a"])
    inner.gate.set()
    await memo.embed(["a"])
    assert inner.asked == ["a"]


async def test_a_failure_is_told_to_all_and_forgotten():
    """Everyone who waited gets the error; the next asks anew. Nobody waiting is no warning either."""
    inner = Gated()
    memo = Memo(inner)
    inner.error = BackendError("down")
    waiting = [asyncio.create_task(memo.embed(["a"])) for _ in range(3)]
    await started()
    inner.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["down"] * 3
    inner.error = None
    assert (await memo.embed(["a"])).shape == (1, 64)
    assert inner.asked == ["a", "a"]


async def test_the_memory_is_bounded():
    """What was used longest ago is forgotten; what was used since stays."""
    inner = HashEmbedder()
    memo = Memo(inner, entries=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await memo.embed([text])
    assert inner.asked == ["a", "b", "c", "b"]
    assert "2 known, 0 on their way" in repr(memo)
    assert (await memo.embed(["a", "b", "c", "d"])).shape == (4, 64)


async def test_a_row_belongs_to_who_asked():
    """Writing to a result changes nothing that is remembered."""
    memo = Memo(HashEmbedder())
    first = await memo.embed(["a"])
    kept = first.copy()
    first[:] = 0
    assert (kept == await memo.embed(["a"])).all()


async def test_closing_ends_what_waits():
    """Who still waits when the proxy ends gets an error, and the embedder inside is closed."""
    inner = Gated()
    memo = Memo(inner)
    waiting = asyncio.create_task(memo.embed(["a"]))
    await started()
    await memo.close()
    with pytest.raises(BackendError, match="is closed"):
        await waiting
    assert inner.closed == 1


@pytest.mark.parametrize("text", ["", " \n\t", "\ud800"], ids=["empty", "blank", "half-a-pair"])
async def test_no_text_is_refused_before_anyone_is_asked(text):
    """A question without text, or that is no Unicode, is refused and reaches no embedder."""
    inner = HashEmbedder()
    with pytest.raises(TextError):
        await Memo(inner).embed([text])
    assert inner.asked == []


async def test_the_fake_is_the_same_everywhere():
    """The embedder of the tests gives the same numbers on every machine, and shared words bring texts near."""
    one, near, far = await HashEmbedder().embed(["the red house", "the red horse", "nothing alike"])
    assert one @ near > 0.5 > one @ far
    assert one[:3].round(4).tolist() == pytest.approx([0.1192, 0.0955, 0.2950])


class Quick(HashEmbedder):
    """Computes short texts at once."""

    def __init__(self):
        super().__init__()
        self.at_once_asked = []

    def at_once(self, texts):
        """Note what was asked."""
        self.at_once_asked.append(list(texts))
        if sum(map(len, texts)) > 3:
            return None
        step = self.embed(texts)
        try:
            step.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError


async def test_what_is_computed_at_once_needs_no_task():
    """A text that takes less than a task to begin is embedded without one, remembered all the same; others wait."""
    inner = Quick()
    memo = Memo(inner)
    tasks = len(asyncio.all_tasks())
    waiting = memo.embed(["ab"])
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert len(asyncio.all_tasks()) == tasks
    assert (done.value.value == await HashEmbedder().embed(["ab"])).all()
    await memo.embed(["ab"])
    assert (await memo.embed(["long", "ab"]) == await HashEmbedder().embed(["long", "ab"])).all()
    assert inner.at_once_asked == [["ab"], ["long"]]
    assert inner.asked == ["ab", "long"]
