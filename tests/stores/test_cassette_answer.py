"""A recording that nobody edited is read by shorter ways than YAML, and means there what it means in YAML."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Form, Reply, Usage
from llmcache.jsontext import canonical
from llmcache.stores.cassette_answer import answered
from llmcache.stores.cassette_file import SEAL, Shape, read, rounded, written
from llmcache.stores.cassette_quick import quick
from llmcache.stores.cassette_yaml import Broken, Flow, dump, load
from test_cassette_file import ENTRY, IDENTITY, KINDS, STREAMS, cut, stream
from test_cassette_yaml import TEXTS, VALUES


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.booleans())
def test_what_we_write_needs_no_yaml(value, compact):
    """Whatever `dump` writes the short way reads as YAML does, types and order included."""
    for each in (value, {"in one line": Flow(value, compact), "list": [[value], [[]], value]}):
        text = dump(each)
        assert repr(quick(text)) == repr(load(text))


LINES = dump(
    {
        "a": "plain text",
        "b": {"c": [1, -2.5, {"d": "quoted: text", "e": None}, ["x", True]], "f": "two\nlines\n"},
        "g": "\tfolded  \n  in quotes,\n of \\several lines " * 3,
        "h": Flow({"i": [1, "j"]}),
    }
)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(LINES)), st.integers(0, 3), st.text(" \n-:#\"'|\\{}[],&*~a1.eTrue", max_size=4))
def test_other_text_is_not_misread(at, gone, put):
    """Of text that somebody edited the short way says nothing else than YAML, though it is not asked for it."""
    text = LINES[:at] + put + LINES[at + gone :]
    try:
        meant = load(text)
    except Broken:
        return
    assert quick(text) is None or repr(quick(text)) == repr(meant)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "anthropic/text",
            "anthropic/redacted-thinking",
            "cohere/thinking",
            "google/text",
            "ollama/chat-thinking-tools",
            "cohere/text",
        ),
        *("openai-chat/gemini-parallel-tools", "openai-completions/text", "openai-responses/text"),
        *(f"{name}/text.response" for name in ("anthropic", "google", "openai-responses")),
    ],
)
def test_golden_replies_are_not_parsed(name):
    """Replies as providers send them are answered the short way, whether they come in one chunk or in many."""
    body = STREAMS[name].read_bytes()
    kind = "json" if name.endswith("response") else KINDS.get(name.partition("/")[0], "sse")
    for chunks in (cut(body, [len(body)]), cut(body, [1, 7, 40])):
        entry = stream(body, kind, chunks)
        assert answered(written(entry, Shape(), {}), entry.request) == rounded(entry)


def test_only_what_is_untouched_answers():
    """An edited file, and one of another call, are read to the last member."""
    data = written(ENTRY, Shape(), {})
    assert answered(data, IDENTITY) == rounded(ENTRY)
    assert answered(data.replace(b"because", b"thereby"), IDENTITY) is None
    assert answered(data, canonical({"aicache": 1, "body": {"messages": []}})) is None


@pytest.mark.parametrize(
    "more",
    [
        {"question": "one\ntwo\n\nthree"},
        {"question": "\tone  \n two: three # and more\n" * 3},
        {"question": "null"},
        {"question": ""},
        {"model": "a: b", "path": "/v1/é/\x7f"},
        {"sequence": 12, "expires": 1_790_000_500.1234, "truncated": True, "form": Form("json", frozenset({"usage"}))},
        {"usage": Usage(), "seconds": 0.0},
        {"reply": Reply(201, (), b'{"a": 1e-07, "b": 12345678901234567890, "c": "\\u001f\xc2\x85"}')},
        {"reply": Reply(200, (("a-b", "x: y"), ("c", '"'), ("d", "")), b'{"a":[[],{}]}')},
    ],
)
def test_heads(more):
    """Whatever the head and the headers say, it is read as by YAML."""
    entry = replace(ENTRY, **more)
    data = written(entry, Shape("0" * 40, ("match.replace: dates", "x\ny")), {})
    assert answered(data, entry.request) == rounded(entry) == read(data, {}.__getitem__)[0]


def test_pictures_of_a_request_are_not_read():
    """Side files that only the request names are passed over with it; those of a reply are read with it."""
    picture = base64.b64encode(b"\x89PNG" + bytes(3000)).decode()
    request = canonical({"aicache": 1, "body": {"messages": [{"content": picture, "role": "user"}]}})
    entry, sides = replace(ENTRY, request=request, key=fingerprint.key(request)), {}
    data = written(entry, Shape(), sides)
    assert sides
    assert answered(data, request) == rounded(entry)
    drawn = replace(entry, reply=Reply(200, (), canonical({"data": [{"b64_json": picture}]})))
    assert answered(written(drawn, Shape(), {}), request) is None


def test_json_that_stands_otherwise_is_read():
    """Where the JSON of an event cannot stand as it was sent, the bytes come back all the same."""
    long = "n" * 1100
    for data in ('{"a":"\x7f"}', '{"a":"\\u2028"}', '{"a":1e-7}', '{"a":0.0000001}', "{}", "[1]", f'{{"{long}":1}}'):
        for before in ("", "event: ping\n", "id: 1\n"):
            entry = stream(f'data: {{"a":1}}\n\n{before}data: {data}\n\n'.encode(), "sse")
            data_ = written(entry, Shape(), {})
            assert answered(data_, entry.request) in (None, rounded(entry))
            assert repr(load(data_.decode())) == repr(quick(data_[:-SEAL].decode()))
