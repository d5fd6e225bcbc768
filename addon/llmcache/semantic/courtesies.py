"""How questions are wrapped and counted in other languages than English: politeness, what asks, number words.

Tables, and the endings of Korean. Words stand as they come out of a text: lower case, without apostrophes and hyphens.
Entry points: `POLITE`, `ASKED`, `ARTICLES`, `COUNTED`, `bare`.
"""

# ruff: noqa: RUF001 - words of many languages, with the letters of those languages

from __future__ import annotations


def bare(word: str) -> str:
    """Return a Korean word without the ending that only says how polite the question is; others as they are."""
    if not "\uac00" <= word[-1:] <= "\ud7a3":
        return word
    ending = next((ending for ending in _ENDINGS if word.endswith(ending) and len(word) > len(ending) + 1), "")
    return word.removesuffix(ending)


_ENDINGS = ("인가요", "입니까", "일까요", "이에요", "이예요", "이야", "예요", "에요", "야")
POLITE = (
    "bitte|danke|vielen dank|hallo|guten tag|guten morgen|kannst du mir|können sie mir|"
    "könntest du mir|könnten sie mir|erkläre mir|erklär mir|sag mir|kannst du mir bitte|"
    "können sie mir bitte|könnten sie mir bitte|kannst du mir sagen|können sie mir sagen|"
    "könntest du mir sagen|könnten sie mir sagen|ich möchte wissen|ich würde gerne wissen|merci|"
    "merci davance|bonjour|bonsoir|salut|sil vous plaît|sil te plaît|pouvez vous mexpliquer|"
    "peux tu mexpliquer|pourriez vous mexpliquer|explique moi|dis moi|dites moi|"
    "pouvez vous me dire|peux tu me dire|pourriez vous me dire|jaimerais savoir|"
    "je voudrais savoir|gracias|muchas gracias|hola|buenos días|buenas tardes|por favor|"
    "puedes explicarme|explícame|dime|dígame|puedes decirme|puede decirme|podrías decirme|"
    "podría decirme|me puedes decir|me gustaría saber|quisiera saber|quiero saber|ciao|grazie|"
    "per favore|mi puoi dire|puoi dirmi|vorrei sapere|obrigado|obrigada|olá|você pode me dizer|"
    "pode me dizer|gostaria de saber|пожалуйста|спасибо|привет|здравствуйте|добрый день|объясни|"
    "объясните|объясни мне|объясните мне|расскажи|расскажите|скажи|скажите|скажи мне|скажите мне|"
    "подскажите|подскажи|можете сказать|можешь сказать|хочу узнать|من فضلك|لو سمحت|رجاء|شكرا|"
    "شكراً|مرحبا|مرحباً|السلام عليكم|أخبرني|هل يمكنك أن تخبرني|هل يمكنك ان تخبرني|"
    "هل تستطيع أن تخبرني|أريد أن أعرف|कृपया|धन्यवाद|नमस्ते|बताइए|बताओ|बताएं|"
    "क्या आप बता सकते हैं कि|क्या आप मुझे बता सकते हैं कि|क्या आप बता सकते हैं|मुझे बताइए|"
    "मुझे बताओ|"
    "주세요|줘|줘요|주십시오|부탁해요|부탁합니다|부탁드립니다|안녕하세요|감사합니다|고마워|알려|알려줘|말해줘|좀"
)
"""What may be left out, phrases between bars."""
ARTICLES = {
    **dict.fromkeys(("el", "los", "le", "un", "uno", "lo", "os", "gli"), "m"),
    **dict.fromkeys(("la", "las", "une", "una", "uma", "eine"), "f"),
    "das": "n",
    "het": "n",
    "ein": "mn",
    "een": "mn",
    "les": "mf",
    "die": "f",
    "der": "m",
}
"""Articles of Western Europe -> the genders that they mostly mean.

`der` is the only one that may say who does it to whom, as `den` and `dem` do.
"""
ASKED = {
    "@why": "warum|wieso|weshalb|pourquoi|por qué|почему|отчего|لماذا|क्यों|왜",
    "@when": "wann|quand|cuándo|когда|متى|कब|언제",
    "@where": "wo|où|dónde|где|أين|कहाँ|कहां|어디|어디에",
    "@how @much": "was kostet|wie viel kostet|wieviel kostet|wie teuer ist|combien coûte|quel est le prix de|"
    "cuánto cuesta|cuál es el precio de|quanto costa|quanto custa|сколько стоит|какая цена у|какова цена|"
    "كم سعر|كم يكلف",
    "@is @what": "was ist|was sind|quest ce que|quest ce quun|quest ce quune|qué es|qué son|cuál es|"
    "cuáles son|quelle est|quel est|quels sont|quelles sont|cest quoi|qual é|quais são|qual è|quali sono|wie lautet|"
    "wie lauten|welches ist|welche ist|welcher ist|что такое|ما هو|ما هي",
}
"""What the words for it stand for, as in `phrases`."""
COUNTED = {
    0: "zéro cero ноль",
    2: "zwei deux dos два две двух اثنان اثنين",
    3: "drei trois tres три трех трёх tre três ثلاث ثلاثة तीन 세 셋",
    4: "vier quatre cuatro четыре четырех четырёх quattro quatro أربع أربعة चार 네 넷",
    5: "fünf cinq cinco пять пяти cinque خمس خمسة पाँच पांच 다섯",
    6: "sechs six seis шесть шести ست ستة छह छः 여섯",
    7: "sieben sept siete семь семи sette sete سبع سبعة सात 일곱",
    8: "acht huit ocho восемь восьми oito ثماني ثمانية आठ 여덟",
    9: "neun neuf nueve девять девяти nove تسع تسعة नौ 아홉",
    10: "zehn dix diez десять десяти dieci dez عشر عشرة दस",
    11: "onze одиннадцать",
    12: "zwölf douze doce двенадцать",
    15: "fünfzehn quinze пятнадцать",
    20: "zwanzig vingt veinte двадцать",
    30: "dreißig trente treinta тридцать",
    50: "fünfzig cinquante cincuenta пятьдесят",
}
"""Number -> its words."""
