"""Numbers as they are said: digits of any script, words of a few languages, composed to one plain value.

It does not know units, dates or questions. Entry points: `digits`, `composed`, `ideographic`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from .courtesies import COUNTED
from .listing import listed


def digits(written: str) -> str:
    """Return a number as plain digits: other scripts' digits and thousands separators are made plain."""
    if not written.isascii():
        written = "".join(str(unicodedata.digit(sign, sign)) for sign in written)
    if "," in written:
        head, *groups = written.partition(".")[0].split(",")
        plain = all(len(group) == _GROUP for group in groups) and len(head.removeprefix("-")) <= _GROUP
        written = written.replace(",", "" if plain else ".")
    return written


def composed(words: Sequence[str], at: int) -> tuple[str, int]:
    """Return the value of the number words that begin at *at*, and how many they are; ("", 0) when there are none."""
    total, current, used, last = 0, 0, 0, ""
    for word in words[at:]:
        if used == _RUN:
            break
        if word in SCALES:
            current, last = max(current, 1) * SCALES[word], word
            if SCALES[word] > _HUNDRED:
                total, current = total + current, 0
        elif word in CARDINALS and _fits(last, word):
            current, last = current + CARDINALS[word], word
        elif not (
            word == "and" and last in SCALES and at + used + 1 < len(words) and words[at + used + 1] in CARDINALS
        ):
            break
        used += 1
    if not used:
        return "", 0
    return str(total + current), used


def _fits(last: str, word: str) -> bool:
    """Whether *word* may follow *last* in one number: `twenty five`, `hundred five`, but not `five six`."""
    if not last or last in SCALES:
        return True
    return CARDINALS[last] >= _TWENTY and CARDINALS[last] % 10 == 0 and CARDINALS[word] < 10  # noqa: PLR2004 - decimal


def ideographic(run: str) -> str:
    """Return the value of a Chinese numeral such as 二十五."""
    if not any(sign in _HAN_SCALES for sign in run):
        return "".join(str(_HAN_DIGITS[sign]) for sign in run)
    total, section, digit = 0, 0, 0
    for sign in run:
        scale = _HAN_SCALES.get(sign, 0)
        if not scale:
            digit = _HAN_DIGITS[sign]
        elif scale < _MYRIAD:
            section, digit = section + (digit or 1) * scale, 0
        else:
            total, section, digit = (total + section + digit or 1) * scale, 0, 0
    return str(total + section + digit)


_RUN = 12
"""Words of the longest number that is understood as one."""
_GROUP = 3
_TWENTY = 20
_HUNDRED = 100
_MYRIAD = 10_000

CARDINALS: dict[str, int] = {
    word: value
    for table in (
        {
            0: "zero",
            1: "one",
            2: "two both couple pair twice double",
            3: "three thrice triple",
            4: "four",
            5: "five",
            6: "six",
            7: "seven",
            8: "eight",
            9: "nine",
            10: "ten",
            11: "eleven",
            12: "twelve dozen",
            13: "thirteen",
            14: "fourteen",
            15: "fifteen",
            16: "sixteen",
            17: "seventeen",
            18: "eighteen",
            19: "nineteen",
            20: "twenty",
            30: "thirty",
            40: "forty",
            50: "fifty",
            60: "sixty",
            70: "seventy",
            80: "eighty",
            90: "ninety",
        },
        COUNTED,
    )
    for value, words in table.items()
    for word in words.split()
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ORDINALS: dict[str, str] = {
    word: f"{number}th"
    for number, word in enumerate(
        listed(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        start=1,
    )
}
_HAN_DIGITS = {**{sign: value for value, sign in enumerate("零一二三四五六七八九")}, "\u3007": 0, "两": 2, "兩": 2}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "萬": 10_000, "亿": 10**8, "億": 10**8}
HAN_NUMERALS = "".join([*_HAN_DIGITS, *_HAN_SCALES])
"""The characters of which `ideographic` reads runs."""
