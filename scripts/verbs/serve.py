"""Start the proxy and a base-URL port, and say how to point a client at them.

A client either sends everything through the proxy (HTTP_PROXY, HTTPS_PROXY and the proxy's certificate), or takes the
base-URL port for its provider and needs neither. A recording made one way is a hit the other way. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import _client, _options
from ._errors import Stop

if TYPE_CHECKING:
    from ._proxy import Proxy

EXAMPLES = """\
examples:
  aicache serve
  aicache serve --mode record --store sqlite:./answers.db
  aicache serve --base-url openai@8081 --base-url deepseek@8082
  aicache serve --base-url http://127.0.0.1:11434/v1@8081     an Ollama on this machine
  aicache serve --workers 4 --store redis://cache.example     four processes behind the same ports
  aicache serve --host 0.0.0.0 --set proxyauth=me:secret      for other machines too

Names for --base-url: {names}.
""".format(names=", ".join(_client.PROVIDERS))

FIRST_BASE_PORT = 8081
"""Where base-URL ports begin that were given without one."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _options.proxy(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_options.port, default=8080, help="port of the proxy (default: %(default)s)")
    parser.add_argument(
        "--base-url",
        dest="bases",
        type=_client.base_url,
        action="append",
        metavar="NAME|URL[@PORT]",
        help="a port in front of this provider; may be given again (default: openai@8081)",
    )
    parser.add_argument(
        "--workers",
        type=_options.count,
        default=1,
        metavar="N",
        help="processes behind the same ports, which share the store (Linux; default: %(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no line for each call")


def main(args: argparse.Namespace) -> int:
    """Serve until a signal comes; return the exit code."""
    if args.workers == 1:
        return asyncio.run(_serve(args))
    from . import _workers  # noqa: PLC0415 - costs nothing where one process serves

    bases = with_ports(args.bases or [_client.base_url("openai")])
    with _workers.held(args.host, [args.port, *(port for _, port in bases)]) as (args.port, *ports):
        args.bases = [replace(base, port=port) for (base, _), port in zip(bases, ports, strict=True)]
        return _workers.run(args.workers, lambda number: _work(args, number))


def _work(args: argparse.Namespace, number: int) -> int:
    """Serve as worker *number*."""
    from ._workers import SharingLoop  # noqa: PLC0415 - costs nothing where one process serves

    with asyncio.Runner(loop_factory=SharingLoop) as runner:
        return runner.run(_serve(args, number))


async def _serve(args: argparse.Namespace, number: int = 0) -> int:
    from . import _log, _summary, _upstream  # noqa: PLC0415 - need the environment
    from ._proxy import Entrance, Settings, open_proxy  # noqa: PLC0415 - needs the environment

    _log.to_stderr(clock=True)
    bases = with_ports(args.bases or [_client.base_url("openai")])
    entrances = (
        Entrance(port=args.port),
        *(Entrance(f"reverse:{base.origin}", port, f"--base-url {base.name}@PORT") for base, port in bases),
    )
    settings = Settings(
        entrances,
        args.host,
        args.config,
        args.mode,
        args.store,
        tuple(args.sets),
        _upstream.options(os.environ),
        _upstream.addons(os.environ),
        shared=args.workers > 1,
    )
    ending = _ending()
    async with open_proxy(settings) as proxy:
        if args.workers > 1 and proxy.config.cache.type == "memory":
            raise Stop(
                "--workers needs a store that processes share; `memory` is none: --store sqlite:PATH or redis://..."
            )
        if not number:
            print(banner(proxy, args.host, [base for base, _ in bases]), flush=True)
        if not args.quiet:
            _log.each_call()
        await _either(ending, proxy.ended)
    _summary.show(proxy.stats)
    return 0 if ending.is_set() else 1


def with_ports(bases: list[_client.BaseUrl]) -> list[tuple[_client.BaseUrl, int]]:
    """Give every base URL its port: the one asked for, else the next from 8081 on."""
    asked = {base.port for base in bases}
    spare = (port for port in range(FIRST_BASE_PORT, 65_536) if port not in asked)
    return [(base, base.port if base.port is not None else next(spare)) for base in bases]


def banner(proxy: Proxy, host: str, bases: list[_client.BaseUrl]) -> str:
    """Return what to tell the user at the start."""
    name = _client.bracketed(host)
    address = f"http://{name}:{proxy.ports[0]}"
    local = [base.local(port, host) for base, port in zip(bases, proxy.ports[1:], strict=True)]
    bundle = _bundle(proxy.ca)
    lines = [
        f"aicache: mode {proxy.config.mode}, store {proxy.store}",
        "",
        f"  proxy     {address}",
        *(f"  base URL  {url}  ->  {base.origin}{base.path}" for url, base in zip(local, bases, strict=True)),
        "",
        "Point a client at the proxy:",
        f"  export HTTP_PROXY={address} HTTPS_PROXY={address}",
        f"  export SSL_CERT_FILE={bundle} REQUESTS_CA_BUNDLE={bundle} CURL_CA_BUNDLE={bundle}",
        f"  export NODE_USE_ENV_PROXY=1 NODE_EXTRA_CA_CERTS={proxy.ca}",
        "or at a base URL, which needs no certificate:",
        *(f"  export OPENAI_BASE_URL={url}" for url in local[:1]),
    ]
    if host not in LOOPBACK:
        lines += [
            "",
            f"Listening on {host}: whoever reaches this machine can use the proxy (--set proxyauth=USER:PASSWORD).",
        ]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


def _bundle(ca: Path) -> Path:
    """Write this system's roots and the proxy's certificate beside the latter, where they last; return the file."""
    with contextlib.suppress(OSError):
        return _client.write_bundle(ca.with_name("aicache-ca-bundle.pem"), [*_client.trusted(os.environ), ca])
    return ca


def _ending() -> asyncio.Event:
    """Return an event that a signal to end sets."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, event.set)
    return event


async def _either(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
