"""mitmproxy with aicache, in this process, as a context: open while its body runs.

It starts mitmproxy's own `DumpMaster` with only the addons that a cache needs, because each addon costs something at
every hook of every flow. It does not know verbs, clients or screens. Entry point: `open_proxy`.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import errno
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aicache import OPTIONS, AiCache, Build
from llmcache.build import build_engine
from llmcache.config import Config
from llmcache.stats import Stats
from mitmproxy import exceptions
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode
from mitmproxy.tools.dump import DumpMaster

from ._errors import Stop

NEEDED = frozenset(
    {
        "Core",  # the commands and options that the others rest on
        "Block",  # refuses clients from public networks, for those who listen on more than loopback; once a connection
        "Proxyserver",  # the proxy
        "NextLayer",  # finds out what a connection speaks
        "TlsConfig",  # certificates
        "DisableH2C",  # Java's client asks for an upgrade that mitmproxy cannot do, and would wait for it
        "UpdateAltSvc",  # else a provider's Alt-Svc leads clients of a base URL past us
    }
)
"""The default addons to keep, by class; the same in mitmproxy 11 and 12. Others stay if one of their options is set."""

CONFDIR = "~/.mitmproxy"
"""mitmproxy's own folder: who trusts its certificate once has done so for `mitmdump -s addon/aicache.py` and for us.
mitmproxy's config.yaml in it is not read: it is written for interactive use. `--set confdir=DIR` chooses another."""

PATIENCE = 1.0
"""Seconds that connections get to end by themselves before the proxy does: the last reply may just be arriving."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way in."""

    mode: str = "regular"
    """mitmproxy's word for it: `regular`, `reverse:https://...`."""
    port: int = 0
    """0 for any free one."""
    flag: str = "--port"
    """What the user can change when the port is taken."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a proxy is started with."""

    entrances: tuple[Entrance, ...] = (Entrance(),)
    host: str = "127.0.0.1"
    config: str = ""
    mode: str = ""
    store: str = ""
    sets: tuple[str, ...] = ()
    """Options of mitmproxy as `NAME=VALUE`."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """Options of mitmproxy that `sets` may override."""
    addons: tuple[object, ...] = ()
    """Further addons, which see each flow after the cache."""
    build: Build = build_engine
    """How settings become an engine."""
    shared: bool = False
    """Whether other processes listen on the same ports."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy."""

    ports: tuple[int, ...]
    """The port of each entrance."""
    ca: Path
    """The certificate that clients have to trust."""
    stats: Stats
    config: Config
    store: str
    """Where entries live, for people."""
    ended: asyncio.Event
    """Set when the proxy has ended by itself."""


class _Ready:
    """An addon that says when the others have started; add it last."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def running(self) -> None:
        self.event.set()


class _Names:
    """Stands in for mitmproxy's loader, and only notes which options an addon has."""

    def __init__(self) -> None:
        self.options: set[str] = set()

    def add_option(self, name: str, *_: object, **__: object) -> None:
        self.options.add(name)

    def add_command(self, *_: object) -> None:
        pass


@contextlib.asynccontextmanager
async def open_proxy(settings: Settings) -> AsyncIterator[Proxy]:
    """Run a proxy while the body runs; at its end every accepted reply is stored.

    Raises `Stop` when it cannot start. What it has to say meanwhile goes to `logging`.
    """
    master, addon, ready = assemble(settings)
    _enter_at(master, settings := with_ports(settings))  # last, so that nobody has time to take a port
    running = asyncio.create_task(master.run())
    ended = asyncio.Event()
    running.add_done_callback(lambda _: ended.set())
    try:
        await _first(ready.event.wait(), ended.wait())
        _check(master, addon, settings)
        assert addon.settings is not None
        assert addon.engine is not None
        yield Proxy(_ports(master, settings), _ca(master), addon.stats, addon.settings, repr(addon.engine.store), ended)
        await _quiet(master)
    finally:
        master.shutdown()
        await running


def assemble(settings: Settings) -> tuple[DumpMaster, AiCache, _Ready]:
    """Return a master with its addons and options, not yet running. Raises `Stop` for options that are wrong."""
    master = DumpMaster(Options(), with_termlog=False, with_dumper=False)
    trim(master, {text.partition("=")[0] for text in settings.sets} | set(settings.defaults))
    addon, ready = AiCache(build=settings.build), _Ready()
    given = {"aicache_config": settings.config, "aicache_mode": settings.mode, "aicache_store": settings.store}
    try:
        with _alone(folder := _confdir(settings)):
            master.options.update(**{**settings.defaults, "confdir": str(folder)})
        _set(master.options, settings.sets)
        master.addons.add(addon, *settings.addons, ready)
        _check_known(master.options)
        # Told of every option of ours, changed or not: an addon that is added late has heard of none.
        master.options.update(**{name: given.get(name) or getattr(master.options, name) for name in OPTIONS})
    except exceptions.OptionsError as error:
        raise Stop(str(error).removeprefix("aicache: ")) from error
    if addon.settings is None:  # the log has said why
        raise Stop
    return master, addon, ready


def _enter_at(master: DumpMaster, settings: Settings) -> None:
    """Set the entrances. Raises `Stop` for two on one port."""
    try:
        master.options.update(mode=[_spec(settings.host, entrance) for entrance in settings.entrances])
    except exceptions.OptionsError as error:
        raise Stop(str(error)) from error
    for entrance in settings.entrances if settings.shared else ():
        # A reverse mode for https listens on UDP as well, for HTTP/3, and a port of that cannot be shared.
        # `parse` remembers its results: this is the object that the proxy uses.
        if isinstance(mode := ProxyMode.parse(_spec(settings.host, entrance)), ReverseMode):
            mode.transport_protocol = "tcp"


def _set(options: Options, sets: tuple[str, ...]) -> None:
    """Set what the user gave; values for the same name go together. Raises `Stop`, with the name."""
    for name in dict.fromkeys(text.partition("=")[0] for text in sets):
        values = [text for text in sets if text.partition("=")[0] == name]
        try:
            options.set(*values, defer=True)
        except exceptions.OptionsError as error:
            raise Stop(f"--set {' '.join(values)}: {error}") from error


def trim(master: DumpMaster, given: set[str]) -> None:
    """Remove the default addons that a cache does not need and whose options are not *given*."""
    for addon in list(master.addons.chain):
        name = type(addon).__name__
        if name == "ErrorCheck":  # it would end the process instead of telling us
            addon.finish()
        elif name in NEEDED or options_of(addon) & given:
            continue
        # ClientPlayback has an async `done`, which `remove` refuses to call, after removing it; it has not run anyway.
        with contextlib.suppress(exceptions.AddonManagerError):
            master.addons.remove(addon)


def options_of(addon: object) -> set[str]:
    """Return the names of the options that *addon* declares."""
    names = _Names()
    if load := getattr(addon, "load", None):
        load(names)
    return names.options


def with_ports(settings: Settings) -> Settings:
    """Replace every port 0 but the first by a free one: mitmproxy takes two entrances on port 0 for a clash.

    The first stays, because the system's own choice cannot be taken by somebody else in between.
    """
    zeros = [entrance for entrance in settings.entrances if not entrance.port][1:]
    with contextlib.ExitStack() as held:
        chosen = tuple(
            replace(entrance, port=_free(held, settings.host)) if any(entrance is zero for zero in zeros) else entrance
            for entrance in settings.entrances
        )
    return replace(settings, entrances=chosen)


def _free(held: contextlib.ExitStack, host: str) -> int:
    """Return a port that is free on *host* now, kept busy until *held* ends, so that the next is another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
    taken.bind((host, 0))
    return int(taken.getsockname()[1])


def _spec(host: str, entrance: Entrance) -> str:
    return f"{entrance.mode}@{host}:{entrance.port}"


def _confdir(settings: Settings) -> Path:
    """Return the folder of the certificates, there and usable. Raises `Stop`."""
    given = [text.partition("=")[2] for text in settings.sets if text.startswith("confdir=")]
    path = Path(given[-1] if given else settings.defaults.get("confdir", CONFDIR)).expanduser()
    advice = "--set confdir=DIR chooses another"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(f"the certificates cannot be kept in {path}: {error.strerror}; {advice}") from error
    if not os.access(path, os.W_OK) and not (path / "mitmproxy-ca.pem").exists():
        raise Stop(f"the certificates cannot be kept in {path}: it is not writable; {advice}")
    return path


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep another aicache from making certificates in *folder* at the same time: mitmproxy would read half of one."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_known(options: Options) -> None:
    """Raise `Stop` for a misspelt option, which mitmproxy would silently wait for."""
    if not options.deferred:
        return
    name = next(iter(options.deferred))
    near = difflib.get_close_matches(name, options.keys(), n=1)
    raise Stop(f"--set {name}: mitmproxy has no such option" + (f"; did you mean {near[0]}?" if near else ""))


def _check(master: DumpMaster, addon: AiCache, settings: Settings) -> None:
    """Raise `Stop` when an entrance is closed or the addon has given up."""
    servers = {server.mode.full_spec: server for server in master.addons.get("proxyserver").servers}
    for entrance in settings.entrances:
        server = servers.get(_spec(settings.host, entrance))
        if server is None or not server.is_running:
            raise Stop(_closed(settings.host, entrance, server.last_exception if server else None))
    if addon.engine is None:  # the log has said why
        raise Stop


def _closed(host: str, entrance: Entrance, error: Exception | None) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {entrance.port} on {host} is taken; choose another with {entrance.flag}"
    return f"cannot listen on {host}:{entrance.port}: {error}"


def _ports(master: DumpMaster, settings: Settings) -> tuple[int, ...]:
    """Return the real ports, in the order of the entrances."""
    servers = {server.mode.full_spec: server for server in master.addons.get("proxyserver").servers}
    return tuple(servers[_spec(settings.host, entrance)].listen_addrs[0][1] for entrance in settings.entrances)


def _ca(master: DumpMaster) -> Path:
    return Path(master.options.confdir).expanduser() / "mitmproxy-ca-cert.pem"


async def _first(*waits: Any) -> None:
    """Return when the first of *waits* is over; drop the others."""
    tasks: Iterable[asyncio.Task[Any]] = [asyncio.ensure_future(wait) for wait in waits]
    _, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in late:
        task.cancel()


async def _quiet(master: DumpMaster) -> None:
    """Give open connections a moment to end, so that what they still bring is recorded."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    # mitmproxy has no event for "no connection is open".
    while master.addons.get("proxyserver").connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
