"""Replay one command from its recordings, then ask the provider again and report where its answers have changed.

The command gets its answers from the recordings, as with `run --mode replay`. When it has ended well, each different
call that was served is sent to the provider once, and the two answers are compared by structure: the model that
answered, the tools called, the finish reason, the shape of a JSON answer, the status. Wording does not count, and
nothing is overwritten. Keys come from the variables that the providers' SDKs read (OPENAI_API_KEY, ANTHROPIC_API_KEY,
GEMINI_API_KEY, ...), whatever the command itself sends; --key names those of other hosts.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import _options, record, run
from ._errors import Stop

if TYPE_CHECKING:
    from ._reasking import Question, Verdict

EXAMPLES = """\
examples:
  aicache verify -- pytest -q
  aicache verify --sample 20 --fail-on drift -- npm test
  aicache verify --key 'llm.example=LLM_KEY' -- python app.py
"""

CHECKS = ("drift", "unverified")
"""What fails the run, if asked to, besides the checks of `run`."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    run.arguments(parser, *CHECKS)
    parser.usage = "aicache verify [options] -- CMD [ARGUMENT ...]"
    parser.add_argument("--sample", type=_options.count, metavar="N", help="ask only N of the calls, chosen at random")
    parser.add_argument(
        "--max-calls",
        type=_options.count,
        default=100,
        metavar="N",
        help="never ask more than N (default: %(default)s)",
    )
    parser.add_argument(
        "--key",
        dest="keys",
        type=_key,
        metavar="HOST=VARIABLE",
        action="append",
        default=[],
        help="the variable that holds the key of a host (a glob); may be given again",
    )


def _key(text: str) -> tuple[str, str]:
    host, _, name = text.partition("=")
    if not host or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST=VARIABLE, such as llm.example=LLM_KEY")
    return host.lower(), name


def main(args: argparse.Namespace) -> int:
    """Run the command, ask again, report; return the command's exit code, or 1 for what --fail-on names."""
    from . import _reasking  # noqa: PLC0415 - needs the environment

    if args.mode not in ("", "replay"):
        raise Stop("`verify` replays, and has no other mode", 2)
    wanted = {name for name in args.fail_on if name in CHECKS}
    args.mode, args.fail_on = "replay", tuple(name for name in args.fail_on if name not in CHECKS)
    args.store = args.store or record.store_of(args.config)
    served = _reasking.Served()
    if code := run.main(args, (served,)):
        _say("the command failed, so the provider is not asked")
        return code
    chosen = chosen_of(list(served.questions.values()), args.sample, args.max_calls)
    _say(_announced(chosen, len(served.questions)))
    place = _place(args.store)
    verdicts = _reasking.reask(chosen, dict(args.keys), lambda verdict: _told(verdict, place))
    counts = {
        "same": sum(not verdict.drift and not verdict.unverified for verdict in verdicts),
        "drift": sum(bool(verdict.drift) for verdict in verdicts),
        "unverified": sum(bool(verdict.unverified) for verdict in verdicts),
    }
    _say("verified: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    return int(any(counts[name] for name in wanted))


def chosen_of(questions: list[Question], sample: int | None, most: int) -> list[Question]:
    """Return which calls are asked: at random *sample* of them, and of more than *most* the oldest recordings."""
    if sample is not None and sample < len(questions):
        questions = random.sample(questions, sample)
    return sorted(questions, key=lambda question: question.entries[0].created)[:most]


def _announced(chosen: Sequence[Question], served: int) -> str:
    """Return what is about to happen and what it cost the last time."""
    from llmcache.prices import cost  # noqa: PLC0415 - needs the environment

    from . import _summary  # noqa: PLC0415 - needs the environment

    entries = [question.entries[0] for question in chosen]
    tokens = sum(entry.usage.input + entry.usage.output for entry in entries)
    costs = [value for entry in entries if (value := cost(entry.usage, entry.model, entry.host)) is not None]
    price = f", about {_summary.dollars(sum(costs))}" if costs else ""
    return f"{served} different calls were served; asking the provider {len(chosen)} of them ({tokens:,} tokens{price})"


def _place(store: str) -> dict[str, str]:
    """Return the file of each recording by its key, from the working folder on; nothing for other stores."""
    from llmcache.stores.cassette import CassetteStore  # noqa: PLC0415 - needs the environment

    kind, _, path = store.partition(":")
    if kind != "cassette":
        return {}
    folder = Path(path or "tests/recordings")
    opened = CassetteStore(folder)
    opened.open()
    return {held.key: os.fspath(folder / path) for path, held in opened.files().items()}


def _told(verdict: Verdict, place: dict[str, str]) -> None:
    """Print what came of one call, if there is something to say."""
    entry = verdict.question.entries[0]
    name = place.get(entry.key) or f"{entry.key[:12]} ({entry.dialect} {entry.model})"
    if verdict.unverified:
        _say(f"unverified: {name}: {verdict.unverified}")
    if verdict.drift:
        _say(f"drift: {name}")
        for line in verdict.drift[:SHOWN]:
            print(f"           {line}", file=sys.stderr)
        if len(verdict.drift) > SHOWN:
            print(f"           ... and {len(verdict.drift) - SHOWN} more", file=sys.stderr)


def _say(text: str) -> None:
    print(f"aicache: {text}", file=sys.stderr, flush=True)


SHOWN = 8
"""Lines of drift that are shown of one recording."""
