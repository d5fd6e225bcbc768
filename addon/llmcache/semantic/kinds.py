"""What is asked for: who, where, when, why, how, how many, yes or no, or a thing.

It reads words that `phrases` has made plain. Entry points: `kind` and `compatible`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .listing import listed


def kind(words: Sequence[str]) -> str:
    """Return the kind of the question: `who`, `how`, `how-many`, `yes`, `may`, `what`, ..., or `open` for none."""
    if not words:
        return "open"
    if "@many" in words and "@how" not in words:
        return "how-many"  # in Chinese wherever it stands
    if words[0] in _REQUESTS or (words[0] in {"will", "would"} and words[1:2] == ["you"]):
        return "may"
    if words[0] in AUXILIARIES or words[0] == "@yes":
        return "yes"
    places = [place for place, word in enumerate(words) if word in ASKING]
    if not places:
        return "yes" if "@yes" in words else "wish" if words[0] in _SPEAKERS else "open"
    strong = [place for place in places if ASKING[words[place]] not in JOINING or place == 0]
    place = (strong or places)[0]
    found = ASKING[words[place]]
    if found == "how" and place + 1 < len(words):
        following = words[place + 1].removeprefix("@")
        return f"how-{following}" if following in MEASURES else "how"
    return found


def role(words: Sequence[str]) -> str:
    """Return what the one who is asked for is in the sentence: `subject`, `object`, or nothing when that is open."""
    place = next((place for place, word in enumerate(words) if ASKING.get(word) in {"who", "what"}), None)
    if place is None:
        return ""
    if "by" in words and not _BE.isdisjoint(words):
        return _passive(words, place)
    before, following = " ".join(words[place - 1 : place]), " ".join(words[place + 1 : place + 2])
    if _han(before) or _han(following):
        return _chinese(ASKING[words[place]], place, before, following)
    if not following:
        return ""
    if following in _SUPPORT:
        return "object"
    verb = ASKING[words[place]] == "who" or (following.endswith("s") and AUXILIARIES.isdisjoint(words))
    return "subject" if verb and following not in AUXILIARIES else ""


def _passive(words: Sequence[str], place: int) -> str:
    """Return the role beside a passive: `by whom was he seen`, `who was he seen by`, but `who was seen by him`."""
    by = words.index("by")
    if by in (place - 1, len(words) - 1):
        return "subject"
    return "object" if place < by and words[place + 1] in _BE else ""


def _chinese(asking: str, place: int, before: str, following: str) -> str:
    """Return the role where no word order but the verb's place tells: `谁咬狗`, `狗咬谁`."""
    if "@is" in (before, following):
        return ""
    if following == "被" or (_han(before) and not _han(following)):
        return "object"
    return "subject" if asking == "who" or not place else ""


def _han(word: str) -> bool:
    return "\u4e00" <= word[:1] <= "\u9fff"


def compatible(one: str, other: str) -> bool:
    """Whether two kinds may be one question in other words."""
    return one == other or (one in THINGS and other in THINGS) or frozenset((one, other)) in ALIKE


def apart(one: str, other: str) -> bool:
    """Whether two kinds are never one question: both ask for something, and not for the same."""
    return one in PLAIN_ASKING and other in PLAIN_ASKING and not compatible(one, other)


AUXILIARIES = frozenset(
    listed(
        "is are am was were do does did can could will would should shall may might must has have had @can @must @will"
    )
)
ASKING = {
    word: found
    for found, words in {
        "who": "who whom whose @who",
        "what": "what which @what",
        "when": "when @when",
        "where": "where @where",
        "why": "why @why",
        "how": "how @how",
    }.items()
    for word in words.split()
}
JOINING = frozenset(("who", "when", "where", "what"))
"""These also join clauses, and ask only when nothing else does or when they come first."""
MEASURES = frozenset(
    listed(
        "many much long old tall big high deep far fast heavy large wide often hot cold soon late "
        "early thick strong loud "
        "bright dangerous expensive safe likely well good bad accurate common great important necessary useful "
        "effective efficient reliable secure powerful popular successful rich smart intelligent difficult hard easy "
        "complex simple true real serious severe similar different close dark clean happy sad small thin short warm "
        "valuable healthy harmful toxic addictive legal realistic stable profitable risky painful rare"
    )
)
_BE = frozenset(listed("is are was were be been being"))
_SUPPORT = frozenset(("do", "does", "did"))
_SPEAKERS = frozenset(("i", "we", "my", "our"))
_REQUESTS = frozenset(("can", "could", "@can", "may", "might"))
"""Who asks so may wish for it: `can I get a card`, `I want a card`; but not `is there a card`."""
THINGS = frozenset(("what", "open", "wish"))
ALIKE = frozenset(
    frozenset(pair.split("/"))
    for pair in listed(
        "how-many/how-much how-much/what open/yes open/may may/yes may/wish wish/how how/how-well how-often/how-many"
    )
)
PLAIN_ASKING = frozenset(("who", "when", "where", "why", "how", *(f"how-{measure}" for measure in MEASURES)))
