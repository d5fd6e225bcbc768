"""Which questions are never answered from a near one, and why: a table of named rules over the text.

It does not see the conversation, tools or images (the engine keeps those from being semantic), nor who asks: the caller
says how much its embedder reads and whether answers are shared between credentials.
Entry points: `rules` makes the table that a user wants; `Rules.sort` and `Rules.never` ask it.
"""

# ruff: noqa: RUF001 - words of many languages, with the letters of those languages

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of question."""

    name: str
    """A slug, for logs and for the configuration."""
    applies: Callable[[str], bool]
    max_age: int | None = None
    """Seconds for which a near answer will do all the same; None for never."""
    shared_only: bool = False
    """Whether the rule holds only where credentials share answers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user wants to be careful with."""

    exact_only: tuple[Rule, ...]
    never_cache: tuple[Rule, ...] = ()

    def exact(self, question: str, *, window: int = 0, shared: bool = False) -> str:
        """Return why *question* gets exact answers only; nothing when a near one may answer it.

        *window* is how many characters the embedder reads (0: any number); *shared*, that credentials share answers.
        """
        if window and len(question) > window:
            return "past-window"
        for rule in self.exact_only:
            if rule.max_age is None and (shared or not rule.shared_only) and rule.applies(question):
                return rule.name
        return ""

    def sort(self, question: str, *, window: int = 0, shared: bool = False) -> tuple[str, int | None]:
        """Return both: why exact only, and how old a near answer may be."""
        return self.exact(question, window=window, shared=shared), self.max_age(question)

    def max_age(self, question: str) -> int | None:
        """Return how many seconds old a near answer may be; None for any age."""
        ages = [rule.max_age for rule in self.exact_only if rule.max_age is not None and rule.applies(question)]
        return min(ages, default=None)

    def never(self, question: str) -> str:
        """Return the name of the rule by which *question* is not cached at all; nothing when it is."""
        return next((rule.name for rule in self.never_cache if rule.applies(question)), "")


def rules(exact_only: Iterable[str] = (), never_cache: Iterable[str] = ()) -> Rules:
    """Return the shipped rules with what the user added (a regular expression) or took away (`-` and a rule's name).

    Of *never_cache*, each is the name of a rule or a regular expression. Raises `ValueError` for what is neither.
    """
    kept = dict(RULES)
    for written in exact_only:
        if written.startswith("-"):
            if written[1:] not in RULES:
                raise ValueError(f"`{written}` takes away no rule; legal names: {', '.join(RULES)}")
            kept.pop(written[1:], None)
        else:
            kept[written] = RULES.get(written) or _expression(written)
    never = tuple(RULES.get(written) or _expression(written) for written in never_cache)
    return Rules(tuple(kept.values()), never)


def _expression(written: str) -> Rule:
    """Return a rule for a regular expression, in which case does not count."""
    try:
        return Rule(written, _found(re.compile(written, re.IGNORECASE)))
    except re.error as error:
        known = ", ".join(RULES)
        raise ValueError(f"`{written}` is neither a rule ({known}) nor a regular expression: {error}") from error


def _found(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda question: pattern.search(question) is not None


def _shipped(written: str) -> Callable[[str], bool]:
    """Return what finds *written*, which is in lower case, in any case; in ASCII in less than half of the time."""
    plain, any_case = re.compile(written), re.compile(written, re.IGNORECASE)

    def found(question: str) -> bool:
        return (plain.search(question.lower()) if question.isascii() else any_case.search(question)) is not None

    return found


def _empty(question: str) -> bool:
    return not question.strip()


def _wordless(question: str) -> bool:
    """Whether there is no letter and no digit: emoji and punctuation, of which an embedder knows little."""
    return not any(sign.isalnum() for sign in question)


def _binary(question: str) -> bool:
    """Whether it looks like data: control characters, replacement characters, or one endless word."""
    looked = question[:_LOOKED_AT]
    if "\ufffd" in looked or (not looked.isprintable() and any(_odd(sign) for sign in looked)):
        return True
    return _ENDLESS.search(question) is not None


def _odd(sign: str) -> bool:
    return unicodedata.category(sign) in {"Cc", "Co", "Cs", "Cn"} and sign not in "\t\n\r\f\v"


def _follow_up(question: str) -> bool:
    """Whether it is short and stands for something that was said before."""
    if len(question) > _SHORT:
        return False
    plain = " ".join(re.sub(r"[^\w\s'\u0900-\u0dff]", " ", question.casefold()).split())
    return _WHOLE.fullmatch(plain) is not None or _POINTING.search(plain) is not None


_SHORT = 60
"""Characters beyond which a question says what it is about."""
_LOOKED_AT = 2_000
_ENDLESS = re.compile(r"[A-Za-z0-9+/=_-]{120}")
_WHOLE = re.compile(
    "(?:(?:yes|no|yeah|yep|nope|ok|okay|sure|thanks|thank you|please|go on|go ahead|continue|more|again|next|why|"
    "how|what|when|where|who|really|and|so|then|next one|why not|how so|how come|what else|what next|"
    "anything else|and then|"
    "so what|what about|how about|for example|tell me more|say more|more details|more please|explain|elaborate|"
    "explain more|explain further|keep going|try again|do it|another|another one|one more|the first|the second|"
    "the first one|the second one|the last one|the other one|both|none|neither|all of them|shorter|longer|simpler|"
    "make it shorter|make it longer|are you sure|is that all|what do you mean|i do not understand|i don't understand|"
    "(?:can you |please )?(?:elaborate|clarify)(?: further)?|sounds good|got it|great|cool|perfect|correct|wrong|"
    "(?:in )?more details?|in detail|option \\w+|the \\w+ (?:option|one|answer|version)|[a-z]|\\d{1,3}|[a-e] \\S{1,6}|"
    "ja|nein|weiter|mehr|warum|wieso|nochmal|und dann|erzähl mehr|oui|non|pourquoi|continue|encore|et alors|sí|si|"
    "por qué|sigue|continúa|más|да|нет|ещё|еще|почему|продолжай|дальше|"
    "是|是的|不|不是|好|好的|对|嗯|继续|为什么|然后呢|还有呢|还有吗|再来一个|再说一遍|详细一点|怎么说|举个例子|はい|いいえ|続けて|もっと|なぜ|"
    "أكمل|المزيد|تابع|نعم|لا|لماذا|और बताओ|हाँ|हां|नहीं|क्यों)"
    r"(?: please)?)"
)
_IT = r"(?:it|its|it's|that|this|they|them|those|these|he|she|him|her|his|their)"
_POINTING = re.compile(
    r"^(?:and |but |so |ok |okay |then )?(?:"
    r"(?:what|how|who|where|when|why) (?:about |if |(?:is|are|was|were|does|do|did|can|could|would|should|will) )?"
    rf"(?:i |we |you )?(?:\w+ )?{_IT}\b"
    r"|(?:is|are|was|were|does|do|did|can|could|would|should|will|has|have) (?:i |we |you |one )?(?:\w+ )?"
    rf"{_IT}\b(?! \w+ \w+ \w+ \w+ \w+)"
    r"|what(?:'s| is| are) (?:its|their|his|her)\b"
    r"|(?:explain|repeat|shorten|summarize|translate|rewrite|fix|change|do|make|continue|describe|improve) "
    r"(?:it|that|this|them|those|these)\b"
    r"|how (?:\w+ )?(?:is|are|was|were|does|do|did|can|could|would|will) (?:it|they|he|she)\b"
    r"|(?:convert|turn|put|rephrase|expand|simplify|format|say|write|finish|use) (?:it|that|this|them|those|these)\b"
    r"|(?:what|how) about\b|do the same\b"
    r"|(?:the|this|that) (?:same|above|previous|latter|former)\b)"
    r"|^(?:and|but|now|also|again|same|instead|no|und|aber|et|mais|y|pero|а|и|но) \w"
    r"|^(?:erklär|mach|übersetz|wiederhol|kürz)e? (?:das|es|dies)\b|^(?:kannst du|können sie) (?:das|es)\b"
    r"|^(?:explique|traduis|répète|résume) (?:ça|cela|le|la)$|^(?:explíca|tradúce|repíte|haz|resúme)l[oa]\b"
    r"|^(?:расскажи |объясни )?(?:подробнее|это|короче)$"
    r"|^(?:继续|接着|详细|具体|再短|再长|再说)|^(?:换成|改成|翻译成|改写成).{1,4}$"
    r"|^(?:もっと|続き|それ|では |じゃあ)|^(?:더 |계속|그것|그럼|그건)"
    r"|^(?:那|那么|它|他们|它们|这个|那个|这|上面|刚才)|^.{1,6}呢$"
)
_TIME = (
    r"\b(?:today|tonight|tomorrow|yesterday|now|right now|currently|current|latest|newest|recent|recently|nowadays|"
    r"at the moment|this (?:week|month|year|morning|evening|weekend)|(?:next|last) (?:week|month|year|weekend)|"
    r"last night|this afternoon|next (?:train|bus|flight|game|match|election|episode|eclipse|holiday)|upcoming|"
    r"(?:days|weeks|long) until|who won the (?:game|match|election|race)|standings|traffic|"
    r"(?:price|value) of (?:bitcoin|btc|ether\w*|gold|oil|silver|\w+ (?:stock|share)s?)|\w+ (?:stock|shares)$|"
    r"(?:bitcoin|btc|ether\w*|gold|oil|stock|share|crypto\w*) (?:price|rate|value)s?|is the \w+ open|"
    r"wetter\w*|wechselkurs\w*|nachrichten|météo|cours (?:du|de l)|actualités|pronóstico|noticias|previsioni|notizie|"
    r"погод\w*|курс|новости|الطقس|الاخبار|الأخبار|سعر الصرف|"
    r"so far|up to date|breaking|live score|what time is it|what day is it|what(?:'s| is) the (?:time|date)|weather|"
    r"forecast|stock price|exchange rate|news|heute|morgen|gestern|jetzt|aktuell\w*|derzeit|neueste\w*|aujourd'hui|"
    r"demain|hier soir|maintenant|actuel\w*|hoy|ahora|mañana|ayer|actual(?:es)?|oggi|adesso|domani|hoje|agora|"
    r"сегодня|сейчас|завтра|вчера|последни\w*|اليوم|الآن)\b"
    r"|आज|अभी|कल|मौसम|समाचार|오늘|지금|내일|어제|날씨|뉴스|환율"
    r"|今天|今日|现在|目前|最新|最近|明天|昨天|当前|今年|本周|这周|今晚|天气|几点了|几号|星期几|股价|汇率|油价|金价|新闻|行情|比特币|"
    r"天気|時刻|何時|ニュース|株価|為替|今"
)
_USER = (
    r"\b(?:my|our|mine|meine?\w?|mes|mon|ma|mis?|moj\w*|мой|моя|моё|мои|моего|моей)\b(?! (?:god|gosh|bad)\b)|"
    r"\b(?:il mio|la mia|i miei|le mie|mio|mia|meus?|minhas?|nuestr[oa]s?|notre|nos|unsere?\w*|наш\w*|"
    r"طلبي|حسابي|رصيدي|بطاقتي|شحنتي)\b|\border (?:number |no |#)?\d|"
    r"\b(?:will i get|do i owe|how much do i|"
    r"who am i|where am i|what am i|do i have|did i|have i|am i|was i|i was|i am|i'm|i've|i have)\b|"
    r"我的|我们的|我家|私の|僕の|내 |나의|제 |우리 |मेरा|मेरी|मेरे|हमारा"
)
_RANDOM = (
    r"\b(?:random\w*|roll (?:a|the|two|some) dic?e|flip (?:a|the) coin|coin (?:flip|toss)|toss a coin|shuffle|"
    r"surprise me|pick (?:a|any) (?:number|card)|another (?:one|joke|story|poem|idea|example|version)|"
    r"a different (?:one|joke|story|version)|something (?:else|new|different)|"
    r"(?:tell|give) me a(?:nother)? (?:\w+ )?(?:joke|riddle|fun fact)|"
    r"uuid|generate (?:a |an |me a )?(?:\w+ )?(?:password|token|name)s?|zufällig\w*|würfel\w*|aléatoire\w*|aleatori\w*|"
    r"случайн\w*)\b|随机|掷骰子|抛硬币|换一个|再来一个|讲个笑话|ランダム"
)
TIME_TO_LIVE = 600
"""Seconds: long enough for a crowd that asks the same, short enough that today is still today."""

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("empty", _empty),
        Rule("wordless", _wordless),
        Rule("binary", _binary),
        Rule("follow-up", _follow_up),
        Rule("random", _shipped(_RANDOM)),
        Rule("user-bound", _shipped(_USER), shared_only=True),
        Rule("time-bound", _shipped(_TIME), max_age=TIME_TO_LIVE),
    )
}
"""The shipped rules by name, in the order in which they are asked."""
