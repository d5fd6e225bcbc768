"""JSON over HTTP to a service of ours, such as a vector store or an embedding provider, within a deadline.

One pooled `requests.Session` on a few worker threads: the event loop never waits for a socket.
Proxies of the environment are used only when asked for, for they may point at ourselves; redirects are not followed,
for they would carry the key elsewhere; cookies are not kept.
Every fault is a `BackendError` that names the service, what went wrong and the remedy, never a key or a text that was
sent. It does not know what is asked for. Entry point: `HttpClient.ask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter

from .chat import BackendError

THREADS = 8
"""Requests under way at once: each costs a thread and a connection, and a service that is slower than this is down."""
MOST_BYTES = 64 * 2**20
"""Of an answer: a batch of large vectors as JSON is a tenth of it."""
TRIES = 2
"""How often a call is sent that may be repeated; a third try only makes a busy service busier."""
PAUSE = 0.2
"""Seconds before the second try, where the service does not say."""
BUSY = frozenset({429, 502, 503, 504})
"""What a service answers that may answer well in a moment."""
SHOWN = 300
"""Letters of a service's own words in a message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said."""

    status: int
    body: Any = field(repr=False)
    """The JSON value; None where there was none."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, and what may be done with it."""

    method: str
    url: str
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    accept: Collection[int]
    tries: int
    show: bool
    deadline: float
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a service is spoken to, where it is not as usual."""

    tries: int = TRIES
    """How often a call is sent that may be repeated; each pause is twice the one before, unless the service says."""
    busy: Collection[int] = BUSY
    """The statuses after which a call is sent again."""
    proxy: str = ""
    """The proxy on the way to it: a URL, `environment` for that of the environment, or none."""


class HttpClient:
    """Asks the service *name* at *url*; *headers* go with each call, and may hold a key.

    *timeout* is in seconds and bounds a call with all its tries; *remedies* say what to do about a status, in words
    that follow a colon; *verify* is False or the path of certificates to trust, as `requests` takes it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        *,
        remedies: Mapping[int, str] | None = None,
        threads: int = THREADS,
        verify: bool | str = True,
        manners: Manners = Manners(),
    ) -> None:
        self._name, self._url = name, url.rstrip("/")
        self._manners = manners
        self._headers = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
        self._timeout = timeout
        self._remedies = {**REMEDIES, **(remedies or {})}
        self._threads = threads
        self._verify = verify
        self._session: requests.Session | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._closed = threading.Event()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open" if self._session else "not used yet"
        return f"<HttpClient {self._name} at {place(self._url)}: {state}>"

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (200,),
        repeat: bool = True,
        show: bool = False,
    ) -> Answer:
        """Send *body* as JSON (bytes go as they are) to *path*, or to a whole URL, and return the answer as JSON.

        *accept*: the statuses that are no fault. *repeat*: sent again after a lost connection or a busy moment.
        *show*: the service's own words may stand in the message, because nothing sent was a user's text.
        Raises `BackendError`.
        """
        request = _Request(
            method,
            path if path.startswith(("http://", "https://")) else self._url + path,
            body if isinstance(body, bytes) or body is None else _encode(self._name, body),
            {"content-type": "application/json", **self._headers, **(headers or {})},
            accept,
            self._manners.tries if repeat else 1,
            show,
            time.monotonic() + self._timeout,
        )
        if self._closed.is_set():
            raise BackendError(f"{self._name} was closed")
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._workers(), self._send, request)
        except TimeoutError:
            raise self._fault(request, _SLOW) from None

    async def close(self) -> None:
        """Let go of threads and connections; what is under way is given up. May be called twice."""
        self._closed.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            self._session.close()

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._session = _session(self._threads, self._verify, _proxies(self._manners.proxy, self._url))
            self._pool = ThreadPoolExecutor(self._threads, f"aicache-{self._name}")
        return self._pool

    def _send(self, request: _Request) -> Answer:
        """Send, and again where that may help. Runs on a worker thread."""
        for rest in reversed(range(request.tries)):
            usual = PAUSE * 2 ** (request.tries - rest - 1)
            try:
                answer, pause = self._once(request)
            except requests.ConnectionError:
                if not rest or self._pass(request, usual if rest < request.tries - 1 else 0):
                    raise self._fault(request, _UNREACHABLE) from None
            else:
                if answer.status not in self._manners.busy or answer.status in request.accept or not rest:
                    return self._judge(request, answer)
                if self._pass(request, usual if pause is None else pause):
                    return self._judge(request, answer)
        raise AssertionError("the last try returns or raises")

    def _pass(self, request: _Request, pause: float) -> bool:
        """Wait before the next try; return whether there is no time for one."""
        if pause >= request.deadline - time.monotonic():
            return True
        return self._closed.wait(pause)

    def _once(self, request: _Request) -> tuple[Answer, float | None]:
        """Return the answer, and for how long the service wants to be left alone, if it says."""
        assert self._session is not None
        with self._faults(request):
            response = self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=dict(request.headers),
                timeout=_rest(request),
                allow_redirects=False,
                stream=True,
            )
            with contextlib.closing(response):
                content = _read(response, request)
        return Answer(response.status_code, _decode(content)), _pause(response.headers.get("retry-after", ""))

    @contextlib.contextmanager
    def _faults(self, request: _Request) -> Iterator[None]:
        """Turn the driver's errors into ours, except for a lost connection, which may be worth a second try."""
        try:
            yield
        except requests.exceptions.SSLError:
            raise self._fault(request, _TLS) from None
        except (requests.Timeout, TimeoutError):
            raise self._fault(request, _SLOW) from None
        except requests.exceptions.ChunkedEncodingError:
            raise self._fault(request, _CUT) from None
        except requests.ConnectionError:
            raise
        except OverflowError:
            raise self._fault(request, f"answered more than {MOST_BYTES >> 20} MiB") from None
        except (requests.RequestException, ValueError) as error:
            what = f"could not be asked ({type(error).__name__}): check its address and key"
            raise self._fault(request, what) from None

    def _judge(self, request: _Request, answer: Answer) -> Answer:
        """Return an answer of an accepted status that is JSON; for another, raise what it means."""
        if answer.status in request.accept:
            if answer.body is _GARBAGE:
                raise self._fault(request, "answered what is no JSON: is that the right address?")
            return answer
        said = f" ({_words(answer.body)})" if request.show and _words(answer.body) else ""
        remedy = self._remedies.get(answer.status, "")
        raise self._fault(request, f"answered {answer.status}{said}" + (f": {remedy}" if remedy else ""))

    def _fault(self, request: _Request, what: str) -> BackendError:
        return BackendError(f"{self._name} at {place(request.url)} {what}")


def place(url: str) -> str:
    """Return host and port of a URL: what a message may show, without user, path and query."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what goes wrong while an answer of the service *name* is taken apart into a `BackendError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BackendError(
            f"{name} answered what is not understood ({type(error).__name__}): is its version another?"
        ) from None


def _proxies(proxy: str, url: str) -> dict[str, str]:
    """Return the proxies on the way to *url*; those of the environment only where they are asked for."""
    if proxy == "environment":
        return requests.utils.get_environ_proxies(url, None)
    return {"http": proxy, "https": proxy} if proxy else {}


def _session(threads: int, verify: bool | str, proxies: dict[str, str]) -> requests.Session:
    session = requests.Session()
    session.proxies = proxies
    session.trust_env = False
    session.verify = verify
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=threads, pool_maxsize=threads)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _encode(name: str, body: Any) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except (TypeError, ValueError):
        raise BackendError(f"{name} was not asked: what there is to send is no JSON") from None


def _decode(content: bytes) -> Any:
    if not content:
        return None
    try:
        return orjson.loads(content)
    except ValueError:
        return _GARBAGE


def _rest(request: _Request) -> float:
    """Return the seconds that are left. Raises `TimeoutError`."""
    rest = request.deadline - time.monotonic()
    if rest <= 0:
        raise TimeoutError
    return rest


def _read(response: requests.Response, request: _Request) -> bytes:
    """Read the body piece by piece as it comes, so that neither size nor a trickle passes its bound."""
    pieces, size = [], 0
    while piece := _piece(response):
        size += len(piece)
        if size > MOST_BYTES:
            raise OverflowError
        pieces.append(piece)
        _rest(request)
    return b"".join(pieces)


def _piece(response: requests.Response) -> bytes:
    """Return what has arrived, waiting for something. Raises what `requests` would raise, for it wraps no `read1`."""
    from urllib3 import exceptions  # noqa: PLC0415 - comes with requests, which is where its errors belong

    try:
        read: Callable[..., bytes] = response.raw.read1
        return read(2**16, decode_content=True)
    except exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout from error
    except exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError from error


def _pause(retry_after: str) -> float | None:
    """Return for how long the service wants to be left alone, in seconds; a date is not worth reading."""
    return float(retry_after) if _SECONDS.fullmatch(retry_after) else None


def _words(body: Any) -> str:
    """Return what the service says of its fault, in one line."""
    found = body
    for _ in range(4):
        if isinstance(found, list):
            found = found[0] if found else ""
        if not isinstance(found, dict):
            break
        found = next((found[name] for name in _SAYS if found.get(name)), "")
    return " ".join(str(found).split())[:SHOWN] if isinstance(found, str) else ""


_GARBAGE = object()
"""The body of an answer that is no JSON."""
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,3})?")
_SAYS = ("message", "reason", "msg", "detail", "error", "status")
"""Where services put the words of a fault, from the telling to the vague."""
_SLOW = "did not answer in time: it is overloaded or out of reach, or the timeout is too short"
_UNREACHABLE = "cannot be reached: check that it runs, and its host and port"
_TLS = "cannot be reached with TLS: check its certificate, and that the port speaks TLS"
_CUT = "broke off in the middle of its answer"

REMEDIES: dict[int, str] = {
    301: "it sends elsewhere; use its final address",
    302: "it sends elsewhere; use its final address",
    307: "it sends elsewhere; use its final address",
    308: "it sends elsewhere; use its final address",
    401: "check the key",
    403: "the key may not do this",
    404: "check address, name and version",
    413: "the text is too long for it",
    429: "it gets too many calls, or the quota is used up",
}
"""What to do about a status, in words that follow a colon."""
