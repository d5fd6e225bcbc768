"""A path applied to a text: a walk that only reads what the path asks for.

Works on slices of the text (see text), never on Python objects, so spelling and order survive.
It does not know how paths are written. Entry point: `find`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from .steps import Chain, Count, Dig, Each, Key, Literal, Modify, Multi, Path, Pick, Step, Test
from .text import Indexed, boolean, cut, elements, kind, members, number, opening, parse, string, truth, unescape


class Miss(Enum):
    """How a walk ended that found nothing."""

    SHORT = "before its last step"
    LAST = "at its last step: a pipe behind it runs all the same, on nothing (`nope|@keys` is `[]`)"


def find(text: str, path: Path) -> str:
    """Return the value that *path* finds in *text*, empty when it is missing."""
    match path:
        case Chain():
            return _walk(text, path)
        case Multi():
            return _after(_collect(text, path), path.then, whole=True)
        case Modify():
            return _after(path.run(text, path.options), path.then)
        case Dig():
            found: list[str] = []
            value = Indexed(parse(text))
            _dig(value, 0, path.path, found)
            return _after(f"[{','.join(found)}]", path.then)
        case Literal():
            return _after(path.text, path.then)


def _after(text: str, then: Path | None, *, whole: bool = False) -> str:
    if then is not None:
        return find(text, then)
    return text if whole else parse(text)


def _collect(text: str, path: Multi) -> str:
    found = [(name, find(text, inner)) for name, inner in path.members]
    if path.opening == "[":
        return "[" + ",".join(value for _, value in found if value) + "]"
    return "{" + ",".join(f"{name}:{value}" for name, value in found if value) + "}"


def _dig(text: Indexed, start: int, path: Path, found: list[str]) -> None:
    """Gather what *path* finds at *start* and below; places that are passed often are why the text is indexed."""
    if hit := _find_at(text, start, path):
        found.append(hit)
    match text[start : start + 1]:
        case "{":
            inside: Iterable[int] = (at for _, at in members(text, start + 1))
        case "[":
            inside = elements(text, start + 1)
        case _:
            return
    for at in inside:
        _dig(text, at, path, found)


def _find_at(text: str, start: int, path: Path) -> str:
    if not isinstance(path, Chain) or path.lines or path.pipe:
        return find(cut(text, start), path)
    found = _descend(text, start, path.steps)
    return found if isinstance(found, str) else ""


def _walk(text: str, chain: Chain) -> str:
    if chain.lines:
        found = _in_array(text, 0, chain.steps)
    else:
        start = opening(text)
        found = _descend(text, start, chain.steps) if start >= 0 else Miss.SHORT
    if chain.pipe is None or found is Miss.SHORT:
        return found if isinstance(found, str) else ""
    return find(found if isinstance(found, str) else "", chain.pipe)


def _descend(text: str, start: int, steps: tuple[Step, ...]) -> str | Miss:
    match text[start : start + 1]:
        case "{":
            return _in_object(text, start + 1, steps)
        case "[":
            return _in_array(text, start + 1, steps)
        case _:
            return Miss.SHORT


def _in_object(text: str, pos: int, steps: tuple[Step, ...]) -> str | Miss:
    """Walk on from the first member that can take the rest of the path; those before are passed over."""
    step, rest = steps[0], steps[1:]
    named = _naming(step)
    miss = Miss.SHORT if rest else Miss.LAST
    for key, start in members(text, pos):
        if not named(key if "\\" not in key else unescape(key)):
            continue
        if isinstance(step, Each):
            return _after(find(cut(text, start), step.inner), step.pipe, whole=True)
        if not rest:
            return cut(text, start)
        found = _descend(text, start, rest)
        if isinstance(found, str):
            return found
        miss = found if found is Miss.LAST else miss
    return miss


def _naming(step: Step) -> Callable[[str], object]:
    match step:
        case Key(glob=None):
            return step.name.__eq__
        case Key(glob=glob) if glob is not None:
            return glob.fullmatch
        case Pick():
            return lambda _: False
        case _:
            return "#".__eq__


def _in_array(text: str, pos: int, steps: tuple[Step, ...]) -> str | Miss:
    step, rest = steps[0], steps[1:]
    miss = Miss.SHORT if rest else Miss.LAST
    match step:
        case Key(index=index):
            start = next((at for n, at in enumerate(elements(text, pos)) if n == index), -1) if index >= 0 else -1
            if start < 0:
                return miss
            return _descend(text, start, rest) if rest else cut(text, start)
        case Count():
            return miss if rest else str(sum(1 for _ in elements(text, pos)))
        case Each():
            found = (find(cut(text, start), step.inner) for start in elements(text, pos))
            return _after(f"[{','.join(filter(None, found))}]", step.pipe, whole=True)
        case Pick():
            return _pick(text, pos, step)


def _pick(text: str, pos: int, step: Pick) -> str | Miss:
    passed = (value for start in elements(text, pos) if _passes(value := cut(text, start), step))
    if not step.every:
        first = next(passed, None)
        return Miss.LAST if first is None else _after(_inner(first, step.inner), step.pipe, whole=True)
    values = list(passed)
    found = f"[{','.join(filter(None, (_inner(value, step.inner) for value in values)))}]"
    # With nothing to pick, gjson never comes to the pipe: `#(no)#.a|0` is `[]` where `#(yes)#.a|9` is missing.
    return _after(found, step.pipe, whole=True) if values else found


def _inner(value: str, inner: Path | None) -> str:
    return value if inner is None else find(value, inner)


def _passes(element: str, step: Pick) -> bool:
    if kind(element) == "JSON":
        return _holds("" if step.path is None else find(element, step.path), step.test)
    return step.path is None and _holds(element, step.test)


def _holds(value: str, test: Test) -> bool:
    if test.like:
        like = "true" if _LIKE[test.like](value) else "false"
        return _ordered(like, "true", test.operator)
    if not value or not test.operator:
        return bool(value)
    match kind(value):
        case "String" if "%" in test.operator:
            return (test.glob.fullmatch(string(value)) is not None) is (test.operator == "%")
        case "String":
            return _COMPARE[test.operator](string(value), test.text)
        case "Number":
            return "%" not in test.operator and _COMPARE[test.operator](number(value), test.number)
        case "True" | "False":
            return _ordered(string(value), test.text, test.operator)
        case _:
            return False


def _ordered(flag: str, other: str, sign: str) -> bool:
    """Compare two flags, `false` before `true`; what is no flag is only unlike, except that the ends hold for all."""
    if sign in ("=", "!="):
        return (flag == other) is (sign == "=")
    if flag == "true":
        return sign == ">=" or (sign == ">" and other == "false")
    return sign == "<=" or (sign == "<" and other == "true")


def _trueish(value: str) -> bool:
    return bool(value) and boolean(value)


def _falseish(value: str) -> bool:
    match kind(value) if value else "Null":
        case "String":
            return truth(string(value)) is False
        case "Number":
            return number(value) == 0
        case name:
            return name in ("Null", "False")


def _nullish(value: str) -> bool:
    return not value or kind(value) == "Null"


_LIKE: dict[str, Callable[[str], bool]] = {"true": _trueish, "false": _falseish, "null": _nullish, "*": bool}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
