"""The golden replies of tests/data/wire as a load: calls that are understood, and streams that are as long as wanted.

A long stream is a golden one in which one frame of text comes again and again, as a provider sends a long answer.
Entry points: `cases`, `lengthened`, `frames`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmcache import eventstream, wire
from llmcache.chat import Call, Complete, Form, Lossy, Reply, Request

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "data" / "wire"
JSON = Form("json")
TYPES = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "array": "application/json",
    "eventstream": "application/vnd.amazon.eventstream",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One golden interaction that is good enough to be stored."""

    dialect: wire.Dialect
    name: str
    request: Request
    call: Call
    stream: bytes

    def reply(self, body: bytes) -> Reply:
        """Return the reply that sends *body* in one chunk."""
        return Reply(200, (("content-type", TYPES[self.call.form.kind]),), body, ((0, len(body)),))

    def json(self, body: bytes) -> bytes | None:
        """Return what the stream *body* is as JSON; None where it is no good reply."""
        reply = self.reply(body)
        if not isinstance(self.dialect.judge(self.call, reply, frozenset()), Complete):
            return None
        try:
            return self.dialect.convert(reply, self.dialect.reply_form(self.call, reply), JSON).body
        except Lossy:
            return None


def cases() -> Iterator[Case]:
    """Yield every golden stream that is stored, by dialect."""
    for dialect in wire.DIALECTS:
        for path in sorted((GOLDEN / dialect.NAME).glob("*.request.json")):
            stem = path.name.removesuffix(".request.json")
            stream = path.with_name(f"{stem}.stream")
            if not path.with_name(f"{stem}.incomplete").exists() and stream.exists():
                request = _request(json.loads(path.read_bytes()))
                call = dialect.call(request)
                assert isinstance(call, Call), call
                yield Case(dialect, stem, request, call, stream.read_bytes())


def _request(written: dict[str, Any]) -> Request:
    url = urlsplit(written["url"])
    headers = tuple(dict(written["headers"]).items())
    body = json.dumps(written["body"], separators=(",", ":")).encode()
    return Request(written["method"], url.scheme, url.hostname or "", 443, url.path, url.query, headers, body)


def lengthened(case: Case, size: int) -> bytes | None:
    """Return the case's stream, lengthened to about *size* bytes by a frame of text; None where no frame can recur."""
    if case.dialect.NAME == "openai-responses":
        return _told_twice(case, size)
    cut, whole = frames(case, case.stream), case.json(case.stream)
    for at, frame in enumerate(cut):
        longer = case.json(b"".join([*cut[:at], *[frame] * 3, *cut[at + 1 :]]))
        if whole and longer and len(longer) > len(whole):
            count = max(1, (size - len(case.stream)) // len(frame))
            return b"".join([*cut[:at], *[frame] * count, *cut[at + 1 :]])
    return None


def frames(case: Case, stream: bytes) -> list[bytes]:
    """Cut a stream of the case's form into its frames."""
    match case.call.form.kind:
        case "eventstream":
            return [stream[each.start : each.end] for each in eventstream.parse(stream)]
        case "ndjson":
            return stream.splitlines(keepends=True)
        case "array":
            return [*re.findall(rb".+?\n(?=,|\]|$)", stream, re.DOTALL), b"]"]
    return re.findall(rb".+?(?:\r\n\r\n|\n\n|$)", stream, re.DOTALL)


def _told_twice(case: Case, size: int) -> bytes | None:
    """Lengthen a stream whose last events repeat the whole text."""
    found = re.search(rb"event: response.output_text.delta\ndata: .*\n\n", case.stream)
    whole = re.search(rb'event: response.output_text.done\n.*"text":"([^"\\]+)"', case.stream)
    delta = re.search(rb'"delta":"([^"\\]+)"', found.group()) if found else None
    if not (found and whole and delta):
        return None
    said, text = delta.group(1), whole.group(1)
    again = text.count(said) and case.stream.count(b'"' + text)
    count = (size - len(case.stream)) // (len(found.group()) + again * len(said))
    begin, end = case.stream[: found.end()], case.stream[found.end() :]
    return begin + found.group() * count + end.replace(b'"' + text, b'"' + said * count + text)
