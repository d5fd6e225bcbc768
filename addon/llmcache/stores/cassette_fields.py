"""Members of a recording, read one by one, each with its type; what is wrong is named by its path.

A recording is edited by hand, so every fault is a sentence for people. It knows no member by name.
Entry points: `Misshapen`, `take`, `only`, `plain`, `text`.
"""

from __future__ import annotations

import json
from typing import Any

from .cassette_yaml import Path


class Misshapen(ValueError):  # noqa: N818 - what the member is
    """A member of a recording is not as it must be; `path` says which."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.path = path

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.args[0]}"


def take(value: dict[str, Any], path: Path, *types: type, default: Any = ...) -> Any:
    """Return the member that the last step of *path* names, of one of *types*. Raises `Misshapen`."""
    name = path[-1]
    if name not in value:
        if default is not ...:
            return default
        raise Misshapen(path[:-1] or (name,), f"has no `{name}`" if path[:-1] else "is missing")
    found = value[name]
    if type(found) not in types:
        raise Misshapen(path, f"is {KINDS[type(found)]} where {' or '.join(KINDS[each] for each in types)} is expected")
    return found


def only(value: dict[str, Any], known: frozenset[str], path: Path = ()) -> None:
    """Check that *value*, which is at *path*, has no members but *known*. Raises `Misshapen`."""
    for name in value:
        if name not in known:
            raise Misshapen((*path, name), f"is no member of a recording; there are: {', '.join(sorted(known))}")


def plain(value: str) -> str | dict[str, str]:
    """Return *value* as YAML can hold it: half a surrogate pair is written as JSON escapes it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"escaped": json.dumps(value)[1:-1]}
    return value


def text(value: dict[str, Any], path: Path, default: Any = ...) -> str:
    """Return the text that `plain` wrote, or that a person did. Raises `Misshapen`."""
    found = take(value, path, str, dict, default=default)
    if isinstance(found, str):
        return found
    try:
        return str(json.loads(f'"{take(found, (*path, "escaped"), str)}"'))
    except json.JSONDecodeError:
        raise Misshapen(path, "is no text with JSON's escapes") from None


KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "a truth value",
    list: "a list",
    dict: "a block",
    type(None): "empty",
}
