"""The end of a run as facts: what was served, what of the recordings was not, and what of it fails the run.

`facts` counts, `failures` judges; `written` puts it into JSON, JUnit's XML or Markdown, `rows` into words for a screen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from xml.etree.ElementTree import Element, SubElement, tostring

from llmcache.prices import cost
from llmcache.stats import Stats
from llmcache.stores.renewal import Swapped
from llmcache.stores.turns import Turns

DAY = 86_400
NAMED = 5
"""Files that a line names."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened in a run. Files are seen from the folder of recordings on."""

    mode: str
    seen: int = 0
    served: int = 0
    scrubbed: int = 0
    """Served only by the rules of `match`."""
    refused: int = 0
    forwarded: int = 0
    bypassed: int = 0
    recorded: int = 0
    secrets: int = 0
    """Recordings that were not written because a secret was in them."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Replies that were incomplete or no good answers, by reason."""
    unused: tuple[str, ...] = ()
    """Recordings that no call asked for."""
    exhausted: dict[str, int] = field(default_factory=dict)
    """Calls behind the last recording of theirs, by its file."""
    stale: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    """Recordings of a call that has a newer one with the same number."""
    hosts: dict[str, int] = field(default_factory=dict)
    """Requests that are no LLM calls, by host: passed on, or refused in replay."""
    tokens_saved: int = 0
    dollars_saved: float = 0.0
    """As far as prices are known."""
    seconds_saved: float = 0.0
    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Recordings that the run did not ask for any more, in a run that records."""
    forgotten: int = 0
    """Recordings that were not kept because the run failed."""


def facts(stats: Stats, mode: str, turns: Turns | None, swapped: Swapped | None, forgotten: int, days: float) -> Facts:
    """Count what happened; *days*: from which age on a recording is stale."""
    costs = (cost(usage, model, host) for (host, model), usage in stats.saved.items())
    files = {} if turns is None or mode == "record" else turns.store.files()
    numbers: dict[tuple[str, int], str] = {}
    for path, held in sorted(files.items(), key=lambda item: item[1].rank):
        numbers.setdefault((held.key, held.sequence), path)
    first = set(numbers.values())
    return Facts(
        mode=mode,
        seen=stats.calls,
        served=stats.outcomes["hit"],
        scrubbed=stats.reasons["hit", "scrubbed"],
        refused=stats.outcomes["refusal"],
        forwarded=stats.outcomes["miss"],
        bypassed=stats.outcomes["bypass"],
        recorded=stats.stored["stored"] + stats.stored["stored-truncated"],
        secrets=stats.stored["secret-found"],
        dropped={name: number for name, number in sorted(stats.stored.items()) if name not in OTHERWISE},
        unused=_paths(path for path, held in files.items() if turns and not turns.knows(held)),
        exhausted=dict(sorted(turns.exhausted.items())) if turns else {},
        stale=_paths(path for path, held in files.items() if held.created < time.time() - days * DAY),
        duplicates=_paths(path for path in files if path not in first),
        hosts=dict(sorted(stats.strangers.items())),
        tokens_saved=stats.tokens_saved,
        dollars_saved=round(sum(value for value in costs if value is not None), 6),
        seconds_saved=round(stats.saved_seconds, 3),
        added=swapped.added if swapped else (),
        replaced=swapped.replaced if swapped else (),
        removed=swapped.removed if swapped else (),
        forgotten=forgotten,
    )


def _paths(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


def failures(found: Facts, wanted: Sequence[str]) -> dict[str, str]:
    """Return which checks do not hold of those *wanted*, each with what to do."""
    return {name: CHECKS[name][1] for name in wanted if CHECKS[name][0](found)}


def rows(found: Facts) -> list[tuple[str, str]]:
    """Return what a screen shows beyond the counters, as (name, text); only what there is."""
    lines = [("kept", f"{len(found.added)} added, {len(found.replaced)} replaced, {len(found.removed)} removed")]
    lines = lines if found.added or found.replaced or found.removed else []
    lines += [("removed", _some(found.removed))] if found.removed else []
    lines += [("forgotten", f"{found.forgotten}: the run failed")] if found.forgotten else []
    lines += [(name, _some(getattr(found, name))) for name in ("unused", "stale", "duplicates") if getattr(found, name)]
    if found.exhausted:
        lines += [("exhausted", f"{sum(found.exhausted.values())} calls behind {_some(tuple(found.exhausted))}")]
    if found.hosts:
        lines += [("other hosts", ", ".join(f"{host} {count}" for host, count in list(found.hosts.items())[:NAMED]))]
    return lines


def _some(files: Sequence[str]) -> str:
    more = ", ..." if len(files) > NAMED else ""
    return f"{len(files)}: {', '.join(files[:NAMED])}{more}"


def written(form: str, found: Facts, failed: dict[str, str]) -> str:
    """Return the report in *form*: `json`, `junit` or `markdown`."""
    return FORMS[form](found, failed)


def _json(found: Facts, failed: dict[str, str]) -> str:
    return json.dumps(asdict(found) | {"failed": failed}, indent=2, ensure_ascii=False) + "\n"


def _junit(found: Facts, failed: dict[str, str]) -> str:
    suite = Element("testsuite", name="aicache", tests=str(len(CHECKS)), failures=str(len(failed)))
    properties = SubElement(suite, "properties")
    for name, value in _told(found):
        SubElement(properties, "property", name=name, value=value)
    for name in CHECKS:
        case = SubElement(suite, "testcase", classname="aicache", name=name)
        if name in failed:
            SubElement(case, "failure", message=failed[name]).text = "\n".join(map(": ".join, rows(found)))
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _markdown(found: Facts, failed: dict[str, str]) -> str:
    head = "".join(f"**{name}**: {why}\n\n" for name, why in failed.items())
    lines = "".join(f"| {name} | {_cell(value)} |\n" for name, value in _told(found))
    return f"### aicache: {'failed' if failed else 'passed'}\n\n{head}| | |\n|---|---|\n{lines}\n"


def _cell(text: str) -> str:
    return "".join(f"&#{ord(letter)};" if letter in "|<>&`*_[]\\" else letter for letter in text)


def _told(found: Facts) -> list[tuple[str, str]]:
    """Return every fact as (name, text)."""
    told = []
    for name, value in asdict(found).items():
        match value:
            case dict():
                text = ", ".join(f"{key} {count}" for key, count in value.items())
            case tuple():
                text = _some(value) if value else "0"
            case _:
                text = str(value)
        told.append((name.replace("_", " "), text or "0"))
    return told


OTHERWISE = {"stored", "stored-truncated", "secret-found", "no-store", "store-error", "overload", "internal-error"}
OTHERWISE |= {"not-refreshed"}
"""What becomes of replies besides being no good answer."""

FORMS: dict[str, Callable[[Facts, dict[str, str]], str]] = {"json": _json, "junit": _junit, "markdown": _markdown}

HINT = "clients that ignore HTTP_PROXY need --base-url, a provider on this machine needs --proxy-localhost"

CHECKS: dict[str, tuple[Callable[[Facts], object], str]] = {
    "zero-traffic": (
        lambda found: not found.seen,
        f"no LLM call came through the proxy: {HINT}; `--fail-on no-zero-traffic` allows it",
    ),
    "secrets": (lambda found: found.secrets, "secrets were found, and their recordings not written; see above"),
    "refused": (lambda found: found.refused, "calls were refused for want of a recording; see above"),
    "unused": (lambda found: found.unused, "no call asked for these recordings; remove them, or record anew"),
    "stale": (lambda found: found.stale, "recordings are older than --stale-after allows; record them anew"),
    "scrubbed": (lambda found: found.scrubbed, "calls were recognized only by the rules of `match`; record them anew"),
    "exhausted": (lambda found: found.exhausted, "calls came more often than they were recorded; record them anew"),
    "duplicates": (
        lambda found: found.duplicates,
        "a call has several recordings with one number; remove the old ones",
    ),
    "incomplete": (lambda found: found.dropped, "replies were incomplete or no good answers, and are not recorded"),
    "other-hosts": (lambda found: found.hosts, "requests went to hosts that are no LLM providers"),
}
"""Check -> what holds when it fails, and what the user is told."""
