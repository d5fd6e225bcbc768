"""The `policy:` block: which near answers may be served, and which questions are exact only.

The words of it are those of the README; `policy: errorBudget` is short for `policy: {type: errorBudget}`, and `shadow`
and `errorBudget` may also stand at the top level.
It decides nothing. Entry point: `read_policy`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .caching import expanded
from .semantic.exactonly import Rules, rules
from .settings import Section, choice, flag, number, text, texts


@dataclass(frozen=True, slots=True)
class Policy:
    """What decides after the gate, and what is watched."""

    type: str = "threshold"
    """`threshold` or `errorBudget`."""
    threshold: float | None = None
    """None for what the vector block says, or else the safe value of the embedder."""
    threshold_relation: str = ""
    """`lt`, `lte`, `gt` or `gte`; empty for what the vector block says."""
    error_budget: float = 0.01
    """The share of wrong answers among the semantic hits that is acceptable."""
    gate: str = "auto"
    """`strict`, `facts`, `off`, or `auto`: strict before a threshold, facts before a policy that learns."""
    shadow: bool = False
    """Decide and log, never serve."""
    audit_share: float = 0.0
    """Of the hits, how many are asked upstream again, in the background."""
    explore_share: float = 0.05
    """Of what `errorBudget` serves, how many are asked upstream too, to learn; of the first ones more."""
    rules: Rules = field(default_factory=rules)
    near_miss_log: Path | None = None
    log_prompts: bool = False
    """Whether the near-miss log holds the questions."""

    @property
    def strict(self) -> bool:
        """Whether every word needs its counterpart to pass the gate."""
        return self.gate == "strict" or (self.gate == "auto" and self.type == "threshold")


def read_policy(root: Section) -> Policy:
    """Read the block, or the one word that stands for it; the two names of the top level too."""
    kinds = choice("threshold", "errorBudget")
    setting = root.ask("policy")
    word = setting is not None and not isinstance(setting.node, yaml.MappingNode)
    kind = root.read("policy", "threshold", kinds) if word else "threshold"
    block = Section(root.notes, "policy", root.line) if word else root.section("policy")
    policy = Policy(
        type=block.read("type", kind, kinds),
        threshold=block.read("threshold", None, number),
        threshold_relation=block.read("thresholdRelation", "", choice("lt", "lte", "gt", "gte")),
        error_budget=_either(root, block, "errorBudget"),
        gate=block.read("gate", "auto", _gate),
        shadow=block.read("shadow", root.read("shadow", False, flag), flag),
        audit_share=block.read("auditShare", 0.0, _share),
        explore_share=block.read("exploreShare", 0.05, _share),
        rules=_rules(block),
        near_miss_log=block.read("nearMissLog", None, expanded),
        log_prompts=block.read("logPrompts", False, flag),
    )
    for name in _IDLE[policy.type]:
        if name in block.changed:
            block.warning(name, f"does nothing with `type: {policy.type}`")
    return policy


def _either(root: Section, block: Section, name: str) -> float:
    return block.read(name, root.read(name, 0.01, _budget), _budget)


def _rules(block: Section) -> Rules:
    """Read both lists of rules; what is wrong in one does not hide the other."""
    exact: tuple[str, ...] = block.read("exactOnly", (), _exact)
    never: tuple[str, ...] = block.read("neverCache", (), _never)
    return rules(exact, never)


def _exact(node: yaml.Node) -> tuple[str, ...]:
    written = texts(node)
    rules(exact_only=written)
    return written


def _never(node: yaml.Node) -> tuple[str, ...]:
    written = texts(node)
    rules(never_cache=written)
    return written


def _gate(node: yaml.Node) -> str:
    """Take a level, or a truth value for `auto` and `off`."""
    written = text(node)
    return _FLAGS.get(written.lower()) or choice("auto", "strict", "facts", "off")(node)


def _share(node: yaml.Node) -> float:
    share = number(node)
    if not 0 <= share <= 1:
        raise ValueError(f"{share:g} is out of range; legal values: 0 to 1")
    return share


def _budget(node: yaml.Node) -> float:
    budget = number(node)
    if not 0 < budget < 1:
        raise ValueError(f"{budget:g} is out of range; legal values: more than 0, less than 1, such as 0.01 for 1 %")
    return budget


_FLAGS = {"true": "auto", "on": "auto", "yes": "auto", "false": "off", "no": "off"}
"""How YAML writes yes and no; `off` is a level already."""
_IDLE = {"threshold": ("exploreShare",), "errorBudget": ("threshold", "thresholdRelation")}
"""What each type does not heed."""
