"""What a search among near questions gave: an entry that may be served, or why there is none.

Frozen values, apart from the search itself: who only carries them loads neither numpy nor a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .chat import Entry
from .semantic import Candidate, Decision

if TYPE_CHECKING:  # these load numpy
    from .embed import Vector
    from .index import Neighbor


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was looked for among its neighbors, and what was decided."""

    partition: str
    text: str = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    decision: Decision
    refused: Mapping[str, str] = field(repr=False)
    """Why the gate refused candidates, by their keys; those that the policy did not ask about are not in it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was looked up, where it lies, and what there was near it."""

    question: Question
    vector: Vector = field(repr=False)
    neighbors: tuple[Neighbor, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Near:
    """An entry that answers a near question, and may be served."""

    entry: Entry
    similarity: float
    asked: Asked
    confirm: bool
    """Whether to ask upstream in the background all the same, to learn whether it was right."""
    lasting: bool
    """Whether it may be kept for this question; an answer that is good for a short time is not."""


@dataclass(frozen=True, slots=True)
class Far:
    """Nothing near may be served."""

    reason: str
    """A slug: what stands between the question and its nearest candidate."""
    asked: Asked | None = None
    """None where the question was not even looked up."""
