"""The lane of a call: recordings that only one test is to see, named by header or at the front of the path.

A lane is part of what a call is known by: two lanes share no recording, and the calls without one have their own.
It knows neither stores nor the proxy. Entry points: `named`, `split`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

HEADER = "x-aicache-scope"
LONGEST = 500
"""Characters of a name: ids of parametrized tests are long."""


def named(text: str) -> str | None:
    """Return the lane that *text* names, percent-encoding undone (RFC 3986 section 2.1); None for no name."""
    try:
        name = unquote(text.strip(), errors="strict")
    except UnicodeDecodeError:
        return None
    return name if 0 < len(name) <= LONGEST and name.isprintable() and name == name.strip() else None


def split(path: str) -> tuple[str, str]:
    """Return the lane at the front of *path* (`/s/NAME/...`), still encoded, and the path behind it."""
    found = _PREFIX.match(path)
    return (found[1], path[found.end(1) :]) if found else ("", path)


_PREFIX = re.compile(r"/s/([^/?#]+)(?=/)")
