"""Letters and small words that stand for something are told from the same ones that do not."""

from __future__ import annotations

import pytest
from llmcache.semantic.gate import judge
from llmcache.semantic.letters import standing
from llmcache.semantic.tokens import scan

STANDING = {
    "meter": ("cm to m", 2, "meter"),
    "vitamin": ("Is vitamin d a fat?", 2, "d^"),
    "curve": ("Draw an S curve", 2, "s^"),
    "parser": ("Write an LL parser", 2, "ll^"),
    "keyword": ("Explain IF in Excel", 1, "if^"),
    "band": ("Play U 2", 1, "u^"),
    "king": ("Is World War II over?", 3, "#2"),
    "variable": ("Set a to b", 1, "a^"),
    "not": ("I don t know", 2, ""),
    "am": ("i m late", 1, ""),
    "genitive": ("Ann s car", 1, ""),
    "will": ("they ll win", 1, ""),
    "article": ("Is a cat here?", 1, ""),
    "shouted": ("EXPLAIN IF IN EXCEL", 1, ""),
    "person": ("May I go?", 1, ""),
    "word": ("Go home", 0, ""),
}
ANOTHER = {
    "curve": ("What is an S curve?", "What is a curve?"),
    "shirt": ("Who sells T shirts?", "Who sells shirts?"),
    "orbital": ("What are D orbitals?", "What are orbitals?"),
    "day": ("What is the VE day?", "What is the day?"),
    "sheet": ("What is IF in Excel?", "What is FOR in Excel?"),
    "query": ("What does WHERE do in SQL?", "What does WHEN do in SQL?"),
    "query-small": ("what does where do in sql", "what does when do in sql"),
    "preposition": ("what does in mean in python", "what does on mean in python"),
    "loop": ("What is a DO loop?", "What is a loop?"),
    "at": ("What does @ mean in Ruby?", "What does mean in Ruby?"),
    "at-hash": ("What does @ mean in Ruby?", "What does # mean in Ruby?"),
    "imaginary": ("What is 1-i squared?", "What is 1 squared?"),
    "factorial": ("What is 5!", "What is 5"),
    "factorial-inside": ("Is 5! more than 100?", "Is 5 more than 100?"),
}
SAME = {
    "rests": ("i m sure he doesn t know", "I'm sure he doesn't know"),
    "genitive": ("Ann s car", "Ann's car"),
    "exclaimed": ("Name four rivers!", "Name 4 rivers"),
    "really": ("What does torque really mean?", "What does torque mean?"),
}


@pytest.mark.parametrize(("text", "place", "expected"), STANDING.values(), ids=STANDING)
def test_what_stands_for_something_is_a_term(text, place, expected):
    """The words around a letter decide."""
    assert standing(scan(text), place) == expected


@pytest.mark.parametrize(("one", "other"), ANOTHER.values(), ids=ANOTHER)
def test_another_letter_is_another_question(one, other):
    """What stands for something is compared, whichever was asked."""
    assert judge(one, other)
    assert judge(other, one)


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_rests_of_short_forms_say_nothing(one, other):
    """Who leaves out the sign asks the same."""
    assert judge(one, other) is None
    assert judge(other, one) is None
