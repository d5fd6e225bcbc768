"""WordLlama: the bundled model, loaded without network, and what it answers to strange texts."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.build_similar import open_embedder
from llmcache.chat import BackendError
from llmcache.config import Config
from llmcache.embed import TextError
from llmcache.embed.local import LocalEmbedder, need
from llmcache.embed.wordllama import INLINE, open_wordllama
from llmcache.embedding import Embedding
from support.absent import missing
from support.proxy import ROOT

OFFLINE = """
import asyncio, socket, sys
from llmcache.build_similar import open_embedder
from llmcache.config import Config
from llmcache.embedding import Embedding
import logging

try:
    socket.create_connection(("192.0.2.1", 80), 1)
except OSError as error:
    assert error.errno == 101, error  # the network is unreachable: there is none
else:
    raise AssertionError("this process has a network")
embedder = open_embedder(Config(embedding=Embedding("wordllama")))
(vector,) = asyncio.run(embedder.embed(["how do I cancel my card?"]))
assert logging.root.handlers == [], "the driver set up logging"
assert "torch" not in sys.modules
print(vector.shape, round(float(vector @ vector), 4))
"""


@pytest.fixture(scope="module")
def wordllama():
    """The embedder as `build` opens it, without the memory around it."""
    return open_wordllama()


def test_it_loads_without_network_and_home(tmp_path):
    """In a process without any network and with an empty home folder the model loads, answers and writes nothing."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        missing("unshare, which takes the network away from a process,")
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-W", "error", "-c", OFFLINE],
        cwd=ROOT / "addon",
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(256,) 1.0\n", "", 0)
    assert list(tmp_path.iterdir()) == []


async def test_it_is_what_the_package_computes(wordllama):
    """The vectors are those of the package's own `embed`, made to unit length."""
    import wordllama as package

    texts = ["how do I cancel my card?", "今天天气怎么样", "😀😀", "x", "a b  c\n\nd" * 50]
    model = package.WordLlama.load(cache_dir=package.__path__[0], disable_download=True)
    expected = model.embed(texts, norm=True)
    assert np.allclose(expected, await wordllama.embed(texts), atol=1e-6)


async def test_rewordings_are_nearer_than_other_questions(wordllama):
    """A rewording is nearer than a question about something else."""
    one, same, other = await wordllama.embed(
        ["how do I cancel my credit card?", "how can I cancel my card?", "what is the boiling point of water?"]
    )
    assert one @ same > 0.8
    assert one @ other < 0.5


async def test_long_texts_leave_the_loop(wordllama):
    """A text that takes longer than a hop is computed on the embedder's thread, and is the same vector."""
    seen = []
    (short,) = await wordllama.embed(["word " * (INLINE // 5)])
    encode = wordllama._encode
    wordllama._encode = lambda texts: seen.append(threading.current_thread().name) or encode(texts)
    try:
        (long,) = await wordllama.embed(["word " * INLINE])
        await wordllama.embed(["word"])
    finally:
        wordllama._encode = encode
    assert seen[0].startswith("aicache-embed")
    assert seen[1] == threading.main_thread().name
    assert long @ short > 0.99


async def test_it_is_loaded_once_and_in_the_background():
    """The model is loaded from the start on, beside the loop, once for all who ask meanwhile."""
    threads, gate = [], threading.Event()

    def load():
        threads.append(threading.current_thread())
        gate.wait(10)
        return lambda texts: [[1.0, 2.0]] * len(texts)

    embedder = LocalEmbedder("test/m", 100, load)
    embedder.start()
    waiting = [asyncio.create_task(embedder.embed(["a"])) for _ in range(5)]
    await asyncio.sleep(0)
    waiting.pop().cancel()  # who gives up ends nothing
    gate.set()
    assert [(1, 2)] * 4 == [vectors.shape for vectors in await asyncio.gather(*waiting)]
    ((thread,), _) = threads, await embedder.close()
    assert thread.daemon, "a process must be able to end while a model is fetched"


async def test_a_failure_does_not_repeat_the_text():
    """What a package says of a text that it cannot take may have that text in it, and is not passed on."""

    def encode(texts):
        raise ValueError(f"cannot tokenize {texts}")

    embedder = LocalEmbedder("test/m", 100, lambda: encode)
    with pytest.raises(BackendError) as caught:
        await embedder.embed(["my secret question"])
    assert str(caught.value) == "test/m failed on a text: ValueError"
    assert caught.value.__cause__ is None
    await embedder.close()


async def test_a_load_that_failed_is_tried_again():
    """A model that could not be fetched is an error for who asked, and may be there for the next."""
    outcomes = [OSError("no network"), None]

    def load():
        if error := outcomes.pop(0):
            raise error
        return lambda texts: [[1.0, 2.0]] * len(texts)

    embedder = LocalEmbedder("test/m", 100, load)
    with pytest.raises(BackendError, match="test/m failed: OSError: no network"):
        await embedder.embed(["a"])
    assert (await embedder.embed(["a"])).shape == (1, 2)
    await embedder.close()


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_unit_vector_or_refused(text):
    """Whatever the text, controls, emoji and halves of surrogate pairs included: a finite unit vector, or an error."""

    async def ask():
        return await MODEL.embed([text])

    try:
        (vector,) = asyncio.run(ask())
    except TextError:
        assert not text.strip() or any("\ud800" <= sign <= "\udfff" for sign in text)
    else:
        assert vector.dtype == np.float32
        assert vector @ vector == pytest.approx(1, abs=1e-5)


MODEL = open_wordllama()


async def test_nothing_is_asked_for_nothing(wordllama):
    """No texts are no vectors."""
    assert (await wordllama.embed([])).shape[0] == 0


async def test_closed_is_an_error_of_ours():
    """An embedder that was closed, twice even, says so as every other failure is said."""
    embedder = open_wordllama()
    await embedder.close()
    await embedder.close()
    with pytest.raises(BackendError, match="is closed"):
        await embedder.embed(["hello"])


def test_what_is_not_installed_is_named():
    """A missing package is one error that says what to type."""
    with pytest.raises(BackendError, match="pip install no-such-package"):
        need("no_such_module", "no-such-package")


async def test_build_remembers(monkeypatch):
    """What `build` opens gives the same vector for the same text, under the model's name."""
    embedder = open_embedder(Config(embedding=Embedding("wordllama")))
    assert embedder.name == "wordllama/l2_supercat_256"
    first, again = await embedder.embed(["hello"]), await embedder.embed(["hello"])
    assert (first == again).all()
    await embedder.close()


async def test_loading_leaves_logging_alone(wordllama):
    """Importing the package does not set up logging for the whole process."""
    before = list(logging.root.handlers)
    wordllama._load()
    assert before == logging.root.handlers


async def test_a_loaded_model_is_nothing_to_collect():
    """What there is when a model was loaded is not visited by collections of garbage any more."""
    kept = [[number] for number in range(5000)]
    embedder = LocalEmbedder("test/one", 100, lambda: lambda texts: [[1.0, 0.0]] * len(texts))
    try:
        await embedder.embed(["hello"])
        assert gc.get_freeze_count() > len(kept)
        assert len(gc.get_objects()) < len(kept)
    finally:
        gc.unfreeze()
        await embedder.close()
