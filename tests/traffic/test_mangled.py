"""Files in which any one member was replaced by something else: read, or refused with the place; nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llmcache.traffic import Unreadable, har, vcr
from support.saved import archived, interaction

STRANGE: list[Any] = [None, 1, -1, 1.5, True, "", "x", "http://[", "http://h:99999/", "\ud800", 10**400, 1e999]
STRANGE += [[], [[]], [1], {}, {"a": 1}, {"string": {}}, {"name": 1, "value": None}]
STRANGE += [{"base64_string": "é"}, {"encoding": "base64", "text": "é"}]
ARCHIVE = {"log": {"creator": {"name": "mitmproxy"}, "entries": [archived()]}}
CASSETTE = {"interactions": [{**interaction(content_encoding="gzip", date="x"), "recorded_at": "2026"}]}


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every member but the whole."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        yield (*steps, step)
        yield from places(each, (*steps, step))


def mangled(value: Any, steps: tuple[Any, ...], strange: Any) -> str:
    """Return the JSON of *value* with *strange* in one place."""
    changed = copy.deepcopy(value)
    inside = changed
    for step in steps[:-1]:
        inside = inside[step]
    inside[steps[-1]] = strange
    return json.dumps(changed)


@pytest.mark.parametrize(
    ("whole", "read"), [(ARCHIVE, har.read), (CASSETTE, vcr.read_json)], ids=["archive", "cassette"]
)
def test_any_member_may_be_anything(whole: Any, read: Any):
    """Most changes are refused or harmless; none ends in a traceback."""
    refused = 0
    for steps in places(whole):
        for strange in STRANGE:
            try:
                list(read(mangled(whole, steps, strange), "x"))
            except Unreadable as error:
                refused += str(error).startswith("x:1: ")
    assert refused > 100
