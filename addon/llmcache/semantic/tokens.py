"""Text -> tokens, without losing what a question may hang on: symbols, emoji, code, and letters of any script.

It knows no language: it says where a word, a number, a path or an operator begins and ends.
Scripts without spaces between words (Chinese, Japanese) come as runs, which `ideographs` reads.
Entry points: `scan`, `quoted`, `folded`, `plain`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text."""

    kind: str
    """The name of a group of `_TOKEN`: `url`, `mail`, `path`, `flag`, `code`, `number`, `han`, `word` or `symbol`."""
    text: str
    """As written, but for the width of characters."""


def scan(text: str) -> list[Token]:
    """Return the tokens of *text*, in order."""
    return [Token(found.lastgroup or "", found.group()) for found in _TOKEN.finditer(plain(text))]


def quoted(text: str) -> tuple[str, ...]:
    """Return what stands in quotation marks, sorted, with each run of white space as one space."""
    if not _MARKS.search(text):
        return ()
    return tuple(sorted(" ".join(next(filter(None, found), "").split()) for found in _QUOTED.findall(plain(text))))


def folded(text: str) -> str:
    """Return *text* without what never changes a question: case, runs of white space, punctuation at the end."""
    whole = " ".join(text.casefold().split())
    short = whole.rstrip(_FINAL)
    return whole if short[-1:].isdigit() and whole[len(short) :] == "!" else short


def plain(text: str) -> str:
    """Return *text* with typographic variants of one character made equal, and `a.m.` as `am`."""
    if ".m" in text or ".M" in text:
        text = _HALVES.sub(r"\1m", text)
    if not text.isascii():
        text = _WAVES.sub(" ", unicodedata.normalize("NFC", text).translate(_VARIANTS))
    return _GENITIVE.sub("", text) if "'s" in text else text


_FINAL = " .!?。！？…"  # noqa: RUF001 - punctuation of several languages
_VARIANTS = {
    **{0xFF01 + offset: 0x21 + offset for offset in range(94)},  # full-width forms of ASCII
    0x3000: 0x20,
    0xA0: 0x20,
    0x2018: 0x27,
    0x2019: 0x27,
    0x201B: 0x27,
    0x2212: 0x2D,
    0x2010: 0x2D,
    0x2011: 0x2D,
    0xFE0E: None,  # variation selectors: an emoji is the same with or without
    0xFE0F: None,
}
_HALVES = re.compile(r"(?<![\w.])([ap])\.m\b\.?", re.IGNORECASE)
"""Of the day: `7 a.m.` is `7 am`."""
_GENITIVE = re.compile(r"(?<=[1-9])'s\b")
"""Of a number: `flight 12's status`; but `1990's` are years."""
_MARKS = re.compile("[\"'`“„«‹「『‘]")  # noqa: RUF001 - quotation marks of several languages
_QUOTED = re.compile(
    r'"([^"\n]{1,400})"'
    r"|“([^“”\n]{1,400})”|„([^„“”\n]{1,400})[“”]|«([^«»\n]{1,400})»|「([^「」\n]{1,400})」|『([^『』\n]{1,400})』"
    r"|`{1,3}([^`]{1,400})`{1,3}"
    r"|(?<!\w)'([^'\n]{1,400})'(?!\w)"
)
_BLOCKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0dff\u0e00-\u109f\u1780-\u17ff\u200c\u200d"
)
"""Vowel signs and other marks, which belong to the word they stand in; whole blocks of scripts that have them."""
_LETTER = rf"(?:[^\W\d_]|(?![\d।॥๏\u104a\u104b\u17d4])[{_BLOCKS}])"
_HAN = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WAVES = re.compile(f"(?<=[{_HAN}])~+")
"""Behind Chinese: a mark like a dash."""
_WORD = rf"(?:[A-Za-z]++|(?![{_HAN}]){_LETTER})+"
_TOKEN = re.compile(
    rf"""
    (?![A-Za-z]+(?:[\s,;!?]|$))  # nothing of what follows is a plain word, and most are: those are not tried with each
    (?:(?P<url>(?:https?|ftp|file)://[^\s<>"']*[\w/=#&-]|www\.[^\s<>"']*[\w/=#&-])
    |(?P<mail>(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]+(?:\.[\w-]+)+)
    |(?P<path>(?<![\w/])(?:~|\.{{1,2}})?/(?:[\w.@+*~-]+/)*[\w@+*~-][\w.@+*~-]*(?<!\.)/?
        |(?<!\w)[A-Za-z]:\\[^\s"'?]*
        |(?<![\w/.-])[A-Za-z_][\w.-]*(?:/[\w.-]+)*/[\w-]+\.[A-Za-z]\w{{0,4}}\b)
    |(?P<flag>(?<![\w-])--?[A-Za-z][\w-]*(?==|\b))
    |(?P<code>(?<!\w)(?:[Cc]\+\+|[CFcf]\#)(?!\w)|\.[A-Z]{{2,4}}\b
        |[A-Za-z_$][\w$]*(?:(?:\.|::|->)[A-Za-z_][\w$]*)+(?:\(\))?
        |[A-Za-z$][A-Za-z\d$]*(?:_[A-Za-z\d$]+)+|_\w+|[$@\#][A-Za-z_]\w*|[A-Za-z_]\w*\(\)))
    |(?P<number>(?:(?<![\w.,)\]-])-)?(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:[.:,]\d+)*))
    |(?P<han>[{_HAN}]+)
    |(?P<word>{_WORD}(?:'{_WORD})*)
    |(?P<symbol>!=+|(?<=\d)!|(?<!\w)!(?=\w)|\?(?=[ ]+[a-z])|(?<=[A-Za-z\d_])\?(?=[A-Za-z\d_])
        |[^\w\s.,;:!?'"()\[\]{{}}…。，、？！：；「」『』（）《》【】“”„‘«»‹›¿¡؟،।॥·`–—-]+
        |(?<=\s)[{{}}\[\]()]{{1,2}}(?=\s)
        |(?:(?<=\bdoes[ ])|(?<=\bthe[ ])|(?<=\bof[ ])|(?<=\ba[ ]))[;:,.]+(?=\s)|-=|->|--
        |(?<=\s)-(?=\s)|(?<=\d)-(?=\d|[a-ce-z]\b))
    """,  # noqa: RUF001 - punctuation of several languages
    re.VERBOSE,
)
