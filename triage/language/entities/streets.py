"""Streets and house numbers: words that are made like the name of a street."""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import either, words
from triage.language.entities.found import Found
from triage.language.entities.places import at_start, is_place_word, named_place
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import View, Word

_ENDS: Final = either("streets.txt")

_STREET_ENDS: Final = (*words("streets.txt"), "str")

_NO_STREET: Final = words("nl.nostreet.txt")

_PARTICLES: Final = frozenset(
    [
        "van",
        "de",
        "der",
        "den",
        "het",
        "'t",
        "ten",
        "ter",
        "te",
        "la",
        "le",
        "du",
        "des",
        "von",
        "zum",
        "zur",
        "'s",
        "en",
    ]
)

_NAMES: Final = words("names.first.txt") | words("names.last.txt") | words("nl.streetwords.txt")

_FAMILIES: Final = words("names.last.txt")
_FIRST: Final = words("names.first.txt") - words("nl.streetwords.txt")
#: Endings of streets with which family names end as often: Langendijk.
_FAMILY_ENDS: Final = ("dijk", "hof", "burg", "kamp", "brug", "hage", "steeg")

_VOCABULARY: Final = words("language.nl.txt")

_BARE: Final = words("streets.txt")

_FUNCTION: Final = words("nl.function.txt")

_TITLES: Final = frozenset(
    [
        "dr",
        "ds",
        "mr",
        "st",
        "prof",
        "burg",
        "ir",
        "ing",
        "gen",
        "pres",
        "pastoor",
        "past",
        "kon",
        "pr",
        "kard",
        "jhr",
        "mgr",
        "adm",
    ]
)

_LEADS: Final = frozenset(["van", "de", "der", "den", "het", "'t"])

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
    r"(?:,? ?\(?(?:nr\.?|nummer|nrs\.?|huisnummer|no\.?|huisnr\.?|#) ?| ?)(?P<number>\d{1,5}(?: ?"
    r"(?:[-/] ?)?(?:bis|hs|huis|[a-hA-H]|[IVX]{1,4}|[1-4](?=e?\b))(?![\w€%]))?(?:[-/]\d{1,4}(?!\w|"
    r"[-/]))?)"
    r"(?![\w€%]|[.,:/-]\d| ?(?:uur|u|euro|min|minuten|keer|x|jaar|jarige|mensen|man|personen|"
    r"auto's|kinderen|meter|m|km|dagen|weken|maanden|januari|"
    r"februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december|jan|feb|mrt|"
    r"apr|jun|jul|aug|sep|sept|okt|nov|dec|ton|miljoen|woningen|huizen|bomen)\b)",
    re.IGNORECASE,
)

_WITH_POSTCODE: Final = re.compile(
    r"(?<!\w)(?P<name>(?:[A-Z][\w'-]{1,24} (?:(?:van|de|der|den|het|'t|op|aan) ){0,2})"
    r"{0,3}[A-Z][\w'-]{2,24}) (?P<number>\d{1,5}(?: ?-? ?[A-Za-z]\b|-\d{1,3})?)"
    r"(?=,? ?\n?\d{4} ?[A-Z]{2}(?!\w))"
)

_LIVING: Final = Cued(
    r"(?<!\w)(?:[Ww]oon(?:t|achtig)?(?: (?:ik|wij|hij|zij))?|[Ww]onen|[Aa]dres(?: is)?:?|"
    r"[Hh]uisadres:?|[Hh]oek|[Bb]ij mij) (?:op|aan|in)? ?(?:de |het |'t )?(?"
    r"P<name>[A-Z][\w'-]{2,24}(?: [A-Z][\w'-]{2,24})?)"
    r" (?P<number>\d{1,4}(?: ?-? ?[A-Za-z]\b|-\d{1,3})?)(?![\w€%]|[.,:]\d| (?:uur|euro|jaar|jan|"
    r"mei))",
    *("woon", "wonen", "adres", "hoek", "bij mij"),
)

_IN_PLACE: Final = re.compile(
    r"(?<!\w)(?P<name>[A-Z][\w'-]{1,24}(?: [A-Z][\w'-]{1,24})? (?:de|het|den|der|'t|van|van de) "
    r"[A-Z][\w'-]{2,24}) \d{1,4}[a-zA-Z]?(?=,? (?:in|te) [A-Z])"
)

#: What every match of that ends with.
_BEFORE_PLACE: Final = AtDigits(r"(?<= )\d{1,4}[a-zA-Z]?(?=,? (?:in|te) [A-Z])")

_POSTCODE_DIGITS: Final = 4

#: Zero, or a year: "Plein 1813".
_NO_NUMBER: Final = re.compile(r"0\d*|1[5-9]\d\d|20[0-4]\d")

#: A family name of two parts: Boonstra-Dijk.
_DOUBLE: Final = re.compile(rf"-(?:{_ENDS})$")

#: Streets that are called like this and no more.
_ALONE: Final = frozenset(
    [
        "markt",
        "plein",
        "kade",
        "singel",
        "gracht",
        "dijk",
        "laan",
        "weg",
        "dreef",
        "hof",
        "steeg",
        "allee",
        "brink",
    ]
)

_LONGEST: Final = 5
_LONGEST_TITLE: Final = 12
#: No longer than this is an initial.
_INITIAL: Final = 2


def is_street(word: str) -> bool:
    """Say whether a word is made like the name of a street."""
    lower = word.lower()
    named = lower not in _NO_STREET or (word[0].isupper() and lower in _BARE)
    return named and lower.endswith(_STREET_ENDS)


def may_be_family(lower: str) -> bool:
    """Say whether a word that is made like a street may well be a family name."""
    return lower.endswith(_FAMILY_ENDS)


def addresses(view: View, found: Found) -> None:
    """Find addresses in a text with digits, whatever the street is called."""
    if any(end - start >= _POSTCODE_DIGITS for start, end in view.rows):
        for match in _WITH_POSTCODE.finditer(view.text):
            found.add("straat", *match.span(), match[0])
    before_place = next(_BEFORE_PLACE.among(view), None)
    for match in _IN_PLACE.finditer(view.text) if before_place else ():
        if match["name"].split(maxsplit=1)[0].lower() not in _FUNCTION:
            found.add("straat", *match.span(), match[0])
    for match in _LIVING.among(view):
        found.add(
            "straat", match.start("name"), match.end(), view.text[match.start("name") : match.end()]
        )


def streets(view: View, found: Found) -> None:
    """Find streets with their house numbers."""
    for index, word in enumerate(view.words):
        if not word.lower.endswith(_STREET_ENDS):
            continue
        if word.lower in _NO_STREET and not (word.capital and word.lower in _BARE):
            continue
        start = _start(view, index)
        end = _end(view, index)
        number = _NUMBER.match(view.text, end)
        if number and _NO_NUMBER.fullmatch(number["number"]):
            number = None
        if not _is_name(view, index, start, numbered=number is not None):
            continue
        until = number.end("number") if number else end
        found.add("straat", start, until, " ".join(view.text[start:until].split()))


def _is_name(  # noqa: PLR0911 - one reason a line
    view: View, index: int, start: int, *, numbered: bool
) -> bool:
    word = view.words[index]
    bare = bool(re.fullmatch(_ENDS, word.lower))
    if not numbered and start != word.start and may_be_family(word.lower):
        first = next(seen for seen in view.words if seen.end > start)
        if first.lower in _FIRST:
            return False
    if not numbered and (
        word.lower in _FAMILIES or is_place_word(word.lower) or _DOUBLE.search(word.lower)
    ):
        return False
    if word.capital:
        if start == word.start and bare:
            # "Plein 12", "Markt 3"; but "Laan van Meerdervoort" needs no number.
            return (numbered and word.lower in _ALONE) or _end(view, index) > word.end
        if word.lower.endswith(_SURE_ENDS):
            return word.lower not in _VOCABULARY or numbered
        return word.lower not in _VOCABULARY and (numbered or not at_start(view, start))
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


def _start(view: View, index: int) -> int:
    """Give where the name starts of which a word is the last: Jan van der Heijdenstraat."""
    seen = view.words
    first = index
    while first > 0 and index - first < _LONGEST:
        before = seen[first - 1]
        gap = view.text[before.end : seen[first].start]
        if gap not in {" ", ". ", "."} or (gap[0] == "." and len(before.text) > _LONGEST_TITLE):
            break
        if gap[0] == "." and not _abbreviated(before):
            break
        if not (before.capital or before.lower in _PARTICLES):
            break
        if before.capital and before.lower in _FUNCTION and before.lower not in _PARTICLES:
            break
        if (
            before.capital
            and at_start(view, before.start)
            and before.lower not in _NAMES
            and gap == " "
            and len(before.text) > _INITIAL
            and seen[index].lower not in _BARE
        ):
            break
        if named_place(before) and gap == " " and first == index and seen[index].lower not in _BARE:
            break
        first -= 1
    while first < index and (
        not seen[first].capital
        or (
            seen[first].lower in {"de", "het", "in", "op", "aan"}
            and at_start(view, seen[first].start)
        )
    ):
        first += 1
    # "1e Jan Steenstraat", "2de Hugo de Grootstraat"
    ordinal = re.search(r"\b\d{1,2}(?:e|de|ste) $", view.lower[: seen[first].start])
    if ordinal and seen[first].capital:
        return ordinal.start()
    return seen[first].start if seen[first].capital or first == index else seen[index].start


def _abbreviated(word: Word) -> bool:
    return len(word.text) <= _INITIAL or word.lower in _TITLES


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
