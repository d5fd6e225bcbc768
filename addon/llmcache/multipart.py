"""The bytes of a `multipart/form-data` body -> its parts, strict enough to take an identity from.

What two readers could cut differently is refused with `WireError`: bare line feeds, a preamble, text that begins like
the boundary. Names and file names are kept as they stand between their quotes, whatever a reader makes of escapes.
It knows RFC 7578 and RFC 2046 section 5.1 and nothing of LLMs. Entry points: `boundary`, `parse`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .chat import Headers, WireError


@dataclass(frozen=True, slots=True)
class Part:
    """One field or file of a form."""

    name: str
    filename: str | None
    """None for a plain field."""
    headers: Headers
    """The other headers, sorted, names in lower case; further parameters of the disposition as `disposition-...`."""
    content: bytes

    @property
    def text(self) -> str | None:
        """The value of a plain field; None for a file and for bytes that are no UTF-8."""
        try:
            return None if self.filename is not None else self.content.decode()
        except UnicodeDecodeError:
            return None


def boundary(content_type: str) -> str:
    """Return the boundary that a content type names (RFC 2046 section 5.1.1). Raises `WireError` without one."""
    found = list(_BOUNDARY.finditer(content_type))
    if len(found) != 1:
        raise WireError("multipart-boundary")
    return str(found[0][1] or found[0][2])


def parse(body: bytes, boundary: str) -> list[Part]:
    """Return the parts in their order. Raises `WireError` (`multipart-...`)."""
    found = list(_borders(body, b"--" + boundary.encode()))
    if not found or found[0][0] != 0:
        raise WireError("multipart-boundary")
    *opened, closed = (closes for _, _, closes in found)
    if not closed or any(opened) or body[found[-1][1] :] not in (b"", b"\r\n"):
        raise WireError("multipart-truncated")
    return [_part(body[end:start]) for (_, end, _), (start, _, _) in pairwise(found)]


def _borders(body: bytes, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield each delimiter: where it and its line break begin, where it ends, and whether it closes the body."""
    at = body.find(mark)
    while at >= 0:
        if at == 0 or body[at - 1 : at] == b"\n":
            found = _AFTER_MARK.match(body, at + len(mark))
            if found is None or (at and body[at - 2 : at] != b"\r\n"):
                raise WireError("multipart-boundary")
            yield max(0, at - 2), found.end(), bool(found[1])
        at = body.find(mark, at + len(mark))


def _part(raw: bytes) -> Part:
    head, blank, content = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not blank:
        raise WireError("multipart-part")
    fields = dict(_field(line) for line in head[2:].split(b"\r\n"))
    if len(fields) != head.count(b"\r\n"):
        raise WireError("multipart-header")
    said = _disposition(fields.pop("content-disposition", ""))
    fields.pop("content-length", None)  # some clients write it; the content says it
    name, filename = said.pop("name", None), said.pop("filename", None)
    if name is None:
        raise WireError("multipart-name")
    others = fields | {f"disposition-{key}": value for key, value in said.items()}
    return Part(name, filename, tuple(sorted(others.items())), content)


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name) or b"\n" in value or b"\r" in value:
        raise WireError("multipart-header")
    try:
        return name.decode().lower(), value.strip(b" \t").decode()
    except UnicodeDecodeError:
        raise WireError("multipart-header") from None


def _disposition(value: str) -> dict[str, str]:
    """Return the parameters of a `form-data` disposition (RFC 7578 section 4.2); none may come twice."""
    kind, _, _ = value.partition(";")
    rest = value[len(kind) :]
    found = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(rest)]
    if kind.strip().lower() != "form-data" or _PARAMETER.sub("", rest).strip() or len(dict(found)) != len(found):
        raise WireError("multipart-disposition")
    return dict(found)


_AFTER_MARK = re.compile(rb"(--)?[ \t]*(?=\r\n|\Z)")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BOUNDARY = re.compile(
    r""";\s*boundary=(?:"([0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?])"|([^\s;"]{1,70}))""", re.IGNORECASE
)
_PARAMETER = re.compile(r""";\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""")
