"""Places and streets: names from a gazetteer, and words that are made like the name of a street."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from triage.language.data import either, lines, words
from triage.language.entities.found import Found
from triage.language.entities.view import View, Word

_PARTS: Final = re.compile(r"'[stnk](?![^\W\d_])|[^\W\d_]+(?:['-][^\W\d_]+)*")
#: By its longest word: where in the name that stands, the name in lower case, and as it is written;
#: and whether it is an ordinary word too.
_PLACES: Final[dict[str, list[tuple[int, str, str, bool]]]] = defaultdict(list)
for _line in lines("nl.places.txt"):
    _name = _line.removeprefix("?")
    _part = max(_PARTS.finditer(_name.lower()), key=lambda match: (len(match[0]), match.start()))
    _PLACES[_part[0]].append((_part.start(), _name.lower(), _name, _line[0] == "?"))
for _list in _PLACES.values():
    _list.sort(key=lambda place: -len(place[1]))
_CUE: Final = re.compile(
    r"(?:^|[^\w])(?:in|te|uit|naar|gemeente|gem\.?|station|richting|rond|nabij|vanuit|omgeving|dorp|stad|regio|"
    r"wijk|buurt|tussen|hart je|hartje|centrum|binnenstad|bij|afrit|knooppunt|nei|út|woonplaats:?|a?thv|t\.h\.v\.?|ter hoogte van|politie|brandweer|"
    r"\d{4} ?[a-z]{2},?) $"
)
_STRONG_CUE: Final = re.compile(
    r"(?:^|[^\w])(?:gemeente|gem\.?|station|woonplaats:?|dorp|\d{4} ?[a-z]{2},?) $"
)
_PREPOSITION: Final = re.compile(r"(?:^|[^\w])(?:in|te|uit|naar|richting) $")
_BREAK: Final = re.compile(r"[ ]?(?:[.,;:!?)\n\x00]|$| en | is | was | heeft | staat | waar )")
#: Words that no cue makes a place of in lower case.
_NEVER: Final = frozenset(
    "een hem heel echt over best brand ens goor waarde enter winkel huizen hoek buren dieren sluis leest sloten houten hoeven duiven "
    "noord oost zuid west veen velden berg son raam zetten groet heer monster dalen balk well made born".split()
)
_NAMED_AFTER: Final = re.compile(
    r"(?:^|[^\w])(?:van|de|der|den|ter|ten|mevrouw|meneer|dhr\.?|mw\.?|fam\.?|familie) $"
)
_SENTENCE: Final = re.compile(r"(?:^|[.!?\n:]['\") ]{0,3})$")

_ENDS: Final = either("streets.txt")
_STREET_WORD: Final = re.compile(rf"(?:{_ENDS}|str)$")
_NO_STREET: Final = words("nl.nostreet.txt")
_PARTICLES: Final = frozenset(
    "van de der den het 't ten ter te la le du des von zum zur 's en".split()
)
_NAMES: Final = words("names.first.txt") | words("names.last.txt") | words("nl.streetwords.txt")
_FAMILIES: Final = words("names.last.txt")
_LEADS: Final = frozenset("van de der den het 't".split())
_SURE_ENDS: Final = (
    "straat",
    "laan",
    "weg",
    "plein",
    "kade",
    "dijk",
    "singel",
    "gracht",
    "steeg",
    "dreef",
    "plantsoen",
    "pad",
    "str",
    "hof",
    "boulevard",
    "allee",
    "markt",
)
_NUMBER: Final = re.compile(
    r"(?:,? ?\(?(?:nr\.?|nummer|nrs\.?|huisnummer|no\.?|huisnr\.?|#) ?| ?)(?P<number>\d{1,5}(?: ?(?:[-/] ?)?(?:bis|hs|huis|[a-hA-H]|[IVX]{1,4}|[1-4](?=e?\b))(?![\w€%]))?(?:[-/]\d{1,4}(?!\w|[-/]))?)"
    r"(?![\w€%]|[.,:/-]\d| ?(?:uur|u|euro|min|minuten|keer|x|jaar|jarige|mensen|man|personen|auto's|kinderen|meter|m|km|dagen|weken|maanden|januari|"
    r"februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december|jan|feb|mrt|apr|jun|jul|aug|sep|sept|okt|nov|dec|ton|miljoen|woningen|huizen|bomen)\b)",
    re.IGNORECASE,
)
_WITH_POSTCODE: Final = re.compile(
    r"(?<!\w)(?P<name>(?:[A-Z][\w'-]{1,24} (?:(?:van|de|der|den|het|'t|op|aan) ){0,2}){0,3}[A-Z][\w'-]{2,24}) (?P<number>\d{1,5}(?: ?-? ?[A-Za-z]\b|-\d{1,3})?)"
    r"(?=,? ?\n?\d{4} ?[A-Z]{2}(?!\w))"
)
_LIVING: Final = re.compile(
    r"(?<!\w)(?:[Ww]oon(?:t|achtig)?(?: (?:ik|wij|hij|zij))?|[Ww]onen|[Aa]dres(?: is)?:?|[Hh]uisadres:?|[Hh]oek|[Bb]ij mij) (?:op|aan|in)? ?(?:de |het |'t )?(?P<name>[A-Z][\w'-]{2,24}(?: [A-Z][\w'-]{2,24})?)"
    r" (?P<number>\d{1,4}(?: ?-? ?[A-Za-z]\b|-\d{1,3})?)(?![\w€%]|[.,:]\d| (?:uur|euro|jaar|jan|mei))"
)
_LONGEST: Final = 5


def is_place(word: str, lower: str) -> bool:
    """Say whether a word may be the name of a place, or the telling part of one."""
    return lower in _PLACES and (word[0].isupper() or lower not in _NEVER)


def is_street(word: str) -> bool:
    """Say whether a word is made like the name of a street."""
    lower = word.lower()
    return bool(_STREET_WORD.search(lower)) and lower not in _NO_STREET


def named_place(word: Word) -> bool:
    """Say whether a single word is the name of a place, and of nothing else."""
    return any(
        name == word.lower and not unsure for _, name, _, unsure in _PLACES.get(word.lower, ())
    )


def addresses(view: View, found: Found) -> None:
    """Find addresses in a text with digits, whatever the street is called."""
    if _FOUR_DIGITS.search(view.text):
        for match in _WITH_POSTCODE.finditer(view.text):
            found.add("straat", *match.span(), match[0])
    for match in _LIVING.finditer(view.text):
        found.add(
            "straat", match.start("name"), match.end(), view.text[match.start("name") : match.end()]
        )


_FOUR_DIGITS: Final = re.compile(r"\d{4}")


def streets(view: View, found: Found) -> None:
    """Find streets with their house numbers."""
    for index, word in enumerate(view.words):
        if not _STREET_WORD.search(word.lower):
            continue
        if word.lower in _NO_STREET and not (word.capital and word.lower in _BARE):
            continue
        start = _start(view, index)
        end = _end(view, index)
        number = _NUMBER.match(view.text, end)
        if number and number["number"].isdecimal() and number["number"][:1] == "0":
            number = None
        if not _is_name(view, index, start, numbered=number is not None):
            continue
        until = number.end("number") if number else end
        found.add("straat", start, until, " ".join(view.text[start:until].split()))


def _is_name(view: View, index: int, start: int, *, numbered: bool) -> bool:
    word = view.words[index]
    bare = bool(re.fullmatch(_ENDS, word.lower))
    if not numbered and (
        word.lower in _FAMILIES or word.lower in _PLACES or _DOUBLE.search(word.lower)
    ):
        return False
    if word.capital:
        if start == word.start and bare:
            # "Plein 12", "Markt 3"; but "Laan van Meerdervoort" needs no number.
            return (numbered and word.lower in _ALONE) or _end(view, index) > word.end
        if word.lower.endswith(_SURE_ENDS):
            return word.lower not in _VOCABULARY or numbered
        return word.lower not in _VOCABULARY and (numbered or not _at_start(view, start))
    if bare:
        return start != word.start and (numbered or view.text[start].isupper())
    if not word.lower.endswith(_SURE_ENDS):
        return numbered and word.lower.endswith(
            ("burg", "park", "hage", "veste", "kamp", "brink", "akker", "veld", "wal", "ring")
        )
    if numbered:
        return True
    before = view.lower[max(0, word.start - 8) : word.start]
    return bool(re.search(r"\b(?:aan|in|op|van|hoek|bij|langs) (?:de |het |'t )?$|\bde $", before))


#: A family name of two parts: Boonstra-Dijk.
_DOUBLE: Final = re.compile(rf"-(?:{_ENDS})$")
#: Streets that are called like this and no more.
_ALONE: Final = frozenset(
    "markt plein kade singel gracht dijk laan weg dreef hof steeg allee brink".split()
)


def _start(view: View, index: int) -> int:
    """Give where the name starts of which a word is the last: Jan van der Heijdenstraat."""
    seen = view.words
    first = index
    while first > 0 and index - first < _LONGEST:
        before = seen[first - 1]
        gap = view.text[before.end : seen[first].start]
        if gap not in {" ", ". ", "."} or (gap[0] == "." and len(before.text) > 12):  # noqa: PLR2004
            break
        if gap[0] == "." and not _abbreviated(before):
            break
        if not (before.capital or before.lower in _PARTICLES):
            break
        if before.capital and before.lower in _FUNCTION and before.lower not in _PARTICLES:
            break
        if (
            before.capital
            and _at_start(view, before.start)
            and before.lower not in _NAMES
            and gap == " "
            and len(before.text) > 2
            and seen[index].lower not in _BARE
        ):  # noqa: PLR2004
            break
        if named_place(before) and gap == " " and first == index and seen[index].lower not in _BARE:
            break
        first -= 1
    while first < index and (
        not seen[first].capital
        or (
            seen[first].lower in {"de", "het", "in", "op", "aan"}
            and _at_start(view, seen[first].start)
        )
    ):
        first += 1
    # "1e Jan Steenstraat", "2de Hugo de Grootstraat"
    ordinal = re.search(r"\b\d{1,2}(?:e|de|ste) $", view.lower[: seen[first].start])
    if ordinal and seen[first].capital:
        return ordinal.start()
    return seen[first].start if seen[first].capital or first == index else seen[index].start


_VOCABULARY: Final = words("language.nl.txt")
_BARE: Final = words("streets.txt")
_FUNCTION: Final = words("nl.function.txt")
_TITLES: Final = frozenset(
    "dr ds mr st prof burg ir ing gen pres pastoor past kon pr kard jhr mgr adm".split()
)


def _abbreviated(word: Word) -> bool:
    return len(word.text) <= 2 or word.lower in _TITLES  # noqa: PLR2004


def _end(view: View, index: int) -> int:
    """Give where the name ends that a word starts: Laan van Nieuw Oost-Indië."""
    seen = view.words
    word = seen[index]
    if (
        word.lower
        not in {
            "laan",
            "plein",
            "weg",
            "straat",
            "kade",
            "singel",
            "park",
            "hof",
            "dreef",
            "pad",
            "wal",
            "gracht",
        }
        or not word.capital
    ):
        return word.end
    last = index
    for step in range(1, _LONGEST + 1):
        if (
            index + step >= len(seen)
            or view.text[seen[index + step - 1].end : seen[index + step].start] != " "
        ):
            break
        following = seen[index + step]
        if following.capital and step > 1 and following.lower not in _FUNCTION:
            last = index + step
        elif following.lower not in _LEADS:
            break
    return seen[last].end


def places(view: View, found: Found, *, only_long: bool = False) -> None:
    """Find places by name; an ordinary word counts only with a cue.

    ``only_long``: those of several words, which could be taken for a person (Bergen op Zoom).
    """
    for word in view.words:
        if word.lower not in _PLACES:
            continue
        for before, lower, name, unsure in _PLACES[word.lower]:
            if only_long and " " not in lower:
                continue
            start = word.start - before
            end = start + len(lower)
            if start < 0 or view.lower[start:end] != lower or view.text[end : end + 1].isalnum():
                continue
            if view.text[max(0, start - 1) : start].isalnum():
                continue
            if _counts(view, start, end, unsure=unsure, lower=lower):
                found.add("plaats", start, end, name)
            break


def _at_start(view: View, start: int) -> bool:
    return bool(_SENTENCE.search(view.text[max(0, start - 5) : start]))


def _counts(view: View, start: int, end: int, *, unsure: bool, lower: str) -> bool:
    before = view.lower[max(0, start - 18) : start]
    capital = view.text[start].isupper()
    if not unsure:
        return capital or len(lower) > 3 or bool(_CUE.search(before))  # noqa: PLR2004
    if view.text[max(0, start - 1) : start] in {"-", "'"}:
        return False
    if not capital:
        if _STRONG_CUE.search(before):
            return True
        return (
            lower not in _NEVER
            and bool(_PREPOSITION.search(before))
            and bool(_BREAK.match(view.lower, end))
        )
    if _NAMED_AFTER.search(before):
        return bool(
            re.search(
                r"(?:gemeente|stad|dorp|centrum|station|inwoners|burgemeester|raad) van $", before
            )
        )
    if _CUE.search(before):
        return True
    if _at_start(view, start):
        return bool(re.match(r"[:,/] ", view.text[end : end + 2])) and lower not in _NEVER
    return lower not in _NEVER and not _after_capital(view, start)


def _after_capital(view: View, start: int) -> bool:
    """Say whether a capitalised word stands right before: then it is rather a family name."""
    before = re.search(r"([^\W\d_][\w'.-]*) $", view.text[max(0, start - 30) : start])
    return bool(before) and before[1][0].isupper()  # type: ignore[index]
