"""The `secrets:` block: what is taken out of every call before it is compared and before it is written.

It is taken out of the recorded call and of the call of now alike, so it cannot keep a recording from being found.
It knows identities, not calls or stores. Entry points: `read_secrets`, `Redactor`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .jsontext import canonical
from .scrub import Change, placing
from .settings import Section, texts

REDACTED = "<redacted>"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the user knows to be secret."""

    paths: tuple[str, ...] = ()
    """Paths into the body of a request, as those of `match.ignore`; what is there becomes `<redacted>`."""
    query: tuple[str, ...] = ()
    """Query parameters that are left out, besides the credentials that every provider has."""
    allow: tuple[str, ...] = ()
    """Names of variables and of kinds of keys that the scan does not look for."""


class Redactor:
    """Takes out of an identity what *secrets* name."""

    def __init__(self, secrets: Secrets) -> None:
        self._rules: list[Change] = [placing(path, REDACTED) for path in secrets.paths]
        self._query = frozenset(name.lower() for name in secrets.query)

    def identity(self, identity: bytes) -> bytes:
        """Return *identity* without what is secret."""
        if not self._rules and not self._query:
            return identity
        value: dict[str, Any] = json.loads(identity)
        value["query"] = [pair for pair in value["query"] if pair[0].lower() not in self._query]
        for rule in self._rules:
            value["body"] = rule(value["body"])
        return canonical(value)

    def text(self, text: str, identity: bytes) -> str:
        """Return *text*, which is part of a call, if it still is after its *identity* was redacted; else nothing."""
        if not self._rules or json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace") in identity:
            return text
        return ""


def read_secrets(block: Section) -> Secrets:
    """Read the block."""
    return Secrets(
        block.read("paths", (), lambda node: _checked(texts(node))),
        block.read("query", (), texts),
        block.read("allow", (), texts),
    )


def _checked(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        placing(path, REDACTED)
    return paths
