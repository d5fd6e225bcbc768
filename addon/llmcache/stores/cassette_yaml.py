"""JSON values <-> the YAML of a recording: text that people read, diff and edit.

Written is a small part of YAML: block mappings and lists, literal blocks for text of several lines, JSON's own spelling
for the rest. What YAML 1.1 and 1.2 read differently (`no`, `12:30`, `2024-01-01`) is always quoted.
Read is more, as people write it, but only plain data: a tag, an anchor, an alias or a key written twice is an error,
and nothing is ever constructed but mappings, lists, text, numbers, true, false and null.
It knows no entries. Entry points: `dump`, `load`, `line_of`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from ..jsontext import dumps

Path = tuple[str | int, ...]

SHORT = 60
"""Characters up to which a text with line feeds is written in one line if it cannot be a literal block."""
LONGEST_NAME = 1000
"""Characters of a name as it is written: YAML 1.1 reads no more than 1024."""


class Broken(ValueError):  # noqa: N818 - what the file is, in words
    """The text is no recording; `line` says where, from 1 on."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True)
class Flow:
    """A value to be written in one line, as JSON: an event of a stream among hundreds of others."""

    value: Any
    compact: bool = False
    """Whether without blanks, as most providers write."""


def dump(value: dict[str, Any]) -> str:
    """Return *value* as YAML, members in their order. Raises `ValueError` for what no YAML text can hold."""
    lines: list[str] = []
    _mapping(value, "", lines)
    return "\n".join(lines) + "\n"


def _mapping(value: dict[str, Any], indent: str, lines: list[str]) -> None:
    for name, each in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{type(name).__name__} as a name of a member")
        _member(f"{indent}{_named(name)}:", each, indent, lines)


def _named(name: str) -> str:
    written = _scalar(name)
    if len(written) > LONGEST_NAME:
        raise ValueError(f"a name of over {LONGEST_NAME} characters")
    return written


def _member(head: str, value: Any, indent: str, lines: list[str]) -> None:
    match value:
        case dict() if value:
            lines.append(head)
            _mapping(value, f"{indent}  ", lines)
        case list() | tuple() if value:
            lines.append(head)
            _list(value, f"{indent}  ", lines)
        case str() if _fits_block(value):
            lines.append(f"{head} {_block(value, indent + '  ')}")
        case str() if "\n" in value and len(value) > SHORT:
            lines.append(f"{head} {_folded(value, indent + '  ')}")
        case _:
            lines.append(f"{head} {_leaf(value)}")


def _list(value: list[Any] | tuple[Any, ...], indent: str, lines: list[str]) -> None:
    for each in value:
        at = len(lines)
        inside = f"{indent}  "
        match each:
            case dict() if each:
                _mapping(each, inside, lines)
            case list() | tuple() if each:
                _list(each, inside, lines)
            case _:
                _member(indent + "-", each, indent, lines)
                continue
        lines[at] = f"{indent}- {lines[at][len(inside) :]}"


def _leaf(value: Any) -> str:
    match value:
        case str():
            return _scalar(value)
        case Flow():
            return _in_one_line(value)
        case None | bool() | int() | float() | dict() | list() | tuple():
            return json.dumps(value, allow_nan=False)
    raise TypeError(f"{type(value).__name__} in a recording")


def _in_one_line(flow: Flow) -> str:
    written = dumps(flow.value).decode() if flow.compact else ""
    if not written or "\\u" in written or _UNPRINTABLE.search(written):
        written = _quoted(flow.value)
    if len(written) > LONGEST_NAME and _LONG_NAME.search(written):
        raise ValueError(f"a name of over {LONGEST_NAME} characters")
    return written


def _scalar(value: str) -> str:
    if PLAIN.fullmatch(value) and not _AMBIGUOUS.fullmatch(value):
        return value
    return _quoted(value)


def _quoted(value: Any) -> str:
    return _UNPRINTABLE.sub(_escaped, json.dumps(value, ensure_ascii=False, allow_nan=False))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if _SURROGATES[0] <= code <= _SURROGATES[1]:
        raise ValueError("half a surrogate pair")
    return f"\\u{code:04x}"


def _fits_block(value: str) -> bool:
    return "\n" in value.rstrip("\n") and not _UNPRINTABLE.search(value) and not _FORBIDDEN_IN_BLOCK.search(value)


def _block(value: str, indent: str) -> str:
    """Return *value* as a literal block: its indicator, then its lines."""
    sign = "2" if value[0] in " \n\t" else ""
    if not value.endswith("\n"):
        sign += "-"
    elif value.endswith("\n\n"):
        sign += "+"
    body = value.removesuffix("\n")
    return "\n".join([f"|{sign}", *(indent + line if line else "" for line in body.split("\n"))])


def _folded(value: str, indent: str) -> str:
    """Return *value* in double quotes, a line for each of its lines: for what a literal block cannot hold safely."""
    first, *more = (_quoted(line)[1:-1] for line in value.split("\n"))
    rest = (f"\\n\\\n{indent}" + ("\\" if line.startswith(" ") else "") + line for line in more)
    return f'"{first}{"".join(rest)}"'


def load(text: str) -> Any:
    """Return the value of *text*. Raises `Broken`."""
    node = _composed(text)
    try:
        return _value(node, set())
    except RecursionError:
        raise Broken("it is nested too deeply", node.start_mark.line + 1) from None


def line_of(text: str, path: Path) -> int:
    """Return the line, from 1 on, of what stands at *path* in a *text* that `load` accepts, or of what is around it."""
    node: yaml.Node = _composed(text)
    line = 1
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line + 1, each) for key, each in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _composed(text: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Broken(f"this is not YAML: {error.problem or error.context}", mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        raise Broken(f"this is not YAML: {error.reason}", _line_of_character(text, error)) from None
    except yaml.YAMLError as error:
        raise Broken(f"this is not YAML: {error}") from None
    except RecursionError:
        raise Broken("it is nested too deeply") from None
    if node is None:
        raise Broken("the file is empty")
    return node


def _line_of_character(text: str, error: yaml.reader.ReaderError) -> int:
    found = _UNREADABLE.search(text)
    return text.count("\n", 0, found.start() if found else error.position) + 1


def _value(node: yaml.Node, seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise Broken("an alias (`*name`) is not understood; write it out", line)
    seen.add(id(node))
    match node:
        case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
            return _object(node, seen)
        case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
            return [_value(each, seen) for each in node.value]
        case yaml.ScalarNode() if node.tag in _READERS:
            return _READERS[node.tag](node.value)
    raise Broken(f"the YAML tag `{node.tag.replace('tag:yaml.org,2002:', '!!')}` is not understood; leave it out", line)


def _object(node: yaml.MappingNode, seen: set[int]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, each in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag not in _READERS:
            raise Broken("the name of a member must be text", line)
        if key.value in value:
            raise Broken(f"`{key.value}` is written twice", line)
        value[key.value] = _value(each, seen)
    return value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml where there is one
    """Reads the scalars of YAML 1.2's core schema (JSON's, that is); dates and `no` are text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - filled below


_SURROGATES = 0xD800, 0xDFFF
PLAIN = re.compile(
    r"[A-Za-z_/.<(][A-Za-z0-9_/.<>()+=,;?!' -]{0,200}(?<! )|[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)+"
)
"""Text that needs no quotes: no `: `, no ` #`, nothing that YAML gives a meaning at the start."""
_AMBIGUOUS = re.compile(
    r"~|null|true|false|yes|no|on|off|y|n|nan|inf|<<|=|[-+.]?(?:inf|nan)|[-+.]?[0-9][-+0-9._:eExXoOa-fA-F]*|[.]{3}.*",
    re.IGNORECASE,
)
_LONG_NAME = re.compile(rf'"(?:[^"\\]|\\.){{{LONGEST_NAME},}}+":')
_UNPRINTABLE = re.compile(r"[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UNREADABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORBIDDEN_IN_BLOCK = re.compile(r"\A[ \n]*\t|\A\n*\Z|[ \t](?:\n|\Z)")
"""Blanks at the end of a line too: editors and hooks take them away, and the request would be another one."""
_READERS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text in ("true", "True", "TRUE"),
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))
