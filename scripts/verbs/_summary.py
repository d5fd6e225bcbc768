"""The summary at the end of a run: what became of the calls, and what it was worth.

`rows` turns counters into words; `show` puts them on stderr, as a table on a terminal and as lines elsewhere.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

from llmcache.chat import Usage
from llmcache.prices import cost
from llmcache.stats import Stats

PLURALS = {"hit": "hits", "miss": "misses", "bypass": "bypasses", "refusal": "refusals"}

LEAST = 0.0001
"""US dollars below which an amount is not written out."""

Price = Callable[[Usage, str, str], float | None]


def rows(stats: Stats, price: Price = cost) -> list[tuple[str, str]]:
    """Return what to tell, as (name, text) pairs; only what there is."""
    outcomes = ", ".join(counted(stats.outcomes[name], name) for name in PLURALS if stats.outcomes[name])
    found = [("calls", f"{stats.calls} ({outcomes})" if outcomes else "0")]
    found += [(PLURALS[name], text) for name in PLURALS if (text := _reasons(stats, name))]
    if stored := stats.stored["stored"]:
        found.append(("stored", str(stored)))
    if truncated := stats.stored["stored-truncated"]:
        found.append(("stored as truncated", str(truncated)))
    if kept_out := _by_count({name: number for name, number in stats.stored.items() if not name.startswith("stored")}):
        found.append(("not stored", kept_out))
    if stats.outcomes["hit"]:
        found.append(("saved", saved(stats, price)))
    return found


def counted(number: int, name: str) -> str:
    """Return `1 hit`, `2 hits`."""
    return f"{number} {name if number == 1 else PLURALS[name]}"


def _reasons(stats: Stats, outcome: str) -> str:
    return _by_count(
        {reason or "unknown": number for (what, reason), number in stats.reasons.items() if what == outcome}
    )


def _by_count(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in Counter(numbers).most_common())


def saved(stats: Stats, price: Price = cost) -> str:
    """Return the tokens, money and seconds that hits saved; models without a known price are named."""
    costs = {key: price(usage, key[1], key[0]) for key, usage in stats.saved.items()}
    known = [value for value in costs.values() if value is not None]
    unknown = sorted({model or "?" for (_, model), value in costs.items() if value is None})
    parts = [f"{stats.tokens_saved:,} tokens"]
    parts += [f"about {dollars(sum(known))}"] if known else []
    parts += [duration(stats.saved_seconds)]
    note = f" (no price known for {', '.join(unknown)})" if unknown else ""
    return ", ".join(parts) + note


def duration(seconds: float) -> str:
    """Return a time in the unit in which it is easily read."""
    if seconds >= 2 * 60:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def dollars(amount: float) -> str:
    """Return an amount with as many digits as tell something."""
    if amount >= 1 or not amount:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= LEAST else f"under ${LEAST}"


def show(stats: Stats, hint: str = "", more: Sequence[tuple[str, str]] = ()) -> None:
    """Print the summary on stderr, and *more* behind it; *hint* is for a run in which no call was seen."""
    if not stats.calls:
        print(f"aicache: no LLM call came through{hint and f'; {hint}'}", file=sys.stderr)
    found = [*(rows(stats) if stats.calls else []), *more]
    if sys.stderr.isatty():
        if found:
            _table(found)
        return
    for name, text in found:
        print(f"aicache: {name + ': ':<12}{text}", file=sys.stderr)


def _table(found: list[tuple[str, str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it

    table = Table(title="aicache", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, text in found:
        table.add_row(name, text, style="green" if name == "saved" else None)
    Console(stderr=True).print(table)
