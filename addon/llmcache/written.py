"""An entry's reply in the form that a call wants: by the user's templates, as it was recorded, or converted.

It knows dialects and forms, not stores, keys or modes. Entry point: `written`.
"""

from __future__ import annotations

import asyncio

from .answer import AnswerRule
from .chat import Call, Entry, Lossy, Reply
from .recorder import INLINE
from .wire import Dialect


async def written(rule: AnswerRule | None, dialect: Dialect, entry: Entry, call: Call) -> Reply:
    """Return the reply of *entry* for *call*; one that broke off only as it came, so that nobody takes it for whole.

    *rule*: the user's templates, if there are any. Raises `Lossy`, `WireError` or `ValueError`.
    """
    if entry.truncated and entry.form != call.form:
        raise Lossy("truncated")
    if rule and not entry.truncated and (filled := rule.fill(entry.reply, entry.form, call.form)):
        return filled
    if entry.form == call.form:
        return entry.reply
    if len(entry.reply.body) < INLINE:
        return dialect.convert(entry.reply, entry.form, call.form)
    return await asyncio.to_thread(dialect.convert, entry.reply, entry.form, call.form)
