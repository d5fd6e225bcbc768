"""The path language of gjson 1.18, read once into a tree of steps.

`parse_path` refuses what gjson would read as a key that nobody can have meant, for there it gives a silent nothing.
What may be meant, though probably is not, becomes a note.
It does not know documents. The language: https://github.com/tidwall/gjson/blob/v1.18.0/SYNTAX.md
"""

from __future__ import annotations

import re

from .modifiers import MODIFIERS, OPTIONS
from .steps import Chain, Count, Dig, Each, Key, Literal, Modify, Multi, Path, Pick, Step, Test
from .text import BLANKS, STRING, children, decoded, number, quote, unescape, valid


class PathError(ValueError):
    """A path that is surely a mistake, or that we do not support; the message says which part."""


Notes = list[str]
"""What is odd about a path, gathered while it is read."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_PART = re.compile(r"(?:[^.|\\]|\\.)*+", re.DOTALL)
_STRING = re.compile(STRING, re.DOTALL)
_MODIFIER = re.compile(r"@([^.|:]*)")
_WORD = re.compile(r"!(true|false|null|nan|inf)(?=[.|]|\Z)")
_OPERATOR = re.compile(r"==|!=|<=|>=|!%|[=<>%]")
_LAST = re.compile(r"(?:.*(?<!\\)[.|])?(.*)", re.DOTALL)
_ODD_NAME = re.compile(r"[\x00-\x1f\[\]{}()#|!]")
_LONGEST_INDEX = 18
"""Digits that are sure to fit; no document has more elements, and Python refuses to read endless digits."""


def parse_path(path: str, notes: Notes) -> Path:
    """Read *path*; oddities are added to *notes*, mistakes raise PathError."""
    special = None
    if len(path) > 1:
        special = {"@": _modifier, "!": _literal, "[": _multi, "{": _multi}.get(path[0])
    found = special(path, notes) if special else None
    if found is not None:
        return found
    if path.startswith(".."):
        return _chain(path[2:], notes, lines=True)
    return _chain(path, notes)


def _chain(path: str, notes: Notes, *, lines: bool = False) -> Chain:
    steps: list[Step] = []
    while True:
        if path.startswith(("#(", "#[")):
            pick, pipe = _pick(path, notes)
            return Chain((*steps, pick), pipe, lines)
        if path.startswith("#."):
            return Chain((*steps, _each(path[2:], notes)), None, lines)
        part = _PART.match(path)[0]  # type: ignore[index]  # it matches the empty text too
        separator, rest = path[len(part) : len(part) + 1], path[len(part) + 1 :]
        steps.append(Count() if part == "#" else _key(part, separator, notes))
        if separator == "|" or (separator == "." and _pipes(rest)):
            return Chain(tuple(steps), parse_path(rest, notes), lines)
        if not separator:
            return Chain(tuple(steps), None, lines)
        path = rest


def _pipes(rest: str) -> bool:
    """Whether a dot before *rest* acts as a pipe: before a known modifier or a multipath."""
    found = _MODIFIER.match(rest)
    return found[1] in _KNOWN if found else rest.startswith(("[", "{"))


def _each(path: str, notes: Notes) -> Each:
    inner, pipe = _split_pipe(path)
    return Each(parse_path(inner, notes), None if pipe is None else parse_path(pipe, notes))


def _split_pipe(path: str) -> tuple[str, str | None]:
    """Split at the first pipe outside brackets.

    A path that begins with `{` is only split directly behind its `}`, for so does gjson.
    """
    end = _close(path, 0) if path.startswith("{") else _find(path, "|")
    return (path[:end], path[end + 1 :]) if path[end : end + 1] == "|" else (path, None)


def _key(part: str, separator: str, notes: Notes) -> Key:
    if separator == "\\":
        raise PathError("ends with a backslash that escapes nothing")
    plain = re.sub(r"\\.", "", part, flags=re.DOTALL)
    if found := re.search(r"[\[\]{}]", plain):
        raise PathError(
            f"the key {part!r} holds a bare {found[0]!r}: an index is written a.0, a bracket in a key \\{found[0]}"
        )
    if plain.count("(") != plain.count(")"):
        raise PathError(f"unbalanced parentheses in the key {part!r}; in a key they are written \\( and \\)")
    notes.extend(note.format(part) for test, note in _ODDITIES if test.match(part))
    index = int(part) if part.isascii() and part.isdigit() and len(part) <= _LONGEST_INDEX else -1
    glob = _glob(part) if re.search(r"[*?]", plain) else None
    return Key(re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL), glob, index)


_ODDITIES = tuple(
    (re.compile(test), note)
    for test, note in {
        r"\Z": "an empty part, read as the key ''",
        r"@": "no modifier is called {!r}; it is read as a key",
        r"!": "no literal is written {!r}; it is read as a key",
        r"-[0-9]+\Z": "{!r} is read as a key: an index cannot be negative, the last element is @reverse.0",
        r"\$\Z": "{!r} is read as a key: a path does not begin with the root",
        r"[\x00-\x20]|.*[\x00-\x20]\Z": "{!r} is read as a key, its white space included",
    }.items()
)


def _glob(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of `*`, `?` and escapes; each `*` is decided once, so the time is linear in the text."""
    pieces = [""]
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        if piece == "*":
            pieces.append("")
        else:
            pieces[-1] += "." if piece == "?" else re.escape(piece[-1])
    first, *middle = pieces
    if not middle:
        return re.compile(first, re.DOTALL)
    last = middle.pop()
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle if part) + ".*" + last, re.DOTALL)


def _pick(path: str, notes: Notes) -> tuple[Pick, Path | None]:
    """Read a query; return it and the pipe behind it that applies whether an element passed or not."""
    end = _close(path, 1)
    condition, tail = path[2 : end - 1], path[end:]
    split = _find(condition, "!=<>%")
    if not condition.strip(BLANKS):
        raise PathError("an empty query")
    every = tail.startswith("#")
    tail = tail[1:] if every else tail
    if tail and tail[0] not in ".|":
        raise PathError(f"expected . or | behind the query, not {tail!r}")
    each = _each(tail[1:], notes) if tail.startswith(".") else None
    subject = condition[:split].strip(BLANKS)
    asked = parse_path(subject, notes) if subject else None
    test = _test(condition[split:].strip(BLANKS))
    pick = Pick(asked, test, every, each.inner if each else None, each.pipe if each else None)
    return pick, parse_path(tail[1:], notes) if tail.startswith("|") else None


def _test(text: str) -> Test:
    found = _OPERATOR.match(text)
    if text and not found:
        raise PathError(f"no comparison in {text!r}: one of = == != < <= > >= % !%")
    value = text[found.end() :].strip(BLANKS) if found else ""
    if value.startswith('"'):
        value = _unquoted(value)
    like = value[1:] if value.startswith("~") else ""
    if value.startswith("~") and like not in ("true", "false", "null", "*"):
        raise PathError(f"no comparison with {value!r}: one of ~true ~false ~null ~*")
    operator = found[0].replace("==", "=") if found else ""
    return Test(operator, value, number(value), _glob(value), like)


def _unquoted(value: str) -> str:
    try:
        return str(decoded(value))
    except ValueError:
        raise PathError(f"{value} is no JSON string") from None


def _modifier(path: str, notes: Notes) -> Path | None:
    name = _MODIFIER.match(path)[1]  # type: ignore[index]  # the path begins with @
    if name not in _KNOWN:
        return None
    end = len(name) + 1
    argument = ""
    if path[end : end + 1] == ":":
        start, end = end + 1, _argument_end(path, end + 1)
        argument = path[start:end]
    if name == "dig":
        return Dig(parse_path(argument, notes), _then(path, end, notes))
    return Modify(MODIFIERS[name], _options(name, argument), _then(path, end, notes))


def _argument_end(path: str, start: int) -> int:
    """Return the end of an argument: of its JSON text, or else the next pipe, for dots belong to it."""
    if path[start : start + 1] in _CLOSING:
        return _close(path, start)
    if path.startswith('"', start):
        return _quote_end(path, start)
    return _find(path, "|", start)


def _options(name: str, argument: str) -> dict[str, str]:
    known = OPTIONS.get(name, ())
    if not argument:
        return {}
    if not known:
        raise PathError(f"@{name} takes no argument, but {argument!r} follows it (an argument reaches to the next |)")
    if not (argument.startswith("{") and valid(argument)):
        raise PathError(f"@{name} takes a JSON object of {', '.join(known)}, not {argument!r}")
    found = {unescape(key[1:-1]): value for key, value in children(argument)}
    if unknown := sorted(set(found) - set(known)):
        raise PathError(f"@{name} knows no option {unknown[0]!r}, only {', '.join(known)}")
    return found


def _literal(path: str, notes: Notes) -> Path | None:
    if path[1] in "[{":
        end = _close(path, 1)
    elif found := _WORD.match(path):
        return Literal(found[1], _then(path, found.end(), notes))
    elif path[1] in '"+-0123456789':
        end = len(path)
    else:
        return None
    text = path[1:end]
    if not valid(text):
        raise PathError(f"the literal {path!r} is no JSON; nothing may follow a literal string or number")
    return Literal(text, _then(path, end, notes))


def _multi(path: str, notes: Notes) -> Multi:
    end = _close(path, 0)
    inside = path[1 : end - 1]
    members = tuple(_member(text, notes) for text in _split(inside, ",")) if inside else ()
    return Multi(path[0], members, _then(path, end, notes))


def _member(text: str, notes: Notes) -> tuple[str, Path]:
    colon = _find(text, ":")
    # A colon behind a modifier begins its argument, but only where a dot or a pipe shows the modifier.
    if colon == len(text) or (re.search(r"[.|]@", text[:colon]) and not text.startswith('"')):
        last = _LAST.fullmatch(text)[1]  # type: ignore[index]  # it matches everything
        return quote("_" if _ODD_NAME.search(last) else last), parse_path(text, notes)
    name, path = text[:colon], text[colon + 1 :]
    if name[1:] in _KNOWN:
        notes.append(f"{name!r} is read as a name; for the modifier write @this.{text}")
    return name if name.startswith('"') and valid(name) else quote(name), parse_path(path, notes)


def _then(path: str, end: int, notes: Notes) -> Path | None:
    if end == len(path):
        return None
    if path[end] not in ".|":
        raise PathError(f"expected . or | behind {path[:end]!r}, not {path[end:]!r}")
    return parse_path(path[end + 1 :], notes)


def _split(text: str, separator: str) -> list[str]:
    parts = []
    start = 0
    while (end := _find(text, separator, start)) < len(text):
        parts.append(text[start:end])
        start = end + 1
    return [*parts, text[start:]]


def _find(text: str, stops: str, pos: int = 0) -> int:
    """Return where one of *stops* stands outside of escapes, strings and brackets, or else the length."""
    while pos < len(text):
        char = text[pos]
        if char in stops:
            return pos
        if char == "\\":
            pos += 2
        elif char == '"':
            pos = _quote_end(text, pos)
        elif char in _CLOSING:
            pos = _close(text, pos)
        elif char in _CLOSING.values():
            raise PathError(f"unbalanced brackets: nothing opens the {char!r} in {text!r}")
        else:
            pos += 1
    return len(text)


def _close(text: str, pos: int) -> int:
    """Return the end of what the bracket at *pos* opens, behind its closing bracket."""
    closing = _CLOSING[text[pos]]
    end = _find(text, closing, pos + 1)
    if end == len(text):
        raise PathError(f"unbalanced brackets: no {closing!r} for {text[pos:]!r}")
    return end + 1


def _quote_end(text: str, pos: int) -> int:
    found = _STRING.match(text, pos)
    if found is None:
        raise PathError(f"unbalanced quotes: {text[pos:]!r} is not closed")
    return found.end()


_KNOWN = frozenset({*MODIFIERS, "dig"})
