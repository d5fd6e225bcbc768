#!/usr/bin/env python3
"""Measure aicache side by side with bare mitmproxy on this machine: `python scripts/bench.py [--only NAME ...]`.

Everything that is compared runs in one go, in interleaved rounds, and a table shows medians and their ratio to the
first row: the numbers of one run on one machine can be compared, those of two runs cannot. Nothing here is a test;
each table says what is aimed at. Run it with an interpreter that has requirements.txt.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "addon"), str(ROOT / "tests")]

from benchmarks import PARTS  # noqa: E402 - the paths come first
from benchmarks.tables import Wanted  # noqa: E402


def main() -> None:
    """Run the parts that were asked for."""
    parts = "\n".join(f"  {name:<13}{(part.__doc__ or '').splitlines()[0]}" for name, part in PARTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"parts:\n{parts}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help="which parts (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument("--calls", type=int, default=1600, help="calls a round (default: 1600)")
    parser.add_argument(
        "--large",
        action="store_true",
        help="with `indexes`: also a million vectors in usearch; about 15 minutes, 5 GB of memory, 2 GB in $TMPDIR",
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only:
            (Path(folder) / name).mkdir()
            PARTS[name](Wanted(Path(folder) / name, given.rounds, given.calls, given.large))


if __name__ == "__main__":
    main()
