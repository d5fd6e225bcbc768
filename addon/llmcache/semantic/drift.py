"""Whether answers are of late more often wrong than was learned: questions of a new kind, or answers that changed.

For each of a few shares of calls that may have become foreign, so that whatever is served to them is wrong, a bet is
laid against the learned chances. While these hold, no stake grows in the mean, and a sum that starts over at zero
(Page, 1954) passes ln n by mistake once in n outcomes at the most (e-detectors: Shin, Ramdas, Rinaldo, 2022).
It knows no questions and no budget. Entry points: `Drift.note`, `Drift.feared`.
"""

from __future__ import annotations

import math

SHARES = (0.03, 0.1, 0.3, 0.9)
"""Of the calls that may be foreign; each is suspected by itself."""
RARE = 100
"""Outcomes in which the world may turn once: so much evidence makes a suspicion as likely as not."""
SURE = 100_000
"""Evidence that ends a suspicion: what was learned before it began is of no use any more."""
MOST = math.log(SURE)
"""No suspicion grows beyond, or what lasted for long could never be overcome."""
LOWEST, CERTAIN = 0.005, 0.999
"""No chance of being wrong is taken for lower: wrong answers come in runs, and two of them prove no turn. None is taken
for higher, or a bet against it could win nothing."""


class Drift:
    """Suspicions, fed with outcomes in the order in which they come."""

    def __init__(self) -> None:
        """Begin without any."""
        self._sums = [0.0] * len(SHARES)
        self._since = [math.inf] * len(SHARES)

    def __repr__(self) -> str:
        return f"<Drift: {math.exp(max(self._sums)):.3g} of {SURE:g}>"

    def note(self, chance: float, time: float, *, wrong: bool) -> None:
        """Take an outcome of *time* that was to be wrong with at most this *chance*."""
        least = min(max(chance, LOWEST), CERTAIN)
        for number, share in enumerate(SHARES):
            if self._sums[number] <= 0:
                self._sums[number], self._since[number] = 0.0, time
            total = self._sums[number] + math.log(1 + share * (1 - least) / least if wrong else 1 - share)
            self._sums[number] = min(total, MOST)

    @property
    def feared(self) -> float:
        """The share of wrong answers that is to be feared beyond what was learned; 0 while nothing is suspected."""
        suspected = ((share, total) for share, total in zip(SHARES, self._sums, strict=True) if total > 0)
        return max((share / (1 + RARE * math.exp(-total)) for share, total in suspected), default=0.0)

    @property
    def since(self) -> float | None:
        """When it began, once it is sure that the world has turned; else None."""
        highest = max(self._sums)
        return self._since[self._sums.index(highest)] if highest >= MOST else None
