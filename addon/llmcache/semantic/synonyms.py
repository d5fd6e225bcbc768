"""English words that may stand for each other in most questions, as stems -> the first of their group.

A table only; a word that is missing here costs a hit, one too many costs a wrong answer.
Entry point: `SYNONYMS`.
"""

from __future__ import annotations

from .stems import stem

_GROUPS = (
    "big large/few several multiple/extra additional/incorrect wrong/plane airplane aeroplane/begin start "
    "commence/stop cease/fix repair/solve resolve/obtain acquire/help assist/picture photo image/movie film/quick fast "
    "rapid/quickly fast/error mistake/delete remove erase/create make prepare/choose select pick/car automobile/doctor "
    "physician/kid child/illness disease sickness/price cost/smart clever intelligent/mother mom mum/father dad/happy "
    "glad/job occupation/phone telephone/tv television/fridge refrigerator/ad advertisement/exam examination/lab "
    "laboratory/info information/app application/prevent avoid/protect protection/show display/convert transform "
    "turn/change modify alter/check verify/allow permit/enable activate/disable deactivate/purchase buy/reply answer "
    "respond response/speak talk/advice tip suggestion recommendation/suggest recommend/difference distinction differ "
    "different/severe serious/danger risk/dangerous risky/house home/street road/city town/lawyer attorney/salary wage "
    "pay/holiday vacation/shop store/garbage trash rubbish/apartment flat/main primary principal "
    "chief/important significant/famous renowned well-known/example instance/treat treatment/infect infection "
    "infected/spread spreading transmission transmit transmitted/occur happen/weight weigh/high height/finish "
    "complete/explain clarify/corona coronavirus/medicine medication/vaccine vaccination vaccinate/recipe "
    "recipe/method technique/goal aim objective/calculate compute/shorten abbreviate/summary summarize "
    "summarise/rewrite rephrase reword paraphrase/funny humorous/scared afraid/angry mad/sad unhappy/rich wealthy/safe "
    "secure/simple easy/hard difficult/short brief/whole entire/kind type/odd strange weird/cheap inexpensive/require "
    "necessary/recover recovery/travel travelling traveling/traveler traveller/pregnant pregnancy/mask facemask/staff "
    "personnel/password passcode/benefit advantage/drawback disadvantage downside/folder directory/website site"
)

SYNONYMS: dict[str, str] = {}
for _group in reversed(_GROUPS.split("/")):
    _first, *_rest = (stem(word) for word in _group.split())
    SYNONYMS.update((word, _first) for word in _rest if word != _first)
"""Stem -> the stem that stands for its group."""
