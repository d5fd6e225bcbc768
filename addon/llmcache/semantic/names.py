"""Names and units that are frequent enough to be known in lower case: countries, languages, calendar, measures.

Tables only: aliases make one term of several spellings, kinds explain a refusal.
Entry points: `ALIASES`, `KINDS`, `DEMONYMS`, `MONTHS`.
"""

from __future__ import annotations

_COUNTRIES = (
    "afghanistan/afghan albania/albanian algeria/algerian angola/angolan argentina/argentinian armenia/armenian "
    "australia/australian austria/austrian azerbaijan bangladesh belarus/belarusian belgium/belgian bolivia/bolivian "
    "bosnia/bosnian brazil/brazilian bulgaria/bulgarian cambodia/cambodian cameroon canada/canadian chile/chilean "
    "china/chinese colombia/colombian congo croatia/croatian cuba/cuban cyprus czechia/czech denmark/danish "
    "ecuador/ecuadorian egypt/egyptian england/english estonia/estonian ethiopia/ethiopian finland/finnish "
    "france/french georgia/georgian germany/german ghana/ghanaian greece/greek guatemala haiti/haitian honduras "
    "hungary/hungarian iceland/icelandic india/indian indonesia/indonesian iran/iranian iraq/iraqi ireland/irish "
    "israel/israeli italy/italian jamaica/jamaican japan/japanese jordan/jordanian kazakhstan kenya/kenyan kosovo "
    "kuwait/kuwaiti laos latvia/latvian lebanon/lebanese libya/libyan lithuania/lithuanian luxembourg madagascar "
    "malaysia/malaysian mali malta/maltese mexico/mexican moldova mongolia/mongolian montenegro morocco/moroccan "
    "mozambique myanmar/burmese namibia nepal/nepalese netherlands/dutch nicaragua nigeria/nigerian norway/norwegian "
    "oman pakistan/pakistani panama paraguay peru/peruvian philippines/filipino poland/polish portugal/portuguese "
    "qatar romania/romanian russia/russian rwanda scotland/scottish senegal serbia/serbian singapore slovakia/slovak "
    "slovenia/slovenian somalia/somali spain/spanish sudan/sudanese sweden/swedish switzerland/swiss syria/syrian "
    "taiwan/taiwanese tanzania thailand/thai tunisia/tunisian turkey/turkish uganda ukraine/ukrainian uruguay "
    "uzbekistan venezuela/venezuelan vietnam/vietnamese wales/welsh yemen/yemeni zambia zimbabwe africa/african "
    "asia/asian europe/european america/american"
)
_CITIES = (
    "amsterdam athens auckland baghdad bangkok barcelona beijing belgrade berlin bogota boston brussels bucharest "
    "budapest cairo chicago copenhagen damascus dallas delhi detroit dubai dublin edinburgh frankfurt geneva hamburg "
    "hanoi helsinki houston istanbul jakarta jerusalem kabul karachi kiev kyiv lagos lima lisbon london madrid manila "
    "melbourne miami milan montreal moscow mumbai munich nairobi naples osaka oslo paris philadelphia phoenix prague "
    "rome seattle seoul shanghai sofia stockholm sydney taipei tehran tokyo toronto vancouver venice vienna warsaw "
    "washington zurich"
)
_LANGUAGES = (
    "python java javascript typescript rust golang ruby perl php lua kotlin swift scala haskell erlang elixir clojure "
    "fortran cobol pascal julia bash powershell sql html css json yaml xml csv markdown latin hebrew arabic hindi urdu "
    "bengali tamil korean mandarin cantonese swahili persian"
)
_MONTHS = (
    "january jan/february feb/march mar/april apr/may/june jun/july jul/august aug/september sept sep/october oct/"
    "november nov/december dec"
)
MONTHS = {name: str(number) for number, names in enumerate(_MONTHS.split("/"), start=1) for name in names.split()}
_DAYS = "monday mon/tuesday tue/wednesday wed/thursday thu/friday fri/saturday/sunday"
_UNITS = (
    "km kilometer kilometers kilometre kilometres/m meter meters metre metres/cm centimeter centimeters centimetre "
    "centimetres/mm millimeter millimeters millimetre millimetres/mile miles/inch inches/ft foot feet/yard yards/kg "
    "kilo kilos kilogram kilograms/g gram grams gramme grammes/mg milligram milligrams/lb lbs pound pounds/oz ounce "
    "ounces/l liter liters litre litres/ml milliliter milliliters millilitre millilitres/gallon gallons gal/pint "
    "pints/h hour hours hr hrs/minute minutes min mins/seconds sec secs/ms millisecond milliseconds/day days/week "
    "weeks/month months/year years/celsius/fahrenheit/kelvin/kb kilobyte kilobytes/mb megabyte megabytes/gb gigabyte "
    "gigabytes/tb terabyte terabytes/mph/kmh/% percent per-cent/cny rmb yuan/$ dollar dollars usd/€ euro euros eur/£ "
    "gbp quid/¥ yen jpy/am a.m/pm p.m/stone stones/acre acres/hectare hectares/watt watts/volt volts/amp amps/calorie "
    "calories/₹ rupee rupees rs inr"
)

DEMONYMS = {people: country for country, _, people in (item.partition("/") for item in _COUNTRIES.split()) if people}
"""Of what a country is, or whose language; the latter where a language is asked for, which the caller sees."""
ALIASES: dict[str, str] = {
    form: forms.split(maxsplit=1)[0]
    for table in (_DAYS, _UNITS)
    for forms in table.split("/")
    for form in forms.split()
}
"""Spellings -> one term."""
KINDS: dict[str, str] = {
    **{word: "name" for item in _COUNTRIES.split() for word in item.split("/")},
    **dict.fromkeys(_CITIES.split(), "name"),
    **dict.fromkeys(_LANGUAGES.split(), "language"),
    **dict.fromkeys((f"month{number}" for number in range(1, 13)), "date"),
    **dict.fromkeys((forms.split(maxsplit=1)[0] for forms in _DAYS.split("/")), "date"),
    **dict.fromkeys((forms.split(maxsplit=1)[0] for forms in _UNITS.split("/")), "unit"),
}
"""Term -> what it is, for the explanation."""
