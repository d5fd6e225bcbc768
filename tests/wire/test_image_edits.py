"""Pictures that are edited: as a form or as JSON, known by the bytes of the picture, streamed or not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire.single import IMAGE_EDITS

NONE: frozenset[str] = frozenset()
PICTURE = b"\x89PNG\r\n\x1a\n"
FIELDS = {"model": "gpt-image-1", "prompt": "Make it green"}
DATA = {"data": [{"b64_json": "aGk="}], "usage": {"input_tokens": 2, "output_tokens": 7}}


def form(fields: dict[str, str], *pictures: tuple[str, str, bytes], boundary: str = "b0") -> bytes:
    """Return a form with *fields* and (field, file name, bytes) of pictures."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    for name, file, content in pictures or (("image[]", "a.png", PICTURE),):
        head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: image/png\r\n\r\n'
        parts.append(head.encode() + content)
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def request(body: bytes, kind: str = "multipart/form-data; boundary=b0", verb: str = "edits") -> Request:
    """Return a POST of *body*."""
    return Request("POST", "https", "api.openai.com", 443, f"/v1/images/{verb}", "", (("content-type", kind),), body)


def call(**fields: str) -> Call:
    """Return a plain call with *fields* added to its form."""
    found = IMAGE_EDITS.call(request(form(FIELDS | fields)))
    assert isinstance(found, Call)
    return found


def key_of(asked: Request) -> str:
    """Return the key of a request."""
    found = IMAGE_EDITS.call(asked)
    assert isinstance(found, Call), found
    return fingerprint.key(fingerprint.identity(found, Scope(b"a secret")))


def as_json(**members: Any) -> Request:
    """Return an edit as JSON."""
    body = {**FIELDS, "images": [{"image_url": "data:image/png;base64,aGk="}], **members}
    return request(json.dumps(body).encode(), "application/json")


PLAIN = request(form(FIELDS))


def test_what_is_no_identity() -> None:
    """A new boundary and who asks for it make no other call, as a form and as JSON."""
    assert key_of(PLAIN) == key_of(request(form(FIELDS, boundary="x"), "multipart/form-data; boundary=x"))
    assert key_of(PLAIN) == key_of(request(form(FIELDS | {"user": "u-1"})))
    assert key_of(as_json()) == key_of(as_json(user="u-1"))


OTHERS = {
    "picture": request(form(FIELDS, ("image[]", "a.png", PICTURE + b"!"))),
    "file name": request(form(FIELDS, ("image[]", "b.png", PICTURE))),
    "a mask": request(form(FIELDS, ("mask", "a.png", PICTURE))),
    "two pictures": request(form(FIELDS, ("image[]", "a.png", PICTURE), ("image[]", "b.png", PICTURE))),
    "two pictures, the other way round": request(
        form(FIELDS, ("image[]", "b.png", PICTURE), ("image[]", "a.png", PICTURE))
    ),
    "prompt": request(form(FIELDS | {"prompt": "Make it red"})),
    "number": request(form(FIELDS | {"n": "2"})),
    "stream": request(form(FIELDS | {"stream": "true"})),
    "partial_images": request(form(FIELDS | {"partial_images": "2"})),
    "a field that nobody knows": request(form(FIELDS | {"new": "1"})),
    "variation": request(form(FIELDS), verb="variations"),
    "a file that is called like a user": request(form(FIELDS, ("user", "a.png", PICTURE))),
    "as JSON": as_json(),
    "as JSON with another picture": as_json(images=[{"file_id": "file-1"}]),
}


def test_everything_else_is_identity() -> None:
    """Another picture, name, order, field or value makes another call; each is unlike all the others."""
    assert len({key_of(each) for each in (PLAIN, *OTHERS.values())}) == len(OTHERS) + 1


def test_the_question_is_what_is_asked() -> None:
    """The prompt asks; for a variation, which has none, the pictures do."""
    assert IMAGE_EDITS.question(call()) == "Make it green"
    bare = IMAGE_EDITS.call(request(form({"model": "dall-e-2"}), verb="variations"))
    assert isinstance(bare, Call)
    assert IMAGE_EDITS.question(bare).startswith("a.png ")
    assert bare.model == "dall-e-2"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(request(form(FIELDS)[:-9]), "multipart-truncated", id="cut"),
        pytest.param(request(b"{}", "application/json"), "no-input", id="nothing asked"),
        pytest.param(request(b"", "image/png"), "not-json", id="a bare picture"),
    ],
)
def test_what_is_no_call_is_passed_through(asked: Request, reason: str) -> None:
    """What cannot be read exactly goes on untouched with its reason."""
    assert Bypass(reason) == IMAGE_EDITS.call(asked)


def reply(body: Any, kind: str = "application/json") -> Reply:
    """Return a reply of *body* (bytes as they are, anything else as JSON)."""
    return Reply(200, (("content-type", kind),), body if isinstance(body, bytes) else json.dumps(body).encode())


def streamed(*kinds: str) -> Reply:
    """Return a stream of events of *kinds*."""
    told = ({"type": f"image_edit.{kind}", "b64_json": "aGk=", "usage": DATA["usage"]} for kind in kinds)
    lines = (f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in told)
    return reply("".join(lines).encode(), "text/event-stream")


@pytest.mark.parametrize(
    ("fields", "answer", "found"),
    [
        pytest.param({}, reply(DATA), Complete(Usage(2, 7)), id="json"),
        pytest.param({"n": "2"}, reply(DATA), Incomplete("data-missing"), id="one of two"),
        pytest.param({}, reply({"data": [{"url": "https://x/1"}]}), Incomplete("temporary-url"), id="for an hour"),
        pytest.param({"stream": "true"}, streamed("partial_image", "completed"), Complete(Usage(2, 7)), id="stream"),
        pytest.param({"stream": "true"}, streamed("partial_image"), Incomplete("truncated"), id="half a picture"),
        pytest.param({"stream": "true", "n": "2"}, streamed("completed"), Incomplete("truncated"), id="half a stream"),
    ],
)
def test_a_reply_is_judged(fields: dict[str, str], answer: Reply, found: Complete | Incomplete) -> None:
    """Whole pictures are stored as they came; missing, cut or expiring ones are not."""
    asked = call(**fields)
    assert found == IMAGE_EDITS.judge(asked, answer, NONE)
    assert asked.form == IMAGE_EDITS.reply_form(asked, answer)


def test_the_form_is_what_is_asked_for() -> None:
    """A flag of a form is a text."""
    assert [Form("json"), Form("sse"), Form("json")] == [call(stream=flag).form for flag in ("false", "true", "")]
