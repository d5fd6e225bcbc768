"""One answer of Gemini's in three forms, without loss."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_replies import EXTRAS, STEADY, TEXTS, VALUES, joined, optional
from google_replies import ARRAY, DONE, JSON, SSE, TEXT, USAGE, call, chunk, reply, sse
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import Complete, Form, Lossy, Reply
from llmcache.framing import parse_sse
from llmcache.wire import google


def merged(*chunks: Any) -> Any:
    """Return the body that a stream of *chunks* becomes."""
    return json.loads(google.convert(sse(*chunks), SSE, JSON).body)


def parts_of(*slices: Any) -> Any:
    """Return the parts that a candidate has when its chunks brought *slices*."""
    return merged(*(chunk(each) for each in slices), chunk([], "STOP"))["candidates"][0]["content"]["parts"]


PLAIN = st.builds(lambda text, more: {"text": text, **more}, TEXTS, optional(thought=st.booleans()))
OTHERS = st.sampled_from(
    [
        {"text": "signed", "thoughtSignature": "c2ln"},
        {"text": "", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": 1.0}}, "thoughtSignature": "c2ln"},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]
)
CANDIDATE = joined(
    EXTRAS,
    st.fixed_dictionaries(
        {
            "content": joined(
                EXTRAS,
                optional(role=st.just("model")),
                st.fixed_dictionaries({"parts": st.lists(PLAIN | OTHERS, min_size=1, max_size=5)}),
            ),
            "finishReason": st.just("STOP"),
        },
    ),
    optional(
        safetyRatings=st.lists(EXTRAS, max_size=2),
        citationMetadata=VALUES,
        groundingMetadata=VALUES,
        logprobsResult=VALUES,
        avgLogprobs=st.floats(-9, 0),
    ),
)
BODIES = joined(
    EXTRAS,
    st.lists(CANDIDATE, min_size=1, max_size=3).map(
        lambda found: {"candidates": [{**each, "index": at} for at, each in enumerate(found)]}
    ),
    optional(usageMetadata=st.just(USAGE), modelVersion=TEXTS, responseId=TEXTS, promptFeedback=VALUES),
)


@STEADY
@given(BODIES, st.sampled_from([SSE, ARRAY]))
def test_a_json_body_survives_the_stream(body: dict[str, Any], form: Form) -> None:
    """Exploding a body and assembling the stream gives the same body, whatever is in it."""
    there = google.convert(reply(body), JSON, form)
    back = google.convert(there, form, JSON)
    assert json.dumps(body, sort_keys=True) == json.dumps(json.loads(back.body), sort_keys=True)
    assert len(there.body) == sum(length for _, length in there.chunks)


@STEADY
@given(BODIES)
def test_the_two_streams_say_the_same(body: dict[str, Any]) -> None:
    """Events become array elements and come back, chunk by chunk."""
    events = google.convert(reply(body), JSON, SSE)
    elements = google.convert(events, SSE, ARRAY)
    assert json.loads(elements.body) == [json.loads(event.data) for event in parse_sse(events.body)]
    assert events.body == google.convert(elements, ARRAY, SSE).body


def test_the_other_framing_keeps_the_times() -> None:
    """A chunk arrives when its last byte did, in whatever framing it is written."""
    stream = sse(chunk([{"text": "a"}]), DONE)
    first = stream.body.index(b"data:", 5)
    sizes = ((10, first - 3), (20, 3), (30, len(stream.body) - first))
    there = google.convert(Reply(200, stream.headers, stream.body, sizes), SSE, ARRAY)
    assert [20, 30, 30] == [when for when, _ in there.chunks]
    assert len(there.body) == sum(length for _, length in there.chunks)
    assert [20, 30] == [when for when, _ in google.convert(there, ARRAY, SSE).chunks]


PARTED = [
    pytest.param([[{"text": "a"}], [{"text": "b"}]], [{"text": "ab"}], id="texts go on"),
    pytest.param([[{"text": "a"}, {"text": "b"}]], [{"text": "a"}, {"text": "b"}], id="two in one chunk are two"),
    pytest.param([[{"text": ""}], [{"text": "a"}], [{"text": ""}]], [{"text": "a"}], id="empty ones add nothing"),
    pytest.param(
        [[{"text": "a", "thought": True}], [{"text": "b", "thought": True}], [{"text": "c"}]],
        [{"text": "ab", "thought": True}, {"text": "c"}],
        id="thoughts are another kind",
    ),
    pytest.param(
        [[{"text": "a"}], [{"text": "", "thoughtSignature": "s"}]],
        [{"text": "a"}, {"text": "", "thoughtSignature": "s"}],
        id="a signature keeps its part",
    ),
    pytest.param(
        [[{"functionCall": {"name": "f"}}], [{"functionCall": {"name": "f"}}]],
        [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}],
        id="calls stay calls",
    ),
]


@pytest.mark.parametrize(("slices", "expected"), PARTED)
def test_parts(slices: Any, expected: Any) -> None:
    """Only texts of the same kind are joined, and only from one chunk to the next."""
    assert expected == parts_of(*slices)


def test_what_comes_later_counts() -> None:
    """Older models say STOP and rate the answer in every chunk; the last word is the right one."""
    body = merged(chunk([{"text": "a"}], "STOP", safetyRatings=[1]), chunk([{"text": "b"}], "STOP", safetyRatings=[2]))
    candidate = body["candidates"][0]
    assert (candidate["content"]["parts"], candidate["safetyRatings"]) == ([{"text": "ab"}], [2])


GROWING = [
    pytest.param({"groundingChunks": [1]}, {"groundingChunks": [2]}, {"groundingChunks": [1, 2]}, id="what is new"),
    pytest.param({"groundingChunks": [1]}, {"groundingChunks": [1, 2]}, {"groundingChunks": [1, 2]}, id="all so far"),
    pytest.param({"webSearchQueries": ["q"]}, {}, {"webSearchQueries": ["q"]}, id="nothing more"),
    pytest.param({}, {"webSearchQueries": ["q"]}, {"webSearchQueries": ["q"]}, id="nothing before"),
    pytest.param(
        {"searchEntryPoint": {"a": 1}}, {"searchEntryPoint": {"a": 2}}, {"searchEntryPoint": {"a": 2}}, id="last"
    ),
]


@pytest.mark.parametrize(("first", "then", "expected"), GROWING)
def test_groundings_grow(first: Any, then: Any, expected: Any) -> None:
    """Sources come with the chunks that they support, as what is new or as all that there is so far."""
    body = merged(chunk([TEXT], groundingMetadata=first), chunk([TEXT], "STOP", groundingMetadata=then))
    assert expected == body["candidates"][0]["groundingMetadata"]


def test_equal_tokens_are_all_kept() -> None:
    """The log probabilities of two equal tokens in a row are two."""
    probable = {"chosenCandidates": [{"token": " ", "logProbability": 0}]}
    body = merged(chunk([TEXT], logprobsResult=probable), chunk([TEXT], "STOP", logprobsResult=probable))
    assert probable["chosenCandidates"] * 2 == body["candidates"][0]["logprobsResult"]["chosenCandidates"]


LOST = [
    pytest.param([{**DONE, "modelVersion": "other"}, DONE], "modelVersion", id="two models"),
    pytest.param(
        [
            chunk([TEXT], groundingMetadata={"groundingChunks": [1, 2]}),
            chunk([], "STOP", groundingMetadata={"groundingChunks": [2, 3]}),
        ],
        "groundingMetadata.groundingChunks",
        id="two groundings",
    ),
    pytest.param(
        [chunk([{"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a"}]}}], "STOP")],
        "partialArgs",
        id="arguments in pieces",
    ),
]


@pytest.mark.parametrize(("chunks", "field"), LOST)
def test_what_cannot_be_one_body(chunks: Any, field: str) -> None:
    """What contradicts itself is a miss, never a guess."""
    with pytest.raises(Lossy, match=field):
        merged(*chunks)


@pytest.mark.parametrize(
    "body", [{"candidates": []}, {"candidates": [{"index": 1}, {"index": 0}]}, {"candidates": [{"content": 1}]}, []]
)
def test_what_no_stream_carries(body: Any) -> None:
    """A body whose stream would not be itself again is not streamed."""
    with pytest.raises(Lossy):
        google.convert(reply(body), JSON, SSE)


def test_a_gateways_done_is_no_chunk() -> None:
    """Gateways that know OpenAI better close the stream with `[DONE]`."""
    stream = reply(sse(DONE).body + b"data: [DONE]\n\n", "text/event-stream")
    assert isinstance(google.judge(call(), stream, frozenset()), Complete)
    assert "candidates" in json.loads(google.convert(stream, SSE, JSON).body)


def test_a_reply_is_what_it_is() -> None:
    """The form is read from the reply: a server that answers otherwise than asked is understood."""
    asked = call(verb="streamGenerateContent", query="alt=sse")
    assert [SSE, ARRAY, JSON] == [google.reply_form(asked, each) for each in (sse(DONE), reply([DONE]), reply(DONE))]


def test_a_refusal_is_an_error_of_googles() -> None:
    """Google's SDKs find code, message and status where Google writes them."""
    error = json.loads(google.refusal("nothing recorded", "aicache_no_recording"))["error"]
    assert (424, "nothing recorded", "FAILED_PRECONDITION") == (error["code"], error["message"], error["status"])
    assert error["details"][0]["reason"] == "AICACHE_NO_RECORDING"
