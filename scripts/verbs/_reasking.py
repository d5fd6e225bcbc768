"""Ask the provider again what was served from recordings, and compare the structure of the two answers.

`Served` is an addon that notes what the cache answered; `Asking` asks once for each different call, a few at a time,
on threads of its own, so that no answer of the cache waits for a provider.
Nothing is stored, and no redirection is followed, for it could lead a key away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Self

import requests
from aicache_mitmproxy import flows
from llmcache import wire
from llmcache.chat import Bypass, Entry, Form, Reply, Request
from mitmproxy import http

from ._keys import Keyless, signed
from ._outline import changes, outline


@dataclass(slots=True)
class Question:
    """A call that was served, and by what."""

    request: Request
    entries: list[Entry]
    """The recordings that answered it: several where they take turns."""

    @property
    def key(self) -> str:
        """The key of the recordings."""
        return self.entries[0].key

    @property
    def dialect(self) -> wire.Dialect | None:
        """The protocol; None for traffic that only the user knows."""
        return next((each for each in wire.DIALECTS if self.entries[0].dialect == each.NAME), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking again."""

    question: Question
    drift: tuple[str, ...] = ()
    """What differs, a line each."""
    unverified: str = ""
    """Why nothing can be said."""


class Served:
    """The addon: what was answered from recordings, by key. *first* is told of each different call at once."""

    def __init__(self, first: Callable[[Question], None] = lambda _: None) -> None:
        self.questions: dict[str, Question] = {}
        self._first = first

    def request(self, flow: http.HTTPFlow) -> None:
        """Note the call of a flow that the cache has answered."""
        entry: Entry | None = flows.kept(flow).get(flows.ENTRY)
        if entry is None or entry.truncated:  # with half of an answer nothing can be compared
            return
        if (known := self.questions.get(entry.key)) is None:
            self.questions[entry.key] = question = Question(_request(flow), [entry])
            self._first(question)
        elif all(entry.sequence != each.sequence for each in known.entries):
            known.entries.append(entry)


def _request(flow: http.HTTPFlow) -> Request:
    """Return what the client asked; a flow that is played by the stage has another request for so long."""
    asked = http.HTTPFlow(flow.client_conn, flow.server_conn)
    asked.request = flows.kept(flow).get(flows.STAGED, (None, flow.request))[1]
    path, _, query = asked.request.path.partition("?")
    return flows.read_request(asked, flows.destination(asked), path, query, LARGEST)[0]


class Asking:
    """Asks the provider each question once, *at_once* of them at a time; *keys* are the user's, by host."""

    def __init__(self, keys: Mapping[str, str], at_once: int = 4) -> None:
        self._keys = keys
        self._session = requests.Session()
        # Else a .netrc would take the key's place; proxies and roots of the environment are given to each call.
        self._session.trust_env = False
        self._pool = ThreadPoolExecutor(at_once, "aicache-verify")
        self._answers: dict[str, Future[Reply | str]] = {}
        """By key; what is wrong, where there is no answer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._session.close()

    def ask(self, question: Question) -> None:
        """Have *question* asked, unless it was before. Nothing is waited for."""
        if question.key not in self._answers:
            self._answers[question.key] = self._pool.submit(_answer, self._session, question.request, self._keys)

    def asked(self, question: Question) -> bool:
        """Whether it was asked, or soon is."""
        return question.key in self._answers

    @property
    def waiting(self) -> int:
        """How many have no answer yet."""
        return sum(not answer.done() for answer in self._answers.values())

    def drop(self) -> None:
        """Ask nothing more; what is under way comes to its end."""
        self._answers = {key: answer for key, answer in self._answers.items() if not answer.cancel()}

    def verdicts(self, questions: Iterable[Question]) -> Iterator[Verdict]:
        """Yield what came of each of the *questions*, which were asked, as soon as it is there."""
        futures = {self._answers[question.key]: question for question in questions}
        for future in as_completed(futures):
            yield _verdict(futures[future], future.result())


def _answer(session: requests.Session, request: Request, keys: Mapping[str, str]) -> Reply | str:
    try:
        url, headers = signed(request, os.environ, keys)
        return _asked(session, request, url, dict(headers))
    except Keyless as error:
        return str(error)
    except requests.RequestException as error:
        return f"{request.host} cannot be asked: {type(error).__name__}"


def _verdict(question: Question, fresh: Reply | str) -> Verdict:
    recorded = question.entries[0].reply.status
    match fresh:
        case str():
            return Verdict(question, unverified=fresh)
        case Reply(status=status) if status in GONE:
            return Verdict(question, (f"status: {recorded} → {status}",))
        case Reply(status=status) if status != recorded:
            return Verdict(question, unverified=f"{question.request.host} answers {status}")
    return Verdict(question, tuple(compared(question, fresh)))


def _asked(session: requests.Session, request: Request, url: str, headers: dict[str, str]) -> Reply:
    roots = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    answer = session.request(
        request.method,
        url,
        data=request.body,
        headers={**headers, "accept-encoding": "identity"},
        timeout=TIMEOUTS,
        allow_redirects=False,
        proxies=requests.utils.get_environ_proxies(url),
        verify=roots or True,
    )
    kept = tuple((name.lower(), value) for name, value in answer.headers.items())
    return Reply(answer.status_code, kept, answer.content)


def compared(question: Question, fresh: Reply) -> list[str]:
    """Return what the fresh answer has otherwise than the recording that is most like it."""
    dialect = question.dialect
    call = dialect.call(question.request) if dialect else None
    form = dialect.reply_form(call, fresh) if dialect and call and not isinstance(call, Bypass) else Form("raw")
    now = outline(dialect, fresh, form)
    found = [changes(outline(dialect, entry.reply, entry.form), now) for entry in question.entries]
    return min(found, key=len)


GONE = (400, 404, 410, 422)
"""What a provider answers that does not know the model any more, or does not take the request: drift. Other failures
(keys, limits, outages) say nothing about it."""
TIMEOUTS = (10, 300)
"""Seconds to connect, and between two pieces of an answer."""
LARGEST = 1_000_000_000
"""Bytes of a request; it was small enough to be recorded."""
