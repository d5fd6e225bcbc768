"""Options that several verbs share, so that each is worded and checked once."""

from __future__ import annotations

import argparse
import re

REPORTS = ("json", "junit", "markdown")
CHECKS = (
    "zero-traffic",
    "secrets",
    "refused",
    "unused",
    "stale",
    "scrubbed",
    "exhausted",
    "duplicates",
    "incomplete",
    "other-hosts",
)
"""What can fail a run besides its command; `_report` knows when."""
MODES = ("cache", "record", "replay", "off")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def settings(parser: argparse.ArgumentParser) -> None:
    """Add what says which cache: the file of settings, and the store."""
    parser.add_argument(
        "--config", metavar="FILE", default="", help="configuration (default: config.yaml of the checkout)"
    )
    parser.add_argument(
        "--store",
        metavar="STORE",
        default="",
        help="memory, sqlite:PATH, cassette:PATH, redis://... (default: what the file says)",
    )


def proxy(parser: argparse.ArgumentParser) -> None:
    """Add what a verb with a proxy takes."""
    settings(parser)
    parser.add_argument(
        "--mode", choices=MODES, default="", help="what to do with a call (default: what the file says)"
    )
    parser.add_argument(
        "--set",
        dest="sets",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set an option of mitmproxy; may be given again (confdir=DIR, ssl_insecure=true, ...)",
    )


def report(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add what is told at the end of a run, and what of it fails the run; *more* checks are the verb's own."""
    parser.add_argument(
        "--fail-on",
        metavar="CHECK,...",
        type=lambda text: _checks(text, (*CHECKS, *more)),
        default=(),
        help=f"fail the run for these, too: {', '.join((*CHECKS, *more))}; secrets always fail it, and zero-traffic"
        " where nothing leaves or all is recorded anew (no-zero-traffic takes that away)",
    )
    parser.add_argument("--stale-after", metavar="DAYS", type=count, default=90, help="recordings older are stale (90)")
    parser.add_argument("--report", choices=REPORTS, default="", help="write a report of the run, too")
    parser.add_argument("--report-file", metavar="FILE", default="", help="where to write it (default: stderr)")


def _checks(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if wrong := [name for name in names if name.removeprefix("no-") not in known]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no check; there are: {', '.join(known)}, and no-CHECK")
    return names


def selection(parser: argparse.ArgumentParser) -> None:
    """Add what picks entries."""
    parser.add_argument("--model", metavar="NAME", help="only entries of this model")
    parser.add_argument("--host", metavar="NAME", help="only entries of this provider's host")


def seconds(text: str) -> float:
    """Return the seconds in *text*: `90s`, `30m`, `12h`, `7d`, `2w`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write a number and s, m, h, d or w, such as 7d")
    return float(found[1]) * UNITS[found[2]]


def count(text: str) -> int:
    """Return the whole number, at least 1, in *text*."""
    if not text.isascii() or not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def port(text: str) -> int:
    """Return the port in *text*; 0 stands for any free one."""
    if not text.isascii() or not text.isdecimal() or int(text) > 65_535:  # noqa: PLR2004 - the largest port there is
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)
