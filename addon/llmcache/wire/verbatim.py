"""Whether a stream of JSON events is whole, whatever they say: for dialects that ask nothing more of it.

It knows which event ends a stream only from its caller. Entry points: `last_payload`, `finished`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .. import framing, jsontext
from ..chat import WireError
from .frames import DONE, check_text, payloads


def last_payload(stream: bytes, terminal: Collection[str], times: int = 1) -> dict[str, Any]:
    """Return what the last event of a finished stream says.

    A stream is finished after the event number *times* whose `type` is one of *terminal*, which must be the last one,
    or after `[DONE]`, which some servers send.
    Raises `WireError` with the reason why it is not: `truncated`, `after-done`, `bad-event`, `error-event`.
    """
    told, done = _told(stream)
    ends = [str(each.get("type")) in terminal for each in told]
    if not told or not (done or (ends[-1] and sum(ends) >= times)):
        raise WireError("truncated")
    check_text(stream)
    return told[-1]


def finished(stream: bytes) -> list[dict[str, Any]]:
    """Return what the events before `[DONE]` say. Raises `WireError` as `last_payload` does."""
    told, done = _told(stream)
    if not done:
        raise WireError("truncated")
    return told


def _told(stream: bytes) -> tuple[list[dict[str, Any]], bool]:
    """Return the payloads, and whether `[DONE]` came after them."""
    sent = [event for event in framing.frames(stream) if event[1].strip()]
    done = [(data if cut else data.strip()) == DONE for _, data, cut in sent]
    if True in done[:-1]:
        raise WireError("after-done")
    told = list(payloads(sent[:-1] if True in done else sent, jsontext.skim_all))
    if any(name == b"error" for name, _, _ in sent) or any(_failed(each) for each in told):
        raise WireError("error-event")
    return told, True in done


def _failed(each: dict[str, Any]) -> bool:
    return bool(each.get("type") == "error" or each.get("error"))
