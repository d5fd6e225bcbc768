"""Options that several verbs share, so that each is worded and checked once."""

from __future__ import annotations

import argparse
import re

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
