"""The settings `scope` and `namespace`: what may never share answers.

Each is one word, or a block with more. They open nothing; `build` makes a `scope.Scope` of them.
Entry points: `read_scope`, `read_namespace`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from .settings import Section, choice, flag, host, text


@dataclass(frozen=True, slots=True)
class Scope:
    """What may never share answers."""

    mode: str = "credential"
    """`credential` (each credential has its own answers) or `shared`."""
    secret: str = field(default="", repr=False)
    """The key of the keyed digest that stands for a credential; empty lets the store make and keep one."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Which calls are kept apart by name."""

    name: str = ""
    """Of every call whose host has none of its own."""
    hosts: tuple[tuple[str, str], ...] = ()
    """(glob on the provider's name, namespace); the first that fits counts."""
    header: bool = True
    """Whether a request may ask for a namespace inside its own."""


def read_scope(root: Section) -> Scope:
    """Read `scope: WORD` or `scope: {mode: WORD, secret: TEXT}`."""
    modes = choice("credential", "shared")
    if not _is_block(root, "scope"):
        return Scope(root.read("scope", "credential", modes))
    block = root.section("scope")
    return Scope(block.read("mode", "credential", modes), block.read("secret", "", text))


def read_namespace(root: Section) -> Namespace:
    """Read `namespace: NAME` or `namespace: {name: NAME, hosts: {GLOB: NAME}, header: FLAG}`."""
    if not _is_block(root, "namespace"):
        return Namespace(root.read("namespace", "", text))
    block = root.section("namespace")
    return Namespace(
        block.read("name", "", text), block.read("hosts", (), _names_of_hosts), block.read("header", True, flag)
    )


def ask_blocks(root: Section) -> None:
    """Make the settings of both blocks known, which are read only where they are written as blocks."""
    for name, settings in {"scope": ("mode", "secret"), "namespace": ("name", "hosts", "header")}.items():
        for setting in settings:
            root.section(name).ask(setting)


def _is_block(root: Section, name: str) -> bool:
    setting = root.ask(name)
    return setting is not None and isinstance(setting.node, yaml.MappingNode)


def _names_of_hosts(node: yaml.Node) -> tuple[tuple[str, str], ...]:
    """Take a block of `GLOB: NAME`, in its order."""
    if not isinstance(node, yaml.MappingNode):
        what = 'is no block; write a namespace for each host, such as `{"api.openai.com": team-a}`'
        raise ValueError(what)  # noqa: TRY004 - conversions raise ValueError
    found = tuple((host(key), text(value)) for key, value in node.value)
    if nameless := [glob for glob, name in found if not name]:
        raise ValueError(f"`{nameless[0]}` has no namespace; write its name, or leave the host out")
    return found
