"""WordLlama: a sentence model inside the package of that name, for semantic answers without network and key.

A text's vector is the mean of its tokens' vectors: 256 numbers, about 0.03 ms for a question of one line.
Nothing is ever downloaded. Entry point: `open_wordllama`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from .local import Encode, LocalEmbedder, need

MODEL, DIM = "l2_supercat", 256
"""The one model that the package holds."""
WINDOW = 2000
"""Characters. The model cuts nothing off, but the mean of many tokens says little: it was trained on 1024 at most,
and in writing that its 32,000 tokens hardly cover, a character can take two or three."""
INLINE = WINDOW
"""Characters that are embedded on the event loop: they take 0.5 ms, and a hop to a thread would cost as much again."""


def open_wordllama(*, start: bool = True) -> LocalEmbedder:
    """Return the embedder. Raises `BackendError` when the package is absent.

    It begins to load its model at once, or unless *start* when it is first asked.
    """
    need("wordllama", "wordllama")
    embedder = LocalEmbedder(f"wordllama/{MODEL}_{DIM}", WINDOW, _load, INLINE)
    if start:
        embedder.start()
    return embedder


def _load() -> Encode:
    guard = logging.NullHandler()
    logging.root.addHandler(guard)  # importing wordllama would set up logging for the whole process if nobody had
    try:
        import wordllama  # noqa: PLC0415 - what is not used is not loaded
    finally:
        logging.root.removeHandler(guard)
    # The package looks for its own tokenizer in the wrong folder, unless that folder is where it may keep downloads.
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(MODEL, cache_dir=folder, dim=DIM, disable_download=True)
    return lambda texts: np.array([_mean(model, text) for text in texts])


def _mean(model: Any, text: str) -> np.ndarray[Any, Any]:
    """Return the mean of the tokens' vectors, as `model.embed` does, but without its pool of threads and its padding.

    The pool would outlive us, and complain whenever the process forks.
    """
    tokens = model.tokenizer.encode(text, add_special_tokens=False).ids
    mean: np.ndarray[Any, Any] = model.embedding[tokens].sum(axis=0) / max(len(tokens), 1)
    return mean
