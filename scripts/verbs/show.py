"""Print one stored call readable: where it came from, the request as it was keyed, and the reply.

A stream is printed event by event, each with its time after the request in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from . import _options

if TYPE_CHECKING:
    from llmcache.chat import Entry, Reply

EXAMPLES = """\
examples:
  aicache show 3f9a            the entry whose key begins so
  aicache show 3f9a --raw      the reply's bytes and nothing else
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("key", help="the key, or as much of its beginning as tells it apart")
    parser.add_argument("--raw", action="store_true", help="the reply's bytes as stored, and nothing else")
    _options.settings(parser)


def main(args: argparse.Namespace) -> int:
    """Print; return the exit code."""
    return asyncio.run(_show(args))


async def _show(args: argparse.Namespace) -> int:
    from . import _store  # noqa: PLC0415 - needs the environment
    from ._errors import Stop  # noqa: PLC0415 - beside its user

    async with _store.opened(args) as store:
        row = await _store.one(store, args.key)
        entry = await store.get(row.key)
    if entry is None:
        raise Stop(f"the entry {row.key} is not readable any more")
    if args.raw:
        sys.stdout.buffer.write(entry.reply.body)
    else:
        print(readable(entry))
    return 0


def readable(entry: Entry) -> str:
    """Return the entry for people."""
    from llmcache.chat import SEALED  # noqa: PLC0415 - needs the environment

    from ._store import clean  # noqa: PLC0415 - needs the environment

    facts = {
        "key": entry.key,
        "dialect": entry.dialect,
        "from": f"{entry.host}{entry.path}",
        "model": entry.model or "-",
        "recorded": f"{_moment(entry.created)}, took {entry.seconds:.2f} s",
        "served until": _moment(entry.expires) if entry.expires else "for ever",
        "tokens": f"{entry.usage.input} in, {entry.usage.output} out",
        "form": f"{entry.form.kind}, status {entry.reply.status}{', truncated' if entry.truncated else ''}",
    }
    if entry.origin:
        facts["origin"] = f"{entry.origin}, whose answer was given to this near question"
    head = [f"{name + ':':<14}{clean(value)}" for name, value in facts.items()]
    if entry.form == SEALED:
        return "\n".join([*head, "", "sealed (`cache.encrypt`): only the call that it answers opens it"])
    headers = [f"  {name}: {clean(value)}" for name, value in entry.reply.headers]
    events = timed(entry.reply) if entry.form.streamed else [pretty(entry.reply.body)]
    return "\n".join([*head, "", "request:", pretty(entry.request), "", "reply:", *headers, *events])


def pretty(data: bytes) -> str:
    """Return JSON indented, and anything else as text that cannot steer a terminal."""
    from ._store import clean  # noqa: PLC0415 - needs the environment

    try:
        text = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = data.decode(errors="replace")
    return "\n".join(clean(line) for line in text.split("\n"))


def timed(reply: Reply) -> list[str]:
    """Return the lines of a stream, the first of each chunk with the time at which it came."""
    from ._store import clean  # noqa: PLC0415 - needs the environment

    lines, at = [], 0
    for milliseconds, length in reply.chunks or ((0, len(reply.body)),):
        text = reply.body[at : at + length].decode(errors="replace")
        at += length
        stamp = f"{milliseconds:>7} ms  "
        for line in filter(None, text.splitlines()):
            lines.append(stamp + clean(line))
            stamp = " " * len(stamp)
    return lines


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
