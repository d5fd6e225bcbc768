"""How the tables of this folder are written: words in a row, which a reader can scan and a diff can show.

It knows nothing of what the words mean. Entry point: `listed`.
"""

from __future__ import annotations


def listed(words: str) -> tuple[str, ...]:
    """Return the words of a table."""
    return tuple(words.split())
