"""The `match:` block: which traffic is looked at, and what of a call is noise.

Everything is checked here, so that a rule that cannot work stops the start by file and line.
It opens nothing. Entry points: `read_match`, `Match.scrubber`.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from . import scrub
from .settings import Section, host, nearest, text, texts


@dataclass(frozen=True, slots=True)
class Match:
    """Which traffic is looked at, and what of it is not compared."""

    hosts: tuple[str, ...] = ()
    """Globs on the provider's name; empty means any host."""
    paths: tuple[str, ...] = ()
    """Globs on the path of traffic that no dialect knows, to be recorded and replayed byte for byte."""
    ignore: tuple[str, ...] = ()
    """Paths into the body of what is left out when a call is compared with a recording."""
    replace: tuple[str | tuple[str, str], ...] = ()
    """Ready-made rules by name, or (regular expression, placeholder)."""

    def scrubber(self) -> scrub.Scrubber:
        """Return the rules in their order: what is left out first."""
        ignored = [scrub.ignoring(path) for path in self.ignore]
        return scrub.Scrubber([*ignored, *map(_rule, self.replace)])


def read_match(block: Section) -> Match:
    """Read the block."""
    return Match(
        block.read("hosts", (), _hosts),
        block.read("paths", (), _paths),
        block.read("ignore", (), _ignored),
        block.read("replace", (), _replaced),
    )


def _rule(rule: str | tuple[str, str]) -> scrub.Rule:
    return scrub.named(rule) if isinstance(rule, str) else scrub.replacing(*rule)


def _ignored(node: yaml.Node) -> tuple[str, ...]:
    found = texts(node)
    for path in found:
        scrub.ignoring(path)
    return found


def _replaced(node: yaml.Node) -> tuple[str | tuple[str, str], ...]:
    return tuple(map(_replacement, node.value if isinstance(node, yaml.SequenceNode) else [node]))


def _replacement(node: yaml.Node) -> str | tuple[str, str]:
    """Take the name of a ready-made rule, or a block with `pattern` and `with`."""
    if not isinstance(node, yaml.MappingNode):
        name = text(node)
        if name not in scrub.READY:
            legal = f"legal values: {', '.join(scrub.READY)}, or a block with `pattern` and `with`"
            raise ValueError(f"`{name}` is no rule; {legal}{nearest(name, scrub.READY)}")
        return name
    given = {text(key): text(value) for key, value in node.value}
    if given.keys() != {"pattern", "with"}:
        raise ValueError(f"a rule has `pattern` and `with`, not {', '.join(given) or 'nothing'}")
    scrub.replacing(given["pattern"], given["with"])
    return given["pattern"], given["with"]


def _paths(node: yaml.Node) -> tuple[str, ...]:
    found = texts(node)
    if wrong := [path for path in found if not path.startswith(("/", "*"))]:
        raise ValueError(f"`{wrong[0]}` is no path; write it from its first `/` on, without host and query")
    return found


def _hosts(node: yaml.Node) -> tuple[str, ...]:
    """Take a list of host names, in which `*` and `?` may stand for anything."""
    return tuple(host(item) for item in (node.value if isinstance(node, yaml.SequenceNode) else [node]))
