"""What the gate compares of the words that carry meaning: quotations, code, numbers, names, terms and their order.

Each function returns how two questions differ in its category, or nothing; `gate` says which are asked.
"""

from __future__ import annotations

from .aims import swapped
from .differing import slips, unequal, unmatched
from .features import Features
from .names import KINDS
from .order import turned, turned_sides
from .tokens import folded
from .verbs import active

FEW = 2
"""Words without counterpart beyond which the order of the others and what joins them say nothing."""


def quoted(asked: Features, stored: Features) -> str:
    """Compare what is in quotation marks, where both have as much of it."""
    if len(asked.quotes) == len(stored.quotes):
        return unequal(asked.quotes, stored.quotes)
    return ""


def given(asked: Features, stored: Features) -> str:
    """Compare the texts that something is to be done with, behind a colon or in quotation marks."""
    if not (asked.given or stored.given):
        return ""
    mine, theirs = (
        {side.given} if side.given else {folded(quote) for quote in side.quotes} for side in (asked, stored)
    )
    return unequal(sorted(mine), sorted(theirs)) if mine and theirs and mine.isdisjoint(theirs) else ""


def wording(asked: Features, stored: Features) -> str:
    """Compare words as they are written where the question is about words, or about what one of them means."""
    if asked.surface and stored.surface and not (asked.given and stored.given) and asked.surface != stored.surface:
        return unequal(asked.surface, stored.surface)
    for genders, word in asked.genders:
        for others, same in stored.genders:
            if word == same and set(genders).isdisjoint(others):
                return f"{genders} {word} ≠ {others} {word}"
    if asked.defined and stored.defined:
        return unequal(sorted(asked.defined), sorted(stored.defined))
    return ""


def code(asked: Features, stored: Features) -> str:
    """Compare what has to be the same to the letter: code, paths, addresses."""
    return unequal(sorted(asked.exact), sorted(stored.exact))


def number(asked: Features, stored: Features) -> str:
    """Compare the numbers, in their order; `a` may stand for `one`."""
    mine, theirs = [number[1:] for number in asked.numbers], [number[1:] for number in stored.numbers]
    if (mine, theirs) in _ARTICLES and (_has_article(stored) if mine else _has_article(asked)):
        return ""
    return unequal(mine, theirs)


def _has_article(question: Features) -> bool:
    """Whether it says `a` where another says `one`."""
    return not question.words.isdisjoint(("a", "an"))


def name(asked: Features, stored: Features) -> str:
    """Compare the names, units, languages and dates: those that are known, and what was written with a capital."""
    mine, theirs = unmatched(asked, stored)
    capitals = asked.capitals | stored.capitals
    named = [
        {word for word in side if word in KINDS or word in capitals or not word[0].isalnum()} for side in (mine, theirs)
    ]
    return unequal(sorted(named[0]), sorted(named[1])) if named[0] and named[1] else ""


def word(asked: Features, stored: Features) -> str:
    """Compare what carries meaning: each term needs its counterpart on the other side."""
    mine, theirs = unmatched(asked, stored)
    return unequal(sorted(mine), sorted(theirs))


def far(asked: Features, stored: Features) -> str:
    """Compare how much they share at all: questions that share little are not told apart by what differs."""
    shared, fewer = len(asked.content & stored.content), min(len(asked.content), len(stored.content))
    return "" if shared * 2 >= fewer else f"{shared} of {fewer} words"


def frame(asked: Features, stored: Features) -> str:
    """Compare what stands in one frame: the same sentence with another word in it is another question.

    Where the sentences differ too, words alone cannot tell.
    """
    mine, theirs = unmatched(asked, stored)
    if not mine and not theirs:
        return ""
    alike = [term for term in asked.frame if term not in mine] == [term for term in stored.frame if term not in theirs]
    return unequal(sorted(mine), sorted(theirs)) if alike or (asked.foreign and stored.foreign) else ""


def order(asked: Features, stored: Features) -> str:
    """Compare the order of the words that carry meaning: who does it to whom."""
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    terms = asked.terms
    if len(mine) + len(theirs) > FEW:
        return ""
    if mine and theirs:
        pairs = slips(asked, stored)
        terms = tuple(pairs.get(term, term) for term in terms)
    if asked.role and stored.role and asked.role != stored.role and len(asked.content) > 1:
        return f"{asked.role} ≠ {stored.role}"
    others = stored.terms
    if asked.passive is not stored.passive and asked.kind == stored.kind:
        terms, others = (active(terms), others) if asked.passive else (terms, active(others))
    elif ("by" in asked.words) is not ("by" in stored.words) and not mine and not theirs and len(asked.content) > 1:
        return "active ≠ passive"
    if sides := turned_sides(asked.terms, stored.terms):
        return sides
    if asked.wanted != stored.wanted and asked.wanted in stored.content and stored.wanted in asked.content:
        return f"which {asked.wanted} ≠ which {stored.wanted}"
    if around := swapped(asked.folded, stored.folded):
        return f"{around[0]} ≠ {around[1]}"
    found = turned(terms, others, free=bool(mine or theirs) or _loose(asked, stored))
    return f"{found[0]} ≠ {found[1]}" if found else ""


def _loose(asked: Features, stored: Features) -> bool:
    """Whether the order of two questions may differ: a list, a noun before another in the place of `of`, or Chinese.

    Also `is it safe to eat` and `is eating safe`, how far two places are, and `who made it`, `who was it made by`.
    """
    if asked.kind == stored.kind and (
        asked.kind == "how-far"
        or (asked.kind == "yes" and ("it" in asked.words) is not ("it" in stored.words))
        or (asked.role == stored.role == "subject" and asked.passive is not stored.passive)
    ):
        return True
    if _LISTS & asked.words & stored.words:
        return True
    if _NOUNS & (asked.words ^ stored.words):
        return True
    return len(asked.terms) < _LONG and any("\u3040" <= term[0] <= "\u9fff" for term in asked.terms)


_LONG = 16
"""Terms from which on a Chinese text is a report, in which a block elsewhere is another fact."""
_LISTS = frozenset(("and", "or", "vs", "between"))
_NOUNS = frozenset(("of", "for", "in", "from", "with", "about", "on"))
"""Where only one of two questions has such a word, the other may say `Kenya's capital` or `lunch ideas`."""
_ARTICLES: tuple[tuple[list[str], list[str]], ...] = ((["1"], []), ([], ["1"]))
