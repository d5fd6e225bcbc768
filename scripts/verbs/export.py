"""Write what is stored elsewhere: recordings from a cache, another store, or an HTTP Archive for browsers' tools.

An archive holds the requests as they were keyed, so without credentials and without what cannot change an answer;
`aicache import` reads it back. What holds a secret is not written into recordings, nor into an archive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from . import _options
from ._errors import Stop

if TYPE_CHECKING:
    from llmcache.chat import Entry
    from llmcache.config import Config
    from llmcache.leaks import Scanner

    from ._exchange import Report

EXAMPLES = """\
examples:
  aicache export tests/recordings                        recordings from the cache
  aicache export redis://cache.example --model gpt-4o    from one store into another
  aicache export --har calls.har --store cassette:tests/recordings
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("target", nargs="?", metavar="FOLDER|STORE", help="a folder of recordings, or another store")
    parser.add_argument("--har", type=Path, metavar="FILE", help="write an HTTP Archive instead")
    _options.settings(parser)
    parser.add_argument("--from", dest="store", metavar="STORE", default="", help="the same as --store")
    _options.selection(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would become of each")


def main(args: argparse.Namespace) -> int:
    """Write; return the exit code: 1 if a secret was found."""
    if (args.target is None) == (args.har is None):
        raise Stop("say where: a folder, a store, or --har FILE", 2)
    from . import _exchange, _log  # noqa: PLC0415 - needs the environment

    _log.to_stderr()
    source = _exchange.settings_of(args, args.store)
    if args.har:
        return asyncio.run(_archive(args, source))
    from ._transfer import transfer  # noqa: PLC0415 - needs the environment

    target = args.target if _exchange.is_store(args.target) else f"cassette:{args.target}"
    return asyncio.run(
        transfer(
            source,
            _exchange.settings_of(args, target),
            "exported",
            dry=args.dry_run,
            model=args.model,
            host=args.host,
        )
    )


async def _archive(args: argparse.Namespace, source: Config) -> int:
    """Write the archive, whole or not at all."""
    from . import _exchange  # noqa: PLC0415 - needs the environment

    report = _exchange.Report(("exported",))
    fresh = args.har.with_name(f".{args.har.name}.{os.getpid()}")
    try:
        # Its owner's alone: prompts and answers are in it.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            await _write(args, source, report, file)
        if args.dry_run:
            fresh.unlink()
        else:
            fresh.replace(args.har)
    except OSError as error:
        raise Stop(f"{args.har} cannot be written: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)
    report.print(dry=args.dry_run)
    return 1 if report.secrets else 0


async def _write(args: argparse.Namespace, source: Config, report: Report, file: TextIO) -> None:
    from llmcache.har_write import HEAD, TAIL, written  # noqa: PLC0415 - needs the environment
    from llmcache.leaks import Scanner  # noqa: PLC0415 - as above

    from . import _exchange  # noqa: PLC0415 - as above
    from ._transfer import chosen  # noqa: PLC0415 - as above

    scanner, between = Scanner(os.environ, source.secrets.allow), ""
    written_before: set[tuple[str, int]] = set()
    file.write(HEAD)
    async with _exchange.opened(source, there=True) as store:
        total, _ = await store.totals()
        with _exchange.counted("entries", total) as step:
            async for entry in _exchange.entries(store, source, last=False):
                step()
                if not chosen(entry, args.model, args.host):
                    continue
                outcome = _kept_back(entry, scanner) or _twice(entry, written_before)
                report.note(outcome or "exported", entry.key[:12])
                if not outcome:
                    file.write(between + written(entry))
                    between = ",\n"
    file.write(TAIL)


def _kept_back(entry: Entry, scanner: Scanner) -> str:
    """Return why *entry* does not go into an archive, or nothing."""
    from llmcache.chat import SEALED, SecretFound  # noqa: PLC0415 - needs the environment
    from llmcache.stores import cassette_leaks  # noqa: PLC0415 - as above

    if entry.form == SEALED:
        return "sealed"
    if entry.origin:
        return "answer-to-a-near-question"
    if entry.truncated:
        return "truncated"
    if not entry.request:
        return "no-request"
    try:
        cassette_leaks.check(entry, scanner)
    except SecretFound as error:
        print(f"aicache: {error}", file=sys.stderr)
        return "secret-found"
    return ""


def _twice(entry: Entry, before: set[tuple[str, int]]) -> str:
    """Return why *entry* does not follow those *before*: without their credentials, calls of two callers are one."""
    from llmcache.fingerprint import key  # noqa: PLC0415 - needs the environment
    from llmcache.jsontext import canonical  # noqa: PLC0415 - as above

    identity = json.loads(entry.request)
    scope = {name: value for name, value in identity.get("scope", {}).items() if name != "credential"}
    this = key(canonical({**identity, "scope": scope})), entry.sequence
    if this in before:
        return "newer-is-there"
    before.add(this)
    return ""
