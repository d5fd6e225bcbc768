"""A stream of questions given to a policy as the engine would: exact, nearest, gate and policy, upstream, learn.

What was asked in the very same words is an exact hit, and counts neither for nor against the policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from llmcache.semantic import Candidate, Learner, Policy, Serve
from numpy.typing import NDArray

from .data import Stream
from .vectors import Ranking, ranked, vectors

Gate = Callable[[str, str], str | None]
"""(asked, stored) -> why one answer cannot serve both, or None."""


@dataclass(slots=True)
class Tally:
    """What came of a stream."""

    requests: int = 0
    """Without those that were exact hits."""
    hits: int = 0
    wrong: int = 0
    explored: int = 0
    """Hits that were asked upstream all the same."""
    first: int = 0
    """The number of the first request that was a hit; 0 for none."""

    @property
    def hit_rate(self) -> float:
        """Hits / requests."""
        return self.hits / max(1, self.requests)

    @property
    def saved(self) -> float:
        """The share of the requests for which nothing went upstream."""
        return (self.hits - self.explored) / max(1, self.requests)

    @property
    def wrong_rate(self) -> float:
        """Wrong / hits: the strict reading."""
        return self.wrong / max(1, self.hits)

    @property
    def wrong_requests(self) -> float:
        """Wrong / requests: the reading of the literature."""
        return self.wrong / max(1, self.requests)


@dataclass(slots=True)
class Track:
    """A stream made ready to be replayed many times."""

    stream: Stream
    gate: Gate
    ranking: Ranking
    verdicts: dict[tuple[int, int], str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, stream: Stream, gate: Gate) -> Track:
        """Embed and rank the questions of a stream."""
        return cls(stream, gate, ranked(vectors(stream.texts)))

    def verdict(self, asked: int, stored: int) -> str | None:
        """Ask the gate, once for each two questions."""
        pair = (asked, stored)
        if pair not in self.verdicts:
            self.verdicts[pair] = self.gate(self.stream.texts[asked], self.stream.texts[stored])
        return self.verdicts[pair]

    def replay(self, policy: Policy) -> Tally:
        """Ask all questions in order."""
        tally = Tally()
        stored = np.zeros(len(self.stream.texts), np.bool_)
        known: set[str] = set()
        for number, text in enumerate(self.stream.texts):
            if text in known:
                continue
            tally.requests += 1
            if self.ask(policy, number, stored, tally):
                stored[number] = True
                known.add(text)
        return tally

    def ask(self, policy: Policy, number: int, stored: NDArray[np.bool_], tally: Tally) -> bool:
        """Ask one question; return whether it went upstream."""
        answers = self.stream.answers
        near, scores = self.ranking.nearest(number, stored, policy.neighbors)
        candidates = [
            Candidate(str(one), score, self.stream.texts[one]) for one, score in zip(near, scores, strict=True)
        ]
        decision = policy.decide(candidates, lambda one: self.verdict(number, int(one.key)), self.stream.texts[number])
        if isinstance(decision, Serve):
            tally.hits += 1
            tally.first = tally.first or tally.requests
            tally.wrong += answers[int(decision.candidate.key)] != answers[number]
            tally.explored += decision.explore
            if not decision.explore:
                return False
        equal = [answers[one] == answers[number] for one in near]
        policy.learn(decision, candidates, equal=equal, key=str(number))
        if isinstance(policy, Learner) and policy.due:
            policy.refit()
        return True
