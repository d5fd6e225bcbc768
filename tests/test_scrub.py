"""Noise is left out of an identity, and nothing else: what was different and is no noise stays different."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import scrub
from llmcache.jsontext import canonical
from llmcache.scrub import Scrubber, ignoring, named, replacing


def identity(body):
    """Return an identity with this body."""
    return canonical({"aicache": 1, "body": body, "dialect": "openai-chat", "scope": {}})


def said(text):
    """Return the body of a call that says *text*."""
    return {"messages": [{"role": "user", "content": text}]}


def tools(one, two, content="ok"):
    """Return a conversation with two calls of tools and their results, in OpenAI's form."""
    calls = [{"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in (one, two)]
    results = [{"role": "tool", "tool_call_id": name, "content": content} for name in (one, two)]
    return {"messages": [{"role": "assistant", "tool_calls": calls}, *results]}


def used(name):
    """Return a conversation with a call of a tool in Anthropic's form."""
    use = {"type": "tool_use", "id": name, "name": "f", "input": {"id": 7}}
    return {"messages": [{"content": [use]}, {"content": [{"type": "tool_result", "tool_use_id": name}]}]}


HERE = "/usr/share"
"""A working folder that is no temporary one, wherever the checkout is."""
U1, U2 = "8c5f1e0a-3f1b-4c55-9d2e-0123456789ab", "11111111-2222-4333-8444-555555555555"
SAME = {
    "iso date": ("dates", said("Today is 2026-11-21."), said("Today is 2025-01-02.")),
    "date and time": ("dates", said("at 2026-11-21T10:00:00.123Z now"), said("at 2026-11-22T23:59:59+01:00 now")),
    "in words": ("dates", said("It is Saturday, November 21, 2026."), said("It is Tue, Jan 2, 2027.")),
    "day first": ("dates", said("of 21 November 2026 at 10:15"), said("of 1st Dec 2026 at 9:05 pm")),
    "uuid": ("uuids", said(f"run {U1}, again {U1}"), said(f"run {U2}, again {U2}")),
    "temp folder": ("temp-folders", said("read /tmp/tmpab12cd34/a.txt"), said("read /tmp/tmpzz98xx11/a.txt")),
    "pytest's": ("temp-folders", said("/tmp/pytest-of-ann/pytest-12/t0/a"), said("/tmp/pytest-of-bob/pytest-3/t0/a")),
    "mac": ("temp-folders", said("/private/var/folders/ab/c_d/T/tmpabcdef/x"), said("/var/folders/zz/q/T/tmpqqqqqq/x")),
    "windows": (
        "temp-folders",
        said(r"C:\Users\ann\AppData\Local\Temp\tmpabcdefg\x"),
        said(r"C:\Users\bob\AppData\Local\Temp\tmp1234567\x"),
    ),
    "working folder": ("working-folder", said(f"in {HERE}/src"), said("in <working-folder>/src")),
    "openai's tools": ("tool-call-ids", tools("call_a", "call_b"), tools("call_x", "call_y")),
    "anthropic's tools": ("tool-call-ids", used("toolu_1"), used("toolu_2")),
}
DIFFERENT = {
    "dates that are one, and two": ("dates", said("2026-11-21, 2026-11-21"), said("2026-11-21, 2026-11-22")),
    "no date": ("dates", said("version 1.2.3"), said("version 1.2.4")),
    "number": ("dates", said("20261121 apples"), said("20261122 apples")),
    "beside a date": ("dates", said("2026-11-21: red"), said("2026-11-21: blue")),
    "uuids that are one, and two": ("uuids", said(f"{U1} {U1}"), said(f"{U1} {U2}")),
    "file in the folder": ("temp-folders", said("/tmp/tmpab12cd34/a.txt"), said("/tmp/tmpab12cd34/b.txt")),
    "another folder": ("working-folder", said(f"{HERE}-other/src"), said(f"{HERE}/src")),
    "results of tools changed over": (
        "tool-call-ids",
        tools("call_a", "call_b"),
        {"messages": [*tools("call_a", "call_b")["messages"][:1], *tools("call_b", "call_a")["messages"][1:]]},
    ),
    "a text that is an id": ("tool-call-ids", tools("1", "2", "1"), tools("1", "2", "2")),
    "an id that is no call's": ("tool-call-ids", {"id": "a", "user": "b"}, {"id": "c", "user": "b"}),
    "an argument": (
        "tool-call-ids",
        {"messages": [{"content": [{"type": "tool_use", "id": "t", "input": {"id": 7}}]}]},
        {"messages": [{"content": [{"type": "tool_use", "id": "t", "input": {"id": 8}}]}]},
    ),
}


@pytest.mark.parametrize(("rule", "one", "other"), SAME.values(), ids=SAME.keys())
def test_noise(rule, one, other):
    """Two calls that differ in noise alone get one key by the rule for it, and by no other rule."""
    assert Scrubber([named(rule)]).identity(identity(one)) == Scrubber([named(rule)]).identity(identity(other))
    others = Scrubber([named(name) for name in scrub.READY if name != rule])
    assert others.identity(identity(one)) != others.identity(identity(other))


@pytest.mark.parametrize(("rule", "one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_no_noise(rule, one, other):
    """What is no noise tells two calls apart, whatever rules there are."""
    for rules in ([rule], list(scrub.READY)):
        scrubber = Scrubber([named(name) for name in rules])
        assert scrubber.identity(identity(one)) != scrubber.identity(identity(other))


@pytest.fixture(autouse=True)
def _working_folder(monkeypatch):
    """Every test is in the same folder."""
    monkeypatch.chdir(HERE)


PATHS = {
    "member": ("metadata.run", {"metadata": {"run": 1, "x": 2}}, {"metadata": {"x": 2}}),
    "any element": ("messages.*.id", {"messages": [{"id": 1, "a": 2}, {"id": 3}]}, {"messages": [{"a": 2}, {}]}),
    "elements only": ("#.id", {"a": {"id": 1}}, {"a": {"id": 1}}),
    "one element": ("messages.0", {"messages": [1, 2]}, {"messages": [2]}),
    "any depth": ("**.id", {"id": 1, "a": [{"id": 2, "b": {"id": 3}}]}, {"a": [{"b": {}}]}),
    "dot in a name": (r"a\.b", {"a.b": 1, "c": 2}, {"c": 2}),
    "not there": ("x.y.z", {"x": 1}, {"x": 1}),
}


@pytest.mark.parametrize(("path", "body", "left"), PATHS.values(), ids=PATHS.keys())
def test_ignore(path, body, left):
    """A path leaves out exactly what is there."""
    assert Scrubber([ignoring(path)]).identity(identity(body)) == identity(left)


@pytest.mark.parametrize("path", ["", "a..b", "a.", "**"])
def test_no_path(path):
    """A path that leads nowhere is refused."""
    with pytest.raises(ValueError, match="is no path"):
        ignoring(path)


def test_replace():
    """A pattern is replaced in every text of the body, in names of members nowhere, and by a plain text."""
    scrubber = Scrubber([replacing(r"build-\d+", r"\g<0>")])
    body = {"build-7": "a build-7 and build-8", "list": ["build-9"], "n": 7}
    expected = {"build-7": r"a \g<0> and \g<0>", "list": [r"\g<0>"], "n": 7}
    assert scrubber.identity(identity(body)) == identity(expected)


@pytest.mark.parametrize("pattern", ["(", "x*", ""])
def test_no_pattern(pattern):
    """A pattern that is none, or that meets everything, is refused."""
    with pytest.raises(ValueError, match=r"regular expression|meets the empty text"):
        replacing(pattern, "x")


def test_nothing_to_do():
    """Where the rules change nothing there is no other key; without rules, or without a body, neither."""
    every = Scrubber([named(name) for name in scrub.READY])
    assert every.key(identity(said("plain"))) == ""
    assert every.key(identity(said("on 2026-11-21"))) != ""
    assert every.key(b"no json") == ""
    assert every.key(b"[1]") == ""
    assert Scrubber([]).key(identity(said("on 2026-11-21"))) == ""


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.text(max_size=30) | st.integers() | st.none() | st.sampled_from(["2026-11-21", U1, "/tmp/tmpabcdefgh/x"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_body(body):
    """Rules never fail, and what they leave they leave alone a second time."""
    every = Scrubber([named(name) for name in scrub.READY])
    once = every.identity(identity(body))
    assert every.identity(once) == once
