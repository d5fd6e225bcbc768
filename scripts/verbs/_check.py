"""What a check found, and how it is shown: a table on a terminal, lines elsewhere, or JSON.

It knows nothing of what is checked. Entry points: `Check`, `show`, `as_json`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    state: str
    """`ok`; `warning`: works, but not as one may expect; `failed`: does not work."""
    found: str
    remedy: str = ""
    """What to do; beside `ok`, what it takes."""


def show(checks: Sequence[Check]) -> None:
    """Print the checks on stdout, and how many there are of each state."""
    if sys.stdout.isatty():
        _table(checks)
    else:
        for check in checks:
            print(
                f"{check.state:<8} {check.what}: {check.found}" + (f"\n         -> {check.remedy}" * bool(check.remedy))
            )
    counts = Counter(check.state for check in checks)
    print(", ".join(f"{counts[state]} {state}" for state in (OK, WARNING, FAILED)))


def as_json(checks: Sequence[Check]) -> str:
    """Return the checks as a JSON array."""
    return json.dumps([asdict(check) for check in checks], indent=2)


def _table(checks: Sequence[Check]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    table = Table(show_lines=False)
    for name in ("check", "", "found"):
        table.add_column(name, overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.remedy:
            found.append(f"\n→ {check.remedy}", style="cyan" if check.state == OK else "bold")
        table.add_row(Text(check.what), Text(check.state, style=STYLES[check.state]), found)
    Console(highlight=False).print(table)


STYLES = {OK: "green", WARNING: "yellow", FAILED: "bold red"}
