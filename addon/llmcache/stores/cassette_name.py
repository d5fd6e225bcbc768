"""What a recording is called: `DIALECT/MODEL/words-of-the-question-KEY.yaml`, so that a listing can be read.

Names are for people; what a file holds is found by what is in it. Entry point: `candidates`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from ..chat import Entry

WORDS = 48
"""Characters of the question in a name."""


def candidates(entry: Entry) -> Iterator[str]:
    """Yield the paths that *entry* may have, the best first; the last are free of any chance."""
    parts = [part for part in (slug(lane(entry.request), 60), slug(entry.dialect, 40), slug(entry.model, 60)) if part]
    words, number = slug(entry.question, WORDS), f"-{entry.sequence + 1}" if entry.sequence else ""
    digest = (
        entry.key if _DIGEST.fullmatch(entry.key) else blake2b(entry.key.encode("utf-8", "surrogatepass")).hexdigest()
    )
    for length in (8, 16, 40):
        yield "/".join([*parts, f"{'-'.join(filter(None, (words, digest[:length])))}{number}.yaml"])


def by_likeness(path: str, others: Iterable[str]) -> list[str]:
    """Return *others*, those first that have most words of *path*; equal ones in their order."""
    words = frozenset(_WORD.findall(path))
    return sorted(others, key=lambda other: -len(words.intersection(_WORD.findall(other))))


def lane(request: bytes) -> str:
    """Return the lane that is part of the identity *request*; empty without one."""
    if b'"lane"' not in request:
        return ""
    try:
        scope = json.loads(request)["scope"]
        return str(scope.get("lane", ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""


def slug(text: str, length: int) -> str:
    """Return the ASCII letters and digits of *text* in lower case, joined by dashes, cut between words."""
    words = "-".join(_WORD.findall(text.lower()[: 4 * length]))
    if len(words) <= length:
        return words
    return words[:length].rpartition("-")[0] or words[:length]


_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")
_DIGEST = re.compile(r"[0-9a-f]{32,}")
