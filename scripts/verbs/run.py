"""Run one command with its LLM calls going through the cache, and print a summary at the end.

A proxy starts on free ports, and the command's environment points at it: HTTP_PROXY and HTTPS_PROXY, NO_PROXY, and the
proxy's certificate in SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS and their like. Input and output are the
command's own, signals are passed on, and the exit code is the command's (128+n when signal n ended it, 127 when it was
not found, 126 when it cannot be executed). Our own words go to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import _client, _options
from ._errors import Stop

if TYPE_CHECKING:
    from ._proxy import Proxy
    from ._recording import Recording

log = logging.getLogger("aicache.verbs")

EXAMPLES = """\
examples:
  aicache run -- python app.py
  aicache run --mode replay -- pytest -q                   nothing leaves; an unknown call is refused
  aicache run --base-url -- node app.mjs                   for clients that ignore HTTP_PROXY (Node before 24)
  aicache run --base-url ollama -- python app.py           an OpenAI-compatible provider by name ...
  aicache run --base-url https://llm.example/v1 -- ./app   ... or by URL
  aicache run --proxy-localhost -- python app.py           the provider is on this machine

Providers on this machine (Ollama, vLLM, a fake in a test) are left out by NO_PROXY unless --proxy-localhost or
--base-url is given; Go programs leave them out in any case.
"""

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
"""Signals that a terminal sends to the whole foreground group, so that the command has them already."""

KEYLESS = (
    "OPENAI_API_KEY is not set, and recordings answer only calls with the key that they were made with; "
    "set that key, or record and replay with `scope: shared` in the configuration"
)

TOLD = 200
"""Characters of a command that is told again to those who are to record anew."""

LEAK = "%d replies were not recorded because of secrets (see above); that fails the run"

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What shells return for such commands (POSIX, Shell Command Language 2.8.2)."""


def arguments(parser: argparse.ArgumentParser, *checks: str) -> None:
    """Declare the options; *checks* are legal for `--fail-on` besides those that are judged here."""
    parser.usage = "aicache run [options] -- CMD [ARGUMENT ...]"
    _options.proxy(parser)
    # Together, NO_PROXY would lead calls to the base-URL port into the proxy, which refuses calls to itself.
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--base-url",
        nargs="?",
        const="",
        type=str,
        metavar="NAME|URL",
        help="set OPENAI_BASE_URL to a port of ours in front of this provider "
        f"({', '.join(_client.PROVIDERS)}, or a URL; default: the OPENAI_BASE_URL that is set, else openai)",
    )
    way.add_argument("--proxy-localhost", action="store_true", help="send calls to this machine through the proxy too")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line on stderr for each call")
    parser.add_argument("-q", "--quiet", action="store_true", help="no summary")
    _options.report(parser, *checks)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ...", help="the command and its arguments")


def main(args: argparse.Namespace, addons: tuple[object, ...] = ()) -> int:
    """Run the command; return its exit code. *addons* see each flow after the cache."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise Stop("which command? write it behind two dashes: aicache run -- python app.py", 2)
    _check_command(command[0])
    return asyncio.run(_run(args, command, addons))


def _check_command(name: str) -> None:
    """Raise `Stop` for a command that a shell would not start either, before a proxy is started for it."""
    if shutil.which(name):
        return
    path = Path(name)
    if "/" in name and path.exists():
        raise Stop(f"{name}: {'is a directory' if path.is_dir() else 'is not executable'}", NOT_EXECUTABLE)
    raise Stop(f"{name}: command not found", NOT_FOUND)


def base_of(args: argparse.Namespace) -> _client.BaseUrl | None:
    """Return the provider behind `--base-url`, or None without that option. Raises `Stop` for a senseless one."""
    if args.base_url is None:
        return None
    named = args.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or "openai"
    try:
        return _client.base_url(named)
    except argparse.ArgumentTypeError as error:
        raise Stop(f"--base-url: {error}", 2) from error


async def _run(args: argparse.Namespace, command: list[str], addons: tuple[object, ...]) -> int:
    from . import _log, _upstream  # noqa: PLC0415 - need the environment
    from ._proxy import Entrance, Settings, open_proxy  # noqa: PLC0415 - needs the environment
    from ._recording import Recording  # noqa: PLC0415 - needs the environment

    base, recording = (
        base_of(args),
        Recording(
            tuple(getattr(args, "only", ())), (_way(args), command if sum(map(len, command)) < TOLD else ["CMD"])
        ),
    )
    _log.to_stderr()
    if args.verbose:
        _log.each_call()
    entrances = [Entrance()] + ([Entrance(f"reverse:{base.origin}", base.port or 0, "--base-url")] if base else [])
    settings = Settings(
        tuple(entrances),
        config=args.config,
        mode=args.mode,
        store=args.store,
        sets=tuple(args.sets),
        defaults=_upstream.options(os.environ),
        addons=(*_upstream.addons(os.environ), *addons),
        build=recording.build,
    )
    async with open_proxy(settings) as proxy:
        keyless = proxy.config.mode == "replay" and not os.environ.get("OPENAI_API_KEY")
        if keyless and proxy.config.scope.mode == "credential" and proxy.config.cache.type != "cassette":
            log.warning(KEYLESS)
        with tempfile.TemporaryDirectory(prefix="aicache-") as folder:
            bundle = _client.write_bundle(Path(folder) / "ca-bundle.pem", [*_client.trusted(os.environ), proxy.ca])
            way = _client.Way(
                f"http://127.0.0.1:{proxy.ports[0]}",
                _extra(Path(folder), proxy.ca),
                bundle,
                base=base.local(proxy.ports[1]) if base else "",
                localhost=args.proxy_localhost,
                lanes=proxy.config.cache.type == "cassette",
                keyless=keyless,
            )
            code = await _child(command, _client.environment(os.environ, way))
    return _ended(args, code, proxy, recording)


def _way(args: argparse.Namespace) -> list[str]:
    """Return the options with which the same calls are recorded into the same place."""
    named = [text for name in ("config", "store") if (value := getattr(args, name)) for text in (f"--{name}", value)]
    base = [] if args.base_url is None else [f"--base-url={args.base_url}" if args.base_url else "--base-url"]
    return [*named, *base, *["--proxy-localhost"] * args.proxy_localhost]


def _ended(args: argparse.Namespace, code: int, proxy: Proxy, recording: Recording) -> int:
    """Keep or drop what was recorded, tell how the run went, and return its exit code."""
    from . import _report, _summary  # noqa: PLC0415 - need the environment

    stats, mode, swapped, forgotten = proxy.stats, proxy.config.mode, None, 0
    if recording.renewal and not code and not stats.stored["secret-found"]:
        swapped = recording.keep()
    elif recording.renewal:
        forgotten = recording.drop()
    found = _report.facts(stats, mode, recording.turns, swapped, forgotten, args.stale_after)
    failed = _report.failures(found, checks(args.fail_on, strict=mode == "replay" or bool(recording.renewal)))
    if not args.quiet:
        _summary.show(stats, _report.HINT, _report.rows(found))
    if args.report:
        text = _report.written(args.report, found, failed)
        if args.report_file:
            _write(Path(args.report_file), text)
        else:
            print(text, end="", file=sys.stderr)
    if secrets := stats.stored["secret-found"]:
        log.error(LEAK, secrets)
    for name, why in failed.items():
        if name != "secrets":
            log.error("failed (%s): %s", name, why)
    return code or int(bool(failed))


def _write(file: Path, text: str) -> None:
    """Write a report. Raises `Stop`."""
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise Stop(f"the report {file} cannot be written: {error.strerror}") from error


def checks(wanted: Sequence[str], *, strict: bool) -> list[str]:
    """Return which checks are made: those *wanted*, and by default secrets, and where *strict* traffic at all."""
    made = ["secrets", *(["zero-traffic"] if strict else []), *(name for name in wanted if not name.startswith("no-"))]
    return [name for name in dict.fromkeys(made) if f"no-{name}" not in wanted]


def _extra(folder: Path, ca: Path) -> Path:
    """Return the certificate to add to a client's roots, together with those that the user adds already."""
    own = Path(os.environ.get("NODE_EXTRA_CA_CERTS", ""))
    return _client.write_bundle(folder / "ca-extra.pem", [own, ca]) if own.is_file() else ca


async def _child(command: list[str], environment: dict[str, str]) -> int:
    """Run the command and return its exit code as a shell would."""
    started: list[asyncio.subprocess.Process] = []
    with _passing_on(started):
        started.append(await _spawn(command, environment))
        code = await started[0].wait()
    return 128 - code if code < 0 else code


async def _spawn(command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Start the command. Raises `Stop` with a shell's exit code where that fails."""
    try:
        # What the user opened for the command (`3>file`, make's job server) stays open; ours does not get there.
        return await asyncio.create_subprocess_exec(*command, env=environment, close_fds=False)
    except FileNotFoundError as error:  # a script whose interpreter is not there
        raise Stop(f"{command[0]}: {error.strerror}", NOT_FOUND) from error
    except OSError as error:
        raise Stop(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE) from error


@contextlib.contextmanager
def _passing_on(started: list[asyncio.subprocess.Process]) -> Iterator[None]:
    """Give our signals to the process *started*. One that we were started to ignore (nohup) stays ignored."""
    loop = asyncio.get_running_loop()
    caught = [number for number in (*FORWARDED, *FROM_TERMINAL) if signal.getsignal(number) is not signal.SIG_IGN]
    for number in caught:
        loop.add_signal_handler(number, _pass_on, started, number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _pass_on(started: list[asyncio.subprocess.Process], number: signal.Signals) -> None:
    if not started:  # it is just being started, and gets the signal as soon as it is there
        asyncio.get_running_loop().call_later(0.01, _pass_on, started, number)
        return
    if number in FROM_TERMINAL and _in_foreground():
        return  # sent again, it would break into the cleaning up after the first
    with contextlib.suppress(ProcessLookupError):
        started[0].send_signal(number)


def _in_foreground() -> bool:
    """Whether we and the command are what the terminal talks to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
