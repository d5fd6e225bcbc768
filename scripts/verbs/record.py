"""Record the LLM calls of one command anew, into a folder of recordings to keep in git.

Every call goes to the provider. The recordings are written aside and put into their place when the command has ended
with exit code 0: what they replace is gone, and so is what the command's lanes did not ask for any more. After any
other exit code the folder is as it was. With --only, files that match are renewed, and all other calls are answered
from their recordings.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import ROOT, run
from ._errors import Stop

EXAMPLES = """\
examples:
  aicache record -- pytest -q                                     into tests/recordings, or where --config says
  aicache record --only 'openai-chat/gpt-4o/*' -- pytest -q       files of one model
  aicache record --only 'tests-test-chat-*' -- pytest -q          those of some lanes
  aicache record --store cassette:spec/recordings -- npm test
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    run.arguments(parser)
    parser.usage = "aicache record [options] -- CMD [ARGUMENT ...]"
    parser.add_argument(
        "--only",
        metavar="GLOB",
        action="append",
        default=[],
        help="renew only recordings whose file matches, seen from their folder on; may be given again",
    )


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    if args.mode not in ("", "record"):
        raise Stop(f"`record` has a mode of its own; write `aicache run --mode {args.mode}`", 2)
    args.mode = "record"
    args.store = args.store or store_of(args.config)
    if not args.store.startswith("cassette"):
        raise Stop(f"`record` is for a folder of recordings, not for {args.store}; `aicache run --mode record` is", 2)
    return run.main(args)


def store_of(path: str) -> str:
    """Return where the configuration keeps recordings, or the place where they are by default. Raises `Stop`."""
    from llmcache import config  # noqa: PLC0415 - needs the environment

    shipped = ROOT / "config.yaml"
    try:
        cache = config.load(path or (str(shipped) if shipped.exists() else None), {"mode": "record"}).cache
    except config.ConfigError as error:
        raise Stop(str(error)) from error
    return f"cassette:{os.fspath(Path(cache.path))}" if cache.type == "cassette" else "cassette"
