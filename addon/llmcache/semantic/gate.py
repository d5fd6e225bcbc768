"""The gate: whether everything that an answer can hang on agrees between two questions.

Near in meaning is not enough: `18 + 24` and `18 + 42` are neighbours in any embedding.
It knows two texts and no model, similarity or policy. Entry points: `judge`, and `compare` of read `Features`.
A refusal begins with the name of its category; the rest holds words of the questions.
"""

from __future__ import annotations

from collections.abc import Callable

from . import gate_grammar, gate_terms
from .features import LONGEST, Features, features


def judge(asked: str, stored: str, *, strict: bool = True) -> str | None:
    """Return None when the answer to *stored* may answer *asked*; else why not, such as `number 10 ≠ 12`.

    Strict, every word that carries meaning needs its counterpart; else only facts do: who else decides what other words
    are worth (a policy that learns) is not kept from learning it.
    Who may refuse does so both ways round: the same texts swapped are refused too.
    """
    return compare(features(asked), features(stored), strict=strict)


def compare(asked: Features, stored: Features, *, strict: bool = True) -> str | None:
    """Do what `judge` does, for questions that were read already."""
    if asked.exact == stored.exact and asked.folded == stored.folded and asked.quotes == stored.quotes:
        return None
    if asked.long or stored.long:
        return f"length over {LONGEST} characters"
    for category, differs in (STRICT if strict else FACTS).items():
        if what := differs(asked, stored):
            return f"{category} {what}"
    return None


FACTS: dict[str, Callable[[Features, Features], str]] = {
    "quoted": gate_terms.quoted,
    "given": gate_terms.given,
    "wording": gate_terms.wording,
    "code": gate_terms.code,
    "number": gate_terms.number,
    "negation": gate_grammar.negation,
    "opposite": gate_grammar.opposite,
    "direction": gate_grammar.direction,
    "relation": gate_grammar.relation,
    "asking": gate_grammar.asking,
    "choice": gate_grammar.choice,
    "person": gate_grammar.person,
    "tense": gate_grammar.tense,
    "modality": gate_grammar.modal,
    "name": gate_terms.name,
    "order": gate_terms.order,
    "frame": gate_terms.frame,
    "far": gate_terms.far,
}
"""What always has to agree. The first that differs is the reason of the refusal."""
STRICT: dict[str, Callable[[Features, Features], str]] = {
    **FACTS,
    "kind": gate_grammar.kind,
    "bound": gate_grammar.bound,
    "aim": gate_grammar.aim,
    "word": gate_terms.word,
}
"""What has to agree where nothing but a similarity decides after the gate."""
