"""What the gate compares of the words around the terms: negation, kind, aim, direction, bounds, persons, tense.

Each function returns how two questions differ in its category, or nothing; `gate` says which are asked.
"""

from __future__ import annotations

from .differing import MANY, unequal
from .features import Features
from .gate_terms import FEW
from .kinds import apart, compatible
from .listing import listed
from .opposites import HAN_OPPOSITES, OPPOSITES
from .relations import apart as unrelated
from .verbs import WAS


def negation(asked: Features, stored: Features) -> str:
    """Compare how often they say no."""
    return "" if asked.negations == stored.negations else f"{asked.negations} ≠ {stored.negations}"


def kind(asked: Features, stored: Features) -> str:
    """Compare what kind of answer they want: a place, a time, yes or no."""
    told = asked.foreign and stored.foreign and {asked.kind, stored.kind} == {"open", "yes"}  # and no question
    return f"{asked.kind} ≠ {stored.kind}" if told or not compatible(asked.kind, stored.kind) else ""


def asking(asked: Features, stored: Features) -> str:
    """Compare the kinds that are never the same answer."""
    return f"{asked.kind} ≠ {stored.kind}" if apart(asked.kind, stored.kind) else ""


def aim(asked: Features, stored: Features) -> str:
    """Compare what they are after beside the words that carry meaning."""
    if asked.aims != stored.aims:
        return unequal(sorted(asked.aims), sorted(stored.aims))
    for mine, theirs in ((asked.helped, stored.helped), (asked.denied, stored.denied)):
        if mine and theirs and mine != theirs:
            return f"{mine} ≠ {theirs}"
    for one, other in ((asked, stored), (stored, asked)):
        about_you = one.kind == other.kind == "what" and "2" not in other.people
        if about_you and (strangers := one.yours - other.certain):
            return f"your {min(strangers)}"
    return ""


def opposite(asked: Features, stored: Features) -> str:
    """Look for two words of which one is the opposite of the other."""
    mine, theirs = asked.words - stored.words, stored.words - asked.words
    if len(mine) > MANY or len(theirs) > MANY:
        return ""
    for one in sorted(mine):
        for other in sorted(theirs):
            pair = frozenset((one, other))
            if pair in OPPOSITES or pair in HAN_OPPOSITES:
                return f"{one.lstrip('@')} ≠ {other.lstrip('@')}"
    return ""


def direction(asked: Features, stored: Features) -> str:
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


def relation(asked: Features, stored: Features) -> str:
    """Compare the small words before the same thing: `by Orwell`, `about Orwell`."""
    mine, theirs = asked.joins - stored.joins, stored.joins - asked.joins
    if not mine or not theirs or len(asked.content ^ stored.content) > FEW:
        return ""
    for thing in sorted({thing for _, thing in mine} & {thing for _, thing in theirs}):
        here, there = (sorted(way for way, term in side if term == thing) for side in (mine, theirs))
        if unrelated(here, there):
            return f"{' '.join(here)} {thing} ≠ {' '.join(there)} {thing}"
    return ""


def bound(asked: Features, stored: Features) -> str:
    """Compare the small words that bound or choose, of which both need the same."""
    return unequal(sorted(asked.words & _NEEDED), sorted(stored.words & _NEEDED))


def choice(asked: Features, stored: Features) -> str:
    """Compare the bounds where both questions have some."""
    if ("only" in asked.words) is not ("only" in stored.words):
        return unequal(*(["only"] if "only" in side.words else [] for side in (asked, stored)))
    mine, theirs = asked.words & _CHOICES, stored.words & _CHOICES
    return unequal(sorted(mine - theirs), sorted(theirs - mine)) if mine - theirs and theirs - mine else ""


def person(asked: Features, stored: Features) -> str:
    """Compare who does it and whose it is, where both questions say so; and who else it is about."""
    if asked.kin != stored.kin:
        return unequal(sorted(asked.kin), sorted(stored.kin))
    if asked.owners and stored.owners and asked.owners != stored.owners:
        return unequal(sorted(asked.owners), sorted(stored.owners))
    mine, theirs = frozenset(asked.people), frozenset(stored.people)
    if mine == theirs:
        two = len(mine) > 1 and asked.people != stored.people
        return unequal(asked.people, stored.people) if two and len(asked.people) == len(stored.people) else ""
    turned_round = mine - theirs and theirs - mine and not (mine ^ theirs) <= _EITHER
    alone = not _KNOWN.isdisjoint(mine ^ theirs)
    return unequal(asked.people, stored.people) if turned_round or alone else ""


def tense(asked: Features, stored: Features) -> str:
    """Compare whether they ask for what was, what is or what will be."""
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
    if len(asked.content ^ stored.content) > FEW:
        return ""
    past = stored.tense == "perfect" or (stored.tense == "past" and not WAS.isdisjoint(stored.words))
    asking = all(kind in _MODAL or kind[:4] == "how-" for kind in (asked.kind, stored.kind))
    if stored.tense == "perfect" and asked.tense == "present" and asked.kind == stored.kind == "who":
        return "present ≠ perfect"
    return f"{asked.modal} ≠ {stored.tense}" if asked.modal and not stored.modal and past and asking else ""


def _dated(asked: Features, stored: Features) -> bool:
    """Whether what is and what was are two answers: of who it is, not of why and how; `will` often means `is`."""
    return all(kind in _DATED or kind[:4] == "how-" for kind in (asked.kind, stored.kind))


def modal(asked: Features, stored: Features) -> str:
    """Compare whether it is asked for what one can, must or should do."""
    both = {asked.modal, stored.modal}
    if both not in ({"can", "must"}, {"can", "should"}):
        return ""
    one, other = asked.kind, stored.kind
    asking = one == other and "must" in both and (one in _MODAL or one[:4] == "how-")
    return f"{asked.modal} ≠ {stored.modal}" if asking or {one, other} <= _ALLOWED else ""


_DATED = frozenset(("who", "what", "yes", "may", "where", "when"))
_ALLOWED = frozenset(("yes", "may", "who"))
_MODAL = frozenset(("yes", "may", "who", "where", "when"))
"""Kinds whose answer hangs on whether one can or must; what one can do and what one must are often the same."""
_TO = frozenset(("to", "into"))
_EITHER = frozenset(("1", "2"))
"""`How do I` and `how do you` ask the same."""
_KNOWN = frozenset(("he", "she"))
_BOUNDS = frozenset(
    listed(
        "all every each only most least at_least at_most or either neither both over under above "
        "below before after during "
        "against between beyond except despite until since almost nearly unless"
    )
)
"""Small words that both questions need: they bound or choose."""
_NEEDED = _BOUNDS | {"out", "off", "up", "down", "away"}
_CHOICES = _BOUNDS | {"one", "some", "any", "none"}
