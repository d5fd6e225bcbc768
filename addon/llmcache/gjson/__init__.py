"""Paths into JSON, in the language of gjson 1.18: compiled once, then applied to any text.

Nothing here knows LLM traffic, the configuration or mitmproxy.
Entry point: `compile_path`, then `Query.get`.
Reading never fails: a document that is no JSON gives what stands before its fault, or nothing.
Not as gjson: strings are never searched for members, and a path that is surely a mistake is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .evaluate import find
from .path import PathError, parse_path
from .steps import Path
from .text import kind, string

__all__ = ["NOTHING", "PathError", "Query", "Result", "compile_path"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a path found."""

    exists: bool
    """A `null` that is there exists."""
    type: str | None
    """`String`, `Number`, `True`, `False`, `Null`, `JSON` (array or object), None when missing."""
    string: str
    """Strings unquoted, numbers as Go prints them, arrays and objects as their text, else empty."""
    raw: str
    """The JSON text, in the document's spelling where it was cut out of it."""


NOTHING = Result(exists=False, type=None, string="", raw="")


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled path."""

    path: str
    warnings: tuple[str, ...]
    """What is odd in the path though it has a meaning, one sentence each."""
    _root: Path = field(repr=False)

    def get(self, document: str | bytes) -> Result:
        """Return what the path finds in *document*; bytes that are not UTF-8 become U+FFFD. Never raises."""
        text = document if isinstance(document, str) else document.decode("utf-8", "replace")
        try:
            raw = find(text, self._root)
        except RecursionError:  # `@dig`, `@pretty` and a deep `@flatten` go as deep as the document
            return NOTHING
        return Result(exists=True, type=kind(raw), string=string(raw), raw=raw) if raw else NOTHING


def compile_path(path: str) -> Query:
    """Compile *path*; raise PathError, which names the path and its fault, for one that is surely a mistake."""
    notes: list[str] = []
    try:
        root = parse_path(path, notes)
    except PathError as error:
        raise PathError(f"path {path!r}: {error}") from None
    except RecursionError:
        raise PathError("the path is nested too deeply") from None
    return Query(path, tuple(dict.fromkeys(notes)), root)
