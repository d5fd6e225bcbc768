"""Clean a folder of recordings: secrets become placeholders, and what was edited by hand is whole again.

A request that changed gets its new key. Keys of known shape are found, and the values of the environment's *_KEY,
*_TOKEN, *_SECRET and *_PASSWORD; what is found is named by kind and place, never shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from . import ROOT
from ._errors import Stop

if TYPE_CHECKING:
    from llmcache.stores.cassette_clean import Done

EXAMPLES = """\
examples:
  aicache scrub tests/recordings               clean them
  aicache scrub tests/recordings --dry-run     only look; the exit code is 1 if there is something to do (for CI)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder of a store of type `cassette`")
    parser.add_argument("--dry-run", action="store_true", help="only say what is to be done")
    parser.add_argument(
        "--config",
        metavar="FILE",
        default="",
        help="the settings whose `match` and `secrets` count (default: config.yaml)",
    )


def main(args: argparse.Namespace) -> int:
    """Clean; return the exit code: 1 if a file cannot be read, or something is left to do."""
    from llmcache import config  # noqa: PLC0415 - needs the environment
    from llmcache.leaks import Scanner  # noqa: PLC0415 - needs the environment
    from llmcache.stores import cassette_clean  # noqa: PLC0415 - needs the environment

    if not args.folder.is_dir():
        raise Stop(f"{args.folder} is no folder of recordings")
    shipped = ROOT / "config.yaml"
    try:
        settings = config.load(args.config or (str(shipped) if shipped.exists() else None))
    except config.ConfigError as error:
        raise Stop(str(error)) from error
    scanner, scrubber = Scanner(os.environ, settings.secrets.allow), settings.match.scrubber()
    paths, write = cassette_clean.recordings(args.folder), not args.dry_run
    try:
        done = [cassette_clean.clean(args.folder, path, scanner, scrubber, write=write) for path in _shown(paths)]
        sides = list(cassette_clean.unused(args.folder)) if write else []
        for path in sides:
            path.unlink()
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from error
    return _report(done, len(sides), dry=args.dry_run)


def _shown(paths: list[Path]) -> Iterable[Path]:
    """Return *paths*, with a bar on a terminal that shows how far it is."""
    from rich.console import Console  # noqa: PLC0415 - needs the environment
    from rich.progress import track  # noqa: PLC0415 - needs the environment

    console = Console(stderr=True)
    return track(paths, "recordings", console=console, transient=True, disable=not sys.stderr.isatty())


def _report(done: list[Done], sides: int, *, dry: bool) -> int:
    changed = [each for each in done if each.secrets or each.rekeyed or each.sealed]
    broken = [each for each in done if each.problem]
    for each in broken:
        print(f"aicache: {each.problem}", file=sys.stderr)
    for each in changed:
        what = [f"secret: {secret}" for secret in each.secrets]
        what += ["new key"] * each.rekeyed + [f"now {each.moved}"] * (each.moved is not None)
        print(f"{each.path}: {'; '.join(what) or 'edited, checksum renewed'}")
    found = sum(len(each.secrets) for each in done)
    verb = "to clean" if dry else "cleaned"
    rest = f", {sides} unused side files removed" if sides else ""
    print(f"{len(done)} recordings, {len(changed)} {verb}, {found} secrets, {len(broken)} unreadable{rest}")
    return 1 if broken or (dry and changed) else 0
