"""What `Cache-Status` says of an outcome (RFC 9211): one member, `aicache; ...`.

Pure functions of outcomes and reasons. Entry points: `of_hit`, `of_miss`, `of_bypass`.
"""

from __future__ import annotations

from .chat import Hit


def of_hit(hit: Hit) -> str:
    """Return the member for a stored answer.

    One that stands in for a failure was forwarded all the same: section 2.2 keeps `fwd` and `hit` apart.
    """
    if hit.kind == "collapsed":
        return COLLAPSED
    how = "fwd=stale" if hit.kind == "stale-if-error" else "hit"
    return "; ".join(["aicache", how, f"detail={hit.kind}", *(f"{name}={value}" for name, value in hit.detail.items())])


def of_miss(reason: str) -> str:
    """Return the member for a call that goes upstream for *reason*."""
    return f"aicache; fwd={FORWARDED.get(reason, 'miss')}"


def of_bypass(reason: str) -> str:
    """Return the member for a call that passes by."""
    return f"aicache; fwd=bypass; detail={reason}"


COLLAPSED = "aicache; fwd=miss; collapsed"
"""The member for a call that had the answer of an identical one that was under way."""
FORWARDED = {"stale": "stale", "refresh": "stale", "no-cache": "request", "max-age": "request"}
"""The reasons of a miss that section 2.2 has other words for than `miss`."""
