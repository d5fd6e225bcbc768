"""Cassettes of vcrpy (format 1, YAML or JSON), and of its kin that list `http_interactions` (Ruby's VCR, betamax).

A body is text, bytes (`!!binary`), or a mapping with `string` or `base64_string`; it may still be gzipped, or be
undone under headers that say it is. vcrpy's httpx stub once wrote `status_code` and `content` instead.
YAML is only read as data: a tag of Python objects could run code, and is an error.
Source: vcrpy's documentation and recordings. Entry points: `read_yaml`, `read_json`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import yaml

from ..capture import value
from ..chat import Headers
from . import (
    LARGEST,
    Found,
    Gap,
    Interaction,
    Misplaced,
    Unreadable,
    dated,
    exchange_of,
    fields,
    request_of,
    uncoded,
)
from .places import starts

LISTS = ("interactions", "http_interactions")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PYTHON = "tag:yaml.org,2002:python/"


def read_yaml(text: str, name: str) -> Iterator[Found]:
    """Yield what is in the cassette *text*, of the file *name*. Raises `Unreadable`."""
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            _only_data(root, name)
            items = _items(root, name)
            for number, item in enumerate(items, 1):
                where = f"{name}:{item.start_mark.line + 1}: interaction {number}"
                yield _interaction(loader.construct_document(item), where)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"{name}:{mark.line + 1 if mark else 1}: this is not plain YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        raise Unreadable(f"{name}:{text.count(chr(10), 0, at) + 1}: this is not YAML: {error}") from None
    except RecursionError:
        raise Unreadable(f"{name}:1: is nested too deeply") from None


def read_json(text: str, name: str) -> Iterator[Found]:
    """Yield what is in the cassette *text*, of the file *name*. Raises `Unreadable`."""
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"{name}:{error.lineno}: this is not JSON: {error.msg}") from None
    except RecursionError:
        raise Unreadable(f"{name}:1: is nested too deeply") from None
    listed = next((each for each in LISTS if isinstance(root, dict) and isinstance(root.get(each), list)), None)
    if listed is None:
        raise Unreadable(f"{name}:1: {NO_CASSETTE}")
    for number, (item, line) in enumerate(zip(root[listed], starts(text, listed), strict=True), 1):
        yield _interaction(item, f"{name}:{line}: interaction {number}")


def _only_data(root: Any, name: str) -> None:
    """Refuse tags of Python objects anywhere in the document."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:  # an alias leads to the same node again
            continue
        seen.add(id(node))
        if str(node.tag).startswith(_PYTHON):
            raise Unreadable(
                f"{name}:{node.start_mark.line + 1}: `!!{node.tag.removeprefix('tag:yaml.org,2002:')}` stands for an "
                "object of Python and could run code, so it is not read; write what it holds as plain text, or record "
                "the cassette anew"
            )
        if isinstance(node, yaml.MappingNode):
            waiting += [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _items(root: Any, name: str) -> list[Any]:
    """Return the nodes of the interactions."""
    if isinstance(root, yaml.MappingNode):
        for key, listed in root.value:
            if key.value in LISTS and isinstance(listed, yaml.SequenceNode):
                return list(listed.value)
    raise Unreadable(f"{name}:1: {NO_CASSETTE}")


def _interaction(item: Any, where: str) -> Found:
    try:
        asked, answered = _mapping(item, "request"), _mapping(item, "response")
        moment = _moment(item.get("recorded_at"))
        request = _request(asked)
        headers = _fields(answered)
        body = _body(answered.get("body", answered.get("content")))
        if body is None:
            return Gap(where, "no-body")
        plain = uncoded(body, headers, LARGEST)
        exchange = exchange_of(_status(answered), headers, plain, 0.0, whole=_whole(headers, body))
    except Misplaced as error:
        raise Unreadable(f"{where}: {error}") from None
    return Interaction(where, request, exchange, dated(headers) if moment is None else moment)


def _request(asked: dict[str, Any]) -> Any:
    headers = _fields(asked)
    url = asked.get("uri", asked.get("url"))
    if not isinstance(url, str) or not isinstance(asked.get("method"), str):
        raise Misplaced("its request has no `method` and `uri`")
    body = uncoded(_body(asked.get("body")) or b"", headers, LARGEST)
    plain = tuple((name, text) for name, text in headers if name != "content-encoding")
    return request_of(asked["method"].upper(), url, plain, body)


def _status(answered: dict[str, Any]) -> int:
    status = answered.get("status", answered.get("status_code"))
    code = status.get("code") if isinstance(status, dict) else status
    if type(code) is not int:
        raise Misplaced("its response has no `status` with a `code`")
    return code


def _whole(headers: Headers, body: bytes) -> bool:
    """Whether all came: what a client has read to its end is recorded, unless the length says otherwise."""
    length = value(headers, "content-length")
    return not (length.isdecimal() and int(length) > len(body))


def _body(body: Any) -> bytes | None:
    """Return the bytes of a body in any of its notations; None where there is none."""
    match body:
        case None | bytes():
            return body
        case str():
            return body.encode("utf-8", "surrogatepass")
        case {"base64_string": str(text)}:
            try:
                return base64.b64decode(text)
            except ValueError as error:
                raise Misplaced(f"its `base64_string` cannot be read: {error}") from None
        case {"string": inner}:
            return _body(inner)
        case {}:
            return None
    raise Misplaced(f"a body is neither text nor bytes ({type(body).__name__})")


def _fields(message: dict[str, Any]) -> Headers:
    """Return headers: each name has one value, or a list of them."""
    headers = message.get("headers") or {}
    if not isinstance(headers, dict):
        raise Misplaced("`headers` is no mapping")
    return fields((name, _plain(each)) for name, given in headers.items() for each in _listed(given))


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _plain(given: Any) -> str:
    return given.decode("utf-8", "surrogateescape") if isinstance(given, bytes) else str(given)


def _moment(recorded: Any) -> float | None:
    if isinstance(recorded, str):
        try:
            recorded = datetime.fromisoformat(recorded)
        except ValueError:
            return None
    if isinstance(recorded, datetime):
        return recorded.timestamp()
    return datetime(recorded.year, recorded.month, recorded.day).timestamp() if isinstance(recorded, date) else None  # noqa: DTZ001 - a day without a zone is one here


def _mapping(item: Any, name: str) -> dict[str, Any]:
    found = item.get(name) if isinstance(item, dict) else None
    if not isinstance(found, dict):
        raise Misplaced(f"it has no `{name}`")
    return found


NO_CASSETTE = "this is no cassette of vcrpy: it has no list `interactions` (before vcrpy 1.0 it had none; record anew)"
