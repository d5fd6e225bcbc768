"""Rules that leave noise out of an identity: dates, temporary folders, ids that change from run to run.

A rule is applied to the identity of the recorded call and to that of the call of now alike, by one pure function, so a
difference that it makes on one side it makes on the other. What was different before and is no noise stays different:
equal values become equal placeholders, others get others, numbered in the order in which they come.
It knows identities, not calls or stores. Entry points: `ignoring`, `replacing`, `named`, `Scrubber`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from . import fingerprint
from .jsontext import canonical

Step = str
Change = Callable[[Any], Any]
"""The body of an identity -> the body without the noise; what was given is not changed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, and what it is called in a recording."""

    words: str
    change: Change


class Scrubber:
    """The rules of one configuration, in their order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)

    def __repr__(self) -> str:
        return f"<Scrubber: {', '.join(self.words) or 'no rules'}>"

    def __bool__(self) -> bool:
        return bool(self.rules)

    @property
    def words(self) -> tuple[str, ...]:
        """The rules as a recording lists them."""
        return tuple(rule.words for rule in self.rules)

    def identity(self, identity: bytes) -> bytes:
        """Return *identity* after the rules, equal where they change nothing."""
        if not self.rules:
            return identity
        value = _parsed(identity)
        if not isinstance(value, dict) or "body" not in value:
            return identity
        body = value["body"]
        for rule in self.rules:
            body = rule.change(body)
        return canonical(value | {"body": body})

    def key(self, identity: bytes) -> str:
        """Return the key of *identity* after the rules; empty where they change nothing."""
        scrubbed = self.identity(identity)
        return "" if scrubbed == identity else fingerprint.key(scrubbed)


def _parsed(identity: bytes) -> Any:
    try:
        return orjson.loads(identity)
    except orjson.JSONDecodeError:  # half a surrogate pair, which `canonical` escapes; or no JSON
        import json  # noqa: PLC0415 - for such texts alone

        try:
            return json.loads(identity)
        except ValueError:
            return None


def ignoring(path: str) -> Rule:
    r"""Return the rule that leaves out what is at *path* of the body. Raises `ValueError` for no path.

    Steps are separated by dots; `*` is any member or element, `#` any element, `**` any depth, `\.` a dot in a name.
    """
    return Rule(f"ignore {path}", placing(path, None))


def placing(path: str, placeholder: str | None) -> Change:
    """Return what puts *placeholder* at *path*, or with None leaves out what is there. Raises `ValueError`."""
    steps = tuple(step.replace(r"\.", ".") for step in _DOT.split(path))
    if not all(steps) or steps[-1] == "**":
        raise ValueError(f"`{path}` is no path; write it like metadata.run or messages.*.id")
    return lambda body: _placed(body, steps, placeholder)


def _placed(value: Any, steps: tuple[Step, ...], placeholder: str | None) -> Any:
    step, rest = steps[0], steps[1:]
    if step == "**":
        value = _placed(value, rest, placeholder)
        return _mapped(value, lambda _, each: _placed(each, steps, placeholder))
    if rest:
        return _mapped(value, lambda name, each: _placed(each, rest, placeholder) if _meets(step, name) else each)
    if placeholder is not None:
        return _mapped(value, lambda name, each: placeholder if _meets(step, name) else each)
    match value:
        case dict():
            return {name: each for name, each in value.items() if not _meets(step, name)}
        case list():
            return [each for at, each in enumerate(value) if not _meets(step, at)]
    return value


def _meets(step: Step, name: str | int) -> bool:
    return step == "*" or step == str(name) or (step == "#" and isinstance(name, int))


def _mapped(value: Any, change: Callable[[str | int, Any], Any]) -> Any:
    match value:
        case dict():
            return {name: change(name, each) for name, each in value.items()}
        case list():
            return [change(at, each) for at, each in enumerate(value)]
    return value


def replacing(pattern: str, placeholder: str) -> Rule:
    """Return the rule that puts *placeholder* for whatever *pattern* finds in a text. Raises `ValueError`."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"`{pattern}` is no regular expression: {error}") from None
    if found.match(""):
        raise ValueError(f"`{pattern}` meets the empty text, and so everything")
    return Rule(
        f"replace {pattern} with {placeholder}",
        lambda body: _texts(body, lambda text: found.sub(lambda _: placeholder, text)),
    )


def named(name: str) -> Rule:
    """Return a ready-made rule. Raises `KeyError` for a name that is none of `READY`."""
    return Rule(name, READY[name])


def _texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    return _mapped(value, lambda _, each: _texts(each, change))


def _numbered(pattern: re.Pattern[str], what: str) -> Change:
    """Return the change that puts `<what-N>` for what *pattern* finds: equal finds get the same number."""

    def change(body: Any) -> Any:
        numbers: dict[str, int] = {}

        def placeholder(found: re.Match[str]) -> str:
            return f"<{what}-{numbers.setdefault(found.group().lower(), len(numbers) + 1)}>"

        return _texts(body, lambda text: pattern.sub(placeholder, text))

    return change


def _working_folder(body: Any) -> Any:
    folder = os.getcwd()  # noqa: PTH109 - as a text, asked anew: tests change it
    if len(folder) <= 1:
        return body
    pattern = re.compile(re.escape(folder) + r"(?![\w.-])")
    return _texts(body, lambda text: pattern.sub("<working-folder>", text) if folder in text else text)


def _tool_call_ids(body: Any) -> Any:
    """Renumber the ids by which calls of tools and their results find each other, in the order of the conversation."""
    return _renumbered(body, {}, called=False)


def _renumbered(value: Any, ids: dict[str, str], *, called: bool) -> Any:
    """Return *value* with its ids renumbered by *ids*, which grows; *called*: whether it is the call of a tool."""
    match value:
        case dict():
            known = _ID_NAMES | {"id"} if called or value.get("type") in _CALLS else _ID_NAMES
            return {
                name: ids.setdefault(each, f"<tool-call-{len(ids) + 1}>")
                if name in known and isinstance(each, str)
                else _renumbered(each, ids, called=name in _CALL_PARENTS)
                for name, each in value.items()
            }
        case list():
            return [_renumbered(each, ids, called=called) for each in value]
    return value


_DOT = re.compile(r"(?<!\\)\.")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[ap]\.?m\b\.?)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?(?![\d:])"
_DATE = re.compile(
    rf"(?<![\w-])(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{4}}/\d{{2}}/\d{{2}}"
    rf"|{_WEEKDAY}{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|{_WEEKDAY}\d{{1,2}}(?:st|nd|rd|th)?,? {_MONTH}\.?,? \d{{4}})(?!\d)(?:(?:T|,? (?:at )?){_CLOCK})?",
    re.IGNORECASE,
)
_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)
_TEMP = re.compile(
    r"(?:(?:/private)?/(?:tmp|var/tmp|var/folders/[\w+-]+/[\w+-]+/T)|[A-Za-z]:\\Users\\[^\\\s\"']+\\AppData\\Local\\Temp)"
    r"(?:[/\\]pytest-of-[^/\\\s\"']+[/\\]pytest-(?:\d+|current)|[/\\]tmp[\w-]{6,}|[/\\][\w.-]*\.[A-Za-z0-9]{6,}(?=[/\\\s\"']|$)"
    r"|[/\\][^/\\\s\"'<>:|]+(?=[/\\]))?(?![\w-])"
)
_ID_NAMES = frozenset({"tool_call_id", "tool_use_id", "call_id", "toolCallId", "toolUseId", "tool_callId"})
_CALLS = frozenset(
    {"function", "function_call", "tool_call", "tool_use", "server_tool_use", "custom", "custom_tool_call", "mcp_call"}
)
_CALL_PARENTS = frozenset({"tool_calls", "functionCall", "functionResponse", "function_call", "function_response"})
READY: dict[str, Change] = {
    "dates": _numbered(_DATE, "date"),
    "uuids": _numbered(_UUID, "uuid"),
    "temp-folders": _numbered(_TEMP, "temp-folder"),
    "working-folder": _working_folder,
    "tool-call-ids": _tool_call_ids,
}
"""Ready-made rules, by name."""
