"""Files of recorded traffic, told apart by how they begin: HTTP Archives, cassettes of vcrpy, dumps of mitmproxy.

Entry points: `files`, `read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llmcache.traffic import Found, Gap, Interaction, Unreadable, har, vcr

from ._errors import Stop
from ._exchange import is_recording

_DUMP = re.compile(rb"\d{1,12}:\d{1,12}:")
"""How a dump begins: the length of a flow, and that of its first key (tnetstrings)."""
_ARCHIVE = re.compile(r'\s*\{\s*"log"\s*:')


def files(words: list[str]) -> list[Path]:
    """Return the files that *words* name; of a folder, all that may be recordings. Raises `Stop`."""
    found: list[Path] = []
    for path in map(Path, words):
        if not path.exists():
            raise Stop(f"there is no {path}", 2)
        inside = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES) if path.is_dir() else []
        if path.is_dir() and not inside:
            raise Stop(f"{path} holds no recordings: no {', '.join(SUFFIXES)}", 2)
        found += inside or [path]
    return found


def read(path: Path) -> Iterator[Found]:
    """Yield what the file holds. Raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            dump = _DUMP.match(file.read(40)) is not None
        if dump:
            yield from _dumped(path)
            return
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{path}:{line}: is neither text nor a dump of mitmproxy") from None
    if is_recording(path):
        raise Unreadable(f"{path}:1: is a recording of aicache; name the folder that it lies in")
    if _ARCHIVE.match(text):
        yield from har.read(text, str(path))
    elif text.lstrip().startswith("{"):
        yield from vcr.read_json(text, str(path))
    else:
        yield from vcr.read_yaml(text, str(path))


def _dumped(path: Path) -> Iterator[Found]:
    """Yield the flows of a dump; what is no HTTP is no LLM call."""
    from mitmproxy.exceptions import FlowReadException  # noqa: PLC0415 - it takes long to load, for dumps alone
    from mitmproxy.http import HTTPFlow  # noqa: PLC0415 - as above
    from mitmproxy.io import FlowReader  # noqa: PLC0415 - as above

    number = 0
    try:
        with path.open("rb") as file:
            for number, flow in enumerate(FlowReader(file).stream(), 1):
                where = f"{path}: flow {number}"
                yield _flow(flow, where) if isinstance(flow, HTTPFlow) else Gap(where, "no-llm-call")
    except FlowReadException as error:
        raise Unreadable(f"{path}: behind flow {number}: {error}") from None


def _flow(flow: object, where: str) -> Found:
    from aicache_mitmproxy import flows  # noqa: PLC0415 - needs mitmproxy
    from llmcache.capture import streams  # noqa: PLC0415 - beside its user
    from mitmproxy.http import HTTPFlow  # noqa: PLC0415 - as above

    assert isinstance(flow, HTTPFlow)
    if flow.response is None:
        return Gap(where, "no-reply")
    if flow.response.raw_content is None:
        return Gap(where, "no-body")
    path, _, query = flow.request.path.partition("?")
    request, reason = flows.read_request(flow, flows.destination(flow), path, query, LARGEST)
    if reason:
        return Gap(where, reason)
    started = flow.request.timestamp_end or flow.request.timestamp_start
    head = flows.fields(flow.response)
    seconds = max(0.0, (flow.response.timestamp_end or started) - started)
    exchange = flows.exchange_of(flow, None, head, seconds)
    return Interaction(where, request, replace(exchange, streamed=streams(head)), flow.request.timestamp_start)


SUFFIXES = (".yaml", ".yml", ".json", ".har", ".flow", ".flows", ".mitm", ".dump")
LARGEST = 256_000_000
"""Bytes of a request that is looked at; the settings say more."""
