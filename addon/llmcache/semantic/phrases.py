"""What a question may be wrapped in without becoming another question: phrases -> the one word that they stand for.

Tables of words, mostly English, and the one function that applies them to a list of words: `rewritten`.
A phrase that stands for nothing is politeness; `@why` and its like are read by `kinds`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .courtesies import ASKED, POLITE
from .listing import listed


def rewritten(words: Sequence[str]) -> list[str]:
    """Return *words* with each known phrase replaced by what it stands for, the longest first."""
    found: list[str] = []
    at, end = 0, len(words)
    while at < end:
        for length in _LENGTHS.get(words[at], ()):
            phrase = tuple(words[at : at + length])
            if phrase in _TABLE and (phrase not in _OPENING or not found):
                found += _TABLE[phrase]
                at += length
                break
        else:
            found.append(words[at])
            at += 1
    return found


_ASKING = "can you|could you|would you|will you|can u|would you please|could you please|can you please|please"
_TELLING = (
    "tell me about|tell me|explain to me|explain|describe|help me to|help me|help|give me|show me|let me know|"
    "provide me with|name|list|give|please explain|please tell me|kindly"
)
_WISHING = (
    "i want to know|i would like to know|i would like you to|i would like to|i would like|we would like to|i need to "
    "know|i want you to|may i ask|do you know|do you happen to know|i was wondering|i am wondering|i wonder|can i ask|"
    "could i ask|i need you to tell me|you need to tell me|i need help with|i need help|i am trying to understand|i am "
    "curious|just curious|any idea|any ideas|can anyone tell me|can someone tell me|does anyone know|does anybody know|"
    "i have a question|quick question|is it possible to tell me|would you mind|would you mind telling me|would you "
    "mind explaining|would you mind giving me|can you help|can you help me|i am asking|tell me please"
)
_HOW = (
    "what is the way to|what is the best way to|what is the right way to|what is the easiest way to|"
    "what is a good way to|what are the steps to|what are the steps for|what are the ways to|what are some ways to|"
    "what steps do i take to|what steps should i take to|what do i have to do to|what do i need to do to|"
    "what can i do to|what should i do to|what must i do to|what do i do to|what would i do to|what is the "
    "procedure to|"
    "what is the procedure for|what is the process to|what is the process for|what is the process of|in which ways|"
    "in which way|in what way|in what ways|by what means|ways to|the way to|steps to|the steps to|how to|how would one|"
    "is there a way to|is there any way to|what ways are there to|what is needed to|how does one|how do you go about|"
    "how do i go about|the best way to|best way to|what can be done to|what could i do to|what can one do to|"
    "how would i go about|how can i go about|how should i go about|how would one go about|i want to learn how to|"
    "i would like to learn how to|i need to learn how to|teach me how to|teach me to|show me how to"
)
_MANNERS = tuple(
    " ".join(f"{verb} {article} {how} {way} {link}".split())
    for verb, articles in (("what is", "the/a/an"), ("what are", "the/some/some of the/"), ("which is", "the"))
    for article in articles.split("/")
    for how in (
        "",
        *listed("best good better effective possible different various great simple easy"),
        "most effective",
    )
    for way in listed("way ways method methods")
    for link in ("to", "of", "for")
)
_WHY = (
    "what is the reason that|what is the reason why|what is the reason for|what is the reason|what are the reasons for|"
    "what are the reasons|what would be the reason to|for what reason|for which reason|how come|how is it possible "
    "that|what is the cause of|what causes|what makes|the reason why|the reason that|the reason for|the reason|reason "
    "for|reasons for|what for"
)
_WHAT = (
    "what is the meaning of|what is the definition of|what is meant by|what does it mean|the meaning of|meaning of|"
    "definition of|the definition of|define|what do you mean by|what are the names of|what is the name of|the names of|"
    "the name of|names of"
)
_WHEN = (
    "in what year|in which year|what year|which year|what time|at what time|at which time|what date|on what date|"
    "on which date|at what point"
)
_WHERE = (
    "what place|in which place|in what place|at which place|at what place|what is the location of|which place|"
    "in which location|at what location|the location of|location of"
)
_WHO = "which person|what person|which people|which persons"
_MANY = "what number of|what is the number of|the number of|number of|how many of|what amount of"
_POLITE = (
    "please|kindly|hi|hello|hey|hi there|hello there|dear|thanks|many thanks|thank you|thank you very much|"
    "thanks a lot|"
    "thanks in advance|thank you in advance|thx|pls|plz|good morning|good evening|good afternoon|excuse me|sorry|"
    "hey there"
)
_ALSO = {
    "@can": "is it possible to|is it possible that|is it possible for|is it okay to|is it ok to|am i able to|"
    "are we able "
    "to|is it allowed to|am i allowed to|are we allowed to|be able to|is able to|are able to|is capable of|able to",
    "@must": "have to|has to|had to|need to|needs to|required to|supposed to|is it necessary to|is it "
    "mandatory to|got to|"
    "obliged to|is it required to|am i supposed to",
    "@yes": "tell me whether|tell me if|is it true that|can you tell me if|could you tell me if|do you know if|"
    "can you tell me whether|i want to know if|i want to know whether|let me know if|whether|is it the case that|"
    "i would like to know if|i was wondering if|i wonder if",
    "by @who": "by whom|by which person",
    "@how @tall": "how tall|how high|what is the height of",
    "@how @heavy": "how heavy|what is the weight of",
    "@how @big": "how big|how large|what is the size of",
    "@how @far": "how far|how far away|what is the distance between|what is the distance from",
    "@how @deep": "how deep|what is the depth of",
    "@how @wide": "how wide|what is the width of",
    "@how @fast": "how fast|how quickly|what is the speed of",
    "population of": "how many people live in|how many people are living in|how many inhabitants are in",
    "latest": "most recent",
    "@how @long": "how long|what is the length of|how much time|what is the duration of|for how long",
    "@how @old": "how old|what age|what is the age of",
    "@how @often": "how often|how frequently|how many times",
    "@how @much": "how much|what is the price of|what is the cost of|what does it cost|how many much",
    "@how @many": "how many",
    "@will": "going to|gonna",
    "not": "cannot",
    "usa": "united states of america|united states|the us|the usa|the states|u s a|u s|us of a",
    "uk": "united kingdom|great britain|the uk|britain",
    "eu": "european union",
    "uae": "united arab emirates",
    "un": "united nations",
    "ai": "artificial intelligence",
    "more than": "greater than|larger than|over than|in excess of",
    "at_least": "at least|no less than|not less than|minimum of|a minimum of",
    "at_most": "at most|no more than|not more than|up to|maximum of|a maximum of",
    "because": "because of|due to|owing to|on account of|as a result of",
    "without": "if i have no|if i do not have|if i do not have a|if there is no|in the absence of|if you have no",
    "about": "with regard to|in relation to|related to|regarding|concerning|with respect to",
    "login": "log in|sign in|log into|sign into|log on|login",
    "signup": "sign up|register",
    "setup": "set up",
    "logout": "log out|sign out|log off|log out of|sign out of",
    "topup": "top up",
    "checkin": "check in|check into",
    "checkout": "check out|check out of",
    "backup": "back up",
    "pickup": "pick up",
    "cleanup": "clean up",
    "find": "find out|figure out",
    "fill": "fill out|fill in",
    "until": "till",
    "necessity": "the need to|the need for|a need to|a need for",
    "show": "show up|shows up|showing up|showed up|shown up",
    "send": "send out|sending out",
    "save": "save up|saved up|saving up",
    "list": "list out",
    "": "kind of|kinds of|sort of|sorts of|type of|types of|of all time|of all times|located|situated",
    "what is it like to": "how is it to|how does it feel to|what does it feel like to|how does it feel like to|"
    "what is it to",
    "best": "some good|some great",
    "@who wrote": "who is the author of|who was the author of|who is the writer of|who was the writer of",
    "@who invented": "who is the inventor of|who was the inventor of",
    "@who founded": "who is the founder of|who was the founder of",
    "@who discovered": "who is the discoverer of|who was the discoverer of",
    "advantages and disadvantages": "pros and cons|benefits and drawbacks|upsides and downsides",
    "turnin": "turn in|turns in|turned in|turning in",
    "runinto": "run into|runs into|ran into|running into",
    "lookfor": "look for|looks for|looked for|looking for",
    "lookafter": "look after|looks after|looked after|looking after",
    "lookinto": "look into|looks into|looked into|looking into",
    "leavefor": "leave for|leaves for|leaving for",
    "know if": "find out if|find out whether|know whether|tell if|tell whether",
    "phone": "mobile phone|cell phone|cellphone|mobile phones|cell phones|cellphones",
    "in the world": "on earth|on this earth|in this world",
    "earn money": "make money|making money|earning money",
    "be": "become|becomes|becoming",
    "open": "open up|opening up",
    "buy": "purchase",
    "vs": "versus|compared to|compared with",
    "difference": "the differences between|the difference between|difference between|differences between",
    "for example": "e g|for instance",
    "email": "e mail",
    "website": "web site",
    "covid": "novel coronavirus|new coronavirus|"
    "covid #19|coronavirus disease #2019|coronavirus disease|corona virus|coronavirus|sars cov #2",
    "with": "by using|with the help of|by means of|using",
    "many": "a lot of|lots of|plenty of",
    "online": "on line|on the internet|on the web",
    "photo": "photograph|picture|pic",
}


DENIABLE = listed("do does did is are was were has have had would could should must need")
"""Verbs that take a `n't`."""


def _table() -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for asking in ("", *_ASKING.split("|")):
        for telling in _TELLING.split("|"):
            found[tuple(f"{asking} {telling}".split())] = []
    for phrases, meaning in (
        (_WISHING, []),
        (_POLITE, []),
        (POLITE, []),
        (_HOW, ["@how"]),
        ("|".join(_MANNERS), ["@how"]),
        (_WHY, ["@why"]),
        (_WHAT, ["@what"]),
        (_WHEN, ["@when"]),
        (_WHERE, ["@where"]),
        (_WHO, ["@who"]),
        (_MANY, ["@how", "@many"]),
        *((phrases, meaning.split()) for meaning, phrases in (*_ALSO.items(), *ASKED.items())),
        *((f"{verb}n t", [verb, "not"]) for verb in DENIABLE),
        ("can t", ["can", "not"]),
        ("won t", ["will", "not"]),
    ):
        found.update((tuple(phrase.split()), list(meaning)) for phrase in phrases.split("|"))
    return found


_OPENING = frozenset(tuple(phrase.split()) for phrase in _TELLING.split("|"))
"""These are politeness only where the question begins: `tell me why`, but `what should he tell me`."""
_TABLE = _table()
_LENGTHS: dict[str, list[int]] = {}
"""First words of phrases, and how long those phrases are: the longest first."""
for _phrase in sorted(_TABLE, key=len, reverse=True):
    if len(_phrase) not in _LENGTHS.setdefault(_phrase[0], []):
        _LENGTHS[_phrase[0]].append(len(_phrase))

CONTRACTIONS: dict[str, str] = {
    **{f"{verb}n't": f"{verb} not" for verb in DENIABLE},
    **{
        f"{verb}nt": f"{verb} not"
        for verb in listed("do does did is are was were has have had would could should must")
    },
    "can't": "can not",
    "cant": "can not",
    "cannot": "can not",
    "won't": "will not",
    "wont": "will not",
    "shan't": "shall not",
    "ain't": "is not",
    "aint": "is not",
    "whats": "what is",
    "hows": "how is",
    "wheres": "where is",
    "whos": "who is",
    "im": "i am",
    "ive": "i have",
    "waht": "what",
    "wich": "which",
    "hwo": "how",
    "teh": "the",
    "u": "you",
    "r": "are",
    "i'm": "i am",
    "let's": "let us",
    "dunno": "do not know",
    "gonna": "going to",
    "wanna": "want to",
}
"""Short forms, and the slips that hide a function word."""
ENDINGS = {"'ll": "will", "'ve": "have", "'re": "are", "'d": "would", "'s": "", "'m": "am"}
"""What stands behind an apostrophe; 's is a genitive as often as a verb, and says nothing either way."""

IGNORED = frozenset(
    listed(
        "a an the is are was were am be been being do does did done have has had having will would shall i me you we "
        "us it one's its this these those there here of so just really actually exactly also then ever please well "
        "okay very quite basically simply generally usually currently kindly anyway maybe perhaps etc s t d ll ve re m "
        "oh uh um yeah @what @who @why @how @when @where @which @is @yes @will @can @must can could may might should "
        "must ought need want able explain describe mean get got some any way thing things much my your our "
        "to in on at for by as if that who whom whose which what why how when where with about from into than and or "
        "but myself yourself ourselves itself someone somebody anyone anybody one's still already yet too both either "
        "only all every each most no not never none neither nor without nothing nobody nowhere hardly he she they him "
        "her them his hers their theirs himself herself themselves mine yours ours before after during since until "
        "till against between among under over above below behind through across off up out down per via because while "
        "whereas though although unless whether upon within toward towards along around near inside outside beyond "
        "despite except following unlike onto find happen seem option possible possibility wish inform assist info "
        "able try confused wondering appreciate erklären expliquer explica explicar explicarme explique kann kannst "
        "können könnte könntest könnten podrías podría puedes puede puedo peux peut pouvez pourriez можно могу можете"
    )
)
"""Words that are not compared as content; some of them are compared by their own category."""
LINKS = frozenset(
    listed(
        "to in on at for by as that who whom whose which with from into than before after during "
        "since until till against "
        "between among under over above below behind through across off up out down per via "
        "because while unless within 在 "
        "toward towards onto inside outside except if of about near around beside beneath"
    )
)
"""Small words that join: where both questions have them, their order counts too."""
