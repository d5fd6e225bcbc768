"""How many characters of a text each model surely reads whole; longer questions are exact only.

Providers count tokens. A token has about four characters of English, one of Chinese, and in rare scripts less than one;
so a model of n tokens is given somewhat less than n characters, and more can be allowed with `embedding.window`.
Entry point: `window`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

UNKNOWN = 500
"""Characters, for a model that is not known: 512 tokens is what the many models of BERT's family read."""


def window(provider: str, model: str) -> int:
    """Return the characters that *model* of *provider* surely reads whole."""
    name = f"{provider}/{model.lower()}"
    return next((size for pattern, size in WINDOWS if fnmatchcase(name, pattern)), UNKNOWN)


WINDOWS = (
    # "8192 tokens for all embedding models" (OpenAI and Azure, API reference); longer texts are refused.
    ("openai/text-embedding-3-*", 8000),
    ("openai/text-embedding-ada-*", 8000),
    ("azure/*", 8000),
    # "Max tokens per row" (Alibaba Cloud Model Studio): 2,048 for v1 and v2, 8,192 for v3 and v4.
    ("dashscope/text-embedding-v[12]", 2000),
    ("dashscope/text-embedding-v[34]", 8000),
    # 512 tokens for v2 and v3, 128,000 for v4 (Cohere, models); longer texts are refused, for `truncate` is NONE.
    ("cohere/embed-v4*", 8000),
    # 256 word pieces (sentence-transformers, all-MiniLM-L6-v2), and what is longer is cut without a word.
    ("*/*all-minilm*", 250),
    # They read 2048 tokens and more, but who serves them is not known by the name, and Ollama was seen to cut at 2048
    # whatever the model reads (ollama/ollama#14259).
    ("*/*bge-m3*", 2000),
    ("*/*qwen3-embedding*", 2000),
    ("*/*jina-embeddings-v3*", 2000),
    ("*/*embeddinggemma*", 2000),
    ("*/*nomic-embed-text*", 2000),
    ("ollama/llama*", 2000),
    # Its documentation names no limit for this service.
    ("xfyun/*", 250),
)
"""Provider and model -> characters, the first that fits, with where it is said."""
