"""What one request asks of the cache: `x-aicache-control`, `-feedback` and `-scope`, read into a frozen value.

Directives are separated by commas, as in `Cache-Control` (RFC 9111 section 5.2), and are the README's.
A directive that is not known is ignored, as the RFC wants it, and the log says so once for each name.
One that is known and cannot be read makes the whole header `malformed`: nobody guesses what was meant.
It knows neither proxies nor stores. Entry points: `Control`, `read_control`; `parse` does not log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import lanes
from .chat import Headers, Refusal

log = logging.getLogger("aicache.control")

HEADER = "x-aicache-control"
FEEDBACK = "x-aicache-feedback"
"""Its one value is `wrong`."""


@dataclass(frozen=True, slots=True)
class Control:
    """The wishes of one request; `Control()` has none."""

    no_cache: bool = False
    """Not answered from the store, but stored."""
    no_store: bool = False
    """Not stored; it may be answered from the store."""
    only_if_cached: bool = False
    """Answered from the store, or with 504; never sent on."""
    exact: bool = False
    """No semantic answer."""
    max_age: int | None = None
    """Seconds; older answers do not count."""
    ttl: int | None = None
    """Seconds that the reply is served, instead of what the configuration says; at least 1."""
    namespace: str = ""
    """A part of the configured namespace, for those who name the same one."""
    lane: str = ""
    """The test that the call belongs to; another one's recordings are not for it."""
    wrong: bool = False
    """The answer that this call got was wrong: it is evicted, and the call goes upstream."""
    malformed: bool = False
    """Whether a directive could not be read."""

    @property
    def shared(self) -> bool:
        """Whether the answer to an identical call at the same time is as good, and this one's for that call."""
        return self.max_age is None and not (self.no_cache or self.no_store or self.wrong)


NOTHING = Control()


def read_control(headers: Headers, lane: str = "") -> Control:
    """Return what the request with these *headers* asks for; the log says what of it nobody knows.

    *lane* is the one that its path named, if any; one by header must be the same.
    """
    values = [value for name, value in headers if name == HEADER]
    feedback = [value.strip().lower() for name, value in headers if name == FEEDBACK]
    named = {lanes.named(text) for text in [value for name, value in headers if name == lanes.HEADER] + [lane] if text}
    if not (values or feedback or named):
        return NOTHING
    control, strangers = parse(",".join(values))
    _warn_of(strangers)
    malformed = control.malformed or feedback not in ([], ["wrong"]) or len(named) > 1 or None in named
    chosen = next((name for name in named if name), "")
    return replace(control, lane=chosen, wrong="wrong" in feedback, malformed=malformed)


def not_cached(reason: str) -> Refusal:
    """Return the answer to `only-if-cached` where nothing stored answers (RFC 9111 section 5.2.1.7)."""
    return Refusal(f"no stored answer, and the request has `only-if-cached`: {reason}", "only-if-cached", 504)


def parse(text: str) -> tuple[Control, list[str]]:
    """Return what the header's value *text* asks for, and the directives that nobody knows."""
    found: dict[str, Any] = {}
    strangers: list[str] = []
    for written in text.split(","):
        name, sign, value = (part.strip() for part in written.partition("="))
        name = name.lower()
        if not name and not sign:  # an empty member of a list (RFC 9110 section 5.6.1)
            continue
        if name in FLAGS and not sign:
            found[FLAGS[name]] = True
        elif name in VALUES and (taken := VALUES[name](_unquoted(value))) is not None:
            _add(found, name.replace("-", "_"), taken)
        elif name in FLAGS or name in VALUES or not name:
            found["malformed"] = True
        else:
            strangers.append(name)
    if found.get("ttl") == 0:
        del found["ttl"]
        found["no_store"] = True
    return Control(**found), strangers


def _warn_of(strangers: Sequence[str]) -> None:
    """Say once for each name that a directive is not known; a client that invents names does not fill the log."""
    for name in strangers:
        shown = _UNSAFE.sub("?", name)[:SHOWN]
        if shown not in _warned and len(_warned) < WARNINGS:
            _warned.add(shown)
            log.warning("%s: the directive `%s` is not known, and ignored; there are: %s", HEADER, shown, LEGAL)


def _add(found: dict[str, Any], name: str, value: int | str) -> None:
    """Keep *value*; of two numbers the stricter, and two namespaces are none."""
    before = found.get(name, value)
    if isinstance(value, int):
        found[name] = min(before, value)
    else:
        found[name] = value
        if before != value:
            found["malformed"] = True


def _unquoted(value: str) -> str:
    """Return *value* without the quotes that RFC 9111 section 5.2 tells recipients to accept."""
    return value[1:-1] if len(value) >= len('""') and value[0] == value[-1] == '"' else value


def _seconds(value: str) -> int | None:
    if not _NUMBER.fullmatch(value):
        return None
    # RFC 9111 section 1.2.2: what is too large for the recipient counts as 2^31.
    digits = value.lstrip("0") or "0"
    return min(int(digits), LONGEST) if len(digits) <= DIGITS else LONGEST


def _namespace(value: str) -> str | None:
    return value if _NAME.fullmatch(value) else None


LONGEST = 2**31
DIGITS = 12
SHOWN = 40
"""Characters of an unknown directive that the log shows."""
WARNINGS = 50
"""Unknown directives that the log names at the most."""
_NUMBER = re.compile(r"\d+", re.ASCII)
_NAME = re.compile(r"[\w.:@/+-]{1,128}", re.ASCII)
_UNSAFE = re.compile(r"[^\w.:@/+-]", re.ASCII)
_warned: set[str] = set()

FLAGS = {"no-cache": "no_cache", "no-store": "no_store", "only-if-cached": "only_if_cached", "exact": "exact"}
VALUES = {"max-age": _seconds, "ttl": _seconds, "namespace": _namespace}
LEGAL = ", ".join([*FLAGS, *(f"{name}=..." for name in VALUES)])
