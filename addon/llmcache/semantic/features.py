"""A question -> what the gate compares of it, read once and remembered.

It compares nothing and knows no other question. Entry points: `features` and `Features`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from . import ideographs
from .kinds import kind
from .listing import listed
from .names import ALIASES, DEMONYMS, MONTHS
from .numbers import CARDINALS, ORDINALS, SCALES, composed, digits
from .phrases import CONTRACTIONS, ENDINGS, IGNORED, LINKS, rewritten
from .stems import PAST, stem
from .synonyms import SYNONYMS
from .tokens import Token, folded, quoted, scan


@dataclass(frozen=True, slots=True)
class Features:
    """What an answer can hang on."""

    folded: str
    """The text without case and white space."""
    exact: tuple[str, ...]
    """Code, paths, URLs and flags, as written: their case counts."""
    quotes: tuple[str, ...]
    kind: str
    words: frozenset[str]
    """Every word in lower case, small ones too."""
    terms: tuple[str, ...]
    """What carries meaning, in order: stems, `#` and a number, characters of Chinese, symbols, code; and links."""
    content: frozenset[str]
    """`terms` without the links."""
    numbers: tuple[str, ...]
    """Sorted, with repetitions."""
    negations: int
    people: tuple[str, ...]
    """The persons that pronouns stand for, in order: `1`, `he`, `she`, `they`."""
    owners: frozenset[str]
    """Whose: `my`, `your`, `his`, `her`, `their`."""
    tense: str
    """`past`, `future` or nothing."""
    modal: str
    """`can`, `must` or nothing."""
    capitals: frozenset[str]
    """Terms that were written with a capital where no sentence begins."""


@lru_cache(maxsize=8192)
def features(text: str) -> Features:
    """Read *text*. Any text will do."""
    tokens = scan(text)
    written = list(_plain(tokens))
    words = rewritten(written)
    terms = tuple(_terms(words))
    return Features(
        folded=folded(text),
        exact=tuple(token.text for token in tokens if token.kind in _EXACT),
        quotes=quoted(text),
        kind=kind(words),
        words=frozenset(words),
        terms=terms,
        content=frozenset(term for term in terms if term not in LINKS),
        numbers=tuple(sorted(term for term in terms if term[0] == "#")),
        negations=sum(word in NEGATORS for word in words),
        people=tuple(PEOPLE[word] for word in words if word in PEOPLE),
        owners=frozenset(OWNERS[word] for word in words if word in OWNERS),
        tense=_tense(words),
        modal=_modal(words),
        capitals=frozenset(_capitals(tokens)),
    )


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the words of *tokens* in lower case, contractions written out; what is no word keeps its case."""
    for token in tokens:
        match token.kind:
            case "word":
                yield from _words(token.text)
            case "number":
                yield "#" + digits(token.text)
            case "han":
                yield from ideographs.terms(token.text)
            case "code" if token.text[0] in "cCfF" and token.text[-1] in "+#":
                yield token.text.lower()
            case "symbol":
                yield from _symbols(token.text)
            case _:
                yield f"`{token.text}"


def _symbols(text: str) -> Iterator[str]:
    if text.isascii():
        yield ALIASES.get(text, text)
        return
    for sign in text:
        if unicodedata.category(sign) != "Cf":
            yield ALIASES.get(sign, sign)


def _words(written: str) -> Iterator[str]:
    if written in ACRONYMS:
        yield ACRONYMS[written]
        return
    word = written.lower()
    if word in CONTRACTIONS:
        yield from CONTRACTIONS[word].split()
        return
    if "'" in word:
        for ending, meaning in ENDINGS.items():
            if word.endswith(ending):
                yield word.removesuffix(ending)
                if meaning:
                    yield meaning
                return
        word = word.removesuffix("'").replace("'", "")
    yield word


def _terms(words: Sequence[str]) -> Iterator[str]:
    """Yield what carries meaning, in the order of the words; the months of dates are numbers."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in CARDINALS or word in SCALES:
            value, used = composed(words, at)
            if not (word == "one" and used == 1 and _pronoun(words, at)) and word != "both":
                yield "#" + value
            at += used
            continue
        if word[0] == "#" and at + 1 < len(words) and words[at + 1] in SCALES:
            yield "#" + _scaled(word[1:], SCALES[words[at + 1]])
            at += 2
            continue
        if term := _term(words, at):
            yield term
        at += 1


def _scaled(number: str, scale: int) -> str:
    value = (
        float(number) * scale if number.count(".") < _POINTS and ":" not in number and len(number) < _DIGITS else None
    )
    return number + str(scale) if value is None else f"{value:.10g}"


def _pronoun(words: Sequence[str], at: int) -> bool:
    """Whether `one` at *at* is no number: which one, the one, someone."""
    before = words[at - 1] if at else ""
    return not at or before in {"which", "this", "that", "the", "no", "any", "does", "can", "should", "would", "could"}


def _term(words: Sequence[str], at: int) -> str:
    """Return the term of the word at *at*, nothing when it has none."""
    word = words[at]
    if word in MONTHS and _is_date(words, at):
        return f"month{MONTHS[word]}"
    if word in LINKS:
        return word
    if word in IGNORED or word in NEGATORS:
        return ""
    if word in ORDINALS:
        return "#" + ORDINALS[word]
    if word in DEMONYMS and not (at and words[at - 1] in {"in", "into", "to", "from"}):
        return DEMONYMS[word]
    if word in ALIASES:
        return ALIASES[word]
    root = stem(word)
    return SYNONYMS.get(root, root)


def _is_date(words: Sequence[str], at: int) -> bool:
    """Whether a month's name is one: `may` and `march` are verbs too."""
    if words[at] not in {"may", "march", "mar", "sep", "dec", "jan"}:
        return True
    around = (*words[at - 1 : at], *words[at + 1 : at + 2]) if at else words[1:2]
    return any(word[0] == "#" or word in {"in", "of", "last", "next", "since", "until"} for word in around)


def _tense(words: Sequence[str]) -> str:
    if not _FUTURE.isdisjoint(words):
        return "future"
    return "" if PAST.isdisjoint(words) else "past"


def _modal(words: Sequence[str]) -> str:
    can, must = not _CAN.isdisjoint(words), not _MUST.isdisjoint(words)
    return "" if can is must else "can" if can else "must"


def _capitals(tokens: Sequence[Token]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        if place and token.kind == "word" and token.text[0].isupper():
            word = token.text.lower().removesuffix("'s")
            root = stem(word)
            yield SYNONYMS.get(root, root)


_EXACT = frozenset(("code", "path", "url", "mail", "flag"))
_POINTS = 2
_DIGITS = 16
_FUTURE = frozenset(("will", "shall", "@will", "tomorrow"))
_CAN = frozenset(("can", "could", "@can", "may", "might"))
_MUST = frozenset(("must", "@must", "should", "shall", "ought"))
ACRONYMS = {"US": "usa", "IT": "it^", "WHO": "who^", "USA": "usa", "UK": "uk", "U.S": "usa"}
"""Words that mean something else in capitals."""
NEGATORS = frozenset(
    listed(
        "not no never none neither nor without nothing nobody nowhere hardly unable impossible n't "
        "nicht kein keine keinen keinem keiner nie niemals ohne pas jamais sans aucun aucune nunca sin ningún ninguna "
        "não nem sem non mai senza не нет ни без никогда нельзя لا لم لن ليس ليست بدون नहीं मत बिना 안 못 없이 לא בלי"
    )
)
PEOPLE = {
    **dict.fromkeys(("i", "me", "my", "mine", "myself", "we", "us", "our", "ours"), "1"),
    **dict.fromkeys(("he", "him", "his", "himself"), "he"),
    **dict.fromkeys(("she", "her", "hers", "herself"), "she"),
    **dict.fromkeys(("they", "them", "their", "theirs", "themselves"), "they"),
}
OWNERS = {
    "my": "my",
    "mine": "my",
    "our": "my",
    "your": "your",
    "yours": "your",
    "his": "his",
    "her": "her",
    "hers": "her",
    "their": "their",
}
_SPACES = re.compile(r"\s+")
