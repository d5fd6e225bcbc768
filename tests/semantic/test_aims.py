"""Small words that decide: what a thing does is not what it is, how it was done not how it is done."""

# ruff: noqa: RUF001 - questions in Chinese, with its signs

from __future__ import annotations

import pytest
from llmcache.semantic.aims import aims, helped, owned, swapped, wanted
from llmcache.semantic.gate import FACTS, judge
from llmcache.semantic.traditional import SIMPLIFIED

ANOTHER = {
    "does-is": ("What does cobalt do?", "What is cobalt?", "aim"),
    "for": ("What is a hinge for?", "What is a hinge?", "aim"),
    "in": ("What is in a burrito?", "What is a burrito?", "aim"),
    "do-with": ("What can I do with Zig?", "What is Zig?", "aim"),
    "want": ("What does the guild want?", "What is the guild?", "aim"),
    "verb-noun": ("What do people fear?", "What is people's fear?", ""),
    "which-to-get": ("What kayak should I get?", "What is a kayak?", "aim"),
    "yours": ("What is your motto?", "What is a motto?", "aim"),
    "to-you": ("What is the worst habit to you?", "What is the worst habit?", "aim"),
    "liking": ("What do you like about Lugo?", "What is Lugo like?", "aim"),
    "did-do": ("How did you learn Welsh?", "How do I learn Welsh?", "aim"),
    "has-could": ("How has steel changed cities?", "How could steel change cities?", "aim"),
    "find-be": ("How do I find a good tutor?", "How can I be a good tutor?", "opposite"),
    "why-should": ("Why should I moo?", "Why do I moo?", "aim"),
    "how-often-should": ("How often should I floss?", "How often do you floss?", "aim"),
    "oneself": ("How do I forgive?", "How do I forgive myself?", "aim"),
    "stop-someone": ("How do I stop pinging someone?", "How do I stop someone from pinging me?", "aim"),
    "get-someone": ("How do I get someone to sing?", "How do I sing?", "aim"),
    "know-what": ("How do I know what I am good at?", "How do I know if I am good?", "aim"),
    "two-questions": ("Where and when is the fair?", "Where is the fair?", "aim"),
    "how-great": ("How great is the lake?", "How can a lake be great?", "asking"),
    "denied-half": ("What may I not do in Rome but do in Oslo?", "What may I do in Rome but not do in Oslo?", "aim"),
    "is-will": ("Is Ann a good boss?", "Will Ann be a good boss?", "tense"),
    "has-will": ("How long has the shop existed?", "How long will the shop exist?", "tense"),
    "twice": ("What is the secret of the secret garden?", "What is the secret of the garden?", "aim"),
    "language-r": ("Plot a histogram in R", "Plot a histogram", "frame"),
    "meter": ("Convert 5 m to cm", "Convert 5 cm to m", "order"),
    "number-and-letter": ("Is the Pixel 6s loud?", "Is the Pixel 6 loud?", "frame"),
    "dimensions": ("Print 3D parts", "Print 3 parts", "frame"),
    "like-how": ("How is it to work at sea?", "How can I work at sea?", "kind"),
    "lift": ("Call the elevator", "Call the lift", "frame"),
    "pay-with": ("Can I pay for gold?", "Can I pay with gold?", "relation"),
    "who-for": ("Who is it from?", "Who is it for?", "aim"),
    "too": ("Is the tea too hot?", "Is the tea hot?", "aim"),
    "behind": ("What is behind the door?", "What is the door?", "aim"),
    "told-chinese": ("这是玉吗？", "这是玉。", "kind"),
    "turn-in": ("Where do I turn in my key?", "Where do I turn my key?", "frame"),
    "run-into": ("How do I run into Bob?", "How do I run Bob?", "frame"),
    "look-for": ("How do I look for my cat?", "How do I look at my cat?", ""),
    "leave-for": ("When did she leave for Rome?", "When did she leave Rome?", "frame"),
    "sign-of-word-chinese": ("端详的详是什么意思？", "端详是什么意思？", "aim"),
    "another-sign-chinese": ("蜻蜓的蜻是什么意思？", "蜻蜓的蜓是什么意思？", "aim"),
    "how-how-good-chinese": ("收音机怎么修？", "修收音机怎么样？", "asking"),
    "how-good-happened-chinese": ("这台相机怎么样？", "这台相机怎么了？", "kind"),
    "how-and-then-chinese": ("如何恢复出厂设置？", "恢复出厂设置会怎么样？", "asking"),
    "defined-listed-chinese": ("什么是寓言？", "有哪些寓言？", "opposite"),
    "blank-chinese": ("什么的月光", "月光是什么", "frame"),
    "which-chinese": ("什么样的女生喜欢猫？", "猫喜欢什么样的女生？", "order"),
    "of-chinese": ("姐姐的老师叫什么？", "老师的姐姐叫什么？", "order"),
    "two-questions-chinese": ("榴莲是什么，怎么吃？", "榴莲怎么吃？", "aim"),
    "disagree-chinese": ("他同意吗？", "他不同意吗？", "negation"),
    "from-to-chinese": ("北京到上海的火车", "上海到北京的火车", "order"),
    "traditional-where-when": ("他在哪裡出生？", "他什麼時候出生？", "asking"),
    "traditional-quoted": ("「發」怎麼讀？", "「髮」怎麼讀？", "quoted"),
    "article-of-role": ("Sieht der Hund den Mann?", "Sieht den Hund der Mann?", "order"),
    "one-and-two-french": ("Un café pour Anne", "Deux cafés pour Anne", "number"),
    "die": ("How to die in Dungeons", "How to in Dungeons", "frame"),
    "topic-japanese": ("猫が犬を追う", "犬が猫を追う", "order"),
    "report-chinese": (
        "甲公司二月在乙市郊外的老厂房里向丙厂买机器",
        "乙市二月在甲公司郊外的老厂房里向丙厂买机器",
        "order",
    ),
    "capital-chinese": ("首都机场怎么走？", "首机场怎么走？", "frame"),
    "tilde": ("What does ~ mean in bash?", "What does mean in bash?", ""),
    "gender-spanish": ("¿Qué es la capital?", "¿Qué es el capital?", "wording"),
    "gender-german": ("Wo liegt der See?", "Wo liegt die See?", "wording"),
    "condition-chinese": ("如果下雨就不去吗？", "如果不下雨就去吗？", "aim"),
    "units-chinese": ("一米多少厘米", "一厘米多少米", "order"),
    "line-chinese": ("去机场坐几号线？", "去机场坐哪天？", ""),
    "title-chinese": ("我的世界怎么玩", "世界怎么玩", "frame"),
}
SAME = {
    "do-for": ("What does git fetch --prune do?", "What is git fetch --prune for?"),
    "help": ("I lost my key, what can I do?", "I lost my key, what should we do?"),
    "yours": ("What are your opening hours?", "What are the opening hours?"),
    "favorite": ("What is your favorite soup?", "What is your favourite soup?"),
    "become": ("How do I become a pilot?", "How can I be a pilot?"),
    "why-must": ("Why should I stretch?", "Why must I stretch?"),
    "feels": ("What is it like to be deaf?", "How does it feel to be deaf?"),
    "good-ways": ("What are some good ways to store rice?", "How do I store rice?"),
    "effective-method": ("What is an effective method of drying herbs?", "How do I dry herbs?"),
    "of-all-time": ("What is the best opera of all time?", "What is the best opera?"),
    "money": ("How do I make money online?", "How can I earn money online?"),
    "site": ("Build a website for chefs", "Build a site for chefs"),
    "some-good": ("What are some good parks in Ulm?", "What are the best parks in Ulm?"),
    "find-out-if": ("How do I find out if tea is fresh?", "How do I know whether tea is fresh?"),
    "genitive-of-number": ("What is flight 23's gate?", "What is the gate of flight 23?"),
    "how-good-chinese": ("这台相机怎么样？", "这台相机如何？"),
    "defined-chinese": ("什么是寓言？", "寓言是什么？"),
    "called-chinese": ("这种植物叫什么？", "这种植物是什么？"),
    "others-chinese": ("别人怎么学琴？", "他人怎么学琴？"),
    "who-asks-chinese": ("我怎么登录？", "怎么登录？"),
    "why-i-chinese": ("为什么我登录失败？", "为什么登录失败？"),
    "sought-chinese": ("求一首好听的歌", "一首好听的歌"),
    "or-not-chinese": ("小王结婚了没有？", "小王结婚了吗？"),
    "author": ("Who was the author of Emma?", "Who wrote Emma?"),
    "go-about": ("How would I go about resetting a router?", "How do I reset a router?"),
    "located": ("Where is Lugo located?", "Where is Lugo?"),
    "pros-and-cons": ("What are the pros and cons of tin?", "What are the advantages and disadvantages of tin?"),
    "learn-how": ("I want to learn how to bake bread", "How do I bake bread?"),
    "color-chinese": ("为什么天是蓝的", "天为什么是蓝色的"),
    "date-chinese": ("今年春节是几号", "今年春节是哪一天"),
    "which-spanish": ("¿Cuál es la capital de Perú?", "Dime la capital de Perú"),
    "which-french": ("Quelle est la capitale du Pérou ?", "C'est quoi la capitale du Pérou ?"),
    "price-french": ("Quel est le prix de la carte ?", "Combien coûte la carte ?"),
    "will-there": ("Will there be a fee for cash?", "Is there a fee for cash?"),
    "from-where": ("Where can I get your rates from?", "Where can I get your rates?"),
    "joined-otherwise": ("I am not in Ulm, but can I vote?", "I am not in Ulm, can I vote?"),
    "need-will-need": ("What will I need to fly?", "What do I need to fly?"),
    "tell-if": ("How can I tell if a melon is ripe?", "How do I know if a melon is ripe?"),
    "mobile-phone": ("Which mobile phone is best?", "Which phone is best?"),
    "on-earth": ("What is the tallest tree on earth?", "What is the tallest tree in the world?"),
    "rupees": ("Is 500 rs a lot?", "Is 500 INR a lot?"),
    "slip-where-chinese": ("那里有修表的？", "哪里有修表的？"),
    "slip-which-chinese": ("杭州有那些公园？", "杭州有哪些公园？"),
    "haste-chinese": ("求一张海报，急！", "求一张海报"),
    "all-chinese": ("男人为什么都怕冷？", "男人为什么怕冷？"),
    "wave-chinese": ("设计一个头像~谢谢", "设计一个头像，谢谢"),
    "usually-chinese": ("签证一般要多久？", "签证要多久？"),
    "slip-chinese": ("榴莲好吃么？", "榴莲好吃吗？"),
    "particle-chinese": ("手机能刷机嘛", "手机能刷机吗"),
    "at-chinese": ("在北京怎么租房？", "北京怎么租房？"),
    "language-chinese": ("怎样才能学好法文？", "怎么样才能学好法语？"),
    "difference-chinese": ("苹果和梨有什么不同？", "苹果和梨有什么区别？"),
    "why-chinese": ("手机怎么没有声音？", "手机为什么没有声音？"),
    "traditional": ("什麼是黑洞？", "什么是黑洞？"),
    "traditional-why": ("為什麼天空是藍的？", "為何天空是藍的？"),
    "article-german": ("Was ist eine Hypothek?", "Was ist die Hypothek?"),
    "article-der": ("Wo wohnt der Präsident von Peru?", "Wo wohnt ein Präsident von Peru?"),
    "article-of-gender": ("Wo liegt die See?", "Wo liegt eine See?"),
    "article-spanish": ("¿Cómo funciona el motor?", "¿Cómo funciona un motor?"),
    "article-french": ("Qu'est-ce que l'inflation ?", "Qu'est-ce qu'une inflation ?"),
    "topic-japanese": ("猫は魚を食べる", "猫が魚を食べる"),
    "only-then-chinese": ("怎么做才好吃？", "怎么做好吃？"),
    "wish-chinese": ("我想换手机号", "换手机号"),
    "wish-to-know-chinese": ("我想知道什么是黑洞", "什么是黑洞"),
    "punctuation-chinese": ("星港联盟？是啥", "星港联盟是啥"),
    "some-chinese": ("这附近有没有一些便宜的旅馆？", "附近有没有便宜的旅馆？"),
}


@pytest.mark.parametrize(("one", "other", "category"), ANOTHER.values(), ids=ANOTHER)
def test_another_aim_is_refused(one, other, category):
    """The same words of meaning with another aim are refused, whichever was asked, by the category that is named."""
    for reason in (judge(one, other), judge(other, one)):
        assert reason
        assert reason.startswith(category)


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_aim_passes(one, other):
    """Other small words for the same aim are let through, both ways round."""
    assert judge(one, other) is None
    assert judge(other, one) is None


def test_a_refusal_names_the_aim():
    """The asked question's side comes first."""
    assert judge("What is a hinge for?", "What is a hinge?") == "aim do ≠ nothing"
    assert judge("What is a hinge?", "What is a hinge for?") == "aim nothing ≠ do"
    assert judge("What is your motto?", "What is a motto?") == "aim your motto"
    assert "aim" not in FACTS


@pytest.mark.parametrize("words", [[], ["what"], ["do"], ["what", "is"], ["your"], ["@what", "@sort"]])
def test_few_words_are_read_as_well(words):
    """No question is too short to be read."""
    assert aims(" ".join(words), words, words, "what") <= {"do"}
    assert helped(words, words) in {"", "is"}
    assert owned(words) == (frozenset(), frozenset())
    assert wanted(words) == ""


def test_every_character_has_one_simplified_form():
    """The table has each traditional character once, and no simplified one among them."""
    assert not set(SIMPLIFIED) & set(SIMPLIFIED.values())
    assert "髮發隻裡".translate(SIMPLIFIED) == "发发只里"


def test_what_is_turned_around_is_said():
    """Both sides come back, from the first character that differs to the last."""
    assert swapped("我哥的书", "我书的哥") == ("哥的书", "书的哥")
    assert swapped("我哥的书", "我哥的画") is None
    assert swapped("我哥的书", "我哥的书") is None
