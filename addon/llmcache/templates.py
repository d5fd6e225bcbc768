"""Response templates: a text with one `%s` that an answer is put into.

The rules are those of Go's Sprintf as Higress' ai-cache uses it: one `%s`, and `%%` for a percent sign.
Unlike there, what comes out is always valid JSON, or a valid event stream, whatever the answer holds;
a template for which that cannot be promised is refused when it is compiled.
Nothing here knows a provider or the configuration; entry points are `compile_json` and `compile_stream`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import orjson

DEFAULT_JSON = (
    '{"id":"from-cache","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
    '"model":"from-cache","object":"chat.completion",'
    '"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}'
)
"""Higress' `responseTemplate`, byte for byte (plugin 2.0.1, main.go)."""

DEFAULT_STREAM = (
    'data:{"id":"from-cache","choices":[{"index":0,"delta":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
    '"model":"from-cache","object":"chat.completion",'
    '"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\ndata:[DONE]\n\n'
)
"""Higress' `streamResponseTemplate`, byte for byte."""


class TemplateError(ValueError):
    """The template cannot be filled safely; the message says why and what to write."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template."""

    head: bytes
    tail: bytes
    quoted: bool
    """Whether the template itself has the quotation marks around the `%s`."""
    warnings: tuple[str, ...] = ()

    def fill(self, answer: str) -> bytes:
        """Put *answer* into the template.

        Half surrogates, which UTF-8 cannot hold, are joined where two make a character and become U+FFFD elsewhere.
        """
        text = _json_string(answer)
        return self.head + (text[1:-1] if self.quoted else text) + self.tail


def compile_json(text: str) -> Template:
    """Compile a template for a whole JSON body. Raises `TemplateError`."""
    text, warnings = _real_newlines(text)
    head, tail = _split(text)
    template = Template(_encode(head), _encode(tail), _inside_string(head), warnings)
    for probe in _PROBES:
        _check_json(template.fill(probe), "the filled template")
    return template


def compile_stream(text: str) -> Template:
    """Compile a template for a stream of server-sent events, each `data:` JSON or `[DONE]`. Raises `TemplateError`.

    The blank line that ends the last event is added where it is missing.
    """
    text, warnings = _real_newlines(text)
    head, tail = _split(_ended(text))
    line = _LINE_END.split(head)[-1]
    if not line.startswith("data:"):
        raise TemplateError("the %s is not in a `data:` line")
    template = Template(_encode(head), _encode(tail), _inside_string(line), warnings)
    for probe in _PROBES:
        _check_stream(template.fill(probe).decode())
    return template


def _split(text: str) -> tuple[str, str]:
    """Cut *text* at its one `%s` and undo `%%`."""
    parts: list[str] = [""]
    rest = 0
    for verb in _VERB.finditer(text):
        parts[-1] += text[rest : verb.start()]
        rest = verb.end()
        match verb.group():
            case "%%":
                parts[-1] += "%"
            case "%s":
                parts.append("")
            case other:
                raise TemplateError(
                    f"`{other}` is not understood: write one %s for the answer, and %% for a percent sign"
                )
    parts[-1] += text[rest:]
    if len(parts) != 2:  # noqa: PLR2004 - before and after the one %s
        count = "no %s" if len(parts) == 1 else f"{len(parts) - 1} times %s"
        raise TemplateError(f"it has {count}; write exactly one %s where the answer belongs")
    return parts[0], parts[1]


def _real_newlines(text: str) -> tuple[str, tuple[str, ...]]:
    r"""Turn a literal `\n` outside of JSON strings into a newline, as single-quoted YAML needs it.

    Higress' console shows its stream template so. Outside of a string a backslash means nothing else in JSON.
    """
    real = _STRING_OR_ESCAPE.sub(lambda found: _ESCAPES.get(found.group(), found.group()), text)
    if real == text:
        return text, ()
    return real, (r"the literal \n between events was read as a newline; in YAML write the template as a block (|)",)


def _ended(text: str) -> str:
    """Return *text* with the blank line that ends its last event."""
    newline = "\r\n" if "\r\n" in text else "\n"
    return text if text.endswith((newline * 2, "\r\r")) else text.rstrip("\r\n") + newline * 2


def _inside_string(head: str) -> bool:
    """Whether a JSON string is open where *head* ends."""
    return len(_QUOTE.findall(head)) % 2 == 1


def _check_stream(text: str) -> None:
    data: list[str] = []
    for number, line in enumerate(_LINE_END.split(text), 1):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value)
        elif line == "" and data:
            _check_payload("\n".join(data), f"the event that ends in line {number - 1}")
            data = []
        elif field not in ("", "event", "id", "retry"):
            raise TemplateError(f"line {number} is no line of an event stream: it must start with `data:`")


def _check_payload(payload: str, what: str) -> None:
    if payload.strip() != "[DONE]":
        _check_json(payload.encode(), what)


def _check_json(body: bytes, what: str) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise TemplateError(f"{what} is not valid JSON: {error}") from None


def _json_string(answer: str) -> bytes:
    joined = answer.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNICODE_LINE_END.sub(_escaped, json.dumps(joined, ensure_ascii=False)).encode()


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise TemplateError("it holds half of a surrogate pair, which is no character") from None


_VERB = re.compile(r"%(?:[-+# 0]*(?:\[\d+\])?[\d.*]*\S)?")
_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
_STRING_OR_ESCAPE = re.compile(r'"(?:[^"\\\n]|\\.)*"|\\r\\n|\\n')
_ESCAPES = {r"\r\n": "\r\n", r"\n": "\n"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNICODE_LINE_END = re.compile("[\x85\u2028\u2029]")
"""No line ends in SSE, but clients that split with a Unicode-aware function break there."""
_PROBES = ("", "x")
"""What shows that the `%s` does not stand in the middle of an escape: neither `\\` nor `\\u12` can go on with an x."""
