"""What a compiled path is made of: frozen values, one kind for each construct of the language.

Does not know how paths are written, nor how they are applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .modifiers import Options


@dataclass(frozen=True, slots=True)
class Key:
    """A member's name; on an array the index that its digits make."""

    name: str
    glob: re.Pattern[str] | None
    """Set when the name holds a wildcard: matches whole names."""
    index: int
    """-1 when the name is no index."""


@dataclass(frozen=True, slots=True)
class Count:
    """`#` at an end: the length of an array, on an object the member `#`."""


@dataclass(frozen=True, slots=True)
class Each:
    """`#.inner`: what the elements have there, as an array, to which `pipe` is applied."""

    inner: Path
    pipe: Path | None


@dataclass(frozen=True, slots=True)
class Test:
    """What a query asks of the value at its path."""

    operator: str
    """`=`, `!=`, `<`, `<=`, `>`, `>=`, `%`, `!%`, or empty: is it there?"""
    text: str
    number: float
    glob: re.Pattern[str]
    like: str
    """`true`, `false`, `null` or `*` after a tilde: compare how the value counts instead of the value."""


@dataclass(frozen=True, slots=True)
class Pick:
    """`#(path test)`, with `every` `#(path test)#`: elements that pass, then what they have at `inner`."""

    path: Path | None
    """None when the element itself is compared; an array or object counts as missing then."""
    test: Test
    every: bool
    inner: Path | None
    pipe: Path | None
    """Applied to what `inner` gave, and only when an element passed."""


Step = Key | Count | Each | Pick


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps down into a value; `pipe` is applied to what they find."""

    steps: tuple[Step, ...]
    pipe: Path | None
    lines: bool = False
    """Whether the text is to be read as the elements of an array (JSON lines)."""


@dataclass(frozen=True, slots=True)
class Modify:
    """`@name:options`, then the rest of the path."""

    run: Callable[[str, Options], str]
    options: Mapping[str, str]
    then: Path | None


@dataclass(frozen=True, slots=True)
class Dig:
    """`@dig:path`: what the value and everything in it have at that path, as an array."""

    path: Path
    then: Path | None


@dataclass(frozen=True, slots=True)
class Literal:
    """`!json`: a value of the path's own."""

    text: str
    then: Path | None


@dataclass(frozen=True, slots=True)
class Multi:
    """`[a,b]` or `{"k":a,b}`: an array or an object of what several paths find."""

    opening: str
    members: tuple[tuple[str, Path], ...]
    """Name (quoted; for an object only) and path of each."""
    then: Path | None


Path = Chain | Modify | Dig | Literal | Multi
