"""Sentence models of one's choice on this machine, by the packages fastembed and sentence-transformers.

They fetch a model at the first start, from where their package says, and keep it; in replay mode they may not.
Entry points: `open_fastembed` and `open_sentence_transformers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from numpy.typing import ArrayLike

from .local import Encode, LocalEmbedder, need
from .windows import window


def open_fastembed(model: str, characters: int = 0, *, offline: bool = False, start: bool = True) -> LocalEmbedder:
    """Return the embedder for *model* (as fastembed lists it). *characters*: its window, where it is not ours.

    It begins to load at once, or unless *start* when it is first asked. Raises `BackendError` without the package.
    """
    need("fastembed", "fastembed")

    def load() -> Encode:
        from fastembed import TextEmbedding  # noqa: PLC0415 - what is not used is not loaded

        loaded = TextEmbedding(model_name=model, local_files_only=offline)
        return lambda texts: list(loaded.embed(list(texts)))

    return _started("fastembed", model, characters, load, start=start)


def open_sentence_transformers(
    model: str, characters: int = 0, *, offline: bool = False, start: bool = True
) -> LocalEmbedder:
    """Return the embedder for *model* (a name or a folder). As `open_fastembed`."""
    need("sentence_transformers", "sentence-transformers")

    def load() -> Encode:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - what is not used is not loaded

        loaded = SentenceTransformer(model, local_files_only=offline)

        def encode(texts: Sequence[str]) -> ArrayLike:
            vectors: ArrayLike = loaded.encode(list(texts), show_progress_bar=False, convert_to_numpy=True)
            return vectors

        return encode

    return _started("sentence-transformers", model, characters, load, start=start)


def _started(package: str, model: str, characters: int, load: Callable[[], Encode], *, start: bool) -> LocalEmbedder:
    embedder = LocalEmbedder(f"{package}/{model}", characters or window(package, model), load)
    if start:
        embedder.start()
    return embedder
