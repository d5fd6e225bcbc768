"""The rules of which questions are exact only: each with questions it holds for, and others that look like them."""

# ruff: noqa: RUF001 - questions in many languages, with the signs of those languages

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.semantic.exactonly import RULES, TIME_TO_LIVE, rules

HOLDS = {
    "empty": ["", "  \n"],
    "wordless": ["🙂", "🙂🙂 🎉", "?!", "…"],
    "binary": ["\x00\x01PNG", "a\ufffdb", "QUJD" * 40],
    "follow-up": [
        "yes",
        "Tell me more!",
        "why?",
        "What about it?",
        "How does it work?",
        "And what are its types?",
        "continue",
        "Make it shorter.",
        "Can you explain that?",
        "Who wrote them?",
        "继续",
        "为什么？",
        "那北京呢？",
        "weiter",
        "почему?",
        "And in Spanish?",
        "What about Paris?",
        "how much does it cost?",
        "convert it to a table",
        "option 2",
        "no, the other one",
        "C",
        "B) 4",
        "in more detail please",
        "do the same for France",
        "und auf Deutsch?",
        "Kannst du das kürzer machen?",
        "et pour Paris ?",
        "¿y en Madrid?",
        "explícalo mejor",
        "а в Москве?",
        "расскажи подробнее",
        "详细说说",
        "换成英文",
        "もっと詳しく",
        "더 자세히",
        "المزيد",
        "और बताओ",
    ],
    "random": ["Roll a die", "flip a coin please", "Give me a random word", "Tell me another joke", "随机给我一个数字"],
}
FREE = [
    "What is the capital of Kenya?",
    "Why do cats purr?",
    "翻译成英文：我们明早出发",
    "How do I convert XML to a table?",
    "What does the second law of thermodynamics say?",
    "Explain the water cycle.",
    "How do I read a JSON file in Python?",
    "Is it legal to keep a pet fox in a flat in the middle of London?",
    "怎么洗白衬衫？",
    "Что такое инфляция?",
    "How many people live in That Phanom?",
]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HOLDS.items() for text in texts])
def test_a_rule_holds(name, text):
    """A question of the kind is exact only, and the reason is the rule's name."""
    assert rules().exact(text) == name


@pytest.mark.parametrize("text", FREE)
def test_other_questions_are_free(text):
    """A question that says what it is about may be answered from a near one, however old."""
    assert rules().exact(text) == ""
    assert rules().exact(text, shared=True) == ""
    assert rules().max_age(text) is None
    assert rules().never(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "bitcoin price",
        "What is the price of gold?",
        "Who won the game last night?",
        "When does the next train leave?",
        "Wie ist das Wetter in Bonn?",
        "прогноз погоды",
        "现在的汇率",
        "現在の時刻",
        "आज का मौसम",
        "오늘의 날씨",
    ],
)
def test_what_changes_by_the_hour_is_answered_from_young_answers_only(text):
    """Weather, prices, news and what comes next are near-answered for minutes, in other languages too."""
    assert rules().max_age(text) == TIME_TO_LIVE


@pytest.mark.parametrize(
    "text",
    [
        "What is my balance?",
        "Where is my order?",
        "How much do I owe?",
        "Can I get a refund for order 123?",
        "我的订单在哪里？",
        "Wo ist meine Karte?",
        "Dov'è il mio ordine?",
        "أين طلبي؟",
        "मेरा ऑर्डर कहाँ है",
    ],
)
def test_user_bound_questions_are_exact_where_answers_are_shared(text):
    """A question about the one who asks is never answered from another user's."""
    assert rules().exact(text) == ""
    assert rules().exact(text, shared=True) == "user-bound"


@pytest.mark.parametrize("text", ["Who won today?", "latest iPhone", "今天天气怎么样？", "Was ist heute los?"])
def test_time_bound_questions_have_a_short_life(text):
    """What is true today is served for minutes only."""
    assert rules().sort(text) == ("", TIME_TO_LIVE)


def test_past_the_window():
    """What the embedder does not read whole is not compared by it."""
    assert rules().exact("word " * 100, window=500) == ""
    assert rules().exact("word " * 101, window=500) == "past-window"


def test_rules_are_added_and_taken_away():
    """The user's expressions come after the shipped rules; a minus takes a rule away."""
    own = rules(["-follow-up", "-time-bound", r"\bprice\b"], ["random", "secret"])
    assert own.exact("yes") == ""
    assert own.exact("What is the PRICE of gold?") == r"\bprice\b"
    assert own.max_age("today") is None
    assert own.never("Roll a die") == "random"
    assert own.never("A Secret") == "secret"
    assert own.never("Why do cats purr?") == ""
    assert rules(["random"]) == rules()


@pytest.mark.parametrize(
    ("exact", "never", "message"),
    [(["-folow-up"], [], "`-folow-up` takes away no rule"), ([], ["("], "`(` is neither a rule")],
)
def test_wrong_rules_are_named(exact, never, message):
    """A rule that does not exist is told, with the legal names."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        rules(exact, never)
    assert all(name in str(caught.value) for name in RULES)


@given(st.text())
def test_any_text_can_be_asked(text):
    """No text makes a rule raise."""
    assert isinstance(rules().exact(text, window=100, shared=True), str)
    assert rules().max_age(text) in {None, TIME_TO_LIVE}


@given(
    st.sampled_from(
        [
            ("random", "Pick a number"),
            ("random", "Würfel mal"),
            ("user-bound", "What is my balance?"),
            ("user-bound", "Wo ist meine Tür?"),
            ("time-bound", "How is the weather?"),
            ("time-bound", "Wer fährt heute?"),
        ]
    ),
    st.randoms(use_true_random=False),
)
def test_case_does_not_count(held, dice):
    """A question in other capitals is the same question, in ASCII and beyond."""
    name, text = held
    assert RULES[name].applies("".join(dice.choice((sign.upper(), sign.lower())) for sign in text))
