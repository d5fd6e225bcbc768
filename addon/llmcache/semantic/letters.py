"""Letters and small words that stand for something: `vitamin D`, `5 m`, `World War I`, `IF in Excel`.

The same letters are rests of short forms that were typed without a sign (`don t`), and the same words mean nothing
elsewhere. It knows tokens and no question. Entry point: `standing`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .listing import listed
from .tokens import Token


def standing(tokens: Sequence[Token], place: int) -> str:
    """Return the term of the word at *place* when it stands for something, else nothing."""
    written = tokens[place].text
    if len(written) > _LONGEST or (len(written) > _SHORT and not written.isupper()):
        return ""
    if written in ROMANS:
        return f"#{ROMANS[written]}" if written != "I" or _before(tokens, place) in _PARTS else ""
    before, word = _before(tokens, place), written.lower()
    if word == "a":
        return "a^" if place and (written == "A" or _joined(tokens, place)) else ""
    if word in _UNITS and place and (tokens[place - 1].kind == "number" or before in _INTO):
        return _UNITS[word]
    if word in _RESTS:
        return "" if before in _RESTS[word] or (word == "t" and before[-1:] == "n") else f"{word}^"
    if word == "s":
        return f"{word}^" if not before or before in _DETERMINERS else ""
    numbered = written == "U" and place + 1 < len(tokens) and tokens[place + 1].kind == "number"
    return f"{word}^" if numbered or (written in _KEYWORDS and _singled(tokens, place)) else ""


def _singled(tokens: Sequence[Token], place: int) -> bool:
    """Whether a word beside the one at *place* is written small."""
    return any(token.text.islower() for token in (*tokens[max(place - 1, 0) : place], *tokens[place + 1 : place + 2]))


def _before(tokens: Sequence[Token], place: int) -> str:
    return tokens[place - 1].text.lower() if place else ""


def _joined(tokens: Sequence[Token], place: int) -> bool:
    """Whether the a at *place* is no article: `set a to b`."""
    return place + 1 == len(tokens) or tokens[place + 1].text.lower() in _JOINING


_SHORT = 2
_LONGEST = 7
ROMANS = {
    numeral: number
    for number, numeral in enumerate(listed("I II III IV V VI VII VIII IX X XI XII XIII XIV XV"), start=1)
    if numeral not in {"V", "X"}
}
_PARTS = frozenset(listed("war part chapter type phase volume act class level grade stage book section division"))
_JOINING = frozenset(("to", "from", "and", "or", "by", "with", "is", "+", "-", "*", "/", "=", "==", "<", ">"))
_UNITS = {"m": "meter", "s": "seconds", "d": "d^", "t": "t^"}
_INTO = frozenset(("to", "in", "into", "per", "/"))
_PERSONS = frozenset(listed("i you he she it we they who what how where there that this"))
_RESTS = {
    "t": frozenset(("can", "ain")),
    "d": _PERSONS,
    "m": frozenset(("i",)),
    "ll": _PERSONS,
    "ve": _PERSONS | {"should", "could", "would", "might", "must"},
    "re": _PERSONS,
}
"""Letters, and the words of which they are rests."""
_DETERMINERS = frozenset(("a", "an", "the", "vitamin", "class", "type", "letter"))
_KEYWORDS = frozenset(listed("IF FOR WHERE WHEN IN ON AS BY WITH FROM INTO WHILE UNTIL THE DO LIKE BETWEEN HAVING"))
"""Names in SQL, in sheets and in code, where the words around are written small."""
