"""The endpoints that answer in one piece: what they are asked, and when their replies are good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import STEADY, VALUES
from hypothesis import given
from hypothesis import strategies as st
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Lossy, Reply, Request, Usage
from llmcache.scope import Scope
from llmcache.wire import single
from llmcache.wire.single import (
    COMPACTION,
    EMBEDDINGS,
    FEATURES,
    IMAGES,
    MODERATIONS,
    OCR,
    RERANK,
    SPEECH,
    TOKENS,
    Endpoint,
)

NONE: frozenset[str] = frozenset()
ENDPOINTS = [EMBEDDINGS, MODERATIONS, IMAGES, SPEECH, RERANK, TOKENS, COMPACTION, OCR, FEATURES]
BASES: dict[str, dict[str, Any]] = {
    "embeddings": {"model": "text-embedding-3-small", "input": "Hello"},
    "moderations": {"model": "omni", "input": "Hello"},
    "images": {"model": "gpt-image-1", "prompt": "A cat"},
    "speech": {"model": "tts-1", "voice": "alloy", "input": "Hello"},
    "rerank": {"model": "rerank-v3", "query": "Hello", "documents": ["a", "b"]},
    "response-tokens": {"model": "gpt-5", "input": "Hello"},
    "compaction": {"model": "gpt-5", "input": "Hello"},
    "features": {"inputs": "Hello"},
    "ocr": {"model": "mistral-ocr-latest", "document": {"type": "document_url", "document_url": "https://a.example"}},
}
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.NAME)


def request(endpoint: Endpoint, body: Any) -> Request:
    """Return a POST of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = (("content-type", "application/json"),)
    return Request("POST", "https", "api.openai.com", 443, f"/v1{endpoint.endings[0]}", "", fields, raw)


def call(endpoint: Endpoint, **members: Any) -> Call:
    """Return a plain call of the endpoint with *members* added to its body."""
    found = endpoint.call(request(endpoint, BASES[endpoint.NAME] | members))
    assert isinstance(found, Call)
    return found


def reply(body: Any, kind: str = "application/json", status: int = 200) -> Reply:
    """Return a reply of *body* (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, (("content-type", kind),), raw)


def events(*told: Any) -> Reply:
    """Return a reply that streams *told* (text as it is, anything else as the JSON of a data line)."""
    lines = (each if isinstance(each, str) else f"data: {json.dumps(each)}\n\n" for each in told)
    return reply("".join(lines).encode(), "text/event-stream")


VECTOR = {"object": "embedding", "index": 0, "embedding": [0.1, -1.0]}
RANK = {"index": 0, "relevance_score": 0.5}
IMAGE = {"b64_json": "aGk="}
DRAWN = {"type": "image_generation.completed", "b64_json": "aGk=", "usage": {"input_tokens": 2, "output_tokens": 7}}
SPOKEN = {"type": "speech.audio.done", "usage": {"input_tokens": 2, "output_tokens": 7}}

GOOD: dict[str, tuple[Endpoint, dict[str, Any], Reply, Usage]] = {
    "embedding": (EMBEDDINGS, {}, reply({"data": [VECTOR], "usage": {"prompt_tokens": 3}}), Usage(3)),
    "embedding of base64": (EMBEDDINGS, {}, reply({"data": [{"embedding": "AACAPw=="}]}), Usage()),
    "embeddings": (EMBEDDINGS, {"input": ["a", "b"]}, reply({"data": [VECTOR] * 2}), Usage()),
    "embedding of tokens": (EMBEDDINGS, {"input": [1, 2]}, reply({"data": [VECTOR]}), Usage()),
    "embeddings of tokens": (EMBEDDINGS, {"input": [[1], [2]]}, reply({"data": [VECTOR] * 2}), Usage()),
    "embeddings of pictures (Jina)": (EMBEDDINGS, {"input": [{"image": "x"}]}, reply({"data": [VECTOR]}), Usage()),
    "total tokens only (Voyage)": (EMBEDDINGS, {}, reply({"data": [VECTOR], "usage": {"total_tokens": 4}}), Usage(4)),
    "moderation": (MODERATIONS, {}, reply({"results": [{"flagged": False}]}), Usage()),
    "moderations": (MODERATIONS, {"input": ["a", "b"]}, reply({"results": [{}, {}]}), Usage()),
    "moderation of parts": (
        MODERATIONS,
        {"input": [{"type": "text"}, {"type": "x"}]},
        reply({"results": [{}]}),
        Usage(),
    ),
    "image": (IMAGES, {}, reply({"data": [IMAGE], "usage": {"input_tokens": 2, "output_tokens": 7}}), Usage(2, 7)),
    "images": (IMAGES, {"n": 2}, reply({"data": [IMAGE] * 2}), Usage()),
    "streamed image": (
        IMAGES,
        {"stream": True},
        events({"type": "image_generation.partial_image"}, DRAWN),
        Usage(2, 7),
    ),
    "speech": (SPEECH, {}, reply(b":ID3\xff", "audio/mpeg"), Usage()),
    "speech without a type": (SPEECH, {}, reply(b"\x00\xff", "application/octet-stream"), Usage()),
    "streamed speech": (SPEECH, {"stream_format": "sse"}, events({"type": "speech.audio.delta"}, SPOKEN), Usage(2, 7)),
    "embeddings of parts (Voyage)": (
        EMBEDDINGS,
        {"input": None, "inputs": [["a", "b"]]},
        reply({"data": [{"data": [VECTOR, VECTOR], "index": 0}], "usage": {"total_tokens": 4}}),
        Usage(4),
    ),
    "image (OpenRouter)": (
        IMAGES,
        {},
        reply({"data": [IMAGE], "usage": {"prompt_tokens": 2, "completion_tokens": 7}}),
        Usage(2, 7),
    ),
    "features (TEI)": (FEATURES, {"inputs": ["a", "b"]}, reply([[0.1], [0.2]]), Usage()),
    "features (Hugging Face)": (FEATURES, {}, reply([0.1, 0.0]), Usage()),
    "similarity": (FEATURES, {"inputs": {"source_sentence": "a", "sentences": ["b"]}}, reply([0.5]), Usage()),
    "speech in JSON (Mistral)": (SPEECH, {}, reply({"audio_data": "SUQz"}), Usage()),
    "streamed speech (Mistral)": (
        SPEECH,
        {"stream": True},
        events({"type": "speech.audio.delta"}, SPOKEN),
        Usage(2, 7),
    ),
    "pages": (OCR, {}, reply({"pages": [{"index": 0, "markdown": "# A"}]}), Usage()),
    "tokens": (TOKENS, {}, reply({"object": "response.input_tokens", "input_tokens": 8}), Usage()),
    "compacted": (
        COMPACTION,
        {},
        reply({"object": "response.compaction", "output": [{"type": "compaction"}]}),
        Usage(),
    ),
    "ranks (Cohere, Jina)": (RERANK, {}, reply({"results": [RANK], "usage": {"total_tokens": 9}}), Usage(9)),
    "ranks (Voyage)": (RERANK, {}, reply({"object": "list", "data": [RANK]}), Usage()),
    "ranks (TEI)": (RERANK, {"documents": None, "texts": ["a"]}, reply([{"index": 0, "score": 0.5}]), Usage()),
}


@pytest.mark.parametrize(("endpoint", "members", "answer", "usage"), GOOD.values(), ids=GOOD.keys())
def test_a_good_reply_is_complete(endpoint: Endpoint, members: dict[str, Any], answer: Reply, usage: Usage) -> None:
    """What the providers document is stored with its usage, and given back as the same object."""
    asked = call(endpoint, **members)
    assert Complete(usage) == endpoint.judge(asked, answer, NONE)
    form = endpoint.reply_form(asked, answer)
    assert form == asked.form
    assert answer is endpoint.convert(answer, form, asked.form)


BAD: dict[str, tuple[Endpoint, dict[str, Any], Reply, str]] = {
    "fewer vectors": (EMBEDDINGS, {"input": ["a", "b"]}, reply({"data": [VECTOR]}), "data-missing"),
    "no data": (EMBEDDINGS, {}, reply({}), "data-missing"),
    "data of texts": (EMBEDDINGS, {}, reply({"data": ["x"]}), "data-missing"),
    "empty vector": (EMBEDDINGS, {}, reply({"data": [{"embedding": []}]}), "empty"),
    "cut JSON": (EMBEDDINGS, {}, reply(b'{"data": [{"embedding": [0.1'), "not-json"),
    "NaN": (EMBEDDINGS, {}, reply(b'{"data": [{"embedding": [NaN]}]}'), "not-json"),
    "error object": (EMBEDDINGS, {}, reply({"object": "error", "message": "x"}), "error-body"),
    "no results": (MODERATIONS, {}, reply({"results": []}), "data-missing"),
    "fewer results": (MODERATIONS, {"input": ["a", "b"]}, reply({"results": [{}]}), "data-missing"),
    "no tokens": (TOKENS, {}, reply({"object": "response.input_tokens"}), "empty"),
    "nothing compacted": (COMPACTION, {}, reply({"object": "response.compaction", "output": []}), "empty"),
    "no image": (IMAGES, {}, reply({"data": []}), "data-missing"),
    "fewer images": (IMAGES, {"n": 2}, reply({"data": [IMAGE]}), "data-missing"),
    "image of nothing": (IMAGES, {}, reply({"data": [{"revised_prompt": "x"}]}), "empty"),
    "image for an hour": (IMAGES, {}, reply({"data": [{"url": "https://example.com/x.png"}]}), "temporary-url"),
    "half a picture": (IMAGES, {"stream": True}, events({"type": "image_generation.partial_image"}), "truncated"),
    "one of two": (IMAGES, {"stream": True, "n": 2}, events(DRAWN), "truncated"),
    "no event": (IMAGES, {"stream": True}, events(), "truncated"),
    "cut event": (IMAGES, {"stream": True}, events('data: {"type'), "truncated"),
    "bad event": (IMAGES, {"stream": True}, events("data: x\n\n", DRAWN), "bad-event"),
    "error event": (IMAGES, {"stream": True}, events("event: error\ndata: {}\n\n", DRAWN), "error-event"),
    "silence": (SPEECH, {}, reply(b"", "audio/mpeg"), "empty"),
    "a page": (SPEECH, {}, reply(b"<html>", "text/html"), "not-audio"),
    "an error": (SPEECH, {}, reply({"error": "x"}), "not-audio"),
    "fewer features": (FEATURES, {"inputs": ["a", "b"]}, reply([[0.1]]), "data-missing"),
    "no features": (FEATURES, {}, reply([]), "empty"),
    "a feature of nothing": (FEATURES, {"inputs": ["a"]}, reply([[]]), "empty"),
    "features that failed": (FEATURES, {}, reply({"error": "x"}), "error-body"),
    "silence in JSON": (SPEECH, {}, reply({"audio_data": ""}), "not-audio"),
    "cut JSON of a sound": (SPEECH, {}, reply(b'{"audio_data": "SU'), "not-audio"),
    "no pages": (OCR, {}, reply({"pages": []}), "data-missing"),
    "no ranks": (RERANK, {}, reply({"results": []}), "data-missing"),
    "no index": (RERANK, {}, reply({"results": [{}]}), "data-missing"),
}


@pytest.mark.parametrize(("endpoint", "members", "answer", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_reply_is_not_stored(endpoint: Endpoint, members: dict[str, Any], answer: Reply, reason: str) -> None:
    """What is missing, cut or no answer is refused with its reason."""
    assert Incomplete(reason) == endpoint.judge(call(endpoint, **members), answer, NONE)


@each_endpoint
def test_errors_are_not_stored(endpoint: Endpoint) -> None:
    """Whatever the endpoint, a status that is no success is refused."""
    assert Incomplete("status-429") == endpoint.judge(call(endpoint), reply({"error": {}}, status=429), NONE)


FIELDS: dict[str, dict[str, Any]] = {
    "embeddings": {
        "model": "text-embedding-3-large",
        "input": ["Hello"],
        "encoding_format": "base64",
        "dimensions": 8,
        "input_type": "query",
        "output_dtype": "int8",
        "truncation": False,
        "task": "retrieval.query",
    },
    "moderations": {"model": "text", "input": ["Hello"]},
    "images": {
        "model": "dall-e-3",
        "prompt": "A dog",
        "background": "opaque",
        "moderation": "low",
        "n": 2,
        "output_compression": 5,
        "output_format": "webp",
        "partial_images": 2,
        "quality": "low",
        "response_format": "b64_json",
        "size": "1024x1024",
        "stream": True,
        "style": "vivid",
    },
    "speech": {
        "model": "tts-1-hd",
        "input": "Bye",
        "voice": "echo",
        "instructions": "Whisper.",
        "response_format": "wav",
        "speed": 2,
        "stream_format": "sse",
    },
    "rerank": {"model": "m", "query": "Bye", "documents": ["b", "a"], "top_n": 1, "return_documents": True},
    "response-tokens": {
        "model": "gpt-5-mini",
        "input": [{"role": "user", "content": "Hello"}],
        "instructions": "Be brief.",
        "previous_response_id": "resp_1",
        "tools": [{"type": "web_search"}],
        "truncation": "auto",
    },
    "features": {"inputs": ["Hello"], "normalize": True, "truncate": True, "prompt_name": "query"},
    "ocr": {
        "model": "mistral-ocr-4-1",
        "document": {"type": "image_url", "image_url": "https://b.example"},
        "pages": [1],
        "include_image_base64": True,
        "table_format": "html",
    },
    "compaction": {"model": "gpt-5-mini", "input": "Bye", "instructions": "x", "previous_response_id": "resp_1"},
}
"""Endpoint -> its documented fields with values that make another call."""


@pytest.mark.parametrize(
    ("endpoint", "name"), [(endpoint, name) for endpoint in ENDPOINTS for name in FIELDS[endpoint.NAME]]
)
def test_every_documented_field_is_identity(endpoint: Endpoint, name: str) -> None:
    """A call that differs in one field, the encoding of the answer included, has another identity."""
    scope, other = Scope(None), {name: FIELDS[endpoint.NAME][name]}
    one, two = call(endpoint), call(endpoint, **other)
    assert fingerprint.identity(one, scope) != fingerprint.identity(two, scope)


@each_endpoint
def test_who_asks_for_it_is_no_identity(endpoint: Endpoint) -> None:
    """The end user's ids do not make another call."""
    assert call(endpoint).content == call(endpoint, **dict.fromkeys(single.DENIED, "x")).content


@each_endpoint
def test_what_asks_nothing_is_passed_through(endpoint: Endpoint) -> None:
    """Without an input there is no call, and neither with bytes that are no JSON."""
    assert Bypass("no-input") == endpoint.call(request(endpoint, {"model": "m"}))
    assert Bypass("not-json") == endpoint.call(request(endpoint, b"{"))


@pytest.mark.parametrize("endpoint", [TOKENS, COMPACTION], ids=["tokens", "compaction"])
def test_a_conversation_grows(endpoint: Endpoint) -> None:
    """What counts or compacts a conversation that the provider keeps is another answer after each turn."""
    body = BASES[endpoint.NAME] | {"conversation": "conv_1"}
    assert Bypass("conversation") == endpoint.call(request(endpoint, body))


@each_endpoint
@STEADY
@given(asked=st.binary() | VALUES, answered=st.binary() | VALUES)
def test_nothing_breaks_an_endpoint(endpoint: Endpoint, asked: Any, answered: Any) -> None:
    """Any request gives a call or a bypass, any reply a verdict."""
    assert isinstance(endpoint.call(request(endpoint, asked)), Call | Bypass)
    assert isinstance(endpoint.judge(call(endpoint), reply(answered), NONE), Complete | Incomplete)


@pytest.mark.parametrize(
    ("endpoint", "members", "asked"),
    [
        (EMBEDDINGS, {"input": "a"}, "a"),
        (EMBEDDINGS, {"input": ["a", "b"]}, "a\nb"),
        (EMBEDDINGS, {"input": [1, 2]}, "[1,2]"),
        (IMAGES, {}, "A cat"),
        (RERANK, {}, "Hello"),
    ],
)
def test_the_question_is_what_is_asked(endpoint: Endpoint, members: dict[str, Any], asked: str) -> None:
    """Texts are lines, everything else is JSON."""
    assert asked == endpoint.question(call(endpoint, **members))


@each_endpoint
def test_another_form_is_lossy(endpoint: Endpoint) -> None:
    """These answers are never rewritten."""
    with pytest.raises(Lossy, match="ndjson"):
        endpoint.convert(reply({}), Form("json"), Form("ndjson"))


@pytest.mark.parametrize(
    ("endpoint", "shown"), [(EMBEDDINGS, ["error", "message"]), (RERANK, ["message"]), (RERANK, ["detail"])]
)
def test_a_refusal_is_where_the_clients_look(endpoint: Endpoint, shown: list[str]) -> None:
    """OpenAI's SDK shows `error.message`, Cohere's `message`, Voyage's and Jina's `detail`."""
    found = json.loads(endpoint.refusal("nothing recorded", "no_recording"))
    for name in shown:
        found = found[name]
    assert "nothing recorded" == found
