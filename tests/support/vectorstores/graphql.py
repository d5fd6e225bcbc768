"""As much of GraphQL as Weaviate's `Get` needs: arguments in any order, commas that mean nothing.

Entry point: `get`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*"|[_A-Za-z]\w*|-?[0-9][-+0-9.eE]*|[{}()\[\]:])')


@dataclass
class Get:
    """What is got of a class."""

    name: str
    arguments: dict[str, Any]
    """Objects, lists, texts, numbers; a word without quotes is a text that begins with a colon."""
    fields: dict[str, Any]
    """Name -> fields of its own, or none."""


def get(query: str) -> Get:
    """Return what *query* gets. Raises `ValueError`, `StopIteration` or `AssertionError` for what is no `Get`."""
    words = _words(query)
    for expected in "{", "Get", "{":
        assert next(words) == expected
    name, word = next(words), next(words)
    arguments = {}
    if word == "(":
        arguments, word = _object(words, ")"), next(words)
    assert word == "{"
    asked = Get(name, arguments, _fields(words))
    assert list(words) == ["}", "}"]
    return asked


def _words(query: str) -> Iterator[str]:
    end = 0
    while query[end:].strip():
        found = TOKEN.match(query, end)
        assert found, f"no GraphQL at {query[end : end + 20]!r}"
        end = found.end()
        yield found[1]


def _fields(words: Iterator[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        if word == "}":
            return found
        if word == "{":
            found[[*found][-1]] = _fields(words)
        else:
            assert word.isidentifier()
            found[word] = None
    raise AssertionError("no end")


def _object(words: Iterator[str], end: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        if word == end:
            return found
        assert next(words) == ":"
        found[word] = _value(next(words), words)
    raise AssertionError("no end")


def _value(word: str, words: Iterator[str]) -> Any:
    match word:
        case "{":
            return _object(words, "}")
        case "[":
            found = []
            while (one := next(words)) != "]":
                found.append(_value(one, words))
            return found
        case _ if word.isidentifier():
            return f":{word}"
        case _:
            return json.loads(word)
