"""The frames of a stream that carry a JSON object each: what the dialects that stream so share.

It knows no provider, and does not decide whether a stream is whole. Entry points: `sent`, `payloads`, `check_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .. import framing, jsontext
from ..chat import WireError
from ..framing import Event, Frame

DONE = b"[DONE]"
"""The data of the event that ends a stream of OpenAI's."""

_BATCH = 100
"""Events whose objects are fewer than the 700 after which the collector looks for garbage."""

ReadAll = Callable[[Sequence[bytes]], list[Any]]
"""`jsontext.read_all`, or `skim_all` for a mere look."""


def sent(stream: bytes) -> list[Frame]:
    """Return the events that carry something, without the `[DONE]` that some gateways append to other streams."""
    return [event for event in framing.frames(stream) if event[1].strip() not in (b"", DONE)]


def placed(stream: bytes) -> list[Event]:
    """Return the same events with their places in the stream."""
    return [event for event in framing.parse_sse(stream) if event.data.encode().strip() not in (b"", DONE)]


def payloads(events: Sequence[Frame], read: ReadAll = jsontext.read_all) -> Iterator[dict[str, Any]]:
    """Yield the JSON object of each event.

    They are read by the batch, and who lets go of one before he takes the next spares Python's garbage collector a
    visit to all of them, which takes a third of the time. Raises `WireError`: `truncated` where the end of the stream
    cut the last one off, else `bad-event`.
    """
    for at in range(0, len(events), _BATCH):
        yield from _objects(events[at : at + _BATCH], read)


def _objects(events: Sequence[Frame], read: ReadAll) -> list[dict[str, Any]]:
    try:
        found = read([data for _, data, _ in events])
    except WireError:
        found = []
    if len(found) != len(events) or not all(isinstance(each, dict) for each in found):
        cut = next(cut for _, data, cut in events if not _is_object(data, read))
        raise WireError("truncated" if cut else "bad-event")
    return found


def check_text(stream: bytes) -> None:
    """Raise `WireError` (`bad-event`) when *stream* is no UTF-8; its events would hide that."""
    try:
        stream.decode()
    except UnicodeDecodeError:
        raise WireError("bad-event") from None


def _is_object(data: bytes, read: ReadAll) -> bool:
    try:
        return isinstance(read([data])[0], dict)
    except WireError:
        return False
