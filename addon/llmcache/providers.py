"""What the blocks of all providers have in common: their type, what that requires, and the time they may take.

The `vector` block is read in `vectors`, the `embedding` block in `embedding`; nothing here talks to a provider.
Entry points: `kind` and `require`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .settings import Section, choice

MILLISECONDS = 10_000
"""Higress' default for the time that a provider may take."""


def kind(block: Section, legal: Iterable[str]) -> str:
    """Read which of the *legal* providers the block names."""
    if not block.has("type"):
        block.problem("type", f"is missing; legal values: {', '.join(legal)}")
    return block.read("type", "", choice(*legal))


def require(block: Section, provider: str, names: Iterable[str]) -> None:
    """Note which of *names* are missing, without which *provider* is of no use."""
    for name in names:
        if not (block.has(name) and block.settings[name].node.value):
            block.problem(name, f"is missing; `type: {provider}` requires it")
