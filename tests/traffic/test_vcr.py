"""Cassettes of vcrpy and its kin: each notation of a body, and what is no plain data."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from llmcache.traffic import Gap, Interaction, Unreadable, vcr
from support.saved import ANSWERED, ASKED, STREAM, interaction
from support.saved import vcr as cassette

RAW = ANSWERED.encode()


def only(text: str) -> Interaction:
    """Return the one interaction in a cassette."""
    (found,) = vcr.read_yaml(text, "x.yaml")
    assert isinstance(found, Interaction)
    return found


def body(found: Interaction) -> bytes:
    """Return the bytes that came."""
    return b"".join(piece for _, piece in found.exchange.pieces)


@pytest.mark.parametrize(
    "notation",
    [
        pytest.param({"string": ANSWERED}, id="text"),
        pytest.param({"string": RAW}, id="binary"),
        pytest.param(ANSWERED, id="bare text"),
        pytest.param(RAW, id="bare binary"),
        pytest.param({"base64_string": base64.b64encode(RAW).decode()}, id="base64"),
        pytest.param({"encoding": "UTF-8", "string": ANSWERED}, id="ruby"),
        pytest.param({"encoding": "utf-8", "base64_string": base64.b64encode(RAW).decode()}, id="betamax"),
    ],
)
def test_every_notation_of_a_body(notation: Any):
    """The same bytes, of the request too, however they are written."""
    found = only(cassette(interaction(notation, asked=notation)))
    assert (RAW, RAW) == (body(found), found.request.body)


@pytest.mark.parametrize("name", ["gzip", "GZIP"])
def test_a_body_that_is_still_coded(name: str):
    """What came on the wire is kept by vcrpy; the coding is undone once, and is not claimed any more."""
    found = only(cassette(interaction({"string": gzip.compress(RAW)}, content_encoding=name)))
    assert RAW == body(found)
    assert "content-encoding" not in dict(found.exchange.headers)


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
def test_a_body_that_is_coded_by_name_only(name: str):
    """Clients hand over what they decoded, under headers that say it is coded."""
    assert RAW == body(only(cassette(interaction(content_encoding=name))))


def test_a_broken_coding_is_told():
    """Half a gzip is no body."""
    text = cassette(interaction({"string": b"\x1f\x8bnothing"}, content_encoding="gzip"))
    with pytest.raises(Unreadable, match=r"x.yaml:2: interaction 1: the body cannot be decoded as `gzip`"):
        list(vcr.read_yaml(text, "x.yaml"))


def test_the_httpx_stub_of_old():
    """`status_code` and `content` instead of `status` and `body`."""
    made = interaction()
    made["response"] = {"status_code": 200, "http_version": "HTTP/1.1", "headers": {"a": "b"}, "content": ANSWERED}
    found = only(cassette(made))
    assert (200, RAW) == (found.exchange.status, body(found))


def test_ruby_and_json():
    """`http_interactions`, with its moment, as YAML and as JSON."""
    made = {"http_interactions": [{**interaction(), "recorded_at": "2026-01-02T03:04:05+00:00"}]}
    for found in (*vcr.read_yaml(yaml.dump(made), "x"), *vcr.read_json(json.dumps(made, indent=1), "x")):
        assert isinstance(found, Interaction)
        assert (RAW, 1767323045.0) == (body(found), found.moment)


def test_where_and_when():
    """The line, the number, and the date that the response had."""
    text = cassette(interaction(), interaction(date="Fri, 02 Jan 2026 03:04:05 GMT"))
    first, second = vcr.read_yaml(text, "x.yaml")
    line = text[: text.rindex("- request:")].count("\n") + 1
    assert ("x.yaml:2: interaction 1", f"x.yaml:{line}: interaction 2") == (first.where, second.where)
    assert isinstance(first, Interaction)
    assert isinstance(second, Interaction)
    assert (None, 1767323045.0) == (first.moment, second.moment)


def test_a_stream_is_one_chunk_without_time():
    """Nothing is known of when its parts came."""
    found = only(cassette(interaction({"string": STREAM}, content_type="text/event-stream; charset=utf-8")))
    assert ((0, STREAM.encode()),) == found.exchange.pieces
    assert found.exchange.streamed
    assert found.exchange.whole


def test_a_body_that_is_shorter_than_its_length_is_not_whole():
    """The connection broke."""
    assert not only(cassette(interaction(content_length="100000"))).exchange.whole


def test_no_body():
    """An interaction without a reply's body is a gap, not an error."""
    made = interaction()
    made["response"]["body"] = {"string": None}
    assert [Gap("x:2: interaction 1", "no-body")] == list(vcr.read_yaml(cassette(made), "x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: 1\nb: [\n", r"x:3: this is not plain YAML", id="no YAML"),
        pytest.param("\ta: 1\n", r"x:1: this is not plain YAML", id="tab"),
        pytest.param("a: \x01\n", r"x:1: this is not YAML", id="control character"),
        pytest.param("", r"x:1: this is no cassette of vcrpy", id="empty"),
        pytest.param("- request: {}\n  response: {}\n", r"x:1: this is no cassette of vcrpy", id="format 0"),
        pytest.param("interactions:\n\n- 7\n", r"x:3: interaction 1: it has no `request`", id="no mapping"),
        pytest.param(
            "interactions:\n- request: {}\n  response: {}\n", r"x:2: .*no `method` and `uri`", id="empty ones"
        ),
        pytest.param(
            "interactions:\n- request:\n    body: !!python/object/apply:os.system ['true']\n",
            r"x:3: `!!python/object/apply:os.system` stands for an object of Python",
            id="python object",
        ),
        pytest.param(
            "interactions:\n- request:\n    body: !!python/unicode 'x'\n", r"x:3: `!!python/unicode`", id="python text"
        ),
        pytest.param("interactions:\n- request: !ruby/x {}\n  response: {}\n", r"x:2: .*constructor", id="other tag"),
    ],
)
def test_what_is_no_cassette_says_where(text: str, said: str):
    """File, line, and what is wrong; no tag is ever followed."""
    with pytest.raises(Unreadable, match=said):
        list(vcr.read_yaml(text, "x"))


def test_json_that_is_none():
    """A broken file of the JSON serializer is named with its line."""
    with pytest.raises(Unreadable, match=r"x:2: this is not JSON"):
        list(vcr.read_json('{"interactions": [\n,', "x"))
    with pytest.raises(Unreadable, match=r"x:1: this is no cassette"):
        list(vcr.read_json("{}", "x"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uri": "api.openai.com/v1"}, "is no URL"),
        ({"uri": "http://[bad/v1"}, "is no URL"),
        ({"body": 7}, "neither text nor bytes"),
        ({"headers": [1]}, "`headers` is no mapping"),
    ],
    ids=["no scheme", "no host", "body", "headers"],
)
def test_members_of_another_kind(change: Any, said: str):
    """What cannot be understood stops the file, with the interaction."""
    made = interaction()
    made["request"] |= change
    with pytest.raises(Unreadable, match=f"x:2: interaction 1: .*{said}"):
        list(vcr.read_yaml(cassette(made), "x"))


def test_aliases_are_read_and_do_not_explode():
    """PyYAML writes an alias for a value that is there twice; nested ones are not walked again and again."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    (found,) = vcr.read_yaml(bomb + cassette(interaction(asked=ASKED)), "x")
    assert isinstance(found, Interaction)


def complaint(read: Any, text: str) -> str:
    """Return what is said of a broken file; the beginning of it for a good one."""
    try:
        list(read(text, "x"))
    except Unreadable as error:
        return str(error)
    return "x:"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    """Nothing but `Unreadable` comes of a broken file."""
    assert complaint(vcr.read_yaml, text).startswith("x:")
    assert complaint(vcr.read_json, text).startswith("x:")
