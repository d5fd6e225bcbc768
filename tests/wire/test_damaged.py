"""Whatever comes over the wire, a verb answers: golden requests and replies, damaged at random, never raise.

Every dialect of `wire.DIALECTS` with golden files takes part; the dice are seeded, so a failure comes again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from llmcache import wire
from llmcache.chat import Call, Form, Lossy, Reply, Request

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "wire"
TYPES = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "array": "application/json"}
JUNK: list[Any] = [None, 0, -1, 1.5, "", "x", True, [], [None], ["x"], [[]], [{"index": 0}], {}, {"a": 1}, {"text": []}]
ROUNDS = 6
CASES = [
    pytest.param(dialect, id=dialect.NAME)
    for dialect in wire.DIALECTS
    if any((GOLDEN / dialect.NAME).glob("*.request.json"))
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of everything inside *value*."""
    inside: Any = (
        list(value.items()) if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in inside:
        yield value, key
        yield from places(each)


def damaged(value: Any, dice: random.Random) -> Any:
    """Return *value* with up to three members that hold something else or are gone."""
    changed = copy.deepcopy(value)
    for _ in range(dice.randint(1, 3)):
        if found := list(places(changed)):
            container, key = dice.choice(found)
            if isinstance(container, dict) and not dice.randrange(5):
                del container[key]
            else:
                container[key] = copy.deepcopy(dice.choice(JUNK))
    return changed


def damaged_stream(stream: bytes, dice: random.Random) -> bytes:
    """Return a stream of text with some of its objects damaged, and sometimes out of order."""
    lines = stream.decode().split("\n")
    objects = [at for at, line in enumerate(lines) if line.rstrip().endswith("}")]
    for at in dice.sample(objects, min(len(objects), dice.randint(1, 3))):
        head, brace, rest = lines[at].partition("{")
        with suppress(ValueError):  # a line of an array begins with a comma
            lines[at] = head + json.dumps(damaged(json.loads(brace + rest), dice))
    if not dice.randrange(5):
        dice.shuffle(lines)
    return "\n".join(lines).encode()


def asked(written: dict[str, Any], body: Any) -> Request:
    """Return the request of a golden file with another body."""
    url = urlsplit(written["url"])
    headers = tuple(dict(written["headers"]).items())
    raw = json.dumps(body).encode()
    return Request("POST", "https", url.hostname or "", 443, url.path, url.query, headers, raw)


def replies(path: Path, call: Call, dice: random.Random) -> Iterator[Reply]:
    """Yield the golden replies of a call, damaged."""
    whole = path.with_name(path.name.replace(".request.json", ".response.json"))
    if whole.exists():
        body = json.dumps(damaged(json.loads(whole.read_bytes()), dice)).encode()
        yield Reply(200, (("content-type", "application/json"),), body)
    stream = path.with_name(path.name.replace(".request.json", ".stream"))
    with suppress(UnicodeDecodeError):  # cut on purpose inside a character
        if call.form.kind in TYPES and stream.exists():
            body = damaged_stream(stream.read_bytes(), dice)
            yield Reply(200, (("content-type", TYPES[call.form.kind]),), body, ((0, len(body)),))


@pytest.mark.parametrize("dialect", CASES)
def test_no_reply_is_too_strange(dialect: wire.Dialect) -> None:
    """A damaged reply has a verdict and a form, and is converted or is `Lossy`."""
    for path in sorted((GOLDEN / dialect.NAME).glob("*.request.json")):
        written = json.loads(path.read_bytes())
        call = dialect.call(asked(written, written["body"]))
        assert isinstance(call, Call)
        dice = random.Random(path.name)
        for _ in range(ROUNDS):
            for reply in replies(path, call, dice):
                dialect.judge(call, reply, frozenset())
                recorded = dialect.reply_form(call, reply)
                for wanted in (Form("json"), call.form):
                    with suppress(Lossy):
                        dialect.convert(reply, recorded, wanted)


@pytest.mark.parametrize("dialect", CASES)
def test_no_request_is_too_strange(dialect: wire.Dialect) -> None:
    """A damaged request is a call that asks something, or is passed on with a reason."""
    for path in sorted((GOLDEN / dialect.NAME).glob("*.request.json")):
        written = json.loads(path.read_bytes())
        dice = random.Random(path.name)
        for _ in range(ROUNDS * 3):
            found = dialect.call(asked(written, damaged(written["body"], dice)))
            if isinstance(found, Call):
                dialect.question(found)
