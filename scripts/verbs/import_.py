"""Take in what other tools have recorded, or what another store of ours holds.

Files: vcrpy cassettes (YAML or JSON), HTTP Archives of browsers and of mitmproxy, and dumps of mitmproxy; their kind
is seen by itself, and folders are searched. Each interaction is judged and keyed as if it went by now: what is no
LLM call, incomplete, or holds a secret (in recordings) stays out, and what is taken in answers the same request.
Stores: sqlite:PATH, redis://..., a folder of our recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import _options
from ._errors import Stop

if TYPE_CHECKING:
    from llmcache.config import Config

    from ._exchange import Report

EXAMPLES = """\
examples:
  aicache import tests/cassettes --into cassette:tests/recordings      vcrpy's cassettes become recordings
  aicache import session.har dump.mitm --into cassette:tests/recordings --dry-run
  aicache import tests/recordings                                     a warm cache from recordings

The API key is part of what the other stores find an answer by, and recordings have none: a store that is no folder
of recordings needs `scope: shared` in its configuration.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("sources", nargs="+", metavar="FILE|STORE", help="what to take in; a folder is searched")
    _options.settings(parser)
    parser.add_argument("--into", dest="store", metavar="STORE", default="", help="the same as --store")
    parser.add_argument("--dry-run", action="store_true", help="only say what would become of each")


def main(args: argparse.Namespace) -> int:
    """Take in; return the exit code: 1 if a file cannot be read, or a secret was found."""
    from . import _exchange, _log  # noqa: PLC0415 - needs the environment

    _log.to_stderr()
    stores = [source for source in args.sources if _exchange.is_store(source)]
    if stores and stores != args.sources:
        raise Stop(f"either files or a store: {', '.join(stores)} is a store, the rest are files", 2)
    if len(stores) > 1:
        raise Stop("one store at a time", 2)
    if stores:
        from ._transfer import transfer  # noqa: PLC0415 - needs the environment

        source, target = _exchange.settings_of(args, stores[0]), _exchange.settings_of(args, args.store)
        return asyncio.run(transfer(source, target, "imported", dry=args.dry_run))
    return asyncio.run(_import(args, _exchange.settings_of(args, args.store)))


async def _import(args: argparse.Namespace, settings: Config) -> int:
    from llmcache.intake import AGAIN, TAKEN, unscoped  # noqa: PLC0415 - needs the environment
    from llmcache.transfer import NO_CREDENTIAL  # noqa: PLC0415 - as above

    from . import _exchange, _recorded  # noqa: PLC0415 - as above

    if not unscoped(settings):
        raise Stop(f"nothing was taken in: {NO_CREDENTIAL}", 2)
    report = _exchange.Report((TAKEN, AGAIN))
    paths, broken = _recorded.files(args.sources), 0
    async with _exchange.opened(settings, there=False) as store:
        held = await _exchange.held(store, settings)
        with _aside(settings, dry=args.dry_run) as target:
            broken = await _taken(paths, target, held, report)
    report.print(dry=args.dry_run)
    if broken:
        print(f"unreadable files: {broken}, see above")
    return 1 if broken or report.secrets else 0


async def _taken(paths: list[Path], settings: Config, held: object, report: Report) -> int:
    """Take in what *paths* hold; return how many of them are unreadable."""
    from llmcache.chat import BackendError  # noqa: PLC0415 - needs the environment
    from llmcache.intake import Intake  # noqa: PLC0415 - as above
    from llmcache.traffic import Gap, Unreadable  # noqa: PLC0415 - as above

    from . import _exchange, _recorded  # noqa: PLC0415 - as above

    broken = 0
    try:
        intake = Intake(settings, held)  # type: ignore[arg-type]  # its type needs the environment
        try:
            with _exchange.counted("interactions") as step:
                for path in paths:
                    try:
                        moment = path.stat().st_mtime
                        for found in _recorded.read(path):
                            outcome = found.reason if isinstance(found, Gap) else await intake.take(found, moment)
                            report.note(outcome, found.where)
                            step()
                    except Unreadable as error:
                        broken += 1
                        print(f"aicache: {error}", file=sys.stderr)
        finally:
            await intake.close()
    except BackendError as error:
        raise Stop(str(error)) from error
    return broken


@contextlib.contextmanager
def _aside(settings: Config, *, dry: bool) -> Iterator[Config]:
    """Yield the settings to take in with: in a dry run their store is another, of the same kind where that matters."""
    if not dry:
        yield settings
    elif settings.cache.type == "cassette":  # its secrets are looked for where it writes
        with tempfile.TemporaryDirectory() as folder:
            yield replace(settings, cache=replace(settings.cache, path=Path(folder)))
    else:
        yield replace(settings, cache=replace(settings.cache, type="memory", encrypt=False))
