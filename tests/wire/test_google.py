"""Gemini's oddities: one identity for three forms, keys in the query, streams without a mark at their end."""

from __future__ import annotations

from typing import Any

import pytest
from google_replies import AISTUDIO, ARRAY, ASK, DONE, JSON, SSE, TEXT, USAGE, VERTEX, call, chunk, reply, request, sse
from llmcache import fingerprint
from llmcache.chat import Bypass, Call, Complete, Form, Incomplete, Request
from llmcache.scope import Scope
from llmcache.wire import google

SCOPE = Scope(b"a secret")


def key(asked: Request) -> str:
    """Return the key of a request."""
    found = google.call(asked)
    assert isinstance(found, Call), found
    return fingerprint.key(fingerprint.identity(found, SCOPE))


# ---- calls

FORMS = [
    pytest.param("generateContent", "", JSON, id="json"),
    pytest.param("generateContent", "alt=json", JSON, id="alt=json"),
    pytest.param("streamGenerateContent", "alt=sse", SSE, id="sse"),
    pytest.param("streamGenerateContent", "$alt=sse&key=AIza", SSE, id="sse by the other name"),
    pytest.param("streamGenerateContent", "", ARRAY, id="array"),
    pytest.param("streamGenerateContent", "alt=json&prettyPrint=false", ARRAY, id="array, named"),
]


@pytest.mark.parametrize(("verb", "query", "form"), FORMS)
def test_one_identity_for_every_form(verb: str, query: str, form: Form) -> None:
    """Verb and `alt` say in which form the answer comes and nothing else; the model is in the path."""
    found = call(verb=verb, query=query)
    assert form == found.form
    assert (found.path, found.query, found.model) == (f"{AISTUDIO}:generateContent", (), "gemini-2.5-flash")


@pytest.mark.parametrize("query", ["key=AIzaSecret", "key=AIzaSecret&alt=sse", "access_token=ya29.Secret"])
def test_a_key_in_the_query_is_only_scope(query: str) -> None:
    """A key keeps users apart and is found nowhere in the identity."""
    found = call(query=query.replace("&alt=sse", ""), verb="generateContent")
    assert "Secret" not in fingerprint.identity(found, SCOPE).decode()
    assert key(request(query="key=a")) != key(request(query="key=b")) != key(request())


def test_a_key_in_a_header_is_only_scope() -> None:
    """So is the header that Google's SDKs use."""
    asked = request(headers=(("content-type", "application/json"), ("x-goog-api-key", "AIzaSecret")))
    found = google.call(asked)
    assert isinstance(found, Call)
    assert "Secret" not in fingerprint.identity(found, SCOPE).decode()
    assert key(asked) != key(request())


PAIRS: dict[str, tuple[Any, Any]] = {
    name: (ASK, ASK | {name: value})
    for name, value in {
        "systemInstruction": {"parts": [TEXT]},
        "tools": [{"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/1",
        "serviceTier": "flex",
        "model": "models/gemini-2.5-pro",
        "modelArmorConfig": {},
        "somethingNew": False,
    }.items()
} | {
    f"generationConfig.{name}": (ASK | {"generationConfig": {}}, ASK | {"generationConfig": {name: value}})
    for name, value in {
        "temperature": 0.5,
        "topP": 0.5,
        "topK": 3,
        "candidateCount": 2,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "seed": 1,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "STRING"},
        "responseJsonSchema": {"type": "string"},
        "responseModalities": ["IMAGE"],
        "responseLogprobs": True,
        "logprobs": 2,
        "presencePenalty": 1,
        "frequencyPenalty": 1,
        "thinkingConfig": {"thinkingBudget": 0},
        "speechConfig": {"languageCode": "de"},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "imageConfig": {"aspectRatio": "1:1"},
        "enableEnhancedCivicAnswers": True,
    }.items()
}
PARTS = {
    "text": {"text": "hi!"},
    "thought": {**TEXT, "thought": True},
    "thoughtSignature": {**TEXT, "thoughtSignature": "c2ln"},
    "inlineData": {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    "fileData": {"fileData": {"fileUri": "https://files.example/1"}},
    "functionCall": {"functionCall": {"name": "f", "args": {}}},
    "functionResponse": {"functionResponse": {"name": "f", "response": {"a": 1}}},
    "executableCode": {"executableCode": {"code": "1"}},
    "videoMetadata": {**TEXT, "videoMetadata": {"fps": 1}},
}
PAIRS |= {f"part: {name}": (ASK, {"contents": [{"role": "user", "parts": [part]}]}) for name, part in PARTS.items()}
PAIRS |= {"role": (ASK, {"contents": [{"role": "model", "parts": [TEXT]}]})}
PAIRS |= {"one more turn": (ASK, {"contents": ASK["contents"] * 2})}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_every_field_counts(one: Any, other: Any) -> None:
    """Two calls that differ in one documented field, or an unknown one, have different keys."""
    assert key(request(one)) != key(request(other))


@pytest.mark.parametrize("name", google.DENIED)
def test_what_is_denied_does_not_count(name: str) -> None:
    """What the table says of the answer is what the key says."""
    assert key(request(ASK)) == key(request(ASK | {name: {"team": "a"}}))


def test_spelling_does_not_count() -> None:
    """Order of keys, white space and the spelling of numbers are not what is asked."""
    one = b'{"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"topK": 1, "seed": 2}}'
    other = b'{"generationConfig":{"seed":2.0,"topK":1e0},"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}'
    assert key(request(one)) == key(request(other))


ELSEWHERE = {
    "model": {"path": "/v1beta/models/gemini-2.5-pro:generateContent"},
    "version": {"path": "/v1/models/gemini-2.5-flash:generateContent"},
    "fields": {"query": "fields=candidates"},
    "field mask": {"headers": (("content-type", "application/json"), ("x-goog-fieldmask", "candidates"))},
    "project": {"headers": (("content-type", "application/json"), ("x-goog-user-project", "p"))},
}


@pytest.mark.parametrize("changes", ELSEWHERE.values(), ids=ELSEWHERE)
def test_path_query_and_headers_count(changes: dict[str, Any]) -> None:
    """Where a call goes and which members it asks for is identity."""
    assert key(request()) != key(request(**changes))


SDK = ("user-agent", "x-goog-api-client", "x-server-timeout")


def test_what_an_sdk_says_of_itself_does_not_count() -> None:
    """Two SDKs share what they record."""
    head = (("content-type", "application/json"), *((name, "1") for name in SDK))
    assert key(request()) == key(request(headers=head))


EMBED = {"content": {"parts": [{"text": "one"}]}, "taskType": "RETRIEVAL_QUERY"}
BATCH = {"requests": [{"model": "models/m", **EMBED}, {"model": "models/m", **EMBED}]}
QUESTIONS = [
    pytest.param("generateContent", ASK, "hi", id="text"),
    pytest.param("generateContent", {"contents": [{"parts": [TEXT, TEXT]}]}, "hi\nhi", id="two texts"),
    pytest.param("generateContent", {"contents": [{"parts": [{"a": 1}]}]}, '[{"a":1}]', id="not text"),
    pytest.param("embedContent", EMBED, "one", id="embed"),
    pytest.param("batchEmbedContents", BATCH, "one\none", id="batch"),
    pytest.param("countTokens", ASK, "hi", id="count"),
    pytest.param("countTokens", {"generateContentRequest": {"model": "m", **ASK}}, "hi", id="count, wrapped"),
]


@pytest.mark.parametrize(("verb", "body", "asked"), QUESTIONS)
def test_the_question(verb: str, body: Any, asked: str) -> None:
    """The question is the text of the last turn, or of everything that is to be embedded."""
    assert asked == google.question(call(body, verb))


PASSED = [
    pytest.param("batchGenerateContent", {}, "", "batch", id="batch"),
    pytest.param("predictLongRunning", {}, "", "long-running", id="video"),
    pytest.param("generateContent", b"{", "", "not-json", id="not json"),
    pytest.param("generateContent", [], "", "not-an-object", id="array"),
    pytest.param("generateContent", {}, "", "no-contents", id="no contents"),
    pytest.param("generateContent", {"contents": ["hi"]}, "", "bad-contents", id="text for a content"),
    pytest.param("generateContent", {"contents": [{"parts": []}]}, "", "bad-contents", id="no parts"),
    pytest.param("streamGenerateContent", ASK, "alt=proto", "alt-unknown", id="protobuf"),
    pytest.param("generateContent", ASK, "alt=sse", "alt-unknown", id="sse of a whole"),
    pytest.param("embedContent", {"content": "hi"}, "", "bad-contents", id="embed a text"),
    pytest.param("batchEmbedContents", {"requests": []}, "", "no-contents", id="empty batch"),
    pytest.param("batchEmbedContents", {"requests": ["hi"]}, "", "bad-contents", id="batch of texts"),
    pytest.param("countTokens", {}, "", "bad-contents", id="count nothing"),
]


@pytest.mark.parametrize(("verb", "body", "query", "reason"), PASSED)
def test_what_is_passed_through(verb: str, body: Any, query: str, reason: str) -> None:
    """What we do not understand goes upstream untouched, with a reason."""
    assert Bypass(reason) == google.call(request(body, verb, query))


@pytest.mark.parametrize(
    ("instance", "known"),
    [({"content": "hi", "task_type": "QUERY"}, True), ({"text": "hi"}, True), ({"prompt": "a cat"}, False)],
)
def test_only_embeddings_of_what_vertex_predicts(instance: Any, known: bool) -> None:
    """`:predict` also makes pictures, which are left alone."""
    path = VERTEX + "text-embedding-005:predict"
    found = google.call(request({"instances": [instance]}, path=path))
    assert found == Bypass("predict-other") if not known else isinstance(found, Call)


# ---- verdicts

BAD = [
    pytest.param(chunk([{"text": "Hi"}]), "truncated", id="not finished"),
    pytest.param(chunk([{"text": "Hi"}], "MAX_TOKENS"), "finish-MAX_TOKENS", id="too long"),
    pytest.param(chunk([{"text": "Hi"}], "NEW_WORD"), "finish-NEW_WORD", id="unknown word"),
    pytest.param(chunk([{"text": "Hi"}], "FINISH_REASON_UNSPECIFIED"), "truncated", id="unspecified"),
    pytest.param(chunk([{"text": " "}], "STOP"), "empty", id="blank"),
    pytest.param(chunk([{"text": "hm", "thought": True}], "STOP"), "empty", id="thoughts alone"),
    pytest.param({"candidates": []}, "empty", id="no candidate"),
    pytest.param({"promptFeedback": {"blockReason": "SAFETY"}}, "blocked-SAFETY", id="blocked"),
    pytest.param({**DONE, "promptFeedback": {"blockReason": "OTHER"}}, "blocked-OTHER", id="blocked with an answer"),
    pytest.param({"error": {"code": 500}}, "error-body", id="error"),
    pytest.param(chunk([{"functionCall": {"name": "f", "args": "{"}}], "STOP"), "tool-arguments", id="arguments"),
    pytest.param(
        chunk([{"functionCall": {"name": "f", "willContinue": True}}], "STOP"), "tool-arguments", id="going on"
    ),
]


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_what_is_not_stored(body: Any, reason: str) -> None:
    """Anything but a natural end with something said is not stored, as JSON or in a stream."""
    assert Incomplete(reason) == google.judge(call(), reply(body), frozenset())
    streamed = google.judge(call(verb="streamGenerateContent", query="alt=sse"), sse(body), frozenset())
    assert Incomplete(reason.replace("error-body", "error-event")) == streamed


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        pytest.param(b"", "text/event-stream", "truncated", id="no event"),
        pytest.param(b": ping\n\n", "text/event-stream", "truncated", id="a comment alone"),
        pytest.param(b"[]", "application/json", "truncated", id="an empty array"),
        pytest.param(b"", "application/json", "not-json", id="nothing"),
        pytest.param(b"<html>", "text/html", "not-json", id="a page"),
        pytest.param(b"data: \xff{}\n\n", "text/event-stream", "bad-event", id="not UTF-8"),
        pytest.param(b"data: [1]\n\n", "text/event-stream", "bad-event", id="a list in an event"),
    ],
)
def test_what_is_no_answer_at_all(body: bytes, kind: str, reason: str) -> None:
    """Whatever comes, the verdict is a reason and never an exception."""
    assert Incomplete(reason) == google.judge(call(verb="streamGenerateContent"), reply(body, kind), frozenset())


def test_further_finish_reasons() -> None:
    """The configuration may accept others."""
    body = chunk([{"text": "Hi"}], "MAX_TOKENS")
    assert isinstance(google.judge(call(), reply(body), frozenset({"MAX_TOKENS"})), Complete)


def test_usage_and_model() -> None:
    """Thoughts are output; the last count is the right one; the model is the one that answered."""
    stream = sse({**chunk([TEXT]), "usageMetadata": {"promptTokenCount": 4}}, {**DONE, "usageMetadata": USAGE})
    verdict = google.judge(call(), stream, frozenset())
    assert isinstance(verdict, Complete)
    assert (4, 5, 1) == (verdict.usage.input, verdict.usage.output, verdict.usage.cached)
    assert verdict.model == "gemini-2.5-flash"


@pytest.mark.parametrize("kind", ["sse", "array"])
def test_cut_at_any_border_is_incomplete(kind: str) -> None:
    """Only the last event, or the closing bracket, makes a stream whole."""
    body = {**chunk([{"text": "one two three"}, {"functionCall": {"name": "f", "args": {}}}], "STOP")}
    whole = google.convert(reply(body), JSON, Form(kind))
    asked = call(verb="streamGenerateContent", query="alt=sse" if kind == "sse" else "")
    at = 0
    for _, length in whole.chunks[:-1]:
        at += length
        assert isinstance(google.judge(asked, reply(whole.body[:at], "text/event-stream"), frozenset()), Incomplete)
    assert isinstance(google.judge(asked, whole, frozenset()), Complete)


VECTOR = {"values": [0.1, 1e-9]}
COUNTS = [
    pytest.param("embedContent", EMBED, {"embedding": VECTOR}, None, id="embedding"),
    pytest.param("embedContent", EMBED, {"embedding": {"values": []}}, "empty", id="empty embedding"),
    pytest.param("batchEmbedContents", BATCH, {"embeddings": [VECTOR, VECTOR]}, None, id="batch"),
    pytest.param("batchEmbedContents", BATCH, {"embeddings": [VECTOR]}, "truncated", id="half a batch"),
    pytest.param("countTokens", ASK, {"totalTokens": 3}, None, id="count"),
    pytest.param("countTokens", ASK, {}, "empty", id="no count"),
    pytest.param("computeTokens", ASK, {"tokensInfo": [{"tokenIds": ["1"]}]}, None, id="tokens"),
    pytest.param("computeTokens", ASK, {"error": {}, "tokensInfo": []}, "empty", id="no tokens"),
    pytest.param("countTokens", ASK, b"{", "not-json", id="half a count"),
    pytest.param("countTokens", ASK, [], "not-an-object", id="a list for a count"),
]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        pytest.param({"predictions": [{"embeddings": VECTOR}] * 2}, Complete(), id="two"),
        pytest.param({"predictions": [{"embeddings": VECTOR}]}, Incomplete("truncated"), id="one of two"),
        pytest.param({"predictions": [{}, {}]}, Incomplete("empty"), id="empty ones"),
    ],
)
def test_what_vertex_embeds(answer: Any, verdict: Any) -> None:
    """Vertex' own form of embeddings has a prediction for each instance."""
    asked = call({"instances": [{"content": "a"}, {"content": "b"}]}, path=VERTEX + "text-embedding-005:predict")
    assert verdict == google.judge(asked, reply(answer), frozenset())


@pytest.mark.parametrize(("verb", "body", "answer", "reason"), COUNTS)
def test_vectors_and_counts(verb: str, body: Any, answer: Any, reason: str | None) -> None:
    """Vectors are stored when there is one for each text, counts when there is one."""
    verdict = google.judge(call(body, verb), reply(answer), frozenset())
    assert (Complete() if reason is None else Incomplete(reason)) == verdict
