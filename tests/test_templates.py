"""Response templates: whatever the answer holds, the filled template parses and gives it back."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.templates import DEFAULT_JSON, DEFAULT_STREAM, TemplateError, compile_json, compile_stream

TEXT = st.text(st.characters(exclude_categories=["Cs"]))

AWKWARD = {
    "ends-with-quote": 'say "hi"',
    "only-quotes": '"""',
    "escape": "\x1b[0m",
    "vertical-tab": "\x0b",
    "delete": "\x7f",
    "bell-and-nul": "\x07\x00",
    "tag-character": "\U000e0041",
    "backslash-n": "a\\nb",
    "newlines": "a\r\nb\rc\n\n",
    "percent": "100% %s %% %d",
    "unicode-line-ends": "a\x85b\u2028c\u2029d",
    "sse-lookalike": "x\n\ndata: [DONE]\n\n",
    "empty": "",
}


def payloads(stream):
    """Read a stream as a strict client does: the parsed `data:` of every event."""
    events = stream.decode().split("\n\n")
    assert events.pop() == ""
    data = [event.removeprefix("data:").strip() for event in events]
    return [item if item == "[DONE]" else orjson.loads(item) for item in data]


def test_default_json_bytes():
    """The default JSON template is Higress' own, byte for byte."""
    expected = (
        '{"id":"from-cache","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]'
        ',"model":"from-cache","object":"chat.completion","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}'
    )
    assert expected.encode() == compile_json(DEFAULT_JSON).fill("Hi")


def test_default_stream_bytes():
    """The default stream template is Higress' own, byte for byte."""
    expected = (
        'data:{"id":"from-cache","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]'
        ',"model":"from-cache","object":"chat.completion","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}'
        "\n\ndata:[DONE]\n\n"
    )
    assert expected.encode() == compile_stream(DEFAULT_STREAM).fill("Hi")


@pytest.mark.parametrize("answer", AWKWARD.values(), ids=AWKWARD)
def test_awkward_answers_survive(answer):
    """R2, R5: the answers that break Higress' escaping come back equal from both default templates."""
    body = orjson.loads(compile_json(DEFAULT_JSON).fill(answer))
    assert answer == body["choices"][0]["message"]["content"]
    event, done = payloads(compile_stream(DEFAULT_STREAM).fill(answer))
    assert answer == event["choices"][0]["delta"]["content"]
    assert done == "[DONE]"


@given(TEXT)
def test_any_text_comes_back_from_json(answer):
    """R2: for any text, parsing the filled JSON gives it back, quoted slot or not."""
    filled = orjson.loads(compile_json('{"a%%":"<%s>"}').fill(answer))
    assert filled == {"a%": f"<{answer}>"}
    assert answer == orjson.loads(compile_json(' {"a": [%s]}\n').fill(answer))["a"][0]


@given(TEXT)
def test_any_text_comes_back_from_a_stream(answer):
    """R1, R2: for any text, the filled stream has the same events and gives the text back."""
    filled = payloads(compile_stream('data: {"a":"%s"}\n\ndata: [DONE]').fill(answer))
    assert filled == [{"a": answer}, "[DONE]"]


@given(st.text())
def test_half_surrogates_never_crash(answer):
    """A half surrogate becomes U+FFFD, a pair of halves its character, and the JSON is strictly valid."""
    expected = answer.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert expected == orjson.loads(compile_json("%s").fill(answer))


def test_halves_of_one_character_are_joined():
    """A character whose halves came in two deltas of a stream is whole in the answer."""
    assert compile_json("%s").fill("\ud83d\ude00!\ud83d") == '"😀!\ufffd"'.encode()


def test_stdlib_agrees():
    """What the filled template holds does not depend on which JSON parser reads it."""
    filled = compile_json(DEFAULT_JSON).fill(AWKWARD["bell-and-nul"])
    assert json.loads(filled) == orjson.loads(filled)


@pytest.mark.parametrize("compiled", [compile_json, compile_stream], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param('"none"', "no %s", id="A14-no-slot"),
        pytest.param('"%%s"', "no %s", id="A14-slot-escaped-away"),
        pytest.param('"%s%s"', "2 times %s", id="two-slots"),
        pytest.param('"%d"', "`%d`", id="another-verb"),
        pytest.param('"%[1]s"', "`%[1]s`", id="indexed-verb"),
        pytest.param('"%5.2f"', "`%5.2f`", id="verb-with-width"),
        pytest.param('"100% %s"', "`% %`", id="bare-percent"),
        pytest.param('"%s" %', "`%`", id="percent-at-the-end"),
        pytest.param(r'"\%s"', "not valid JSON", id="after-a-backslash"),
        pytest.param(r'"\%sn"', "not valid JSON", id="inside-an-escape"),
        pytest.param(r'"\u00%s41"', "not valid JSON", id="inside-a-unicode-escape"),
        pytest.param('"a" %s', "not valid JSON", id="two-values"),
        pytest.param('[NaN, "%s"]', "not valid JSON", id="nan"),
        pytest.param('["%s",]', "not valid JSON", id="trailing-comma"),
        pytest.param('["\ud800", %s]', "surrogate", id="half-a-character"),
    ],
)
def test_refused(compiled, slot, message):
    """A14: a template that could give a bad body is refused with the reason."""
    with pytest.raises(TemplateError) as caught:
        compiled(slot if compiled is compile_json else f"data: {slot}\n\n")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("event: %s\ndata: {}\n\n", "not in a `data:` line", id="slot-in-event-name"),
        pytest.param('{"a":"%s"}\n\n', "not in a `data:` line", id="no-data-field"),
        pytest.param('data: {"a":"%s"}\n\n{"b":1}\n\n', "line 3", id="a-line-without-field"),
        pytest.param('data: {"a":"%s"}\n\ndata: DONE\n\n', "line 3", id="data-that-is-no-json"),
        pytest.param('data: {"a":\n\ndata: "%s"}\n\n', "not valid JSON", id="an-event-cut-in-two"),
    ],
)
def test_refused_stream(text, message):
    """A stream template in which an event could not be parsed is refused with its line."""
    with pytest.raises(TemplateError) as caught:
        compile_stream(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", r"\n", r"\n\n", "\\n\n"])
def test_stream_always_ends_in_a_blank_line(ending):
    """However the template ends, its last event is complete."""
    filled = compile_stream('data:{"a":"%s"}\n\ndata:[DONE]' + ending).fill("x")
    assert filled == b'data:{"a":"x"}\n\ndata:[DONE]\n\n'


def test_literal_newlines_are_read_with_a_warning():
    r"""The console's single-quoted form, with a literal \n between events, works; inside strings it stays an escape."""
    template = compile_stream(r'data:{"a":"1\n\"\n%s"}\n\ndata:[DONE]\n\n')
    assert template.fill("x") == b'data:{"a":"1\\n\\"\\nx"}\n\ndata:[DONE]\n\n'
    (warning,) = template.warnings
    assert "block (|)" in warning


def test_no_warning_without_need():
    """A template written as it should be gives no warning."""
    assert compile_stream(DEFAULT_STREAM).warnings == compile_json(DEFAULT_JSON).warnings == ()


def test_events_may_have_names_and_several_data_lines():
    """Comments, `event:` lines and JSON over several `data:` lines are kept as they are."""
    text = ': hi\nevent: delta\nid: 1\ndata: {"a":\ndata: "%s"}\n\n'
    assert compile_stream(text).fill("x").decode() == text.replace("%s", "x")


def test_crlf_is_kept():
    """A template with CRLF line ends stays so and is completed in kind."""
    assert compile_stream('data: "%s"\r\n').fill("x") == b'data: "x"\r\n\r\n'
