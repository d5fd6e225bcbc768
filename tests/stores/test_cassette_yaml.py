"""The YAML of recordings: whatever JSON can say comes back, and nothing but plain data is read."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.stores.cassette_yaml import Broken, Flow, dump, line_of, load

TRICKY = [
    "no",
    "12:30",
    "1e3",
    "0x1f",
    "2024-01-01",
    "null",
    "~",
    "-",
    "...",
    "---",
    "a: b",
    "a #b",
    "=",
    "<<",
    "1_000",
]
TRICKY += ["0o7", ".5", "5.", "+1", "!x", "", " ", "a ", "- a", "? a", "b:", "TRUE", "x\n y \nz", "\n\n", " a\nb\n\n"]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text(" \t\n:#-ab'\"|>%@&*!{}[],?0123456789.eE~=<_\x85\u2028\r\x00é", max_size=14),
    st.lists(st.text(' \tab\\"#:é\x07', max_size=30), min_size=3, max_size=5).map("\n".join),
    st.sampled_from(TRICKY),
)
LEAVES = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=10
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_every_value_comes_back(value):
    """What JSON can say is read as it was written, types and order included, in blocks and in one line."""
    assert repr(load(dump(value))) == repr(value)
    assert repr(load(dump({"in one line": Flow(value)}))) == repr({"in one line": value})


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4))
def test_other_readers_see_the_same_text(value):
    """Text that YAML 1.1 takes for a date, a number or a truth value is quoted."""
    assert yaml.safe_load(dump(value)) == value


def test_no_blanks_at_the_end_of_a_line():
    """An editor or a hook that takes blanks away at the ends of lines changes no value."""
    value = {"a": "first  \n\tsecond\t\n  \nlast " * 3, "b": "x\ny\n", "c": {"d": []}}
    written = dump(value)
    assert [line for line in written.split("\n") if line != line.rstrip()] == []
    assert load(written) == value


def test_half_a_surrogate_pair_is_no_text():
    """What UTF-8 cannot hold is refused, so that another form is chosen."""
    with pytest.raises(ValueError, match="surrogate"):
        dump({"a": "\ud83d"})


BROKEN = {
    "written twice": ("a: 1\nb: 2\na: 3\n", 3, "`a` is written twice"),
    "written twice inside": ("a:\n  - b: 1\n    b: 2\n", 3, "`b` is written twice"),
    "executable tag": ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "python/object/apply:os.system"),
    "any tag": ("a: !thing 1\n", 1, "`!thing` is not understood"),
    "binary": ("a: !!binary aGk=\n", 1, "`!!binary` is not understood"),
    "alias": ("a: &x [1]\nb: *x\n", 1, "alias"),
    "merge conflict": ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n", 3, "this is not YAML"),
    "not closed": ("a: [1, 2\nb: 3\n", 2, "this is not YAML"),
    "indented with a tab": ("a:\n\tb: 1\n", 2, "this is not YAML"),
    "control character": ("a: 1\nb: \x01\n", 2, "this is not YAML"),
    "two documents": ("a: 1\n---\na: 2\n", 2, "this is not YAML"),
    "empty": ("", 1, "empty"),
    "deep": ("[" * 5000, 1, "deep|YAML"),
}


@pytest.mark.parametrize(("text", "line", "what"), BROKEN.values(), ids=BROKEN.keys())
def test_broken(text, line, what):
    """Whatever is no plain data is refused with its line."""
    with pytest.raises(Broken, match=what) as refused:
        load(text)
    assert refused.value.line == line or what == "deep|YAML"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ("1", 1),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        ("-0", 0),
        (".inf", ".inf"),
        ("010", 10),
    ],
)
def test_people_mean_json(written, value):
    """A scalar that somebody wrote without quotes is what YAML 1.2 says, never a date or a `no` that is false."""
    found = load(f"a: {written}\n")["a"]
    assert (found, type(found)) == (value, type(value))


def test_where_a_member_is():
    """The line of a member is found by its path; of one that is not there, the line around it."""
    text = "a: 1\nb:\n  - c: 2\n  - c: 3\n    d: 4\n"
    assert [line_of(text, path) for path in [("a",), ("b",), ("b", 1, "d"), ("b", 0, "x"), ("x",)]] == [1, 2, 5, 3, 1]
