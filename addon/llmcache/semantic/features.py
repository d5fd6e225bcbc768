"""A question -> what the gate compares of it, read once and remembered.

It compares nothing and knows no other question. Entry points: `features` and `Features`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from . import ideographs
from .aims import aims, denied, helped, owned, wanted
from .courtesies import ARTICLES, bare
from .kinds import ASKING, kind, role
from .letters import standing
from .listing import listed
from .literal import defined, given, surface
from .names import ALIASES, DEMONYMS, MONTHS
from .numbers import CARDINALS, ORDINALS, SCALES, composed, digits
from .phrases import CONTRACTIONS, ENDINGS, IGNORED, LINKS, rewritten
from .relations import RELATIONS
from .stems import stem
from .synonyms import SYNONYMS
from .tokens import Token, folded, quoted, scan
from .verbs import modal, passive, tense

REMEMBERED = 1024
"""Questions, of eight objects each that every full collection of garbage visits: for 8192 it took 40 ms longer."""


@dataclass(frozen=True, slots=True)
class Features:
    """What an answer can hang on."""

    folded: str = ""
    """The text without case and white space."""
    exact: tuple[str, ...] = ()
    """Code, paths, URLs and flags, as written: their case counts."""
    quotes: tuple[str, ...] = ()
    given: str = ""
    """The text that something is to be done with, folded."""
    surface: tuple[str, ...] = ()
    """The words as written, where the question is about words."""
    defined: frozenset[str] = frozenset()
    """Words that no synonym may stand for here."""
    kind: str = "open"
    aims: frozenset[str] = frozenset()
    """What it is after beside the words: what a thing does, what it is for."""
    helped: str = ""
    """Of a short question for a thing: `is` (`what is it`), `does` (`what does it eat`) or nothing."""
    denied: str = ""
    """Which half is denied where two are joined, `first` or `second`, or nothing."""
    yours: frozenset[str] = frozenset()
    """Words behind `your`."""
    certain: frozenset[str] = frozenset()
    """Words behind `the` and its like."""
    wanted: str = ""
    """The character of which a Chinese question asks which one."""
    words: frozenset[str] = frozenset()
    """Every word in lower case, small ones too."""
    joins: frozenset[tuple[str, str]] = frozenset()
    """Words that relate, such as `to` and `from`, each with the term behind it."""
    terms: tuple[str, ...] = ()
    """What carries meaning, in order: stems, `#` and a number, characters of Chinese, symbols, code; and links."""
    content: frozenset[str] = frozenset()
    """`terms` without the links."""
    frame: tuple[str, ...] = ()
    """The words in order, with terms in the place of what carries meaning, without articles and auxiliaries."""
    genders: frozenset[tuple[str, str]] = frozenset()
    """Of words behind an article, in languages that have genders: what they may be, and the word."""
    foreign: bool = False
    """Whether it has letters beyond those of Western Europe: languages of which this package knows few words."""
    numbers: tuple[str, ...] = ()
    """Sorted, with repetitions."""
    negations: int = 0
    people: tuple[str, ...] = ()
    """The persons that pronouns stand for, in order: `1`, `2`, `he`, `she`, `they`."""
    owners: frozenset[str] = frozenset()
    """Whose: `my`, `your`, `his`, `her`, `their`."""
    kin: frozenset[str] = frozenset()
    """Who else it is about: `wife`, `boss`."""
    tense: str = ""
    """`past`, `present` (of `is` and its like), `habit` (of `does`), `perfect`, `future` or nothing."""
    role: str = ""
    """Of who or what is asked: `subject` (`who saw him`), `object` (`who did he see`) or nothing."""
    passive: bool = False
    """Whether it says by whom something is done."""
    modal: str = ""
    """`can`, `should`, `must` or nothing."""
    capitals: frozenset[str] = frozenset()
    """Terms that were written with a capital where no sentence begins."""
    long: bool = False
    """Too long to be taken apart."""


@lru_cache(maxsize=REMEMBERED)
def features(text: str) -> Features:
    """Read *text*. Any text will do; one beyond `LONGEST` is not taken apart."""
    if len(text) > LONGEST:
        return Features(exact=(text,), long=True)
    tokens = scan(text)
    written = list(_plain(tokens))
    unknown = _unknown(written)
    words = rewritten(written)
    if unknown:
        words = list(_unarticled(words))
    asking = kind(words)
    if asking == "how-much" and not _HELPED.isdisjoint(words):
        words = [word for word in words if word != "cost"]  # how much it costs is how much it is
    found = list(_terms(words))
    terms = tuple(term for term, _ in found if term)
    genders = pairwise(written) if unknown else ()
    content = frozenset(term for term in terms if term not in LINKS)
    yours, certain = (frozenset(map(meaning, side)) for side in owned(words))
    return Features(
        folded=folded(text),
        exact=tuple(token.text for token in tokens if token.kind in _EXACT),
        quotes=quoted(text),
        given=given(text),
        surface=surface(words),
        defined=defined(words, content),
        kind=asking,
        aims=aims(text, words, terms, asking),
        helped=helped(words, terms),
        denied=denied(words),
        yours=yours,
        certain=certain,
        wanted=wanted(words),
        words=frozenset(words),
        joins=frozenset(pair for pair in pairwise(terms) if pair[0] in RELATIONS),
        terms=terms,
        content=content,
        frame=tuple(shown for _, shown in found if shown not in _VOID),
        genders=frozenset((ARTICLES[one], other) for one, other in genders if one in ARTICLES),
        foreign=unknown or (not text.isascii() and any(sign > "\u024f" and sign.isalpha() for sign in text)),
        numbers=tuple(sorted(term for term in terms if term[0] == "#")),
        negations=sum(word in NEGATORS for word in words),
        people=tuple(PEOPLE[word] for word in words if word in PEOPLE),
        kin=KIN.intersection(terms),
        owners=frozenset(OWNERS[word] for word in words if word in OWNERS),
        tense=tense(words),
        role=role(words),
        passive=passive(words),
        modal=modal(words),
        capitals=frozenset(_capitals(tokens)),
    )


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the words of *tokens* in lower case, contractions written out; what is no word keeps its case."""
    for place, token in enumerate(tokens):
        match token.kind:
            case "word" if stands := standing(tokens, place):
                yield stands
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
        yield _SIGNS.get(text) or ALIASES.get(text, text)
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
                base = word.removesuffix(ending)
                yield base
                if meaning or base in ASKING:
                    yield meaning or "is"
                return
        word = word.removesuffix("'").removeprefix("l'").replace("'", "")
    yield bare(word)


def _terms(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the term of each word, or nothing for one that carries no meaning, and what stands for it in a frame."""
    at, names = 0, _in_chinese(words)
    while at < len(words):
        word = words[at]
        if word in CARDINALS or word in SCALES:
            value, used = composed(words, at)
            if not (word == "one" and used == 1 and _pronoun(words, at)) and word != "both":
                yield "#" + value, "#" + value
            at += used
            continue
        if word[0] == "#" and at + 1 < len(words) and words[at + 1] in SCALES:
            number = "#" + _scaled(word[1:], SCALES[words[at + 1]])
            yield number, number
            at += 2
            continue
        if word[0] == "#" and at + 1 < len(words) and words[at + 1] in _RANKS:
            yield word + "th", word + "th"
            at += 2
            continue
        term = _term(words, at, names=names)
        yield term, term or word
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


def _term(words: Sequence[str], at: int, *, names: bool) -> str:
    """Return the term of the word at *at*, nothing when it has none; *names*, words in Latin letters are names."""
    word = words[at]
    if word in MONTHS and _is_date(words, at):
        return f"month{MONTHS[word]}"
    if word in LINKS:
        return word
    if word in _NOUNS_TOO and at and words[at - 1] in _DETERMINERS:
        return word
    if word in IGNORED or word in NEGATORS:
        return ""
    if word in ORDINALS:
        return "#" + ORDINALS[word]
    if word in DEMONYMS and not (at and words[at - 1] in {"in", "into", "to", "from"}):
        return DEMONYMS[word]
    if word in ALIASES:
        return ALIASES[word]
    if word[0] == "@":
        return ""
    return word if names and word.isascii() else meaning(word)


def _in_chinese(words: Sequence[str]) -> bool:
    """Whether the words around are Chinese or Japanese: a word in Latin letters is a name there, `sort` or `sorted`."""
    return any("\u3040" <= word[0] <= "\u9fff" for word in words)


def meaning(word: str) -> str:
    """Return the term of a plain word: the first of its synonyms, as a stem."""
    root = stem(word)
    return SYNONYMS.get(root, root)


def _is_date(words: Sequence[str], at: int) -> bool:
    """Whether a month's name is one: `may` and `march` are verbs too."""
    if words[at] not in {"may", "march", "mar", "sep", "dec", "jan"}:
        return True
    around = (*words[at - 1 : at], *words[at + 1 : at + 2]) if at else words[1:2]
    return any(word[0] == "#" or word in {"in", "of", "last", "next", "since", "until"} for word in around)


def _unknown(words: Sequence[str]) -> bool:
    """Whether the language is not English: not one of its small words."""
    return len(words) > _POINTS and _ENGLISH.isdisjoint(words)


def _unarticled(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of another language without articles; `der` stays where others of its kind could need it."""
    alone = _CASES.isdisjoint(words)
    return (word for word in words if word not in ARTICLES or (word == "der" and not alone))


def _capitals(tokens: Sequence[Token]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        if place and token.kind == "word" and token.text[0].isupper():
            word = token.text.lower().removesuffix("'s")
            yield meaning(word)


_HELPED = frozenset(("does", "do", "did", "will", "would"))
_VOID = frozenset(
    listed(
        "@is @defined @listed @sort @happened @good a an the is are was were am be been being do does did of one ones"
    )
)
_ENGLISH = frozenset(
    listed(
        "the is are does did has have can could will would should what which who when where why how and of for with my "
        "your you it this that these at by from if there any some be been get not"
    )
)
_CASES = frozenset(("die", "das", "den", "dem", "des", "einen", "einem", "einer", "eines"))
_SIGNS = {"@": "at^", "#": "hash^"}
_RANKS = frozenset(("st", "nd", "rd", "th"))
_EXACT = frozenset(("code", "path", "url", "mail", "flag"))
LONGEST = 4_000
"""Characters of the longest question that is taken apart, which takes a few milliseconds then."""
_POINTS = 2
_DIGITS = 16
ACRONYMS = {"US": "usa", "IT": "it^", "WHO": "who^", "USA": "usa", "UK": "uk", "U.S": "usa", "R": "r^"}
"""Words that mean something else in capitals."""
_NOUNS_TOO = frozenset(listed("need will can mean must get wish try well kind sort"))
_DETERMINERS = frozenset(listed("a an the my your his her our their"))
"""Behind these the others are things: `the mean of`, `a will`."""
KIN = frozenset(
    meaning(word)
    for word in listed(
        "wife husband son daughter mother father mom dad mum brother sister uncle aunt cousin nephew niece grandmother "
        "grandfather grandma grandpa boyfriend girlfriend fiance fiancee spouse boss colleague coworker employee "
        "roommate neighbor neighbour"
    )
)
NEGATORS = frozenset(
    listed(
        "not no never none neither nor without nothing nobody nowhere hardly unable impossible n't "
        "nicht kein keine keinen keinem keiner nie niemals ohne pas jamais sans aucun aucune nunca sin ningún ninguna "
        "não nem sem non mai senza не нет ни без никогда нельзя لا لم لن ليس ليست بدون नहीं मत बिना 안 못 없이 לא בלי"
    )
)
PEOPLE = {
    **dict.fromkeys(("you", "your", "yours", "yourself"), "2"),
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
