"""Reading settings from YAML so that every problem is found at once and named by file and line.

`parse` gives the top-level `Section`; each setting is read by name, with a default and a conversion, and what nobody
asked for is reported as unknown.
Conversions take a YAML node and return a value or raise `ValueError`.
YAML is only composed into nodes, never constructed into objects, so that no tag is ever executed and scalars keep the
text that the user wrote (`mode: off` is the word `off`).
This module knows no setting of aicache.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

import yaml

T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """What is found while reading: problems that stop the start, warnings that do not."""

    file: str
    problems: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    """The full name of every setting that was asked for."""

    def problem(self, line: int, what: str, where: str = "") -> None:
        """Note what must be repaired; *where* stands in for file and line."""
        self.problems.append((line, f"{where or self.at(line)}: {what}"))

    def warning(self, line: int, what: str) -> None:
        """Note what the user should know."""
        self.warnings.append((line, f"{self.at(line)}: {what}"))

    def at(self, line: int) -> str:
        """Return file and line as editors and terminals link them."""
        return f"{self.file}:{line}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it was written."""

    node: yaml.Node
    line: int
    where: str = ""
    """What to show instead of file and line, for a setting that does not come from the file."""

    @property
    def empty(self) -> bool:
        """Whether nothing was written, or a YAML null."""
        return self.node.tag == _NULL


class Section:
    """A block of settings. Each is read once by name; `close` reports what was not."""

    def __init__(self, notes: Notes, name: str = "", line: int = 1, node: yaml.MappingNode | None = None) -> None:
        self.notes = notes
        self.name = name
        self.line = line
        self.settings: dict[str, Setting] = {}
        self.changed: set[str] = set()
        """The settings that were read with a value other than their default."""
        self._asked: set[str] = set()
        self._blocks: dict[str, Section] = {}
        for key, value in node.value if node else ():
            self._add(key, value)

    def __repr__(self) -> str:
        return f"<Section {self.name or 'top level'}: {', '.join(self.settings) or 'empty'}>"

    def _add(self, key: yaml.Node, value: yaml.Node) -> None:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            self.notes.problem(line, "the name of a setting must be a word")
        elif key.value in self.settings:
            first = self.settings[key.value].line
            self.notes.problem(line, f"{self.full(key.value)}: written twice; it is already in line {first}")
        else:
            self.settings[key.value] = Setting(value, line)

    def full(self, name: str) -> str:
        """Return the setting's name with those of the blocks around it."""
        return f"{self.name}.{name}" if self.name else name

    def has(self, name: str) -> bool:
        """Whether the setting was written with a value."""
        return name in self.settings and not self.settings[name].empty

    def pop(self, name: str) -> Setting | None:
        """Take out a setting under a name that is not one of today's."""
        return self.settings.pop(name, None)

    def put(self, name: str, value: str, line: int = 0, where: str = "") -> None:
        """Set *name* to a text that is not in the file; *where* is shown instead of file and line."""
        mark = yaml.Mark(where, 0, line, 0, None, 0)
        self.settings[name] = Setting(yaml.ScalarNode(_STR, value, mark, mark), line, where)

    def ask(self, name: str) -> Setting | None:
        """Return the setting, None when it is absent or empty. From now on the name is known."""
        self._asked.add(name)
        self.notes.known.add(self.full(name))
        return self.settings[name] if self.has(name) else None

    def read(self, name: str, default: T, convert: Callable[[yaml.Node], T]) -> T:
        """Return the converted setting, or *default* when it is absent, empty or wrong (which is noted).

        An empty string means the default as it does for Higress, except where any text will do.
        """
        setting = self.ask(name)
        if setting is None or (setting.node.value == "" and convert is not text):
            return default
        try:
            value = convert(setting.node)
        except ValueError as error:
            self.problem(name, str(error))
            return default
        if value != default:
            self.changed.add(name)
        return value

    def section(self, name: str) -> Section:
        """Return the block *name*; an empty one when it is absent, or no block (which is noted)."""
        if name not in self._blocks:
            setting = self.ask(name)
            node = setting.node if setting else None
            if node is not None and not isinstance(node, yaml.MappingNode):
                self.problem(name, f"is {_kind(node)} where a block of settings is expected")
            line = setting.line if setting else self.line
            block = node if isinstance(node, yaml.MappingNode) else None
            self._blocks[name] = Section(self.notes, self.full(name), line, block)
        return self._blocks[name]

    def problem(self, name: str, what: str) -> None:
        """Note what is wrong with the setting *name*."""
        setting = self.settings.get(name)
        line, where = (setting.line, setting.where) if setting else (self.line, "")
        self.notes.problem(line, f"{self.full(name)}: {what}", where)

    def warning(self, name: str, what: str) -> None:
        """Note what the user should know of the setting *name*."""
        line = self.settings[name].line if name in self.settings else self.line
        self.notes.warning(line, f"{self.full(name)}: {what}")

    def close(self) -> None:
        """Report every setting that nobody asked for, here and in the blocks inside."""
        for name in self.settings.keys() - self._asked:
            legal = f"legal settings here: {', '.join(sorted(self._asked))}"
            self.problem(name, f"is no setting; {legal}{nearest(name, self._asked)}")
        for block in self._blocks.values():
            block.close()


def parse(data: bytes, notes: Notes) -> Section:
    """Read the one YAML document in *data*; an empty one gives an empty section. Every fault goes to *notes*."""
    try:
        documents = list(yaml.compose_all(data.decode("utf-8-sig"), Loader=yaml.SafeLoader))
    except UnicodeDecodeError as error:
        notes.problem(data.count(b"\n", 0, error.start) + 1, "the file is not UTF-8 text")
    except yaml.YAMLError as error:
        notes.problem(*_syntax(error, data))
    except RecursionError:
        notes.problem(1, "the blocks are nested too deeply")
    else:
        return _top(documents, notes)
    return Section(notes)


def _top(documents: list[yaml.Node], notes: Notes) -> Section:
    if len(documents) > 1:
        notes.problem(documents[1].start_mark.line + 1, "a second YAML document begins here; one is expected")
    if not documents or documents[0].tag == _NULL:
        return Section(notes)
    root = documents[0]
    if not isinstance(root, yaml.MappingNode):
        notes.problem(root.start_mark.line + 1, f"the top level is {_kind(root)} where `setting: value` is expected")
        return Section(notes)
    _check_tags(root, notes)
    return Section(notes, node=root)


def _check_tags(root: yaml.Node, notes: Notes) -> None:
    """Note every tag beyond plain data. Anchors may make a circle, so each node is seen once."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if node.tag not in _PLAIN:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            notes.problem(node.start_mark.line + 1, f"the YAML tag `{tag}` is not understood; leave it out")
        inside = [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value
        fresh = [child for child in inside if isinstance(child, yaml.Node) and id(child) not in seen]
        seen.update(id(child) for child in fresh)
        waiting.extend(fresh)


def _syntax(error: yaml.YAMLError, data: bytes) -> tuple[int, str]:
    """Return line and description of a YAML error."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        context = f" ({error.context})" if error.context else ""
        hint = "; YAML is indented with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        return (mark.line + 1 if mark else 1), f"this is not YAML: {error.problem}{context}{hint}"
    if isinstance(error, yaml.reader.ReaderError):
        content, at = data.decode("utf-8-sig"), error.position
        line = content.count("\n", 0, at) + 1
        return line, f"this is not YAML: the character #x{ord(content[at]):04x} is not allowed"
    return 1, f"this is not YAML: {error}"


def nearest(word: str, legal: Iterable[str]) -> str:
    """Return `; did you mean ...?` when one of *legal* is spelled almost like *word*, else nothing."""
    folded = {name.lower(): name for name in legal}
    longer = [name for name in folded if word.lower() in name] if len(word) >= _TELLING else []
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6) or longer
    return f"; did you mean `{folded[found[0]]}`?" if found else ""


def text(node: yaml.Node) -> str:
    """Take a scalar as the text that was written."""
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"is {_kind(node)} where text is expected")  # noqa: TRY004 - conversions raise ValueError
    value: str = node.value
    return value


def choice(*legal: str) -> Callable[[yaml.Node], str]:
    """Take one of the *legal* words."""

    def convert(node: yaml.Node) -> str:
        word = text(node)
        if word not in legal:
            raise ValueError(f"`{word}` is not known; legal values: {', '.join(legal)}{nearest(word, legal)}")
        return word

    return convert


def whole(least: int = 0, most: int = 2**63 - 1) -> Callable[[yaml.Node], int]:
    """Take a whole number, also written in quotes or as `3600.0`."""

    def convert(node: yaml.Node) -> int:
        written = text(node)
        if not _WHOLE.fullmatch(written):
            raise ValueError(f"`{written}` is no whole number; legal values: {_span(least, most)}")
        return _within(int(written.partition(".")[0].replace("_", "")), least, most)

    return convert


def number(node: yaml.Node) -> float:
    """Take a finite number."""
    written = text(node)
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"`{written}` is no number")
    return value


def flag(node: yaml.Node) -> bool:
    """Take a truth value; 1, on and yes are true as well."""
    written = text(node)
    if written.lower() not in _FLAGS:
        raise ValueError(f"`{written}` is neither true nor false; legal values: true, false")
    return _FLAGS[written.lower()]


def size(node: yaml.Node) -> int:
    """Take bytes: a whole number, or one with a unit such as `10MB` (10^6) or `10MiB` (2^20)."""
    return _measure(text(node), _SIZES, "a size", "a number of bytes, or one with kB, MB, GB, KiB, MiB or GiB")


def milliseconds(node: yaml.Node) -> int:
    """Take a time: milliseconds, or a number with a unit such as `50ms` or `1s`."""
    return _measure(text(node), _TIMES, "a time", "a number of milliseconds, or one with ms or s")


def texts(node: yaml.Node) -> tuple[str, ...]:
    """Take a list of texts; a single text is a list of one."""
    if isinstance(node, yaml.SequenceNode):
        return tuple(text(item) for item in node.value)
    return (text(node),)


def host(node: yaml.Node) -> str:
    """Take the bare name of a host, in lower case."""
    name = text(node).strip().lower()
    if not name or any(sign in name for sign in "/:@ ,"):
        raise ValueError(f"`{name}` is no host; write the bare name, without scheme, port and path{_host_in(name)}")
    return name


def _host_in(url: str) -> str:
    found = _HOST.match(url)
    return f"; did you mean `{found[1]}`?" if found else ""


def _measure(written: str, units: dict[str, int], what: str, legal: str) -> int:
    found = _AMOUNT.fullmatch(written.strip())
    factor = units.get(found["unit"].lower()) if found else None
    if found is None or factor is None:
        raise ValueError(f"`{written}` is not {what}; legal values: {legal}")
    return _within(int(Decimal(found["amount"].replace("_", "")) * factor), 1, 2**63 - 1)


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError(f"{value} is out of range; legal values: {_span(least, most)}")
    return value


def _span(least: int, most: int) -> str:
    return f"{least} and more" if most >= 2**31 else f"{least} to {most}"


def _kind(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a block of settings"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return "a single value"


_NULL = "tag:yaml.org,2002:null"
_STR = "tag:yaml.org,2002:str"
_PLAIN = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq", "merge", "value")
}
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_TELLING = 3
"""Letters that a part of a name needs to hint at the whole."""
_HOST = re.compile(r"(?:[a-z]+://)?([^/:@ ,]+\.[^/:@ ,]+)")
_WHOLE = re.compile(r"[+-]?\d[\d_]{0,30}(\.0*)?", re.ASCII)
_AMOUNT = re.compile(r"(?P<amount>\d[\d_]{0,30}(\.\d{1,30})?) ?(?P<unit>[A-Za-z]*)", re.ASCII)
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_TIMES = {"": 1, "ms": 1, "s": 1000}
