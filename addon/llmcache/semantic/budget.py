"""The policy `errorBudget`: serve what is certain enough that at most a given share of the hits is wrong.

It learns from the calls that go upstream: their answer says whether serving a neighbor's would have been right.
It serves nothing before the evidence bounds the error, asks about a share of its hits all the same to keep looking,
pauses while more answers are wrong, or more questions new, than it learned to expect, and starts over when it is sure
that more are wrong.
The budget is wrong / hits, the strict reading.
It does no I/O: `fresh` and `absorb` carry what was learned. Entry point: `ErrorBudget`.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from . import Candidate, Decision, Evidence, Forward, Judge, Serve, admit, estimator, neighborhood, wording
from .drift import Drift
from .evidence import Observation, read, write
from .groups import UNKNOWN, Groups

LOG = 16_384
"""Observations that are kept; the oldest go first."""
EXPLORE = 0.05
"""The share of hits that is asked upstream all the same; of the first ones more."""
EARLY = 0.5
"""Over the budget: after so many hits half of them are still looked at, after ten times as many one in eleven."""
ROW = 4
"""Hits in a row of which it is counted how many gave the same answer."""
DEVIATIONS = 2.326
"""Of every one-sided bound: 99 %, for it is looked at again and again until it holds."""
LEAST = 100
"""Outcomes before the first fit."""
STEADY = 3
"""Fits of which the strictest cutoff holds: the least strict of many is a lucky one."""
JUDGED = 3
"""Members of the winning group that the gate is asked about."""
FEW = 5
"""Entries of a group that has to be tried before it is served."""
FEATURES = neighborhood.COUNT + wording.COUNT + 1
RECENT = 64
NEW = 0.05
"""Of the questions, before any was seen: those that none of their neighbors can answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the evidence allows."""

    model: estimator.Model
    cutoff: float
    """Infinite while nothing is certain enough."""
    wrong: tuple[tuple[float, float], ...]
    """Down to which certainty which share was wrong, the most certain first."""
    new: tuple[tuple[float, float], ...]
    """Down to which certainty which share of the questions had the answer of none of their neighbors."""

    def chance(self, score: float) -> float:
        """Return how often a decision of this certainty is wrong: by the model, or by what was counted if more."""
        counted = next((share for least, share in self.wrong if score >= least), 0.0)
        return max(counted, 1 / (1 + math.exp(max(-30.0, min(score, 30.0)))))

    def novelty(self, score: float) -> float:
        """Return how often no neighbor has the answer to a question whose decision is of this certainty."""
        return next((share for least, share in self.new if score >= least), 1.0)


class ErrorBudget:
    """Learn what may be served; safe from the first call. All but `refit` belong to one thread."""

    def __init__(
        self,
        budget: float,
        *,
        explore: float = EXPLORE,
        now: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        """Take the share of hits that may be wrong."""
        if not 0 < budget < 1:
            raise ValueError(
                f"errorBudget: {budget} is no share between 0 and 1, such as 0.01 for one hit in a hundred"
            )
        self.budget = budget
        self.explore = explore
        self._now = now
        self._random = random.Random(seed)  # noqa: S311 - a sample, no secret
        self._groups = Groups()
        self._log: deque[Observation] = deque(maxlen=LOG)
        self._fresh: deque[Observation] = deque(maxlen=LOG)
        self._unused = 0
        self._fitted = 0
        self._cutoffs: deque[float] = deque(maxlen=STEADY)
        self._rule: Rule | None = None
        self._drift, self._news = Drift(), Drift()
        self._hits = 0
        self._row: deque[str] = deque(maxlen=ROW)

    def __repr__(self) -> str:
        cutoff = self._rule.cutoff if self._rule else math.inf
        return f"<ErrorBudget {self.budget:g}: {len(self._log)} observations, certainty from {cutoff:.2f}>"

    @property
    def neighbors(self) -> int:
        """As many as vote."""
        return neighborhood.NEIGHBORS

    def decide(self, candidates: Sequence[Candidate], judge: Judge = admit, asked: str = "") -> Decision:
        """Serve the nearest member of the group that the neighbors vote for, where that is certain enough."""
        if not candidates:
            return Forward("no candidate")
        place = neighborhood.describe(candidates, self._groups)
        chosen, refused = _chosen(place.members, judge)
        best = chosen or place.members[0]
        words = wording.likeness(asked, [member.question for member in place.members], best.question)
        features = (*place.features, *words, self._groups.doubt(best.key))
        if chosen is None:
            return Forward(refused, Evidence(features, best.key, passed=False))
        if self._untried(chosen.key):
            return Forward("untried, or wrong of late", Evidence(features, chosen.key, passed=False))
        evidence = Evidence(features, chosen.key)
        rule = self._rule
        if rule is None or rule.cutoff == math.inf:
            return Forward(f"learning from {len(self._log)} calls", evidence)
        score = rule.model.score(features)
        if not score >= rule.cutoff:
            return Forward(f"certainty {score:.2f} < {rule.cutoff:.2f}", evidence)
        if (feared := max(self._drift.feared, self._news.feared)) > self.budget / 2:
            return Forward(f"drift {feared:.3f} feared", evidence)
        explore = self._random.random() < self._looked(self._groups.of(chosen.key))
        self._hits += 1
        if not explore:
            self._note(Observation(features, self._now()))
        return Serve(chosen, explore, evidence)

    def _untried(self, key: str) -> bool:
        """Whether an answer that was seldom given has not shown that it is right for others: no model speaks for it."""
        few = self._groups.size(self._groups.of(key)) < FEW
        return few and self._groups.doubt(key) >= UNKNOWN

    def _looked(self, group: str) -> float:
        """Return how likely a hit of *group* is to be asked upstream: a new rule is watched closely, and so is a run.

        Many calls for one answer in a row may be a new topic that takes its place.
        """
        first, same = EARLY / self.budget, self._row.count(group)
        self._row.append(group)
        return max(self.explore, first / (first + self._hits), min(same / ROW, 0.5)) if self.explore else 0.0

    def learn(
        self, decision: Decision, candidates: Sequence[Candidate], *, equal: Sequence[bool | None], key: str
    ) -> None:
        """Remember whether the answer that was chosen is the right one, and who is equal."""
        known = {one.key: same for one, same in zip(candidates, equal, strict=True)}
        joined = tuple(sorted({self._groups.of(name) for name, same in known.items() if same}))
        self._groups.join(key, joined)
        evidence = decision.evidence
        outcome = None if evidence is None else known.get(evidence.key)
        if evidence is None or outcome is None:
            return
        served = isinstance(decision, Serve)
        if served:
            self._withdraw(evidence.features)
        now, tried = self._now(), evidence.key
        seen = Observation(evidence.features, now, outcome, evidence.passed, served, key, joined, tried)
        self._note(seen)
        self._watch(seen)
        if (since := self._drift.since) is not None:
            self._fresh.append(Observation((), since, forget=True))
            self._forget(since)

    def _note(self, observation: Observation) -> None:
        self._log.append(observation)
        self._fresh.append(observation)
        self._unused += observation.equal is not None

    def _withdraw(self, features: tuple[float, ...]) -> None:
        """Take back a note of what was served, now that its outcome is known (in shadow mode): it counts once."""
        for notes in (self._log, self._fresh):
            for place in range(len(notes) - 1, max(-1, len(notes) - 1 - RECENT), -1):
                if notes[place].features is features:
                    del notes[place]
                    break

    def _watch(self, seen: Observation) -> None:
        """Let an outcome tell of its group, and whether it was to be expected; the rule has not learned from it yet."""
        if seen.equal is None:
            return
        if seen.chosen:
            self._groups.tried(seen.chosen, wrong=not seen.equal)
        if self._rule is None:
            return
        score = self._rule.model.score(seen.features)
        if seen.passed:
            self._drift.note(self._rule.chance(score), seen.time, wrong=not seen.equal)
        self._news.note(self._rule.novelty(score), seen.time, wrong=not seen.joined)

    def _forget(self, since: float) -> None:
        """Start over with what came after *since*."""
        kept = [one for one in self._log if one.time > since]
        self._log.clear()
        self._log.extend(kept)
        self._cutoffs.clear()
        self._rule, self._drift, self._news = None, Drift(), Drift()
        self._unused = sum(one.equal is not None for one in kept)
        self._fitted = self._hits = 0

    @property
    def due(self) -> bool:
        """Whether the outcomes have grown by a tenth since the last fit, or by 200."""
        return self._unused >= max(LEAST // 4, min(self._fitted // 10, 200))

    def refit(self) -> None:
        """Fit the model and choose the cutoff anew."""
        log, drift = list(self._log), self._drift
        self._unused = 0
        known = [number for number, one in enumerate(log) if one.equal is not None]
        self._fitted = len(known)
        features = np.array([one.features for one in log])
        right = np.array([log[number].equal for number in known], dtype=np.bool_)
        if min(right.sum(), len(right) - right.sum()) < estimator.FOLDS or len(right) < LEAST:
            return
        model = estimator.fit(features[known], right)
        scores, wrong = model.scores(features), np.full(len(log), np.nan)
        scores[known], wrong[known] = estimator.crossed(features[known], right), ~right
        new = np.array([not log[number].joined for number in known], dtype=np.float64)
        passed = np.array([one.passed for one in log])
        if drift is not self._drift:  # it started over meanwhile, and these are conclusions from what is forgotten
            return
        bound = estimator.cutoff(scores[passed], wrong[passed], self.budget, DEVIATIONS)
        self._cutoffs.append(math.inf if bound is None else bound.cutoff)
        tried = passed & ~np.isnan(wrong)
        self._rule = Rule(
            model,
            max(self._cutoffs),
            estimator.strata(scores[tried], wrong[tried], estimator.chances(scores[tried])),
            estimator.strata(scores[known], new, np.full(len(known), NEW)),
        )

    def fresh(self) -> bytes:
        """Return the observations since the last call."""
        taken = list(self._fresh)
        self._fresh.clear()
        return write(taken)

    def absorb(self, evidence: bytes) -> int:
        """Add observations of other processes or of an earlier run; return how many lines could not be read."""
        found, bad = read(evidence, FEATURES)
        since = max((one.time for one in found if one.forget), default=-math.inf)
        if since > -math.inf:
            self._forget(since)
        for one in found:
            if one.key:
                self._groups.join(one.key, one.joined)
            self._watch(one)
            if one.time > since:
                self._log.append(one)
                self._unused += one.equal is not None
        return bad


def _chosen(members: Iterable[Candidate], judge: Judge) -> tuple[Candidate | None, str]:
    """Return the nearest member that may answer, and why the gate refuses the nearest of all."""
    first = ""
    for _, member in zip(range(JUDGED), members, strict=False):
        if (refused := judge(member)) is None:
            return member, first
        first = first or refused
    return None, first
