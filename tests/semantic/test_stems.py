"""Stems and slips: what only bends or misspells a word is that word, and two words stay two."""

from __future__ import annotations

import pytest
from llmcache.semantic.stems import slip, stem

ONE = (
    "drive drives driving drove driven",
    "take takes taking took",
    "cancel cancels canceled cancelled cancelling",
    "install installs installed",
    "add adds added adding",
    "rate rates rated rating",
    "code codes coded coding",
    "hope hopes hoped hoping",
    "movie movies",
    "plan plans planned planning",
    "country countries",
)
TWO = (
    "car care",
    "cod code",
    "gen gene",
    "hoping hopping",
    "past paste",
    "plan plane",
    "planned planes",
    "win wine",
    "even evening",
    "glass glasses",
    "ad adding",
)
SLIPS = (
    "recieve receive",
    "aproximate approximate",
    "embarass embarrass",
    "exagerate exaggerate",
    "sepration separation",
    "algorihtm algorithm",
)
WORDS = (
    "planets plants",
    "patient patent",
    "patients patents",
    "stores stories",
    "reality realty",
    "coats coast",
    "cost cots",
    "line lien",
    "deprecated depreciated",
    "reminder remainder",
    "steps steeps",
    "angels angles",
    "nitrate nitrite",
)


@pytest.mark.parametrize("forms", ONE)
def test_forms_of_one_word_have_one_stem(forms):
    """Inflections meet in one stem, regular or not."""
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize("words", TWO)
def test_two_words_have_two_stems(words):
    """No letter is taken from a word that would become another."""
    assert len({stem(word) for word in words.split()}) == len(words.split())


@pytest.mark.parametrize("words", SLIPS)
def test_a_slip_of_the_pen_is_the_word(words):
    """Swapped letters, a letter not doubled, and a vowel left out of a long word, whichever way round."""
    one, other = words.split()
    assert slip(one, other)
    assert slip(other, one)


@pytest.mark.parametrize("words", WORDS)
def test_two_words_are_no_slip(words):
    """Words of the dictionary that look like a slip are two words."""
    one, other = words.split()
    assert not slip(one, other)
    assert not slip(other, one)
