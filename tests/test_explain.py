"""A refusal says which recording is nearest, and where it differs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from llmcache.chat import BackendError, Entry, Form, Reply
from llmcache.explain import CANDIDATES, FIELDS, HASTY, differences, nearest, worded


def identity(**body: Any) -> dict[str, Any]:
    """Return an identity as the engine keys it."""
    return {"aicache": 1, "dialect": "openai-chat", "scope": {"credential": "aa"}, "body": body}


def entry(key: str, recorded: dict[str, Any]) -> Entry:
    """Return a recording of *recorded*."""
    request = json.dumps(recorded).encode()
    return Entry(key, "openai-chat", "h", "m", Form("json"), Reply(200, (), b""), 1.0, request=request)


async def each(*entries: Entry) -> AsyncIterator[Entry]:
    """Yield *entries* as a store does."""
    for one in entries:
        yield one


DIFFERENT = [
    pytest.param({"a": 1}, {"a": 2}, [("a", "1", "2")], id="value"),
    pytest.param({"a": 1}, {}, [("a", "1", "-")], id="gone"),
    pytest.param({}, {"a": None}, [("a", "-", "null")], id="new"),
    pytest.param({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, [("a[1].b", "2", "3")], id="deep"),
    pytest.param({"a": [1]}, {"a": [1, 2]}, [("a[1]", "-", "2")], id="longer"),
    pytest.param({"a": True}, {"a": 1}, [("a", "true", "1")], id="true is not one"),
    pytest.param({"a": {}}, {"a": []}, [("a", "{}", "[]")], id="kind"),
    pytest.param({"a": [1, 2]}, {"a": [1, 2]}, [], id="same"),
]


@pytest.mark.parametrize(("recorded", "now", "expected"), DIFFERENT)
def test_every_leaf_that_differs_is_named(recorded: Any, now: Any, expected: list[tuple[str, str, str]]) -> None:
    """Path, recorded, now."""
    assert expected == list(differences(recorded, now))


def test_a_change_deep_in_a_long_prompt_is_shown() -> None:
    """Not the beginning that both share, but the place where they part."""
    ((_, recorded, now),) = differences({"a": "x" * 500 + "cat"}, {"a": "x" * 500 + "dog"})
    assert "cat" in recorded
    assert "dog" in now
    assert len(now) < 100


async def test_the_nearest_has_the_fewest_differences() -> None:
    """Whatever the order in the store."""
    far, near = entry("far", identity(q="a", t=0, n=2)), entry("near", identity(q="a", t=1))
    found = await nearest(json.dumps(identity(q="b", t=1)).encode(), each(far, near))
    assert found
    assert found[0].key == "near"
    told = worded("near.yaml", found[1])
    assert told == 'nearest recording near.yaml differs (recorded → now): body.q: "a" → "b"'


async def test_another_key_is_said_in_words() -> None:
    """The digests of two credentials tell nobody anything."""
    other = identity(q="a") | {"scope": {"credential": "bb"}}
    found = await nearest(json.dumps(other).encode(), each(entry("k", identity(q="a"))))
    assert found
    text = worded("k", found[1])
    assert "another API key" in text
    assert "bb" not in text


async def test_many_differences_are_counted() -> None:
    """The first few are named."""
    found = await nearest(json.dumps(identity(**dict.fromkeys("abcdefg", 1))).encode(), each(entry("k", identity())))
    assert found
    assert worded("k", found[1]).endswith(f"; and {7 - FIELDS} more")


async def test_nothing_comparable() -> None:
    """Another dialect is no neighbor, and neither is an entry without its request."""
    bare = Entry("k", "openai-chat", "h", "m", Form("json"), Reply(200, (), b""), 1.0)
    other = entry("o", identity() | {"dialect": "anthropic"})
    assert await nearest(json.dumps(identity()).encode(), each(bare, other)) is None


async def test_a_large_store_is_not_read_whole() -> None:
    """A refusal takes a bounded time."""
    seen = 0

    async def many() -> AsyncIterator[Entry]:
        nonlocal seen
        while True:
            seen += 1
            yield entry(str(seen), identity(n=seen))

    assert await nearest(json.dumps(identity(n=0)).encode(), many())
    assert seen == CANDIDATES


async def test_a_search_that_takes_too_long_ends_with_what_it_has() -> None:
    """Where the time is up the nearest so far is named; nothing near means that a few more are looked at."""
    far, near = entry("far", identity(q="a", t=0)), entry("near", identity(q="b", t=1))
    found = await nearest(json.dumps(identity(q="b")).encode(), each(far, near), seconds=-1)
    assert found
    assert found[0].key == "far"
    strangers = [entry(str(number), identity() | {"dialect": "cohere"}) for number in range(HASTY)]
    assert await nearest(json.dumps(identity(q="b")).encode(), each(*strangers, near), seconds=-1) is None


async def test_a_store_that_breaks_in_the_middle_is_no_error() -> None:
    """What was found until then is named."""

    async def breaking() -> AsyncIterator[Entry]:
        yield entry("k", identity(n=1))
        raise BackendError("gone")

    found = await nearest(json.dumps(identity(n=0)).encode(), breaking())
    assert found
    assert found[0].key == "k"
