"""A call that no recording answers, told to people: one block on stderr, and what GitHub shows of a workflow.

Each call is told once, and no more than a few of them: a run in which nothing fits must stay readable.
It knows neither calls nor stores. Entry point: `Teller`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from .explain import FIELDS, told
from .missing import Missing

log = logging.getLogger("aicache.telling")

MOST = 10
"""Calls that are told; GitHub shows as many errors of a step."""


class Teller:
    """Writes blocks with *write*, and what the environment *env* of a GitHub workflow asks for."""

    def __init__(self, write: Callable[[str], object], env: Mapping[str, str]) -> None:
        self._write = write
        self._workspace = env.get("GITHUB_WORKSPACE", "")
        self._annotates = env.get("GITHUB_ACTIONS") == "true"
        self._summary = env.get("GITHUB_STEP_SUMMARY", "")
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<Teller: {len(self._told)} calls told>"

    def __call__(self, missing: Missing) -> None:
        """Tell of *missing*, unless it has been told."""
        if missing.key in self._told:
            return
        self._told.add(missing.key)
        if len(self._told) > MOST:
            if len(self._told) == MOST + 1:
                self._write("aicache: more calls without a recording follow; they are refused and counted, not told\n")
            return
        text = block(missing)
        self._write(f"aicache: {text}")
        if self._annotates:
            self._write(annotation(missing, self._workspace))
        if self._summary:
            self._add(section(missing, text))

    def _add(self, markdown: str) -> None:
        try:
            with Path(self._summary).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            log.warning("the step summary %s cannot be written: %s", self._summary, error.strerror)
            self._summary = ""


def block(missing: Missing) -> str:
    """Return what there is to say as lines, one for each fact."""
    why = "" if missing.reason == "unknown" else f": {missing.reason}"
    lines = [f"no recording for {missing.what}{why}", f"  endpoint  {missing.endpoint}"]
    lines += [f"  lane      {missing.lane}"] if missing.lane else []
    if missing.nearest:
        lines += [f"  nearest   {missing.nearest} (recorded → now)"]
        lines += [f"            {told(*field)}" for field in missing.fields[:FIELDS]]
        more = len(missing.fields) - FIELDS
        lines += [f"            and {more} more"] if more > 0 else []
    elif missing.note or missing.differs:
        lines += [f"  nearest   {missing.note or missing.differs}"]
    lines += [f"  record    {missing.command}"] if missing.command else []
    return "".join(f"{clean(line)}\n" for line in lines)


def annotation(missing: Missing, workspace: str = "") -> str:
    """Return the error of a GitHub workflow, on the file of the nearest recording as seen from *workspace*."""
    file = missing.file
    if file and workspace:
        whole = Path(file).absolute()
        file = str(whole.relative_to(workspace)) if whole.is_relative_to(workspace) else file
    named = {"file": file, "title": f"No recording for {missing.what}"}
    properties = ",".join(f"{name}={_property(clean(value))}" for name, value in named.items() if value)
    return f"::error {properties}::{_data(clean(missing.message))}\n"


def section(missing: Missing, text: str) -> str:
    """Return the part of a step summary, in Markdown: *text* is quoted so that nothing in it is markup."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    title = re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", clean(missing.what))
    return f"### aicache: no recording for {title}\n\n{fence}text\n{text}{fence}\n\n"


def clean(text: str) -> str:
    """Return *text* so that it can neither steer a terminal nor break a line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _data(text: str) -> str:
    """Escape the message of a workflow command, as GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command, as GitHub's toolkit does."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
