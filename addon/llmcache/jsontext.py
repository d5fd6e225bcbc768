"""JSON text <-> JSON values, strict enough to take an identity from.

`parse` reads a request: one value has one Python form, however it was spelled. `read` reads a reply: numbers stay
as they were sent; `skim` is for a mere look at one. `read_all` and `skim_all` read the many of a stream.
`canonical` writes a value so that equal bytes mean equal values; `dumps` keeps the order of keys.
Anything that two readers could understand differently is refused with `WireError`.
It knows JSON (RFC 8259, I-JSON RFC 7493 for duplicate keys) and nothing of LLMs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

import orjson

from .chat import WireError

MAX_DEPTH = 200
"""Deepest nesting that is read. orjson writes 254 levels, and an identity wraps the value in a few more."""

_EXACT = 2**53
"""Up to here every integer is a double of its own, so `int(float)` is exact."""


def parse(body: bytes) -> Any:
    """Return the JSON value of *body*, numbers in one form: `1.0`, `1e0` and `1` are the int 1, `-0.0` is 0.

    A byte order mark is accepted. Raises `WireError` with `json-not-utf8`, `json-invalid`, `json-duplicate-key`,
    `json-number` (NaN, Infinity, beyond a double, over 4300 digits) or `json-too-deep`.
    """
    if (value := _plain(body)) is not None:
        return value
    return _decode(_IDENTITY, _text(body))


def _plain(body: bytes) -> Any:
    """Return the value of *body* where the fast reader surely understands it as the strict one does; else None.

    What is written back byte for byte has no key twice, no number that another spelling equals but whole floats,
    and no escape that stands for something else. That is how most SDKs write.
    """
    try:
        value = orjson.loads(body)
        if orjson.dumps(value) != body or not _in_one_form(value, MAX_DEPTH):
            return None
    except (orjson.JSONDecodeError, TypeError):
        return None
    return value


def _in_one_form(value: Any, levels: int) -> bool:
    """Whether no float in *value* is whole (the strict reader makes it an int), and nothing is deeper than *levels*."""
    if isinstance(value, float):
        return not value.is_integer()
    if isinstance(value, dict):
        return levels > 0 and all(_in_one_form(each, levels - 1) for each in value.values() if type(each) not in _ATOMS)
    if isinstance(value, list):
        return levels > 0 and all(_in_one_form(each, levels - 1) for each in value if type(each) not in _ATOMS)
    return True


def read(body: bytes | str) -> Any:
    """Return the JSON value of *body* with numbers as they were sent (`1.0` stays a float). Raises as `parse` does."""
    if (value := _surely(body)) is not None:
        return value
    return _decode(_AS_SENT, _text(body) if isinstance(body, bytes) else body)


def _surely(body: bytes | str) -> Any:
    """Return the value of *body* where the fast reader surely understands it as the strict one does; else None."""
    try:
        value = orjson.loads(body)
        raw = body.encode() if isinstance(body, str) else body
        written = orjson.dumps(value)
    except (ValueError, TypeError):
        return None
    return _shallow(value, raw.count(b"{") + raw.count(b"[")) if _is_said_by(raw, written) else None


def _is_said_by(raw: bytes, written: bytes) -> bool:
    """Whether *raw* surely says what *written* does, which the fast reader understood and wrote.

    What is written back byte for byte is understood. So is what differs in its blanks and escapes only: a key that
    comes twice would have a colon more than what is written back, for no colon can hide in an escape.
    """
    return raw == written or (
        raw.count(b":") == written.count(b":")
        and not any(escape in raw for escape in _ESCAPED_COLON)
        and not has_long_number(raw)
    )


def has_long_number(text: bytes) -> bool:
    """Whether *text* has what may be an integer over 64 bits, which `skim` and the fast reader make a float."""
    return _LONG_NUMBER in text.translate(_DIGITS_AS_ZERO)


def read_all(texts: Sequence[bytes]) -> list[Any]:
    """Return the JSON value of each text, as `read` does, in a fraction of the time. Raises as it does."""
    try:
        values = [orjson.loads(text) for text in texts]
        written = orjson.dumps(values)
    except (ValueError, TypeError):
        return [read(text) for text in texts]
    if not _is_said_by(b"[%s]" % b",".join(texts), written):
        return [read(text) for text in texts]
    return _all_shallow(values, texts)


def skim_all(texts: Sequence[bytes]) -> list[Any]:
    """Return the JSON value of each text, as `skim` does, in a fraction of the time. Raises as it does."""
    try:
        return _all_shallow([orjson.loads(text) for text in texts], texts)
    except ValueError:
        return [skim(text) for text in texts]


def _all_shallow(values: list[Any], texts: Sequence[bytes]) -> list[Any]:
    # A level needs two brackets, so a short text proves that it is flat without a look at its value.
    if max(map(len, texts), default=0) > 2 * MAX_DEPTH:
        for value, text in zip(values, texts, strict=True):
            _shallow(value, text.count(b"{") + text.count(b"["))
    return values


def skim(body: bytes | str) -> Any:
    """Return the JSON value of *body* several times faster than `read`, to look at and not to write again.

    The last of duplicate keys counts, and integers over 64 bits may be rounded. Raises as `read` does.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:  # a lone surrogate or a byte order mark, which `read` knows; or no JSON
        return read(body)
    if isinstance(body, str):
        return _shallow(value, body.count("{") + body.count("["))
    return _shallow(value, body.count(b"{") + body.count(b"["))


def canonical(value: Any) -> bytes:
    """Return compact JSON with sorted keys; two values that `parse` returned have equal bytes only if they are equal.

    Not every output is UTF-8 text: what orjson cannot write (ints over 64 bits, lone surrogates) is written escaped.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def dumps(value: Any) -> bytes:
    """Return compact JSON with the keys in their order."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def member(text: str, name: str) -> tuple[int, int] | None:
    """Return where to cut the first member *name* with its comma out of the object *text*, or None without one.

    *text* must be one valid JSON object. Cutting leaves every other character as it was.
    """
    if found := _near_the_end(name).search(text):
        return found.span(1)
    at = _skip(text, text.index("{") + 1)
    comma = -1
    while text[at] == '"':
        start = at
        key, at = _SCAN.raw_decode(text, at)
        _, at = _SCAN.raw_decode(text, _skip(text, _skip(text, at) + 1))
        end, at = at, _skip(text, at)
        more = text[at] == ","
        if key == name and comma >= 0:
            return comma, end
        if key == name:
            return start, _skip(text, at + 1) if more else end
        if not more:
            return None
        comma, at = at, _skip(text, at + 1)
    return None


@lru_cache(maxsize=8)
def _near_the_end(name: str) -> re.Pattern[str]:
    """Return what finds a plain member among plain ones before the last bracket, which is the object's own.

    Many providers write so, and a stream has thousands of such objects. No string can look like it: its quotes would
    be escaped.
    """
    plain = r'(?:null|true|false|"[^"\\]*+")'
    return re.compile(rf'(,"{re.escape(name)}":{plain})(?:,"[^"\\]*+":{plain})*+\}}\Z')


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in _BLANK:
        at += 1
    return at


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WireError("json-not-utf8") from None


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        value = decoder.decode(text)
    except WireError:
        raise
    except RecursionError:
        raise WireError("json-too-deep") from None
    except json.JSONDecodeError:
        raise WireError("json-invalid") from None
    return _shallow(value, text.count("{") + text.count("["))


def _shallow(value: Any, brackets: int) -> Any:
    # A level needs a bracket, so few brackets prove that it is flat without a walk.
    if brackets > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise WireError("json-too-deep")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 8259, 4: readers disagree on which of two equal names counts; Go's gjson takes the first, Python the last.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise WireError("json-duplicate-key")
    return value


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python's own bound of 4300 digits
        raise WireError("json-number") from None


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise WireError("json-number")
    return value


def _number(text: str) -> int | float:
    value = _float(text)
    if not value.is_integer():
        return value
    if abs(value) < _EXACT:
        return int(value)
    # 1e23 is no double; as an int it has to equal 100000000000000000000000.
    exact = Decimal(text)
    whole = int(exact)
    return whole if whole == exact else int(value)


def _constant(_: str) -> NoReturn:
    raise WireError("json-number")


_ESCAPED_COLON = (b"\\u003a", b"\\u003A")
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_ATOMS = frozenset({str, int, bool, type(None)})
_BLANK = frozenset(" \t\n\r")
_SCAN = json.JSONDecoder()
_IDENTITY = json.JSONDecoder(object_pairs_hook=_object, parse_int=_int, parse_float=_number, parse_constant=_constant)
_AS_SENT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant)
