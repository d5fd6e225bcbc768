"""Small words that relate one thing to another: `books by Orwell` are not `books about Orwell`.

Most of them may stand for each other (`weather in Rome`, `weather of Rome`); those that never do are told here.
It knows words and no question. Entry points: `apart`, `RELATIONS`.
"""

from __future__ import annotations

from collections.abc import Collection

from .listing import listed


def apart(mine: Collection[str], theirs: Collection[str]) -> bool:
    """Whether none of the words before a thing in one question may be meant by one before it in the other."""
    return bool(mine and theirs) and all(
        frozenset((RELATIONS[one], RELATIONS[other])) in _APART for one in mine for other in theirs
    )


_KINDS = (
    "at in on within inside/near around beside/outside beyond/under below beneath underneath/over above/behind/"
    "through via/by/about/for/to into onto toward towards/from/against/like/with"
)
RELATIONS = {word: kind.partition(" ")[0] for kind in _KINDS.split("/") for word in kind.split()}
"""Word -> the first of its kind."""
_APART = frozenset(
    frozenset((kind, other))
    for kind, others in {
        "at": "near outside under behind against",
        "near": "outside under over behind through against about for to from by",
        "outside": "under over behind through against about for",
        "under": "over behind through against about for",
        "over": "behind against",
        "behind": "through against about for",
        "through": "against about to",
        "by": "about for to against",
        "about": "to from against",
        "for": "from against",
        "to": "from against",
        "with": "for about against under over behind near",
    }.items()
    for other in listed(others)
)
"""Kinds of which one never means the other."""
