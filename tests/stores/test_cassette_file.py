"""Recordings as files: the same bytes come back, people can read and edit them, and what is broken is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Entry, Form, Reply, Usage
from llmcache.jsontext import canonical
from llmcache.stores.cassette_answer import answered
from llmcache.stores.cassette_file import Shape, read, read_head, rounded, sealed, written
from llmcache.stores.cassette_json import parsed
from llmcache.stores.cassette_json import written as json_written
from llmcache.stores.cassette_yaml import Broken
from support.proxy import ROOT

IDENTITY = canonical({"aicache": 1, "body": {"messages": [{"content": "Why?\nTell me.", "role": "user"}]}})
REPLY = Reply(200, (("content-type", "application/json"), ("x", "1")), b'{"answer":"because"}')
ENTRY = Entry(
    key=fingerprint.key(IDENTITY),
    dialect="openai-chat",
    host="api.openai.com",
    model="gpt-4o-mini",
    form=Form("json"),
    reply=REPLY,
    created=1_790_000_000.0,
    usage=Usage(5, 7),
    seconds=1.25,
    request=IDENTITY,
    path="/v1/chat/completions",
    question="Why?",
)
STREAMS = {
    path.parent.name + "/" + path.stem: path
    for pattern in ("*.stream", "*.response.json")
    for path in sorted((ROOT / "tests" / "data" / "wire").glob(f"*/{pattern}"))
}
KINDS = {"ollama": "ndjson", "bedrock-converse": "eventstream", "bedrock-invoke": "eventstream"}


PLAIN = Shape()


def round_trip(entry, shape=PLAIN):
    """Return the recording of *entry* after checking that it reads back equal, whether it is read or answers."""
    sides = {}
    data = written(entry, shape, sides)
    assert read(data, sides.__getitem__) == (rounded(entry), shape)
    assert sealed(data)
    assert answered(data, entry.request) in (None, rounded(entry))
    return data.decode()


def stream(body, kind="sse", chunks=()):
    """Return an entry whose reply is the stream *body*."""
    return replace(ENTRY, form=Form(kind), reply=Reply(200, (), body, chunks))


def cut(body, sizes):
    """Return chunks of *sizes*, repeated, for all of *body*."""
    chunks, left, at = [], len(body), 0
    while left:
        size = min(left, sizes[len(chunks) % len(sizes)])
        at += size % 7
        chunks.append((at, size))
        left -= size
    return tuple(chunks)


@pytest.mark.parametrize("path", STREAMS.values(), ids=STREAMS.keys())
def test_golden_replies(path):
    """Every reply of every dialect comes back to the byte, whole or cut into chunks anywhere."""
    body = path.read_bytes()
    kind = KINDS.get(path.parent.name, "sse") if path.suffix == ".stream" else "json"
    for chunks in ((), cut(body, [1000]), cut(body, [1, 7, 40])):
        round_trip(stream(body, kind, chunks))


def test_what_it_looks_like():
    """A recording is calm: one fact a line, the request as blocks, only the day, a checksum at the end."""
    text = round_trip(ENTRY)
    assert (
        text.splitlines()[:-1]
        == f"""\
aicache: 1
key: {json.dumps(ENTRY.key) if ENTRY.key[0].isdigit() else ENTRY.key}
dialect: openai-chat
host: api.openai.com
path: /v1/chat/completions
model: gpt-4o-mini
question: Why?
recorded: "2026-09-21"
form: json
seconds: 1.25
usage: {{"input": 5, "output": 7, "cached": 0}}
request:
  aicache: 1
  body:
    messages:
      - content: |-
          Why?
          Tell me.
        role: user
reply:
  status: 200
  headers:
    - content-type: application/json
    - x: "1"
  json:
    answer: because""".splitlines()
    )


def test_events_are_readable():
    """A stream is a list of events with the time at which each chunk came; a chunk may hold several."""
    parts = [b'event: a\ndata: {"x":1}\n\n', b': ping\n\ndata: {"x":2}\n\n', b"data: [DONE]\n\n"]
    text = round_trip(stream(b"".join(parts), chunks=tuple(zip((3, 9, 12), map(len, parts), strict=True))))
    assert text.partition("  events:\n")[2].splitlines()[:-1] == [
        "    - at: 3",
        "      event: a",
        '      data: {"x":1}',
        "    - at: 9",
        '      raw: ": ping\\n\\n"',
        '    - data: {"x":2}',
        "    - at: 12",
        '      text: "[DONE]"',
    ]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_splits(data):
    """Wherever the chunks of a stream begin and end, bytes and borders come back."""
    events = st.sampled_from(
        [
            b'data: {"a": 1}\n\n',
            b'event: x\ndata: {"b":"\xc3\xa9"}\n\n',
            b": c\n\n",
            b"data: [DONE]\n\n",
            b"id: 1\ndata\n\n",
            b'data: {"a":0.00001}\r\n\r\n',
            b'event: y\ndata: {"c":{"d":1}      }\n\n',
            b'data: {"c": {"d": [1, 2]} }\n\n',
            b"\n\n\n",
            b"data: cut",
        ]
    )
    body = b"".join(data.draw(st.lists(events, min_size=1, max_size=8)))
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    round_trip(stream(body, data.draw(st.sampled_from(["sse", "ndjson", "raw", "array"])), cut(body, sizes)))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(body):
    """A body that is no JSON and no text comes back all the same, in every form, and so does such a request."""
    for kind in ("json", "sse", "ndjson", "raw", "eventstream"):
        round_trip(replace(stream(body, kind), request=body))


WRITTEN = {
    "compact": b'{"a":[1,2.5,"\xc3\xa9"],"b":{}}',
    "python": b'{"a": [1, 2.5, "\\u00e9"], "b": {}}',
    "indented": b'{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}\n',
    "go": b'{"a":"\\u003cb\\u003e \\u0026 \\u2028"}\n',
    "google": b'{"a": "x","b": [1,2]}',
    "php": b'{"a":"https:\\/\\/x"}',
    "small numbers": b'{"cost":0.000041148,"b":1e-9}'.replace(b',"b":1e-9', b""),
    "surrogates": b'{"a":"\\ud83d\\ude00"}',
}


@pytest.mark.parametrize("body", WRITTEN.values(), ids=WRITTEN.keys())
def test_json_stays_json(body):
    """However a provider's library spells JSON, it is kept as a value and comes back to the byte."""
    found = parsed(body)
    assert found is not None
    assert json_written(*found) == body


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":2}', b'{"a" :1}', b'{"a":1.50}', b'{"a":1e5,"b":0.00001}', b'{"a":"\\u0041"}', b"{", b""]
)
def test_what_would_not_come_back_stays_text(body):
    """JSON whose bytes no style gives back is no value."""
    assert parsed(body) is None
    assert "  text: " in round_trip(replace(ENTRY, reply=Reply(200, (), body)))


def test_binary_goes_beside():
    """Bytes that are no text, and long base64 texts inside JSON, are files named by their content."""
    picture = b"\x89PNG" + bytes(range(256)) * 20
    import base64

    url = "data:image/png;base64," + base64.b64encode(picture).decode()
    request = canonical({"aicache": 1, "body": {"image": url, "plain": base64.b64encode(picture).decode()}})
    entry = replace(
        ENTRY,
        key=fingerprint.key(request),
        request=request,
        reply=Reply(200, (("content-type", "audio/mpeg"),), picture),
    )
    sides = {}
    data = written(entry, Shape(), sides)
    assert sorted(name.rpartition(".")[2] for name in sides) == ["mp3", "png"]
    assert set(sides.values()) == {picture}
    assert len(data) < 1500
    assert read(data, sides.__getitem__)[0] == rounded(entry)


def test_an_edited_answer_is_read():
    """Whoever edits an answer gets it as edited; chunks that do not fit it any more are made anew."""
    text = round_trip(ENTRY).replace("because", "of course")
    assert not sealed(text.encode())
    assert read(text.encode(), {}.__getitem__)[0].reply.body == b'{"answer":"of course"}'
    body = b'data: {"a":"x"}\n\ndata: {"a":"y"}\n\n'
    text = round_trip(stream(body, chunks=((1, 5), (2, len(body) - 5)))).replace('"y"', '"longer"')
    reply = read(text.encode(), {}.__getitem__)[0].reply
    assert reply.body == b'data: {"a":"x"}\n\ndata: {"a":"longer"}\n\n'
    assert sum(length for _, length in reply.chunks) == len(reply.body)


def test_the_head_alone():
    """What a listing shows is in the first lines."""
    head = read_head(round_trip(ENTRY).encode().partition(b"request:")[0])
    assert head.entry == replace(rounded(ENTRY), request=b"", reply=head.entry.reply)


def test_texts_that_look_like_parts_of_the_file():
    """A text with lines as the file itself has them is told from them."""
    text = "x\nreply:\nevents:\n  events:\n    - data: {}\n      data: {}\ndata: {}\n"
    request = canonical({"aicache": 1, "body": {"deep": {"er": text}, "events": [{"data": {}}]}})
    for body, kind in ((canonical({"a": text}), "json"), (text.encode(), "raw"), (text.encode(), "sse")):
        asked = {"request": request, "key": fingerprint.key(request), "question": text}
        round_trip(replace(stream(body, kind), **asked))
        round_trip(replace(stream(b'data: "aicache-line-0"\n\ndata: {"a":1}\n\n'), **asked))


SLIPS = {
    "no key": ("key:", "kez:", 1, "key is missing|`key`"),
    "other format": ("aicache: 1\nkey", "aicache: 2\nkey", 1, "format 2"),
    "unknown member": ("model:", "modell:", 6, "`?modell"),
    "status as text": ("status: 200", 'status: "200"', 21, "reply.status is text where a whole number is expected"),
    "no status": ("  status: 200\n", "", 20, "has no `status`"),
    "two bodies": ("  json:\n", "  text: x\n  json:\n", 20, "needs one of"),
    "no body": ("  json:\n    answer: because\n", "", 20, "needs one of"),
    "no date": ('"2026-09-21"', "yesterday", 8, "yesterday"),
    "changed request": ("Tell me.", "Tell us.", 12, "aicache scrub"),
    "header": ("    - content-type: application/json\n", "    - content-type\n", 23, "no `name: value`"),
    "usage": ('"input": 5', '"input": "5"', 11, "usage.input is text"),
    "not a word": ("form: json", "form: 1", 9, "form is a whole number where text is expected"),
}


@pytest.mark.parametrize(("before", "after", "line", "what"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_is_named(before, after, line, what):
    """A slip of an editing hand is named with its line."""
    text = round_trip(ENTRY)
    assert before in text
    with pytest.raises(Broken, match=what) as refused:
        read(text.replace(before, after, 1).encode(), {}.__getitem__)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "event",
    [
        "data",
        "- 1",
        "{at: x, data: 1}",
        "{}",
        "{data: 1, colour: red}",
        "{data: 1, style: [odd]}",
        "{data: {}, blanks: x}",
    ],
)
def test_a_broken_event_is_named(event):
    """An event that cannot be read is named with its line."""
    text = round_trip(stream(b'data: {"a":1}\n\n')).replace('data: {"a":1}', event.removeprefix("- "))
    with pytest.raises(Broken):
        read(text.encode(), {}.__getitem__)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=4))
def test_damage_is_told(at, put):
    """Bytes changed anywhere give an entry or `Broken`, never another error, and never pass for untouched."""
    data = round_trip(ENTRY).encode()
    at %= len(data)
    changed = data[:at] + put + data[at + len(put) :]
    assert sealed(changed) == (changed == data)
    line = 1
    try:
        read(changed, {}.__getitem__)
    except Broken as broken:
        line = broken.line
    assert 1 <= line <= changed.count(b"\n") + 2


@pytest.mark.parametrize("entry", [ENTRY, stream(b'data: {"a":1}\n\ndata: {"b":2}\n\n')], ids=["json", "stream"])
def test_a_file_that_was_cut_is_no_recording(entry):
    """Where the end of a file is missing it is refused, though what is left may be YAML with half of an answer."""
    data = round_trip(entry).encode()
    whole = data.rindex(b"# checksum:") + len(b"# checksum:")
    for end in range(whole):
        with pytest.raises(Broken):
            read(data[:end], {}.__getitem__)
    assert read(data[:whole], {}.__getitem__)[0] == rounded(entry)
    cut = data[: data.rindex(b"\n  ") + 1]
    with pytest.raises(Broken, match="ends without its line") as refused:
        read(cut, {}.__getitem__)
    assert refused.value.line == cut.count(b"\n")
    read(cut, {}.__getitem__, rekey=True)


def test_what_broke_off_says_so():
    """The beginning of a stream comes back as one, whole events or not; it stands in the head, for people too."""
    for body in (b'data: {"a":1}\n\n', b'data: {"a":1}\n\ndata: {"a', b"data: {}\n\ndata: \xf0\x9f"):
        text = round_trip(replace(stream(body, chunks=((5, len(body)),)), truncated=True))
        assert "\ntruncated: true\n" in text
        assert read_head(text.encode()).entry.truncated
    assert "truncated" not in round_trip(ENTRY)
