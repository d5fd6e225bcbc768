"""The verbs of the command line: one module each, listed in `VERBS`.

A verb module has a docstring (its description), `EXAMPLES`, `arguments(parser)` and `main(args) -> exit code`.
Its top imports nothing but the standard library, so that help is there before the environment is: what needs
mitmproxy or the package is imported inside `main`, after `_environment.enter`. Entry point: `main`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from . import _environment
from ._errors import Stop

VERSION = "0.1.0"

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

VERBS = {
    "run": "run one command with its LLM calls going through the cache",
    "record": "run one command and renew its recordings",
    "serve": "start the proxy, and say how to point a client at it",
    "demo": "see a miss, a hit and a stream in ten seconds, without a key",
    "stats": "what the store holds: by model, by host, by age",
    "ls": "list what is stored, newest first",
    "show": "print one stored call and its reply",
    "rm": "remove single entries",
    "wrong": "remove an answer that is wrong, and never match that pair of questions again",
    "purge": "remove entries by model, host or age",
    "verify": "replay one command, then see where the provider answers otherwise today",
    "doctor": "find out what works on this machine, and what to set where it does not",
    "import": "take in vcrpy cassettes, HTTP Archives, dumps of mitmproxy, or another store",
    "export": "write a folder of recordings, another store, or an HTTP Archive",
    "scrub": "take secrets out of a folder of recordings",
    "tune": "what each similarity threshold would have done",
}
"""Verb -> what it does; the module of the same name does it."""

OVERVIEW = """\
usage: aicache VERB [options]

aicache records, caches and replays LLM calls at the proxy: the second identical call is answered locally.

verbs:
{verbs}

examples:
  aicache demo                              see it work
  aicache run -- python app.py              one command through the cache
  aicache run --mode replay -- pytest       nothing leaves; an unknown call is refused
  aicache record -- pytest                  recordings for git, made anew
  aicache serve                             a proxy on port 8080 for any client
  aicache ls --limit 5                      what was stored last

`aicache VERB --help` says more. On first use aicache makes its own Python environment in the user's
cache folder (AICACHE_VENV names another place); a Python that has all of requirements.txt is used as it is.
"""


def main(argv: Sequence[str]) -> int:
    """Run the verb that *argv* names; return the exit code."""
    match list(argv):
        case [] | ["-h" | "--help" | "help"]:
            print(overview(), end="")
            return 0 if argv else 2
        case ["-V" | "--version"]:
            print(f"aicache {VERSION} (Python {sys.version.split()[0]})")
            return 0
        case ["help", verb, *_]:
            return main([verb, "--help"])
        case [verb, *rest] if verb in VERBS:
            return _guarded(module_of(verb), verb, rest)
        case words:
            word = words[0]
            print(f"aicache: {unknown(word)}", file=sys.stderr)
            return 2


def module_of(verb: str) -> ModuleType:
    """Return the module of a verb; that of a word of Python's own has an underscore behind its name."""
    return importlib.import_module(f".{verb}{'_' * keyword.iskeyword(verb)}", __package__)


def overview() -> str:
    """Return the help of the command itself."""
    return OVERVIEW.format(verbs="\n".join(f"  {name:<8}{what}" for name, what in VERBS.items()))


def unknown(word: str) -> str:
    """Return what to tell someone who wrote *word* for a verb."""
    near = difflib.get_close_matches(word, VERBS, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(VERBS)}"
    return f"{word!r} is no verb; {hint} (`aicache --help` says what each does)"


def parser_of(module: ModuleType, verb: str) -> argparse.ArgumentParser:
    """Return the parser of one verb."""
    parser = argparse.ArgumentParser(
        prog=f"aicache {verb}",
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    return parser


def _guarded(module: ModuleType, verb: str, rest: list[str]) -> int:
    """Run a verb; turn what users cause into a sentence and an exit code."""
    args = parser_of(module, verb).parse_args(rest)
    try:
        _environment.enter(ROOT)
        sys.path.insert(0, str(ROOT / "addon"))
        code = int(module.main(args))
        sys.stdout.flush()
    except Stop as stop:
        if stop.message:
            print(f"aicache: {stop.message}", file=sys.stderr)
        return stop.code
    except ModuleNotFoundError as error:
        print(f"aicache: {_environment.broken(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `aicache ls | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
