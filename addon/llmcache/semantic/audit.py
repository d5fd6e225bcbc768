"""What share of the answers given to near questions is wrong: some of them are asked upstream too, and counted.

The measured rate comes with its 95 % interval; when even its lower end is over the budget, nothing more is served.
It knows neither calls nor answers. Entry point: `Audit`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from . import estimator

log = logging.getLogger("aicache.audit")

Z = 1.96
"""Of the normal distribution, for 95 %."""


@dataclass
class Audit:
    """Counts of this process; *share* of the hits are looked at, and more than *budget* wrong ones close the tier."""

    share: float = 0.0
    budget: float = 0.01
    looked: int = 0
    wrong: int = 0
    closed: bool = False
    draw: Callable[[], float] = field(default=random.random, repr=False)

    def due(self) -> bool:
        """Whether this hit is to be looked at."""
        return self.share > 0 and self.draw() < self.share

    def note(self, right: bool | None) -> None:
        """Count what an answer turned out to be; None where nobody can tell."""
        if right is None:
            return
        self.looked += 1
        self.wrong += not right
        low, high = interval(self.wrong, self.looked)
        if low > self.budget and not self.closed:
            self.closed = True
            log.error(
                "semantic answers are switched off: %d of %d that were looked at were wrong (%.1f to %.1f %%), and the "
                "budget is %g %%; choose a stricter threshold, then start again",
                *(self.wrong, self.looked, low * 100, high * 100, self.budget * 100),
            )

    def line(self) -> str:
        """Return what is known so far, as a sentence; empty when nothing was looked at."""
        if not self.looked:
            return ""
        low, high = interval(self.wrong, self.looked)
        return f"{self.wrong} of {self.looked} audited semantic answers were wrong ({low:.1%} to {high:.1%})"


def interval(wrong: int, looked: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson, 1927): *wrong* of *looked*."""
    rate = wrong / looked if looked else 0.0
    return max(0.0, estimator.lower(rate, looked, Z)), min(1.0, estimator.upper(rate, looked, Z))
