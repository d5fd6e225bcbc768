"""Transcriptions: a form is known by its parts, and its answers are kept as they came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire import transcriptions

NONE: frozenset[str] = frozenset()
SOUND = b"RIFF\x00\xff\r\n--not-the-boundary"
FIELDS = {"model": "whisper-1", "language": "en"}


def form(fields: dict[str, Any], sound: bytes = SOUND, boundary: str = "b0", **file: str) -> bytes:
    """Return a form with *fields* and a sound file."""
    named = {"name": "file", "filename": "a.wav", "kind": "audio/wav"} | file
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    head = 'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'
    parts.append(head.format(**named).encode() + sound)
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def request(body: bytes, kind: str = "multipart/form-data; boundary=b0", ending: str = "transcriptions") -> Request:
    """Return a POST of *body*."""
    fields = (("content-type", kind), ("authorization", "Bearer sk-1"))
    return Request("POST", "https", "api.openai.com", 443, f"/v1/audio/{ending}", "", fields, body)


def call(**fields: str) -> Call:
    """Return a plain call with *fields* added to its form."""
    found = transcriptions.call(request(form(FIELDS | fields)))
    assert isinstance(found, Call)
    return found


def key_of(asked: Request) -> str:
    """Return the key of a request."""
    found = transcriptions.call(asked)
    assert isinstance(found, Call), found
    return fingerprint.key(fingerprint.identity(found, Scope(b"a secret")))


PLAIN = request(form(FIELDS))


def test_the_boundary_is_no_identity() -> None:
    """Clients make up a boundary for each call; quoted or bare, it does not make another call."""
    other = request(form(FIELDS, boundary="x y"), kind='multipart/form-data; boundary="x y"')
    assert key_of(PLAIN) == key_of(other)


def test_the_spelling_of_headers_is_no_identity() -> None:
    """Case and order of a part's headers do not make another call."""
    other = form(FIELDS).replace(b"Content-Type: audio/wav", b"content-type:audio/wav")
    assert key_of(PLAIN) == key_of(request(other))


OTHERS = {
    "sound": request(form(FIELDS, sound=SOUND + b"!")),
    "filename": request(form(FIELDS, filename="b.wav")),
    "type of the sound": request(form(FIELDS, kind="audio/mpeg")),
    "name of the sound": request(form(FIELDS, name="audio")),
    "value": request(form(FIELDS | {"language": "de"})),
    "another field": request(form(FIELDS | {"temperature": "0"})),
    "no field": request(form({"model": "whisper-1"})),
    "order": request(form({"language": "en", "model": "whisper-1"})),
    "stream": request(form(FIELDS | {"stream": "true"})),
    "response_format": request(form(FIELDS | {"response_format": "srt"})),
    "long value": request(form(FIELDS | {"prompt": "x" * 9999})),
    "translation": request(form(FIELDS), ending="translations"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_every_part_is_identity(other: Request) -> None:
    """Another byte, name, type, value or order makes another call."""
    assert key_of(PLAIN) != key_of(other)


def test_long_values_are_told_apart() -> None:
    """A value that is only kept as its digest is still the whole value."""
    one, two = ({"prompt": "x" * 9999 + last} for last in "ab")
    assert key_of(request(form(one))) != key_of(request(form(two)))


def test_the_sound_is_not_in_the_identity() -> None:
    """The identity, which is stored, has the digest of the file and the fields as text."""
    parts = call().content["parts"]
    assert [{"name": "model", "value": "whisper-1"}, {"name": "language", "value": "en"}] == parts[:2]
    assert {"name", "filename", "headers", "size", "digest"} == parts[2].keys()


@pytest.mark.parametrize("sound", [b"plain text", SOUND], ids=["text", "binary"])
def test_the_question_tells_files_apart(sound: bytes) -> None:
    """A question is never empty, and another file is another question."""
    asked = [transcriptions.call(request(form(FIELDS, sound=each))) for each in (sound, sound + b"!")]
    first, second = (transcriptions.question(each) for each in asked if isinstance(each, Call))
    assert first.startswith("a.wav ")
    assert first != second


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(request(b"{}", "application/json"), "not-multipart", id="json"),
        pytest.param(request(form(FIELDS), "multipart/form-data"), "multipart-boundary", id="no-boundary"),
        pytest.param(request(form(FIELDS)[:-9]), "multipart-truncated", id="cut"),
        pytest.param(
            request(b'--b0\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--b0--'), "no-file", id="no-file"
        ),
    ],
)
def test_what_is_no_call_is_passed_through(asked: Request, reason: str) -> None:
    """A form that cannot be read exactly goes on untouched with its reason."""
    assert Bypass(reason) == transcriptions.call(asked)


def reply(body: Any, kind: str = "application/json", status: int = 200) -> Reply:
    """Return a reply of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, (("content-type", kind),), raw)


def events(*told: Any, end: bytes = b"") -> Reply:
    """Return a reply that streams *told*."""
    lines = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in told)
    return reply(lines + end, "text/event-stream")


DELTA = {"type": "transcript.text.delta", "delta": "Hi"}
DONE = {"type": "transcript.text.done", "text": "Hi", "usage": {"input_tokens": 4, "output_tokens": 1}}
TEXT = {"response_format": "text"}
STREAM = {"stream": "true"}
GOOD = {
    "json": ({}, reply({"text": "Hi", "usage": {"type": "duration", "seconds": 3}}), Usage()),
    "tokens": ({}, reply({"text": "Hi", "usage": {"input_tokens": 4, "output_tokens": 1}}), Usage(4, 1)),
    "text": (TEXT, reply(b"Hi\n", "text/plain; charset=utf-8"), Usage()),
    "srt": ({"response_format": "srt"}, reply(b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", "text/plain"), Usage()),
    "stream": (STREAM, events(DELTA, DONE), Usage(4, 1)),
    "stream of vLLM": (STREAM, events({"choices": []}, end=b"data: [DONE]\n\n"), Usage()),
}


@pytest.mark.parametrize(("fields", "answer", "usage"), GOOD.values(), ids=GOOD.keys())
def test_a_good_reply_is_complete(fields: dict[str, str], answer: Reply, usage: Usage) -> None:
    """JSON, text, subtitles and streams are stored, and given back as the same object."""
    asked = call(**fields)
    assert Complete(usage) == transcriptions.judge(asked, answer, NONE)
    assert asked.form == transcriptions.reply_form(asked, answer)
    assert answer is transcriptions.convert(answer, asked.form, asked.form)


BAD = {
    "status": ({}, reply({"error": {}}, status=400), "status-400"),
    "silence": ({}, reply({"text": " "}), "empty"),
    "another shape": ({}, reply(["Hi"]), "empty"),
    "error": ({}, reply({"error": {"message": "x"}}), "error-body"),
    "cut": ({}, reply(b'{"text": "H'), "not-json"),
    "no text": (TEXT, reply(b"\n", "text/plain"), "empty"),
    "no subtitles": ({"response_format": "vtt"}, reply(b"WEBVTT\n\n", "text/vtt"), "empty"),
    "a page": (TEXT, reply(b"<html>", "text/html"), "not-text"),
    "an error in place of text": (TEXT, reply({"error": {"message": "x"}}), "error-body"),
    "no end": (STREAM, events(DELTA), "truncated"),
    "error event": (STREAM, events(DELTA, {"type": "error", "message": "x"}), "error-event"),
}


@pytest.mark.parametrize(("fields", "answer", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_reply_is_not_stored(fields: dict[str, str], answer: Reply, reason: str) -> None:
    """What is cut, silent or no transcription is refused with its reason."""
    assert Incomplete(reason) == transcriptions.judge(call(**fields), answer, NONE)


def test_another_form_is_lossy() -> None:
    """A stream is never made of a body, nor a body of a stream."""
    with pytest.raises(Lossy, match="sse"):
        transcriptions.convert(reply({"text": "Hi"}), Form("json"), Form("sse"))
