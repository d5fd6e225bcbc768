"""The built-in modifiers: JSON text in, JSON text out (`@dig`, which holds a path, is with the paths).

Each takes the text of a value and its options, raw JSON by name.
It does not know paths. Entry points: `MODIFIERS`, `OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from .pretty import Layout, blanks, pretty
from .text import BLANKS, Indexed, boolean, children, compact, number, parse, quote, spans, string, unescape, valid

Options = Mapping[str, str]
"""The options of one use of a modifier: the raw JSON of each value by its name."""


def _this(text: str, _options: Options) -> str:
    return text


def _valid(text: str, _options: Options) -> str:
    return text if valid(text) else ""


def _ugly(text: str, _options: Options) -> str:
    return compact(text)


def _pretty(text: str, options: Options) -> str:
    layout = Layout(
        width=number(options.get("width", "80")),
        prefix=blanks(options.get("prefix", "")),
        indent=blanks(options.get("indent", '"  "')),
        sort=boolean(options.get("sortKeys", "")),
    )
    return pretty(text, layout)


def _reverse(text: str, _options: Options) -> str:
    """Turn the elements of an array or the members of an object round; anything else stays as it is."""
    value = parse(text)
    match value[:1]:
        case "[":
            return _array(reversed([child for _, child in children(value)]))
        case "{":
            return _object(reversed(list(children(value))))
        case _:
            return text


def _flatten(text: str, options: Options) -> str:
    """Replace the arrays in an array by what is in them; `deep` goes on within those."""
    value = parse(text)
    if value[:1] != "[":
        return text
    if boolean(options.get("deep", "")):
        return _array(_leaves(Indexed(value), 0))
    opened = (_unwrap(child) if child[0] == "[" else child for _, child in children(value))
    return _array(filter(None, opened))


def _leaves(text: Indexed, start: int) -> Iterator[str]:
    for _, begin, end in spans(text, start):
        if text[begin] == "[":
            yield from _leaves(text, begin)
        else:
            yield text[begin:end]


def _join(text: str, options: Options) -> str:
    """Make one object of the objects in an array; a later value replaces an earlier one, unless `preserve`."""
    value = parse(text)
    if value[:1] != "[":
        return text
    objects = [child for _, child in children(value) if child[0] == "{"]
    if boolean(options.get("preserve", "")):
        return "{" + ",".join(filter(None, map(_unwrap, objects))) + "}"
    joined: dict[str, tuple[str, str]] = {}
    for key, child in (member for each in objects for member in children(each)):
        name = unescape(key[1:-1])
        joined[name] = (joined[name][0] if name in joined else key, child)
    return _object(joined.values())


def _keys(text: str, _options: Options) -> str:
    return _array(key or "null" for key, _ in children(parse(text)))


def _values(text: str, _options: Options) -> str:
    value = parse(text)
    return text if value[:1] == "[" else _array(child for _, child in children(value))


def _tostr(text: str, _options: Options) -> str:
    return quote(text)


def _fromstr(text: str, _options: Options) -> str:
    return string(parse(text)) if valid(text) else ""


def _group(text: str, _options: Options) -> str:
    """Turn an object of arrays into an array of objects, one for each position."""
    value = parse(text)
    if value[:1] != "{":
        return ""
    rows: list[list[tuple[str, str]]] = []
    for key, column in children(value):
        if column[0] != "[":
            continue
        for position, (_, child) in enumerate(children(column)):
            if position == len(rows):
                rows.append([])
            rows[position].append((key, child))
    return _array(map(_object, rows))


def _array(values: Iterable[str]) -> str:
    return "[" + ",".join(values) + "]"


def _object(pairs: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def _unwrap(value: str) -> str:
    """Return what stands between the brackets."""
    return value[1:-1].strip(BLANKS)


MODIFIERS: dict[str, Callable[[str, Options], str]] = {
    "flatten": _flatten,
    "fromstr": _fromstr,
    "group": _group,
    "join": _join,
    "keys": _keys,
    "pretty": _pretty,
    "reverse": _reverse,
    "this": _this,
    "tostr": _tostr,
    "ugly": _ugly,
    "valid": _valid,
    "values": _values,
}

OPTIONS: dict[str, tuple[str, ...]] = {
    "flatten": ("deep",),
    "join": ("preserve",),
    "pretty": ("indent", "prefix", "sortKeys", "width"),
}
"""The options that a modifier knows; one that is not here takes no argument."""
