"""The records of Higress' ai-cache: the key is prefix and question, the value is the bare answer, and that is all.

Both are the raw text, any length, any bytes. The plugin's first versions (until #1290) kept both JSON-escaped.
An entry made of one has the form `chat.BARE`: the text, for the user's templates to fill in. What it cost, who gave
it and when is not known. Entry point: `HigressRecords`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from ..chat import BARE, Entry, Form, Reply
from .record import Row
from .redis_records import Listed, encoded

DIALECT = "higress"

_ESCAPED = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
"""A text that JSON could have between two quotes."""
_TELLING = re.compile(r'(?<!\\)(?:\\\\)*(?:\\"|\\u[0-9a-fA-F]{4}|\\n(?:\\n|[-*#\d\s]|$))')
"""An escape that nobody means: in LaTeX (`\\nu`) and in paths (`C:\\new`) others are what was meant."""


class HigressRecords:
    """Records under *prefix*; *text* gives the answer's text of a reply in a form, empty where it has none."""

    head = 1

    def __init__(self, prefix: str, text: Callable[[Reply, Form], str], clock: Callable[[], float] = time.time) -> None:
        self.prefix = encoded(prefix)
        self._text, self._clock = text, clock

    def names(self, key: str) -> tuple[bytes, ...]:
        """Return *key*, which has the prefix already, and where the first versions would have it."""
        plain = encoded(key) if encoded(key).startswith(self.prefix) else self.prefix + encoded(key)
        try:
            question = plain[len(self.prefix) :].decode()
        except UnicodeDecodeError:
            return (plain,)
        # As clients write JSON: as it is (Node, Go, OpenAI's SDKs), or in ASCII (Python's default).
        old = (json.dumps(question, ensure_ascii=ascii_only)[1:-1].encode() for ascii_only in (False, True))
        return tuple(dict.fromkeys((plain, *(self.prefix + escaped for escaped in old))))

    def encode(self, entry: Entry) -> bytes:
        """Return the answer's text. Raises `ValueError` where there is none."""
        answer = "" if entry.truncated else self._text(entry.reply, entry.form)
        if not answer.strip():
            raise ValueError("cannot be packed: it has no answer's text")
        return answer.encode("utf-8", "replace")

    def life(self, entry: Entry, now: float) -> dict[str, int]:  # noqa: ARG002 - others need the time
        """Return `EX` and the whole `cacheTTL`, as the plugin does."""
        return {} if entry.expires is None else {"ex": max(1, round(entry.expires - entry.created))}

    def decode(self, key: str, name: bytes, data: object) -> Entry | None:
        """Return an entry whose reply is the answer's text, or None where there is none."""
        if not isinstance(data, bytes):
            return None
        try:
            answer = data.decode()
        except UnicodeDecodeError:
            return None
        old = name != self.names(key)[0]
        if _ESCAPED.fullmatch(answer) and (old or _TELLING.search(answer)):
            answer = json.loads(f'"{answer}"')
        if not answer.strip():
            return None
        reply = Reply(200, (), answer.encode("utf-8", "replace"))
        question = name[len(self.prefix) :].decode("utf-8", "replace")
        return Entry(key, DIALECT, "", "", BARE, reply, created=self._clock(), question=question)

    def missing(self, head: bytes) -> int:  # noqa: ARG002 - others read a head
        """Return 0: a listing needs nothing of the value."""
        return 0

    def listed(self, name: bytes, head: bytes, length: int) -> Listed | None:  # noqa: ARG002 - others read a head
        """Return what is known of a value: its key and its length. Without a prefix nobody can tell whose it is."""
        if not self.prefix:
            return None
        now = self._clock()
        key = name.decode("utf-8", "surrogateescape")
        row = Row(key, DIALECT, "", "", "", created=now, expires=None, used=now, hits=0, size=length)
        return Listed(row, name, 0)
