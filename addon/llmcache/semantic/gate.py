"""The gate: whether everything that an answer can hang on agrees between two questions.

Near in meaning is not enough: `18 + 24` and `18 + 42` are neighbours in any embedding.
It knows two texts and no model, similarity or policy. Entry points: `judge`, and `compare` of read `Features`.
A refusal begins with the name of its category; the rest holds words of the questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from .aims import swapped
from .features import LONGEST, Features, features, meaning
from .kinds import apart, compatible
from .listing import listed
from .names import KINDS
from .opposites import HAN_OPPOSITES, OPPOSITES
from .order import turned, turned_sides
from .relations import apart as unrelated
from .stems import slip
from .tokens import folded
from .verbs import WAS, active


def judge(asked: str, stored: str, *, strict: bool = True) -> str | None:
    """Return None when the answer to *stored* may answer *asked*; else why not, such as `number 10 ≠ 12`.

    Strict, every word that carries meaning needs its counterpart; else only facts do: who else decides what other words
    are worth (a policy that learns) is not kept from learning it.
    Who may refuse does so both ways round: the same texts swapped are refused too.
    """
    return compare(features(asked), features(stored), strict=strict)


def compare(asked: Features, stored: Features, *, strict: bool = True) -> str | None:
    """Do what `judge` does, for questions that were read already."""
    if asked.exact == stored.exact and asked.folded == stored.folded and asked.quotes == stored.quotes:
        return None
    if asked.long or stored.long:
        return f"length over {LONGEST} characters"
    for category, differs in (STRICT if strict else FACTS).items():
        if what := differs(asked, stored):
            return f"{category} {what}"
    return None


def _quoted(asked: Features, stored: Features) -> str:
    if len(asked.quotes) == len(stored.quotes):
        return _unequal(asked.quotes, stored.quotes)
    return ""


def _given(asked: Features, stored: Features) -> str:
    """Compare the texts that something is to be done with, behind a colon or in quotation marks."""
    if not (asked.given or stored.given):
        return ""
    mine, theirs = (
        {side.given} if side.given else {folded(quote) for quote in side.quotes} for side in (asked, stored)
    )
    return _unequal(sorted(mine), sorted(theirs)) if mine and theirs and mine.isdisjoint(theirs) else ""


def _wording(asked: Features, stored: Features) -> str:
    """Compare words as they are written where the question is about words, or about what one of them means."""
    if asked.surface and stored.surface and not (asked.given and stored.given) and asked.surface != stored.surface:
        return _unequal(asked.surface, stored.surface)
    for genders, word in asked.genders:
        for others, same in stored.genders:
            if word == same and set(genders).isdisjoint(others):
                return f"{genders} {word} ≠ {others} {word}"
    if asked.defined and stored.defined:
        return _unequal(sorted(asked.defined), sorted(stored.defined))
    return ""


def _code(asked: Features, stored: Features) -> str:
    return _unequal(sorted(asked.exact), sorted(stored.exact))


def _number(asked: Features, stored: Features) -> str:
    mine, theirs = [number[1:] for number in asked.numbers], [number[1:] for number in stored.numbers]
    if (mine, theirs) in _ARTICLES and (_has_article(stored) if mine else _has_article(asked)):
        return ""
    return _unequal(mine, theirs)


def _has_article(question: Features) -> bool:
    """Whether it says `a` where another says `one`."""
    return not question.words.isdisjoint(("a", "an"))


def _negation(asked: Features, stored: Features) -> str:
    return "" if asked.negations == stored.negations else f"{asked.negations} ≠ {stored.negations}"


def _kind(asked: Features, stored: Features) -> str:
    told = asked.foreign and stored.foreign and {asked.kind, stored.kind} == {"open", "yes"}  # and no question
    return f"{asked.kind} ≠ {stored.kind}" if told or not compatible(asked.kind, stored.kind) else ""


def _asking(asked: Features, stored: Features) -> str:
    return f"{asked.kind} ≠ {stored.kind}" if apart(asked.kind, stored.kind) else ""


def _aim(asked: Features, stored: Features) -> str:
    """Compare what they are after beside the words that carry meaning."""
    if asked.aims != stored.aims:
        return _unequal(sorted(asked.aims), sorted(stored.aims))
    for mine, theirs in ((asked.helped, stored.helped), (asked.denied, stored.denied)):
        if mine and theirs and mine != theirs:
            return f"{mine} ≠ {theirs}"
    for one, other in ((asked, stored), (stored, asked)):
        about_you = one.kind == other.kind == "what" and "2" not in other.people
        if about_you and (strangers := one.yours - other.certain):
            return f"your {min(strangers)}"
    return ""


def _opposite(asked: Features, stored: Features) -> str:
    mine, theirs = asked.words - stored.words, stored.words - asked.words
    if len(mine) > _MANY or len(theirs) > _MANY:
        return ""
    for one in sorted(mine):
        for other in sorted(theirs):
            pair = frozenset((one, other))
            if pair in OPPOSITES or pair in HAN_OPPOSITES:
                return f"{one.lstrip('@')} ≠ {other.lstrip('@')}"
    return ""


def _direction(asked: Features, stored: Features) -> str:
    """Compare from where and to where: the same place behind another word."""
    sides = [
        ({place for way, place in side.joins if way == "from"}, {place for way, place in side.joins if way in _TO})
        for side in (asked, stored)
    ]
    (mine_from, mine_to), (from_, to) = sides
    for place in sorted((mine_from - mine_to) & (to - from_)):
        return f"from {place} ≠ to {place}"
    for place in sorted((mine_to - mine_from) & (from_ - to)):
        return f"to {place} ≠ from {place}"
    return ""


def _relation(asked: Features, stored: Features) -> str:
    """Compare the small words before the same thing: `by Orwell`, `about Orwell`."""
    mine, theirs = asked.joins - stored.joins, stored.joins - asked.joins
    if not mine or not theirs or len(asked.content ^ stored.content) > _FEW:
        return ""
    for thing in sorted({thing for _, thing in mine} & {thing for _, thing in theirs}):
        here, there = (sorted(way for way, term in side if term == thing) for side in (mine, theirs))
        if unrelated(here, there):
            return f"{' '.join(here)} {thing} ≠ {' '.join(there)} {thing}"
    return ""


def _bound(asked: Features, stored: Features) -> str:
    return _unequal(sorted(asked.words & _NEEDED), sorted(stored.words & _NEEDED))


def _choice(asked: Features, stored: Features) -> str:
    """Compare the bounds where both questions have some."""
    if ("only" in asked.words) is not ("only" in stored.words):
        return _unequal(*(["only"] if "only" in side.words else [] for side in (asked, stored)))
    mine, theirs = asked.words & _CHOICES, stored.words & _CHOICES
    return _unequal(sorted(mine - theirs), sorted(theirs - mine)) if mine - theirs and theirs - mine else ""


def _person(asked: Features, stored: Features) -> str:
    """Compare who does it and whose it is, where both questions say so; and who else it is about."""
    if asked.kin != stored.kin:
        return _unequal(sorted(asked.kin), sorted(stored.kin))
    if asked.owners and stored.owners and asked.owners != stored.owners:
        return _unequal(sorted(asked.owners), sorted(stored.owners))
    mine, theirs = frozenset(asked.people), frozenset(stored.people)
    if mine == theirs:
        two = len(mine) > 1 and asked.people != stored.people
        return _unequal(asked.people, stored.people) if two and len(asked.people) == len(stored.people) else ""
    turned_round = mine - theirs and theirs - mine and not (mine ^ theirs) <= _EITHER
    alone = not _KNOWN.isdisjoint(mine ^ theirs)
    return _unequal(asked.people, stored.people) if turned_round or alone else ""


def _tense(asked: Features, stored: Features) -> str:
    mine, theirs = asked.tense, stored.tense
    if {mine, theirs} == {"future", "perfect"} or (
        {mine, theirs} == {"future", "present"}
        and asked.kind == stored.kind == "yes"
        and "be" in asked.words ^ stored.words
        and "there" not in asked.words
    ):
        return f"{mine} ≠ {theirs}"
    if not mine or not theirs or mine == theirs or "perfect" in (mine, theirs):
        return _planned(asked, stored) or _planned(stored, asked)
    if "habit" in (mine, theirs):
        said = {mine, theirs} == {"habit", "past"} and "did" in asked.words | stored.words
        return f"{mine} ≠ {theirs}" if said and _dated(asked, stored) else ""
    if "present" in (mine, theirs) and not ({mine, theirs} == {"present", "past"} and _dated(asked, stored)):
        return ""
    return f"{mine} ≠ {theirs}"


def _planned(asked: Features, stored: Features) -> str:
    """Compare what may or must be with what was: `when should I change it`, `when did I change it`."""
    if len(asked.content ^ stored.content) > _FEW:
        return ""
    past = stored.tense == "perfect" or (stored.tense == "past" and not WAS.isdisjoint(stored.words))
    asking = all(kind in _MODAL or kind[:4] == "how-" for kind in (asked.kind, stored.kind))
    if stored.tense == "perfect" and asked.tense == "present" and asked.kind == stored.kind == "who":
        return "present ≠ perfect"
    return f"{asked.modal} ≠ {stored.tense}" if asked.modal and not stored.modal and past and asking else ""


def _dated(asked: Features, stored: Features) -> bool:
    """Whether what is and what was are two answers: of who it is, not of why and how; `will` often means `is`."""
    return all(kind in _DATED or kind[:4] == "how-" for kind in (asked.kind, stored.kind))


def _modal(asked: Features, stored: Features) -> str:
    both = {asked.modal, stored.modal}
    if both not in ({"can", "must"}, {"can", "should"}):
        return ""
    one, other = asked.kind, stored.kind
    asking = one == other and "must" in both and (one in _MODAL or one[:4] == "how-")
    return f"{asked.modal} ≠ {stored.modal}" if asking or {one, other} <= _ALLOWED else ""


def _name(asked: Features, stored: Features) -> str:
    """Compare the names, units, languages and dates: those that are known, and what was written with a capital."""
    mine, theirs = _unmatched(asked, stored)
    capitals = asked.capitals | stored.capitals
    named = [
        {word for word in side if word in KINDS or word in capitals or not word[0].isalnum()} for side in (mine, theirs)
    ]
    return _unequal(sorted(named[0]), sorted(named[1])) if named[0] and named[1] else ""


def _word(asked: Features, stored: Features) -> str:
    """Compare what carries meaning: each term needs its counterpart on the other side."""
    mine, theirs = _unmatched(asked, stored)
    return _unequal(sorted(mine), sorted(theirs))


def _far(asked: Features, stored: Features) -> str:
    """Compare how much they share at all: questions that share little are not told apart by what differs."""
    shared, fewer = len(asked.content & stored.content), min(len(asked.content), len(stored.content))
    return "" if shared * 2 >= fewer else f"{shared} of {fewer} words"


def _frame(asked: Features, stored: Features) -> str:
    """Compare what stands in one frame: the same sentence with another word in it is another question.

    Where the sentences differ too, words alone cannot tell.
    """
    mine, theirs = _unmatched(asked, stored)
    if not mine and not theirs:
        return ""
    alike = [term for term in asked.frame if term not in mine] == [term for term in stored.frame if term not in theirs]
    return _unequal(sorted(mine), sorted(theirs)) if alike or (asked.foreign and stored.foreign) else ""


def _unmatched(asked: Features, stored: Features) -> tuple[frozenset[str], frozenset[str]]:
    """Return the terms of each side without counterpart."""
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    if not mine or not theirs or max(len(mine), len(theirs)) > _MANY:
        return mine, theirs
    pairs = slips(asked, stored)
    return mine - pairs.keys(), theirs - set(pairs.values())


def slips(asked: Features, stored: Features) -> dict[str, str]:
    """Return which terms of the two are one word, misspelled on either side."""
    mine, theirs = sorted(asked.words - stored.words), sorted(stored.words - asked.words)
    found = [(one, other) for one in mine for other in theirs if one[0] == other[0] and slip(one, other)]
    ones, others = Counter(one for one, _ in found), Counter(other for _, other in found)
    return {
        meaning(one): meaning(other)
        for one, other in found
        if ones[one] == others[other] == 1 and one not in KINDS and other not in KINDS
    }


def _order(asked: Features, stored: Features) -> str:
    mine, theirs = asked.content - stored.content, stored.content - asked.content
    terms = asked.terms
    if len(mine) + len(theirs) > _FEW:
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


def _unequal(mine: Iterable[str], theirs: Iterable[str]) -> str:
    """Say how two collections differ, without what they share; nothing when they do not."""
    mine, theirs = list(mine), list(theirs)
    if mine == theirs:
        return ""
    left = list(theirs)
    only = [item for item in mine if item not in left or left.remove(item)]  # type: ignore[func-returns-value]
    return f"{_shown(only)} ≠ {_shown(left)}" if only or left else f"{_shown(mine)} ≠ {_shown(theirs)}"


def _shown(items: list[str]) -> str:
    return " ".join(items)[:_WIDTH] or "nothing"


_MANY = 12
"""Differences beyond which no counterpart is looked for: such questions are far from each other."""
_FEW = 2
"""Words without counterpart beyond which the order of the others and what joins them say nothing."""
_LONG = 16
"""Terms from which on a Chinese text is a report, in which a block elsewhere is another fact."""
_WIDTH = 60
_DATED = frozenset(("who", "what", "yes", "may", "where", "when"))
_ALLOWED = frozenset(("yes", "may", "who"))
_MODAL = frozenset(("yes", "may", "who", "where", "when"))
"""Kinds whose answer hangs on whether one can or must; what one can do and what one must are often the same."""
_TO = frozenset(("to", "into"))
_LISTS = frozenset(("and", "or", "vs", "between"))
_NOUNS = frozenset(("of", "for", "in", "from", "with", "about", "on"))
"""Where only one of two questions has such a word, the other may say `Kenya's capital` or `lunch ideas`."""
_EITHER = frozenset(("1", "2"))
"""`How do I` and `how do you` ask the same."""
_KNOWN = frozenset(("he", "she"))
_ARTICLES: tuple[tuple[list[str], list[str]], ...] = ((["1"], []), ([], ["1"]))
BOUNDS = frozenset(
    listed(
        "all every each only most least at_least at_most or either neither both over under above "
        "below before after during "
        "against between beyond except despite until since almost nearly unless"
    )
)
"""Small words that both questions need: they bound or choose."""
_NEEDED = BOUNDS | {"out", "off", "up", "down", "away"}
_CHOICES = BOUNDS | {"one", "some", "any", "none"}

FACTS: dict[str, Callable[[Features, Features], str]] = {
    "quoted": _quoted,
    "given": _given,
    "wording": _wording,
    "code": _code,
    "number": _number,
    "negation": _negation,
    "opposite": _opposite,
    "direction": _direction,
    "relation": _relation,
    "asking": _asking,
    "choice": _choice,
    "person": _person,
    "tense": _tense,
    "modality": _modal,
    "name": _name,
    "order": _order,
    "frame": _frame,
    "far": _far,
}
"""What always has to agree. The first that differs is the reason of the refusal."""
STRICT: dict[str, Callable[[Features, Features], str]] = {
    **FACTS,
    "kind": _kind,
    "bound": _bound,
    "aim": _aim,
    "word": _word,
}
"""What has to agree where nothing but a similarity decides after the gate."""
