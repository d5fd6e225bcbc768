"""Ask the provider again what was served from recordings, and compare the structure of the two answers.

`Served` is an addon that notes what the cache answered; `reask` asks once for each different call, a few at a time.
Nothing is stored, and no redirection is followed, for it could lead a key away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import aicache_flows as flows
import requests
from llmcache import wire
from llmcache.chat import Bypass, Entry, Form, Reply, Request
from mitmproxy import http

from ._keys import Keyless, signed
from ._outline import changes, outline


@dataclass(slots=True)
class Question:
    """A call that was served, and by what."""

    request: Request
    entries: list[Entry] = field(default_factory=list)
    """The recordings that answered it: several where they take turns."""

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
    """The addon: what was answered from recordings, by key."""

    def __init__(self) -> None:
        self.questions: dict[str, Question] = {}

    def request(self, flow: http.HTTPFlow) -> None:
        """Note the call of a flow that the cache has answered."""
        entry: Entry | None = flows.kept(flow).get(flows.ENTRY)
        if entry is None or entry.truncated:  # with half of an answer nothing can be compared
            return
        if entry.key not in self.questions:
            self.questions[entry.key] = Question(_request(flow))
        entries = self.questions[entry.key].entries
        if all(entry.sequence != known.sequence for known in entries):
            entries.append(entry)


def _request(flow: http.HTTPFlow) -> Request:
    """Return what the client asked; a flow that is played by the stage has another request for so long."""
    asked = http.HTTPFlow(flow.client_conn, flow.server_conn)
    asked.request = flows.kept(flow).get(flows.STAGED, (None, flow.request))[1]
    path, _, query = asked.request.path.partition("?")
    return flows.read_request(asked, flows.destination(asked), path, query, LARGEST)[0]


def reask(
    questions: Iterable[Question], keys: Mapping[str, str], done: Callable[[Verdict], None], at_once: int = 4
) -> list[Verdict]:
    """Ask each question again and return the verdicts; *done* is told of each as it comes."""
    with ThreadPoolExecutor(at_once) as pool, requests.Session() as session:
        # Else a .netrc would take the key's place; proxies and roots of the environment are given to each call.
        session.trust_env = False
        futures = [pool.submit(_verdict, session, question, keys) for question in questions]
        verdicts = []
        for future in futures:
            verdicts.append(future.result())
            done(verdicts[-1])
        return verdicts


def _verdict(session: requests.Session, question: Question, keys: Mapping[str, str]) -> Verdict:
    try:
        url, headers = signed(question.request, os.environ, keys)
        fresh = _asked(session, question.request, url, dict(headers))
    except Keyless as error:
        return Verdict(question, unverified=str(error))
    except requests.RequestException as error:
        return Verdict(question, unverified=f"{question.request.host} cannot be asked: {type(error).__name__}")
    if fresh.status in GONE:
        return Verdict(question, (f"status: {question.entries[0].reply.status} → {fresh.status}",))
    if fresh.status != question.entries[0].reply.status:
        return Verdict(question, unverified=f"{question.request.host} answers {fresh.status}")
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
