"""Tool calls in the shape that OpenAI gave them and others took over: whether they can be made.

It knows no provider and no stream. Entry point: `callable_all`.
"""

from __future__ import annotations

from typing import Any

from .. import jsontext
from ..chat import WireError


def callable_all(calls: Any) -> bool:
    """Whether *calls* is a list of calls each of which names a function and has JSON for arguments, or none at all."""
    return isinstance(calls, list) and all(_callable(call) for call in calls)


def _callable(call: Any) -> bool:
    match call:
        case {"function": {"arguments": str(arguments)}} if arguments.strip():
            try:
                jsontext.read(arguments)
            except WireError:
                return False
            return True
        case {"function": {"name": str()}}:
            return True
    return False
