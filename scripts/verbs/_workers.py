"""Several processes behind the same ports: the kernel hands each connection to one of them (SO_REUSEPORT, socket(7)).

A process of Python uses one core. No balancer stands in between, and what the workers share is the store.
It knows nothing of proxies. Entry points: `held`, `run`, `SharingLoop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ._errors import Stop


class SharingLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers let other processes listen on the same port."""

    async def create_server(self, *args: Any, **more: Any) -> Any:
        """Listen as `asyncio` does, and share the port."""
        return await super().create_server(*args, reuse_port=True, **more)


@contextlib.contextmanager
def held(host: str, ports: Sequence[int]) -> Iterator[list[int]]:
    """Yield *ports*, a free one in the place of each 0, and keep others from them. Raises `Stop` for one that is taken.

    What is held is bound but does not listen, so that it gets no connection.
    """
    if not sys.platform.startswith("linux"):
        raise Stop("--workers needs Linux, whose kernel shares a port out among processes")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_bound(host, port)).getsockname()[1] for port in ports]


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if port:  # alone first: another `--workers` of the same user would share the port without a word
            socket.create_server((host, port), family=family).close()
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, port))
    except OSError as error:
        what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise Stop(f"port {port} on {host} {what}; choose another with --port or --base-url NAME@PORT") from error
    return one


def run(count: int, work: Callable[[int], int]) -> int:
    """Run *work* in *count* processes, given 0, 1, ...; return the exit code.

    A signal to end goes to all of them. When one ends by itself, all do: whoever supervises us sees that it happened.
    """
    children: list[int] = []

    def end(*_: object) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    for number in range(count):
        child = os.fork()
        if child == 0:
            os._exit(_guarded(work, number))
        children.append(child)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, end)
    codes = []
    while children:
        child, status = os.wait()
        children.remove(child)
        codes.append(os.waitstatus_to_exitcode(status))
        end()
    return abs(codes[0])


def _guarded(work: Callable[[int], int], number: int) -> int:
    """Return the exit code of a worker, which must not go on into what its parent was about to do."""
    try:
        return work(number)
    except Stop as stop:
        if stop.message and not number:  # they all say the same
            print(f"aicache: {stop.message}", file=sys.stderr)
        return stop.code
    except BaseException as error:  # noqa: BLE001 - a worker ends here, whatever it was
        print(f"aicache: worker {number + 1}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
