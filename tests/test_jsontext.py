"""JSON text to values and back: one value one text, and no text that two readers understand differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llmcache import jsontext
from llmcache.chat import WireError

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Property tests must not fail because the machine is busy."""

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False).filter(lambda each: not each.is_integer())
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


def refusal(body: bytes) -> str:
    """Return the slug with which *body* is refused."""
    with pytest.raises(WireError) as caught:
        jsontext.parse(body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        pytest.param(b'{"a":1,"a":1}', "json-duplicate-key", id="duplicate-even-if-equal"),
        pytest.param(b'[{"b":{"a":1,"a":2}}]', "json-duplicate-key", id="duplicate-inside"),
        pytest.param(b'{"a":1,"\\u0061":2}', "json-duplicate-key", id="duplicate-by-escape"),
        pytest.param(b"NaN", "json-number", id="nan"),
        pytest.param(b"[-Infinity]", "json-number", id="infinity"),
        pytest.param(b"1e400", "json-number", id="beyond-a-double"),
        pytest.param(b"1" * 5000, "json-number", id="digits-beyond-pythons-bound"),
        pytest.param(b'"\xff"', "json-not-utf8", id="invalid-utf8"),
        pytest.param('"é"'.encode("utf-16"), "json-not-utf8", id="utf-16"),
        pytest.param(b"[" * 201 + b"]" * 201, "json-too-deep", id="just-too-deep"),
        pytest.param(b"[" * 100_000, "json-too-deep", id="endless-brackets"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, "json-too-deep", id="deep-objects"),
        pytest.param(b"{invalid", "json-invalid", id="invalid"),
        pytest.param(b"", "json-invalid", id="empty"),
        pytest.param(b"{} {}", "json-invalid", id="two-values"),
        pytest.param(b'"a\nb"', "json-invalid", id="raw-line-feed-in-string"),
    ],
)
def test_what_is_not_one_clear_value_is_refused(body: bytes, slug: str) -> None:
    """Text that is no JSON, or that readers disagree on, raises `WireError` with its slug."""
    assert slug == refusal(body)


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        ("1.0", 1),
        ("1e0", 1),
        ("10E-1", 1),
        ("-0.0", 0),
        ("-0", 0),
        ("0e5", 0),
        ("1e3", 1000),
        ("1e23", 10**23),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("0.10", 0.1),
        ("1E-1", 0.1),
        ("1e-400", 0),
        ("9007199254740993.0", 9007199254740993),
        ("9007199254740993.5", 9007199254740994),
    ],
)
def test_a_number_has_one_form(spelled: str, value: float) -> None:
    """However a number is spelled, equal numbers become the same Python value of the same type."""
    found = jsontext.parse(spelled.encode())
    assert (type(value), value) == (type(found), found)


def test_brackets_in_text_are_no_nesting() -> None:
    """A long text full of brackets is as flat as any other."""
    assert jsontext.parse(jsontext.canonical(["[" * 1000])) == ["[" * 1000]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The documented depth is read and written again."""
    body = b"[" * jsontext.MAX_DEPTH + b"]" * jsontext.MAX_DEPTH
    assert body == jsontext.canonical(jsontext.parse(body))


def test_a_byte_order_mark_is_accepted() -> None:
    """A BOM before the value changes nothing."""
    assert jsontext.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_read_keeps_numbers_as_they_were_sent() -> None:
    """For a reply, 1.0 is not 1: what is written again looks as it was sent."""
    assert jsontext.dumps(jsontext.read(b'{"a":1.0,"b":1}')) == b'{"a":1.0,"b":1}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a": 1, "a": 2}',
        b'{"a" :1,"b": {"c": ":", "c": 0}}',
        b'{"a": 1, "\\u0061": ":"}',
        b'{"a":":","a":"\\u003a:"}',
        b'{"a":"","a":"\\u003A\\u003a"}',
    ],
)
def test_read_refuses_a_key_twice_however_it_is_spelled(body: bytes) -> None:
    """The fast way is not taken where it would hide that a key comes twice."""
    with pytest.raises(WireError, match="json-duplicate-key"):
        jsontext.read(body)


@STEADY
@given(VALUES, st.sampled_from([None, 1, 3]), st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]), st.booleans())
def test_read_understands_every_spelling_as_the_strict_reader_does(
    value: Any, indent: int | None, separators: tuple[str, str], escaped: bool
) -> None:
    """Blanks and escapes change nothing: what is read is the value, its numbers of the same types, over 64 bits too."""
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=escaped)
    assert repr(json.loads(text)) == repr(jsontext.read(text))


@STEADY
@given(VALUES)
def test_skim_sees_what_read_sees(value: Any) -> None:
    """The quick look gives the same value, as text and as bytes, big integers rounded at most."""
    text = json.dumps(value)
    assert json.loads(text, parse_int=rounded) == rounded_all(jsontext.skim(text))
    assert jsontext.skim(text) == jsontext.skim(text.encode())


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf["\\ud800"]', '["\\ud800"]'])
def test_skim_reads_what_orjson_cannot(body: bytes | str) -> None:
    """A byte order mark or a lone surrogate is no obstacle."""
    assert jsontext.skim(body) == ["\ud800"]


@pytest.mark.parametrize("body", ["[" * 201 + "]" * 201, b"[" * 201 + b"]" * 201, "{", b"NaN"])
def test_skim_refuses_too(body: bytes | str) -> None:
    """Deep nesting and what is no JSON are refused."""
    with pytest.raises(WireError):
        jsontext.skim(body)


ODD = st.sampled_from(
    [
        *(
            b'{"a":1',
            b'"b":2}',
            b"1,2",
            b'{"a":1,"a":1}',
            b'{"a":"\\u003a","a":1}',
            b'"\\u003A"',
            b'"\\u003c"',
            b'"\\ud800"',
        ),
        *(b"1E5", b"-0", b"-0.0", b"1.0", b"1" * 19, b"18446744073709551616", b"0." + b"1" * 30, b"1e400", b"NaN"),
        *(b"\xef\xbb\xbf1", b"\xff", b'"\xff"', b"", b" 1 ", b"[" * 201 + b"]" * 201, b"[" * 200 + b"]" * 200),
    ]
)
"""Texts over which readers disagree, and such as would hide in what several texts joined say."""
SPELLED = VALUES.map(lambda value: json.dumps(value).encode()) | VALUES.map(jsontext.dumps)


def each_or_slug(read: Callable[[], list[Any]]) -> str:
    """Return what was read, with the types of all numbers, or why it was refused."""
    try:
        return repr(read())
    except WireError as error:
        return str(error)


@STEADY
@given(st.lists(ODD | SPELLED, max_size=4))
def test_many_are_read_as_one_by_one(texts: list[bytes]) -> None:
    """Reading the texts of a stream together is reading each: the same values of the same types, the same refusals."""
    assert each_or_slug(lambda: [jsontext.read(text) for text in texts]) == each_or_slug(
        lambda: jsontext.read_all(texts)
    )
    assert each_or_slug(lambda: [jsontext.skim(text) for text in texts]) == each_or_slug(
        lambda: jsontext.skim_all(texts)
    )


@STEADY
@given(VALUES)
def test_canonical_reads_back(value: Any) -> None:
    """Reading the canonical text gives the value."""
    assert value == jsontext.parse(jsontext.canonical(value))


@STEADY
@given(st.lists(st.sampled_from([0, 1, True, False, None, "", "1", "true", [], {}, "\ud800", 2**70, str(2**70)])))
def test_canonical_reads_back_where_orjson_cannot_write(value: Any) -> None:
    """Integers over 64 bits and lone surrogates survive, beside values that look alike."""
    assert json.dumps(value) == json.dumps(jsontext.parse(jsontext.canonical(value)))


@STEADY
@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.randoms(use_true_random=False), st.booleans())
def test_spelling_does_not_matter(value: Any, indent: Any, random: Any, escaped: bool) -> None:
    """White space, the order of keys and escapes in strings do not change the canonical text."""
    spelled = json.dumps(shuffled(value, random), indent=indent, ensure_ascii=escaped).encode()
    assert jsontext.canonical(value) == jsontext.canonical(jsontext.parse(spelled))


@STEADY
@given(VALUES | st.recursive(st.sampled_from([1.0, -0.0, 1e22, 1e23, 2**53, 2**63, 2**64, 0.1, 5e-324]), st.lists))
def test_how_most_sdks_write_is_read_as_everything_else(value: Any) -> None:
    """Compact text takes a faster way through the reader, to the same value of the same types."""
    compact = jsontext.dumps(value)
    spaced = b" " + compact
    assert json.dumps(jsontext.parse(compact)) == json.dumps(jsontext.parse(spaced))


@STEADY
@given(VALUES, VALUES)
def test_equal_bytes_mean_equal_values(left: Any, right: Any) -> None:
    """Two values have one canonical text only if they are the same value, where True is not 1."""
    assert (typed(left) == typed(right)) == (jsontext.canonical(left) == jsontext.canonical(right))


@STEADY
@given(st.dictionaries(st.text(max_size=3), VALUES, min_size=1, max_size=4), st.data())
def test_any_changed_leaf_changes_it(value: dict[str, Any], data: st.DataObject) -> None:
    """Changing a single leaf, at any depth, changes the canonical text."""
    key = data.draw(st.sampled_from(sorted(value)))
    other = data.draw(LEAVES.filter(lambda each: typed(each) != typed(value[key])))
    assert jsontext.canonical({"a": [value]}) != jsontext.canonical({"a": [{**value, key: other}]})


SPACE = st.sampled_from(["", " ", "\n\t", "  "])


@STEADY
@given(st.lists(st.sampled_from(["usage", "a", "b", 'q"}{', "é"]), unique=True), st.lists(VALUES, min_size=5), SPACE)
def test_cutting_a_member_leaves_the_others(names: list[str], values: list[Any], space: str) -> None:
    """Without the span that `member` names, the text is the same object without that member."""
    value = dict(zip(names, values, strict=False))
    pairs = [f"{space}{json.dumps(name)}{space}:{space}{json.dumps(each)}{space}" for name, each in value.items()]
    text = space + "{" + (",".join(pairs) or space) + "}" + space
    span = jsontext.member(text, "usage")
    assert ("usage" in value) == (span is not None)
    start, end = span or (0, 0)
    value.pop("usage", None)
    assert value == json.loads(text[:start] + text[end:])


def rounded(text: str) -> float:
    """Return an integer as a double where it takes more than 64 bits."""
    return int(text) if -(2**63) <= int(text) < 2**64 else float(text)


def rounded_all(value: Any) -> Any:
    """Return *value*, read again with `rounded`."""
    return json.loads(json.dumps(value), parse_int=rounded)


def shuffled(value: Any, random: Any) -> Any:
    """Return *value* with the members of every object in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(each, random) for key, each in items}
    return [shuffled(each, random) for each in value] if isinstance(value, list) else value


def typed(value: Any) -> Any:
    """Return *value* with the type of each leaf beside it, so that True is not 1."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    return [typed(each) for each in value] if isinstance(value, list) else (type(value), value)
