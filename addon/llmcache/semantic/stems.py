"""English words -> stems, so that a rewording that only bends a word is not another word; and slips of the pen.

Light on purpose: comparatives, agents (-er) and prefixes stay, for they are other words.
Entry points: `stem`, `slip`.
"""

from __future__ import annotations

from functools import lru_cache

from .listing import listed


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return the stem of a lower-case word; words of other scripts come back as they are."""
    if not word.isascii():
        return word
    word = IRREGULAR.get(word) or _unbent(word)
    if word.endswith("e") and len(word) > _SHORT - 1 and word not in WITH_E:
        word = word[:-1]
    return word[:-1] + "y" if word.endswith("i") and len(word) > 1 else word


def _unbent(word: str) -> str:
    if len(word) < _SHORT or not word.isalpha():
        return word
    word = _singular(word)
    if word in IRREGULAR:
        return IRREGULAR[word]
    for ending in ("ing", "ed"):
        body = word.removesuffix(ending)
        if body != word and len(body) >= _SHORT - 1 and any(letter in "aeiouy" for letter in body):
            if body in IRREGULAR:
                return IRREGULAR[body]
            if f"{body}e" in WITH_E:
                return f"{body}e"
            word = body[:-1] if body[-1] == body[-2] and body[-1] not in "lsz" else body
            break
    if word.endswith("ly") and len(word) > _LONG:
        word = word[:-2]
    if word.endswith("ll") and len(word) > _LONG:
        word = word[:-1]  # cancelled, canceled; install, instal
    return word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > _SHORT:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def slip(one: str, other: str) -> bool:
    """Whether two different words are one, misspelled: letters swapped, or one of a doubled letter or a vowel left out.

    Another letter in the place of one is no slip: most words that differ so are two words (`nitrate`, `nitrite`).
    So are many short words without a vowel (`patient`, `patent`), and those that differ around a final s.
    """
    if min(len(one), len(other)) <= _SHORT or one[0] != other[0] or frozenset((stem(one), stem(other))) in CONFUSABLE:
        return False
    if len(one) == len(other):
        return _swapped(one, other)
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) != 1 or len(long) <= _LONG:
        return False
    at = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    if short[at:] != long[at + 1 :] or at < _SHORT // 2 or at == len(short):
        return False
    if long[at] in "aeiou":
        return len(long) > _LONG + 2 and long[at] != long[at - 1]
    return long[at] == long[at - 1]


def _swapped(one: str, other: str) -> bool:
    places = [place for place in range(len(one)) if one[place] != other[place]]
    if len(places) != 2 or places[1] - places[0] != 1:  # noqa: PLR2004 - two letters that stand together
        return False
    first, second = places
    plural = second == len(one) - 1 and "s" in (one[first], one[second])
    return one[first] == other[second] and one[second] == other[first] and not plural


_SHORT = 4
_LONG = 5

_FORMS = (
    "be is are was were been being am/do does did done doing/have has had having/go goes went gone going/"
    "get got gotten getting/make made making/win won winning/build built/buy bought/bring brought/think thought/"
    "teach taught/catch caught/seek sought/sell sold/tell told/say said/pay paid/lay laid/make made/take took taken/"
    "shake shook shaken/give gave given/forgive forgave forgiven/forget forgot forgotten/eat ate eaten/"
    "drive drove driven/write wrote written/ride rode ridden/rise rose risen/choose chose chosen/speak spoke spoken/"
    "break broke broken/steal stole stolen/freeze froze frozen/wear wore worn/tear tore torn/know knew known/"
    "grow grew grown/throw threw thrown/draw drew drawn/fly flew flown flies/see saw seen/show shown/begin began begun/"
    "drink drank drunk/sing sang sung/swim swam swum/run ran running/come came coming/become became becoming/"
    "find found/hold held/keep kept/sleep slept/feel felt/leave left leaving/mean meant/meet met meeting/send sent/"
    "spend spent/lend lent/lose lost losing/sit sat sitting/stand stood/understand understood/fight fought/fall fell "
    "fallen/hear heard/lead led/read/learn learnt/burn burnt/die died dying dies/lie lying lies/tie tying ties/"
    "child children/man men/woman women/foot feet/tooth teeth/mouse mice/goose geese/knife knives/life lives/"
    "leaf leaves/wife wives/half halves/wolf wolves/person persons people/datum data/criterion criteria/"
    "analysis analyses/crisis crises/index indices indexes/matrix matrices/hide hid hidden/bite bit bitten/"
    "shoot shot/stick stuck/strike struck/hang hung/dig dug/spin spun/swear swore sworn/blow blew blown/"
    "cut cutting/put putting/set setting/let letting/hit hitting/shut shutting/quit quitting/bet betting/"
    "use used using uses/cause caused causing causes/close closed closing closes/lay laying/news/bus buses/"
    "series/species/lens lenses/gas gases/address addresses addressed/process processes processed processing/"
    "access accesses accessed/success/business businesses/class classes/pass passed passing passes/"
    "color colour colors colours/center centre centers centres/gray grey/favorite favourite/behavior behaviour/"
    "analyze analyse/organize organise/license licence/program programme/flavor flavour/litre liter litres liters/"
    "theater theatre/defense defence/traveler traveller/ok okay/add adds added adding/evening evenings/glasses/"
    "goods/customs"
)
IRREGULAR: dict[str, str] = {
    form: forms.split(maxsplit=1)[0] for forms in reversed(_FORMS.split("/")) for form in forms.split()
}
PAST = frozenset(
    listed(
        "won built bought brought thought taught caught sold told said paid took "
        "gave forgot ate drove "
        "wrote rode rose chose spoke broke stole froze wore knew grew threw drew flew saw began "
        "sang swam ran came became "
        "kept slept felt left met sent spent lost sat stood understood fought fell heard led died invented founded "
        "discovered directed killed wanted happened"
    )
)
"""Forms that are past without the help of another verb."""
WITH_E = frozenset(
    listed(
        "ante bare belle bite breathe cape care code cone cope coupe cube cute dame fare fate fine fire forte gene "
        "globe grade hate hide hope kite late mate mode mile mine morale note pale pare paste pipe plane pole prime "
        "quite rage rate rationale robe route scrape severe site slide sole spine stage stare state suite tape theme "
        "tone tube tune wage wine bathe clothe dote dine tone pine pane cane mane vane wide humane urbane"
    )
)
"""Words that are another word without their last letter (`car`, `care`), so it stays with them."""
PARTICIPLES = PAST | frozenset(
    listed(
        "been done gone gotten got had made taken shaken given forgiven forgotten eaten driven written ridden risen "
        "chosen spoken broken stolen frozen worn torn known grown thrown drawn flown seen shown begun drunk sung swum "
        "run come become found held fallen hidden bitten put set let cut"
    )
)
CONFUSABLE = frozenset(
    frozenset(map(stem, pair.split("/")))
    for pair in listed(
        "angel/angle causal/casual desert/dessert form/from trail/trial quiet/quite diary/dairy later/latter "
        "lose/loose planed/planned hoping/hopping coma/comma carton/cartoon martial/marital silver/sliver "
        "scared/sacred untied/united conversation/conservation reserve/reverse bred/breed moral/morale "
        "personal/personnel human/humane urban/urbane cloths/clothes breath/breathe bath/bathe planning/planing "
        "super/supper dinner/diner filling/filing tapping/taping ratting/rating string/sting latent/latten "
        "statue/statute polar/poplar crate/create county/country course/coarse salve/slave clam/calm split/spilt "
        "signal/single bolder/boulder sever/severe prefect/perfect martian/martin loner/loaner caliber/caliper "
        "hoes/hose stable/staple apples/applies beats/beast canon/cannon casino/cassino closest/closets coral/corral "
        "commander/commandeer complaint/compliant created/crated deprecated/depreciated discrete/discreet field/filed "
        "filed/filled funeral/funereal grandeur/grander indicated/indicted injuries/injures minister/minster "
        "predicted/predicated prediction/predication predictive/predicative quarts/quartos remainder/reminder "
        "remainders/reminders revealing/reveling salvation/salivation sentence/sentience sign/sing signed/singed "
        "signing/singing singer/signer soldier/solder there/three through/thorough tier/tire tiers/tires beats/betas "
        "border/boarder command/commando discuss/discus lien/line loss/lose policy/police carries/caries "
        "colonies/colones hosting/hoisting imperial/imperil implement/impalement liter/litter manager/manger "
        "morning/mourning mouse/mousse painting/panting patient/patent politics/politicos reliving/relieving "
        "retired/retried reviving/revving scoring/scouring shearing/sharing trading/treading trailing/trialing "
        "trails/trials angles/angels status/statues sated/stated ionic/iconic inulin/insulin uranus/uranium "
        "corps/corpse envelop/envelope secret/secrete divers/diverse"
    )
)
"""Pairs of stems that look like a slip and are two words."""
