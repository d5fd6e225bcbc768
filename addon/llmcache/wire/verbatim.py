"""Whether a stream of JSON events is whole, whatever they say: for dialects that ask nothing more of it.

It knows which event ends a stream only from its caller. Entry points: `last_payload`, `finished`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .. import framing, jsontext
from ..chat import WireError
from .chat_assemble import DONE, check_text, payload


def last_payload(stream: bytes, terminal: Collection[str], times: int = 1) -> dict[str, Any]:
    """Return what the last event of a finished stream says.

    A stream is finished after the event number *times* whose `type` is one of *terminal*, which must be the last one,
    or after `[DONE]`, which some servers send.
    Raises `WireError` with the reason why it is not: `truncated`, `after-done`, `bad-event`, `error-event`.
    """
    told, done = _told(framing.parse_sse(stream))
    ends = [each.get("type") in terminal for each in told]
    if not told or not (done or (ends[-1] and sum(ends) >= times)):
        raise WireError("truncated")
    check_text(stream)
    return told[-1]


def finished(events: list[framing.Event]) -> list[dict[str, Any]]:
    """Return what the events before `[DONE]` say. Raises `WireError` as `last_payload` does."""
    told, done = _told(events)
    if not done:
        raise WireError("truncated")
    return told


def _told(events: list[framing.Event]) -> tuple[list[dict[str, Any]], bool]:
    """Return the payloads, and whether `[DONE]` came after them."""
    sent = [event for event in events if event.data.strip()]
    done = [(event.data.strip() if event.whole else event.data) == DONE for event in sent]
    if True in done[:-1]:
        raise WireError("after-done")
    told = [_looked_at(event) for event, is_done in zip(sent, done, strict=True) if not is_done]
    if any(event.event == "error" for event in sent) or any(_failed(each) for each in told):
        raise WireError("error-event")
    return told, True in done


def _looked_at(event: framing.Event) -> dict[str, Any]:
    try:
        return payload(event, jsontext.skim)
    except WireError:
        raise WireError("bad-event" if event.whole else "truncated") from None


def _failed(each: dict[str, Any]) -> bool:
    return bool(each.get("type") == "error" or each.get("error"))
