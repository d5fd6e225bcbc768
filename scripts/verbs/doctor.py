"""Find out what works on this machine, and what to set where it does not.

Every HTTP client that is found (Python with httpx, requests and aiohttp, Node, curl, Go, Java) makes one call through a
proxy that is started for it and never lets it out; how far the call came names the variable that the client needs.
Looked at besides: configuration, store, certificate, ports, clock, and the parts of semantic answers if they are on.
The exit code is 1 when something failed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging

from . import _check, _options
from ._errors import Stop

EXAMPLES = """\
examples:
  aicache doctor
  aicache doctor --config tests/aicache.yaml --json
  aicache doctor --no-clients --store redis://cache.example
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _options.proxy(parser)
    parser.add_argument("--no-clients", action="store_true", help="look at everything but the clients")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def main(args: argparse.Namespace) -> int:
    """Look, and say what was found; return 1 when something failed."""
    said = _Kept()
    logging.getLogger().addHandler(said)
    checks = asyncio.run(_look(args, said))
    if args.json:
        print(_check.as_json(checks))
    else:
        _check.show(checks)
    return 1 if any(check.state == _check.FAILED for check in checks) else 0


async def _look(args: argparse.Namespace, said: _Kept) -> list[_check.Check]:
    from . import _checks, _proxy, _store_checks  # noqa: PLC0415 - need the environment

    given = {"mode": args.mode, "store": args.store}
    settings, checks = _checks.configuration(args.config, {name: value for name, value in given.items() if value})
    checks += _checks.machine(_checks.confdir(args.sets, _proxy.CONFDIR))
    if settings:
        checks += await _store_checks.store(settings)
        checks += await _store_checks.semantic(settings)
        checks += [_check.Check("store", _check.WARNING, line) for line in said.lines]
    return checks if args.no_clients else checks + await _clients(args, said)


async def _clients(args: argparse.Namespace, said: _Kept) -> list[_check.Check]:
    """Return what became of the clients' calls; that there is no proxy to call through is a finding too."""
    from . import _probing  # noqa: PLC0415 - needs the environment

    try:
        return await _probing.probe_all(args.sets)
    except Stop as stop:
        why = stop.message or "; ".join(said.lines[-1:])
        return [_check.Check("proxy", _check.FAILED, f"it does not start: {why}", "see its message")]


class _Kept(logging.Handler):
    """Keeps what the proxy says: of clients that distrust it, for example, which the findings say better."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(record.getMessage())
