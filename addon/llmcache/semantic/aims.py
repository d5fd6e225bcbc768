"""What a question is after beside the words that carry meaning: what a thing does, what it is for, whose it is.

`What is it`, `what does it do` and `what is in it` have the same words of meaning and three answers.
It reads a text, and words that `phrases` has made plain.
Entry points: `aims`, `helped`, `denied`, `owned`, `wanted`, `swapped`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .kinds import ASKING, AUXILIARIES
from .listing import listed
from .phrases import IGNORED, LINKS


def aims(text: str, words: Sequence[str], terms: Sequence[str], asking: str) -> frozenset[str]:
    """Return what both of two questions have to be after; *asking* is the kind of the question."""
    said = frozenset(words)
    found = {*_parts(text)} if _SEVERAL.search(text) else set()
    if asking not in _CALLS and not said.isdisjoint(_TELLING):
        found |= {*_persons(words)}
    if (
        asking in {"who", "where"}
        and words[-1] in _ENDS
        and len(terms) <= _SHORT + (asking == "who")
        and "get" not in said
    ):
        found.add(words[-1])
    if asking in _THINGS:
        found |= {*_doing(words), *_about(words, terms)}
    found |= {*_duty(words, said, asking)}
    if _HAN.search(text):
        return frozenset(found | {*_kinds(words), *_sign(text)})
    return frozenset(found | {*_twice(words, terms, asking)})


def helped(words: Sequence[str], terms: Sequence[str]) -> str:
    """Return `is` of `what is it`, `does` of `what does it eat`, and nothing of other questions and of longer ones."""
    if words[:1] not in (["what"], ["which"]) or len(terms) > _SHORT or "mean" in words:
        return ""
    helper = words[2] if words[1:2] and words[1] in _FILLING and len(words) > _SHORT else "".join(words[1:2])
    if helper in _IS:
        return "is"
    return "does" if helper in _DO or (not _ADVICE.isdisjoint(words) and "i" in words) else ""


def denied(words: Sequence[str]) -> str:
    """Return on which side of what joins two halves the one `not` stands: `can do here, but not there`."""
    if _NOT.isdisjoint(words) or _JOINTS.isdisjoint(words):
        return ""
    places = [at for at, word in enumerate(words) if word in _NOT]
    joints = [at for at, word in enumerate(words) if word in _JOINTS]
    return "" if len(places) + len(joints) > _SHORT else "first" if places[0] < joints[0] else "second"


def owned(words: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words behind `your`, and those behind what may stand in its place."""
    return (
        frozenset(
            word for before, word in pairwise(words) if before == "your" and word not in _LIKED | LINKS | IGNORED
        ),
        frozenset(word for before, word in pairwise(words) if before in _CERTAIN),
    )


def _doing(words: Sequence[str]) -> Iterator[str]:
    """Yield the verb that says nothing but that something is done: `what does it do`, `what can I do with it`."""
    helped = False
    for at, word in enumerate(words):
        if word in ASKING:
            helped = False
        elif word in AUXILIARIES and not (helped and word in _DO):
            helped = True
        elif word in _DO and words[at - 1] not in _ONE and (at + 1 == len(words) or words[at + 1] in _BEHIND):
            yield "do"
        elif word in _DO and words[at + 1 : at + 2] == ["with"]:
            yield "do with"
        elif word == "want" and at + 1 == len(words):
            yield word


def _about(words: Sequence[str], terms: Sequence[str]) -> Iterator[str]:
    """Yield for `what is it for`, `what is in it`, `what does it fear`, and for whom something is."""
    for before, word in pairwise(words):
        if word == "you" and before in _PREPOSITIONS:
            yield "you"
        elif word == "like" and before in _LIKING:
            yield "liking"
    if len(words) <= _SHORT or words[0] != "what":
        return
    if words[1] in _IS and len(terms) <= _FEW and words[-1] == "for":
        yield "do"
    if words[1] in _IS and words[2] in _PLACES:
        yield "in" if words[2] == "inside" else words[2]


def _duty(words: Sequence[str], said: frozenset[str], asking: str) -> Iterator[str]:
    """Yield for `why should I` beside `why do I`, and for `how did you` beside `how do I`."""
    if asking in _DUTIES and not said.isdisjoint(_SHOULD):
        yield "should"
    if "too" in said and words[-1] != "too":
        yield "too"
    if asking == "how" and not said.isdisjoint(_PAST):
        yield from {"did" for word, after in pairwise(words) if word == "how" and after in _PAST}


def _twice(words: Sequence[str], terms: Sequence[str], asking: str) -> Iterator[str]:
    """Yield what stands twice in a short question: `make money on websites`, `make money making websites`."""
    if len(terms) > _FEW or asking not in _PLAIN or (asking == "what" and AUXILIARIES.isdisjoint(words[1:2])):
        return
    yield from {f"{term} twice" for term in terms if term not in LINKS and terms.count(term) > 1}


def _parts(text: str) -> Iterator[str]:
    """Yield the questions of a text that has several: `what is it and where can I buy it`.

    A `why` at the end only asks for more of the same.
    """
    found = {word.lower() for word in _ALSO.findall(text)}
    if len(found) > 1:
        yield " and ".join(sorted(found))


def _persons(words: Sequence[str]) -> Iterator[str]:
    """Yield who it is done to, where that is oneself or another who is made to do it; and what should have been."""
    for at, (before, word) in enumerate(pairwise(words), start=1):
        if word in _SELVES and before not in _OWN and words[at + 1 : at + 2] != ["from"]:
            yield "self"
        elif word in _ANYBODY and (before in _CAUSED or words[at + 1 : at + 2] == ["from"]):
            yield "someone"
        elif word in ASKING and before == "know":
            yield "know what"
        elif word == "have" and before == "should":
            yield "should have"


def _kinds(words: Sequence[str]) -> Iterator[str]:
    """Yield all that a Chinese question asks for: what it is and how it is used are more than how it is used."""
    found = {ASKING[word] for word in words if word in ASKING}
    if len(found) > 1:
        yield " and ".join(sorted(found))


def _sign(text: str) -> Iterator[str]:
    """Yield the character of a word that is asked for: `打量的量是什么意思` is not `打量是什么意思`."""
    found = _OF_IT.search(text)
    if found and found[1] in text[: found.start()]:
        yield found[1]


def wanted(words: Sequence[str]) -> str:
    """Return the character behind what asks in a Chinese question: of `什么样的男人`, 男."""
    for before, word in pairwise(words):
        if before == "@sort":
            return word
    return ""


def swapped(one: str, other: str) -> tuple[str, str] | None:
    """Return what stands around a 的 the other way round: `哥哥的老婆`, `老婆的哥哥`."""
    if "的" not in one or len(one) != len(other) or one == other:
        return None
    begin = next(at for at in range(len(one)) if one[at] != other[at])
    end = next(at for at in range(len(one), 0, -1) if one[at - 1] != other[at - 1])
    mine, theirs = one[begin:end], other[begin:end]
    left, _, right = mine.partition("的")
    return (mine, theirs) if left and right and not _ASKS.search(mine) and theirs == f"{right}的{left}" else None


_SEVERAL = re.compile("[?.!;:,] .|[ ,](?:and|or) ", re.IGNORECASE)
_PLAIN = frozenset(("what", "how", "why"))
_THINGS = frozenset(("what", "who"))
_NOT = frozenset(("not", "no", "never", "without"))
_JOINTS = frozenset(("and", "but", "who", "while", "就", "但", "却"))
_CALLS = frozenset(("open", "wish", "may"))
_DUTIES = frozenset(("why", "who", "yes", "how-often"))
_SHOULD = frozenset(("should", "ought", "must", "@must", "need"))
_HAN = re.compile("[\u3040-\u9fff]")
_OF_IT = re.compile(r"的([\u4e00-\u9fff])字?的?(?:是|什么|啥|意思)")
_ASKS = re.compile("[什哪谁啥]")
_ALSO = re.compile(
    r"(?:^|[?.!;:]\s+|[\s,](?:and|or)\s+)(what|where|when|who|how|which)(?!\s+(?:about|come))\b", re.IGNORECASE
)
_FEW = 4
_SHORT = 2
_DO = frozenset(("do", "does", "did", "doing", "done"))
_IS = frozenset(("is", "are"))
_ONE = frozenset(listed("i we you one someone somebody to must @must should"))
"""`What should I do` asks for help, as who only tells of a trouble does."""
_PAST = frozenset(("did", "was", "were", "have", "has"))
_ADVICE = frozenset(("should", "can", "could", "must", "@must", "@can"))
_FILLING = frozenset(("exactly", "actually", "really", "basically"))
_ENDS = frozenset(("from", "for", "about", "with", "against"))
_PLACES = frozenset(listed("in inside on under behind beside near above below between outside within around"))
_PREPOSITIONS = frozenset(("to", "for", "about"))
_LIKING = frozenset(("you", "i", "we", "they"))
_BEHIND = LINKS | {"and", "or", "but"}
_CERTAIN = frozenset(listed("the this that these those our my"))
_LIKED = frozenset(("favorite", "favourite"))
"""These are somebody's anyway."""
_SELVES = frozenset(listed("myself yourself ourselves oneself themselves himself herself itself"))
_OWN = frozenset(("for", "by", "of"))
_ANYBODY = frozenset(listed("someone somebody anyone anybody"))
_CAUSED = frozenset(listed("get make let getting making"))
_TELLING = _SELVES | _ANYBODY | {"know", "should"}
