"""How old a stored answer is, and whether that is too old: the arithmetic of RFC 9111 and RFC 5861.

Pure functions of an entry and the time. Entry points: `age`, `too_old`.
"""

from __future__ import annotations

from .chat import Entry
from .control import Control


def age(entry: Entry, now: float) -> int:
    """Return the whole seconds since *entry* was recorded (RFC 9111 section 5.1); 0 where the clock was set back."""
    return max(0, int(now - entry.created))


def too_old(entry: Entry, now: float, control: Control) -> bool:
    """Whether the request wants a younger answer than *entry* (RFC 9111 section 5.2.1.1)."""
    return control.max_age is not None and now - entry.created > control.max_age
