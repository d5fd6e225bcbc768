"""What has to stand in both questions letter by letter: a given text, and the words that a question is about.

`Translate to French: we are here` is not `... you are here`, the plural of `child` not that of `children`, and a city
no town, though elsewhere such words may stand for each other.
It reads a text, or words that `phrases` has made plain. Entry points: `given`, `surface`, `defined`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .listing import listed
from .phrases import IGNORED
from .stems import stem
from .synonyms import SYNONYMS
from .tokens import folded, plain


def given(text: str) -> str:
    """Return the text that a task is to be done with, behind its colon or line, folded; nothing where there is none."""
    found = _BREAK.search(text)
    if not found or not _TASK.search(text, 0, found.start()):
        return ""
    return folded(plain(text[found.end() :])).strip(_MARKS)


def surface(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words as they are written, where the question is about wording; nothing else."""
    if WORDING.isdisjoint(stems := [stem(word) for word in words]):
        return ()
    return tuple(
        sorted(
            root if root in WORDING else word
            for word, root in zip(words, stems, strict=True)
            if word not in _SMALL and word[0] != "@"
        )
    )


def defined(words: Sequence[str], content: Collection[str]) -> frozenset[str]:
    """Return the words with synonyms that may not stand for each other here; nothing where they may.

    They may not where one thing is to be defined or explained, and where two of them are to be told apart.
    """
    roots = frozenset(root for word in words if (root := stem(word)) in _GROUPED)
    alike = len(roots) > len({SYNONYMS.get(root, root) for root in roots})
    if words[:2] == ["what", "does"] and not _WORKS.isdisjoint(words[2:]):
        end = next(at for at, word in enumerate(words) if at > 1 and word in _WORKS)
        asked = (word for word in words[2:end] if word.isalpha() and word not in _HERE)
        return frozenset(asked) | {word for word in words[end:] if word.isalpha() and word not in IGNORED}
    return roots if alike or (len(content) == 1 and not _WHAT.isdisjoint(words)) else frozenset()


_BREAK = re.compile("[:\uff1a](?=\\s|[^\x00-\u024f]|[\"'])|\n")
_TASK = re.compile(
    r"\b(?:translat|correct|fix|grammar|rewrit|rephras|reword|paraphras|summari|shorten|simplif|classif|categori|extract"
    r"|label|tag|sentiment|proofread|edit|improve|conjugat|count|revers|transcrib|pars|tokeni|analy|spell|detect|polish"
    r"|übersetz|korrigier|zusammenfass|tradui|corrig|résum|traduc|traduz|corrij|resum|перевед|исправ|перескаж)"
    r"|翻译|翻譯|判断|提取|改写|总结|概括|润色|纠正|改正|分类|摘要|要約|翻訳|訳|添削|번역|요약|교정|ترجم|لخص|صحح|अनुवाद|सारांश",
    re.IGNORECASE,
)
_MARKS = "\"'`“”„«»「」『』‘’ "  # noqa: RUF001 - quotation marks of several languages
_WHAT = frozenset(("what", "@what"))
_WORKS = frozenset(("do", "mean", "return"))
_SMALL = frozenset(
    listed(
        "what which is are was were the a an do does did how you i me my can could would should out in to into of for "
        "on it"
    )
)
_HERE = frozenset(listed("a an the it this that these those my your i you me really actually exactly basically"))
_GROUPED = frozenset(SYNONYMS) | frozenset(SYNONYMS.values())
WORDING = frozenset(
    stem(word)
    for word in listed(
        "translate translation rewrite rephrase reword paraphrase proofread grammar grammatical conjugate conjugation "
        "spell spelling spelled plural singular synonym antonym opposite rhyme etymology pronounce pronunciation "
        "syllable word letters vowel consonant sentence phrase tense noun verb adjective adverb prefix suffix acronym "
        "anagram palindrome hyphenate capitalize uppercase lowercase"
    )
)
"""Stems of what says that a question is about words."""
