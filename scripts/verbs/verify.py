"""Replay one command from its recordings, then ask the provider again and report where its answers have changed.

The command gets its answers from the recordings, as with `run --mode replay`. Beside it, each different call that was
served is sent to the provider once, and the two answers are compared by structure: the model that answered, the tools
called, the finish reason, the shape of a JSON answer, the status. Wording does not count, and nothing is overwritten.
What is left when the command has ended well is waited for; of a command that fails no more is asked. With --sample,
calls are chosen, and asked, when it has ended. Keys come from the variables that the providers' SDKs read
(OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, ...), whatever the command itself sends; --key names those of
other hosts.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import _options, record, run
from ._errors import Stop

if TYPE_CHECKING:
    from llmcache.stores.cassette_index import Held

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
    from . import _exchange, _reasking  # noqa: PLC0415 - need the environment

    if args.mode not in ("", "replay"):
        raise Stop("`verify` replays, and has no other mode", 2)
    wanted = {name for name in args.fail_on if name in CHECKS}
    args.mode, args.fail_on = "replay", tuple(name for name in args.fail_on if name not in CHECKS)
    args.store = args.store or record.store_of(args.config)
    recordings = _recordings(args.store)
    surely = set() if args.sample else oldest(recordings, args.max_calls)
    with _reasking.Asking(dict(args.keys)) as asking:
        served = _reasking.Served(lambda question: asking.ask(question) if question.key in surely else None)
        if code := run.main(args, (served,)):
            asking.drop()
            _say("the command failed, so the provider is not asked any further")
            return code
        chosen = chosen_of(list(served.questions.values()), args.sample, args.max_calls, asking.asked)
        for question in chosen:
            asking.ask(question)
        _say(_announced(chosen, len(served.questions), asking.waiting))
        with _exchange.counted("answers", len(chosen)) as step:
            verdicts = []
            for verdict in asking.verdicts(chosen):
                verdicts.append(verdict)
                step()
    place = {held.key: os.fspath(Path(folder) / held.path) for folder, held in recordings}
    return _judged(sorted(verdicts, key=lambda verdict: place.get(verdict.question.key, "")), place, wanted)


def _judged(verdicts: Sequence[Verdict], place: dict[str, str], wanted: set[str]) -> int:
    """Tell what came of the calls, and return 1 where one of *wanted* is among it."""
    for verdict in verdicts:
        _told(verdict, place)
    counts = {
        "same": sum(not verdict.drift and not verdict.unverified for verdict in verdicts),
        "drift": sum(bool(verdict.drift) for verdict in verdicts),
        "unverified": sum(bool(verdict.unverified) for verdict in verdicts),
    }
    _say("verified: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    return int(any(counts[name] for name in wanted))


def oldest(recordings: Iterable[tuple[str, Held]], most: int) -> set[str]:
    """Return the keys of the *most* oldest recordings: of those that a run uses, `chosen_of` has these in any case."""
    days: dict[str, float] = {}
    for _, held in recordings:
        days[held.key] = min(held.created, days.get(held.key, held.created))
    return set(sorted(days, key=days.__getitem__)[:most])


def chosen_of(
    questions: list[Question], sample: int | None, most: int, asked: Callable[[Question], bool] = lambda _: False
) -> list[Question]:
    """Return which calls are asked: at random *sample* of them, and of more than *most* the oldest recordings.

    Those that were *asked* already are among them.
    """
    if sample is not None and sample < len(questions):
        questions = random.sample(questions, sample)
    return sorted(questions, key=lambda question: (not asked(question), question.entries[0].created))[:most]


def _announced(chosen: Sequence[Question], served: int, waiting: int) -> str:
    """Return what is asked, what it cost the last time, and how much of it is left."""
    from llmcache.prices import cost  # noqa: PLC0415 - needs the environment

    from . import _summary  # noqa: PLC0415 - needs the environment

    entries = [question.entries[0] for question in chosen]
    tokens = sum(entry.usage.input + entry.usage.output for entry in entries)
    costs = [value for entry in entries if (value := cost(entry.usage, entry.model, entry.host)) is not None]
    price = f", about {_summary.dollars(sum(costs))}" if costs else ""
    left = f"; {waiting} answers are still to come" * bool(waiting)
    what = f"asking the provider {len(chosen)} of them ({tokens:,} tokens{price})"
    return f"{served} different calls were served; {what}{left}"


def _recordings(store: str) -> list[tuple[str, Held]]:
    """Return every recording with its folder; nothing for other stores, and for a folder that cannot be read."""
    from llmcache.chat import BackendError  # noqa: PLC0415 - needs the environment
    from llmcache.stores.cassette import CassetteStore  # noqa: PLC0415 - needs the environment

    kind, _, path = store.partition(":")
    if kind != "cassette":
        return []
    opened = CassetteStore(Path(path or "tests/recordings"))
    try:
        opened.open()
    except BackendError:  # the run says so
        return []
    return [(os.fspath(opened.folder), held) for held in opened.files().values()]


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
