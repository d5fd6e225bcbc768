"""The optional local models, by stand-ins that take what the real packages take and nothing else.

The real ones bring a gigabyte of PyTorch, or fetch a model from the network; the signatures are those of
fastembed 0.9.1 and sentence-transformers 6.2.0.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from llmcache.build_similar import open_embedder
from llmcache.chat import BackendError
from llmcache.config import Config
from llmcache.embedding import Embedding

FASTEMBED = """
import numpy as np

class TextEmbedding:
    def __init__(self, model_name="BAAI/bge-small-en-v1.5", cache_dir=None, threads=None, providers=None, cuda="auto",
                 device_ids=None, lazy_load=False, *, local_files_only=False):
        if model_name == "missing":
            raise ValueError(f"Model {model_name} is not supported in TextEmbedding.")
        self.offline = local_files_only

    def embed(self, documents, batch_size=256, parallel=None):
        assert type(documents) is list
        yield from (np.array([len(text), 7 if self.offline else 1], np.float32) for text in documents)
"""
SENTENCES = """
import numpy as np

class SentenceTransformer:
    def __init__(self, model_name_or_path=None, *, device=None, cache_folder=None, local_files_only=False):
        if model_name_or_path == "missing":
            raise OSError(f"{model_name_or_path} is no local folder")
        self.offline = local_files_only

    def encode(self, inputs, prompt_name=None, prompt=None, batch_size=32, show_progress_bar=None,
               output_value="sentence_embedding", precision="float32", convert_to_numpy=True,
               normalize_embeddings=False):
        assert type(inputs) is list and show_progress_bar is False and convert_to_numpy
        return np.array([[len(text), 7 if self.offline else 1] for text in inputs], np.float32)
"""
PACKAGES = {"fastembed": ("fastembed", FASTEMBED), "sentence-transformers": ("sentence_transformers", SENTENCES)}

kinds = pytest.mark.parametrize("kind", PACKAGES)


@pytest.fixture
def installed(kind, monkeypatch, tmp_path):
    """Put the stand-in for the package where Python finds it."""
    module, source = PACKAGES[kind]
    (tmp_path / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    yield kind
    sys.modules.pop(module, None)


@kinds
@pytest.mark.parametrize(("mode", "second"), [("cache", 1), ("replay", 7)])
async def test_the_model_is_asked_as_its_package_has_it(installed, mode, second):
    """The package's own calls are made, and in replay mode it is told to fetch nothing."""
    embedder = open_embedder(Config(mode=mode, embedding=Embedding(installed, model="m")))
    vectors = await embedder.embed(["abc", "defgh"])
    expected = np.array([[3, second], [5, second]], np.float32)
    assert np.allclose(expected / np.linalg.norm(expected, axis=1, keepdims=True), vectors)
    assert (f"{installed}/m", 500) == (embedder.name, embedder.window)
    await embedder.close()


@kinds
async def test_a_model_that_does_not_load_is_an_error(installed):
    """A model that its package does not know is one error with the package's words."""
    embedder = open_embedder(Config(embedding=Embedding(installed, model="missing")))
    with pytest.raises(BackendError, match=f"{installed}/missing failed: .*missing is no"):
        await embedder.embed(["abc"])
    await embedder.close()


@kinds
def test_an_absent_package_is_named(kind, monkeypatch):
    """Without the package there is one error at the start, with what to type."""
    monkeypatch.setattr("llmcache.embed.local.importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=f"pip install {kind}"):
        open_embedder(Config(embedding=Embedding(kind, model="m")))
